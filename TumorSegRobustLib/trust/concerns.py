"""What speaks against a whole scan, whatever contour was drawn on it: in words, with what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from TumorSegRobustLib.image import Image
from TumorSegRobustLib.models import label_of

# The share of the expected Dice that is left. Measured on twelve real scans whose T1c or T1 was given as
# FLAIR: .57 was expected and .21 was true. Further channels matter less: FLAIR given as T1c did no harm to
# the whole tumour. Where there is no brain at all nothing is known, and .2 only says so.
KEPT_FIRST, KEPT_FURTHER, KEPT_NOTHING = 0.4, 0.8, 0.2
_SCORES = {"review": 1.0, "reject": 2.0}

# Real scans of 8 bit have 100 grey values and more, and up to .48 of their neighbours are alike; contours and
# label maps have 2 to 60, and .86 and more.
_FEWEST_VALUES = 20
_MOST_ALIKE = 0.7
_SAME = 0.995  # correlation; FLAIR and T1c of one head reach .96, skull and background included
_SEQUENCES = {"flair": "FLAIR", "t1": "T1", "t1c": "T1", "t2": "T2"}


@dataclass(frozen=True)
class Concern:
    """level: "review" or "reject". kept: the share of the expected Dice that is left, 0..1."""

    level: str
    kept: float
    text: str

    @property
    def score(self) -> float:
        """On the scale of `Shift.score`."""
        return _SCORES[self.level]


def about_values(name: str, scan: Image) -> Iterator[Concern]:
    """Contours and label maps given as a scan: few values, or large areas of the same value."""
    voxels = scan.voxels
    values = len(np.unique(voxels[::2, ::2, ::2]))
    if values < _FEWEST_VALUES:
        words = f"{label_of(name)} holds only {values} grey values: it looks like a contour, not a scan."
        yield Concern("reject", KEPT_NOTHING, words)
    elif _alike(voxels) > _MOST_ALIKE:
        words = f"{label_of(name)} has large areas of one value: it looks like a label map, not a scan."
        yield Concern("reject", KEPT_NOTHING, words)


def about_copies(normalised: Mapping[str, np.ndarray]) -> Iterator[Concern]:
    """Channels (k, j, i) that are one and the same scan."""
    for one, other in combinations(normalised, 2):
        a, b = (normalised[name].astype(np.float64).ravel() for name in (one, other))
        if a.std() > 0 and b.std() > 0 and np.corrcoef(a, b)[0, 1] >= _SAME:
            words = f"{label_of(one)} and {label_of(other)} are the same scan, given twice."
            yield Concern("review", KEPT_FURTHER, words)


def about_headers(scans: Mapping[str, Image], modality: str) -> Iterator[Concern]:
    """Where DICOM headers contradict the package's modality, a channel's name, or each other.

    Nobody's name or number is told: reasons are written into result files.
    """
    told = {name: scan.source for name, scan in scans.items() if scan.source is not None}
    for name, source in told.items():
        if modality and source.modality and source.modality != modality:
            words = f"{label_of(name)} is {source.modality} by its DICOM header"
            yield Concern("reject", KEPT_NOTHING, f"{words}, but the model expects {modality}.")
            continue
        expected = _SEQUENCES.get(name.lower(), "")
        if expected and source.sequence and source.sequence != expected:
            words = f"The scan given as {label_of(name)} is {source.sequence} by its DICOM header."
            yield Concern("review", KEPT_FIRST if name == next(iter(scans)) else KEPT_FURTHER, words)
    for (one, a), (other, b) in combinations(told.items(), 2):
        pair = f"{label_of(one)} and {label_of(other)}"
        if _differ(a.patient_id, b.patient_id):
            yield Concern("reject", KEPT_NOTHING, f"{pair} are of two patients, their DICOM headers say.")
        elif _differ(a.study_uid, b.study_uid):
            words = f"{pair} are of two examinations: the tumour may have changed, the head may have moved."
            yield Concern("review", KEPT_FURTHER, words)
        elif _differ(a.frame_of_reference_uid, b.frame_of_reference_uid):
            words = f"{pair} do not share a frame of reference: they may not lie on each other."
            yield Concern("review", KEPT_FURTHER, words)


def _differ(one: str, other: str) -> bool:
    return bool(one and other and one != other)


def _alike(voxels: np.ndarray) -> float:
    """The share of neighbours along i with the same value, where both are neither lowest nor median (air)."""
    before, after = voxels[..., :-1], voxels[..., 1:]
    tissue = np.ones(before.shape, dtype=bool)
    for air in (voxels.min(), np.median(voxels[::2, ::2, ::2])):
        tissue &= (before != air) & (after != air)
    count = int(np.count_nonzero(tissue))
    return float(np.count_nonzero((before == after) & tissue)) / count if count else 1.0
