"""The DICOM files of a folder, grouped into series: what their headers say about each slice."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.errors import UnusableInput

if TYPE_CHECKING:
    from pydicom import Dataset

# Rows and Columns, yet no scan: overlays, doses and drawings on one.
_DERIVED = frozenset(
    ["SEG", "RTSTRUCT", "RTDOSE", "RTPLAN", "RTIMAGE", "PR", "KO", "SR", "REG", "DOC", "SMR"]
)
_TAGS = [
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "FrameOfReferenceUID",
    "PatientID",
    "Modality",
    "SeriesDescription",
    "EchoTime",
    "RepetitionTime",
    "InversionTime",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "PixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "ModalityLUTSequence",
]


@dataclass(frozen=True, eq=False)
class Slice:
    """The header of one image file. position_mm is LPS; row and column are the unit vectors of i and j."""

    path: Path
    header: Dataset
    position_mm: NDArray[np.float64]
    row: NDArray[np.float64]
    column: NDArray[np.float64]
    spacing_mm: tuple[float, float]  # along i, along j

    @property
    def size(self) -> tuple[int, int]:
        """Number of pixels along (i, j)."""
        return int(self.header.Columns), int(self.header.Rows)


def is_dicom(path: Path) -> bool:
    """Whether a file has the DICOM preamble."""
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def series_of_file(path: Path) -> str | None:
    """The SeriesInstanceUID of a DICOM file, or None for any other file."""
    header = _header(path) if is_dicom(path) else None
    return str(header.get("SeriesInstanceUID", "")) if header is not None else None


def image_headers(files: Iterable[Path]) -> dict[str, list[tuple[Path, Dataset]]]:
    """SeriesInstanceUID -> the image files of that series among these, in their order.

    Left out: files that are not DICOM, and DICOM objects that are not scans (RTSTRUCT, SEG, RTDOSE, reports).
    """
    found: dict[str, list[tuple[Path, Dataset]]] = defaultdict(list)
    for path in files:
        header = _header(path) if is_dicom(path) else None
        if header is not None and "Rows" in header and header.get("Modality", "") not in _DERIVED:
            found[str(header.get("SeriesInstanceUID", ""))].append((path, header))
    return dict(found)


def slice_of(path: Path, header: Dataset) -> Slice:
    """The slice of one file.

    Raises UnusableInput when its header does not place one grey image in the patient.
    """
    if int(header.get("NumberOfFrames") or 1) > 1:
        raise UnusableInput(
            f"{path.name} is a multi-frame object ({header.NumberOfFrames} frames in one "
            "file); export the series with one image per file"
        )
    grey = str(header.get("PhotometricInterpretation", "MONOCHROME2")).startswith("MONOCHROME")
    if int(header.get("SamplesPerPixel") or 1) != 1 or not grey:
        raise UnusableInput(f"{path.name} is a colour image; choose a series of grey-scale images")
    if header.get("ModalityLUTSequence"):
        raise UnusableInput(
            f"{path.name} stores its values through a look-up table; export it with rescale "
            "slope and intercept"
        )
    position = _numbers(header, path, "ImagePositionPatient", 3)
    cosines = _numbers(header, path, "ImageOrientationPatient", 6)
    between_rows, between_columns = _numbers(header, path, "PixelSpacing", 2).tolist()
    row, column = cosines[:3], cosines[3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if not np.allclose(lengths, 1, atol=1e-2) or abs(row @ column) > 1e-2:
        raise UnusableInput(
            f"{path.name} has an ImageOrientationPatient whose axes are not perpendicular "
            "unit "
            f"vectors ({', '.join(f'{value:g}' for value in cosines)}); export it again"
        )
    if between_rows <= 0 or between_columns <= 0:
        raise UnusableInput(
            f"{path.name} has a PixelSpacing of {between_rows:g}x{between_columns:g} mm; export it again"
        )
    row = row / lengths[0]
    column = column - (column @ row) * row
    column /= np.linalg.norm(column)
    return Slice(path, header, position, row, column, (between_columns, between_rows))


def _numbers(header: Dataset, path: Path, keyword: str, count: int) -> NDArray[np.float64]:
    value: Any = header.get(keyword)
    if value is None or value == "":
        raise UnusableInput(
            f"{path.name} has no {keyword}, so its place in the patient is unknown; "
            "choose the original series, not a screenshot"
        )
    try:
        numbers = np.asarray(value, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.size != count or not np.isfinite(numbers).all():
        raise UnusableInput(f"{path.name} has a broken {keyword} ({value}); export it again")
    return numbers


def files_below(folder: Path) -> Iterator[Path]:
    """All files below a folder, in order of path; UnusableInput when it cannot be read."""
    try:
        yield from sorted(path for path in folder.rglob("*") if path.is_file())
    except OSError as error:
        raise UnusableInput(f"{folder} cannot be read: {error.strerror or error}") from error


def _header(path: Path) -> Dataset | None:
    """The header of a DICOM file; None for the index of a DICOM medium."""
    import pydicom
    from pydicom.uid import MediaStorageDirectoryStorage

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd values are judged where they are used
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_TAGS))
    except Exception as error:  # pydicom raises whatever a damaged file trips over
        raise UnusableInput(f"{path.name} is damaged ({error}); copy or export it again") from error
    if "SOPClassUID" in header:
        return header
    if header.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
        return None
    # Passing it over could hide that the first or last slice is gone.
    raise UnusableInput(f"{path.name} is damaged: it does not say what it holds; copy or export it again")
