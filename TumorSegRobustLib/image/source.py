"""What a DICOM header says a scan is: kind, sequence, and whose it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom import Dataset

# Names of sequences in descriptions. A T1 FLAIR and a MPRAGE are T1, a dark-fluid TIRM is a FLAIR.
_WORDS = (
    ("diffusion", r"\badc\b|dwi|dti|diffusion"),
    ("T1", r"\bt1|mprage|mp2rage|\bspgr\b|bravo|\bt1ffe\b"),
    ("FLAIR", r"flair|dark.?fluid|\btirm\b"),
    ("T2", r"\bt2"),
)
# Times in ms. FLAIR nulls fluid at 1.5 T and 3 T; T1 by spin or fast gradient echo; T2 by fast spin echo.
_NULLS_FLUID_MS = 1500.0
_LONG_ECHO_MS = 60.0
_SHORT_ECHO_MS = 30.0
_SHORT_REPETITION_MS = 1000.0


@dataclass(frozen=True)
class Source:
    """Of one DICOM series; "" and None where the header does not tell."""

    modality: str = ""
    description: str = ""
    patient_id: str = ""
    study_uid: str = ""
    frame_of_reference_uid: str = ""
    echo_ms: float | None = None
    repetition_ms: float | None = None
    inversion_ms: float | None = None

    @property
    def sequence(self) -> str:
        """FLAIR, T1, T2, diffusion, or "" where neither words nor times tell; words count first."""
        words = re.sub(r"[_\-/+.]", " ", self.description.lower())
        for name, pattern in _WORDS:
            if re.search(pattern, words):
                return name
        return self._of_times()

    def _of_times(self) -> str:
        if self.modality != "MR" or self.echo_ms is None:
            return ""
        if self.echo_ms >= _LONG_ECHO_MS:
            nulled = self.inversion_ms is not None and self.inversion_ms >= _NULLS_FLUID_MS
            return "FLAIR" if nulled else "" if self.inversion_ms else "T2"
        short = self.repetition_ms is not None and self.repetition_ms <= _SHORT_REPETITION_MS
        return "T1" if short and self.echo_ms <= _SHORT_ECHO_MS else ""


def source_of(header: Dataset) -> Source:
    """From the header of one slice; values that are no numbers count as not told."""

    def text(keyword: str) -> str:
        return str(header.get(keyword, "") or "").strip()

    def number(keyword: str) -> float | None:
        try:
            return float(header.get(keyword))
        except (TypeError, ValueError):
            return None

    return Source(
        text("Modality"),
        text("SeriesDescription"),
        text("PatientID"),
        text("StudyInstanceUID"),
        text("FrameOfReferenceUID"),
        number("EchoTime"),
        number("RepetitionTime"),
        number("InversionTime"),
    )
