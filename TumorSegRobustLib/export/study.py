"""What every object that we write into a study says of itself: whose it is, which software made it."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from TumorSegRobustLib.export.stack import PATIENT_AND_STUDY, Stack

SOFTWARE = "TumorSegRobust"
DISCLAIMER = "research software, not a medical device"
_OPTIONAL = {  # taken over only where the images have it
    "IssuerOfPatientID",
    "StudyDescription",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
}
_TEXT = ("PN", "LO", "SH", "ST", "LT", "UT")


def fresh_uid() -> str:
    return str(generate_uid(prefix=None))  # 2.25.<random UUID>


def take_over(dataset: Dataset, stack: Stack) -> None:
    """Patient and study of the images, as they are written there; empty where the images say nothing."""
    header = stack.headers[0]
    for name in PATIENT_AND_STUDY:
        if name in header:
            dataset[name] = header[name]
        elif name not in _OPTIONAL:
            setattr(dataset, name, "")


def text_of(dataset: Dataset) -> list[str]:
    """The text values of a dataset, for which a character set is to be found."""
    return [str(element.value) for element in dataset if element.VR in _TEXT and element.value]


def series_number(stack: Stack, above: int = 1000) -> int:
    """Far above the images, so that what was drawn is listed after the scans of the study."""
    return above + int(stack.headers[0].get("SeriesNumber", None) or 0)
