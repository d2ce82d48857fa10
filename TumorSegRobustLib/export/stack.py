"""The images of a DICOM series as planes in the patient: what contours lie on and refer to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import DicomSeries, list_series

_SAME_DIRECTION = 1e-3  # cosines; header rounding to four digits stays below
_SAME_SPACING_MM = 1e-4
_SAME_PLANE_MM = 1e-3
# What an RT Structure Set takes over from the images: Patient, General Study, Frame of Reference.
PATIENT_AND_STUDY = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "ReferringPhysicianName",
    "PositionReferenceIndicator",
)
_NEEDED = (
    *PATIENT_AND_STUDY,
    "SpecificCharacterSet",
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "Modality",
    "FrameOfReferenceUID",
    "NumberOfFrames",
    "SharedFunctionalGroupsSequence",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "Rows",
    "Columns",
)


@dataclass(frozen=True)
class Stack:
    """Parallel image planes, sorted along their normal; not necessarily evenly spaced or square to the stack.

    headers: one per plane. origins_mm: (planes, 3) LPS of the centre of each first voxel. row_axis_mm and
    column_axis_mm: LPS step from one column to the next (along a row), and from one row to the next.
    normal: unit vector. shape: (planes, rows, columns).
    """

    headers: tuple[Dataset, ...]
    origins_mm: np.ndarray
    row_axis_mm: np.ndarray
    column_axis_mm: np.ndarray
    normal: np.ndarray
    shape: tuple[int, int, int]

    @property
    def distance_mm(self) -> np.ndarray:
        """Position of each plane along the normal, ascending."""
        return self.origins_mm @ self.normal

    @property
    def frame_of_reference_uid(self) -> str:
        return str(self.headers[0].FrameOfReferenceUID)

    @property
    def voxel_ml(self) -> float:
        """Mean volume of a voxel; a single plane counts as 1 mm thick."""
        distance = self.distance_mm
        step = (distance[-1] - distance[0]) / (len(distance) - 1) if len(distance) > 1 else 1.0
        area = float(np.linalg.norm(self.row_axis_mm) * np.linalg.norm(self.column_axis_mm))
        return area * float(step) / 1000.0

    def positions_mm(self, plane: int, column_row: np.ndarray) -> np.ndarray:
        """LPS of points (n, 2) given as (column, row) of a plane."""
        return self.origins_mm[plane] + column_row @ np.stack([self.row_axis_mm, self.column_axis_mm])

    def column_row(self, plane: np.ndarray | int, positions_mm: np.ndarray) -> np.ndarray:
        """Fractional (column, row) of LPS points (n, 3), looked at along the normal."""
        axes = np.stack([self.row_axis_mm, self.column_axis_mm], axis=1)
        return (positions_mm - self.origins_mm[plane]) @ np.linalg.pinv(axes).T

    def nearest_plane(self, along_mm: np.ndarray) -> np.ndarray:
        """Index of the plane nearest to each position along the normal."""
        distance = self.distance_mm
        return np.searchsorted((distance[1:] + distance[:-1]) / 2, along_mm)


def find_series(series: DicomSeries | Path | str) -> DicomSeries:
    """The series itself, or the only image series in a folder."""
    if isinstance(series, DicomSeries):
        return series
    found = list_series(Path(series))
    if len(found) != 1:
        held = ", ".join(f"{s.series_uid} ({s.describe()})" for s in found) or "none"
        raise UnusableInput(
            f"{series} must hold exactly one DICOM image series to place contours on, found: {held}"
        )
    return found[0]


def read_stack(files: Sequence[Path]) -> Stack:
    """Headers of one series, checked. Raises UnusableInput when contours could not refer to these images."""
    headers = [_read_header(Path(file)) for file in files]
    if not headers:
        raise UnusableInput("The DICOM series has no images; contours need images to lie on")
    first = headers[0]
    orientation = np.asarray(first.ImageOrientationPatient, dtype=np.float64)
    for path, header in zip(files, headers, strict=True):
        _check_same_series(Path(path), header, first, orientation)
    rows, columns = _unit_axes(orientation, Path(files[0]))
    between_rows, between_columns = (float(value) for value in first.PixelSpacing)
    normal = np.cross(rows, columns)
    normal /= np.linalg.norm(normal)
    origins = np.array([[float(value) for value in header.ImagePositionPatient] for header in headers])
    order = np.argsort(origins @ normal, kind="stable")
    origins = origins[order]
    if len(origins) > 1 and np.diff(origins @ normal).min() < _SAME_PLANE_MM:
        raise UnusableInput(
            f"Series {first.SeriesInstanceUID} has several images at one position (a 4D or repeated scan); "
            "export on a series with one image per position"
        )
    shape = (len(headers), int(first.Rows), int(first.Columns))
    sorted_headers = tuple(headers[n] for n in order)
    return Stack(sorted_headers, origins, rows * between_columns, columns * between_rows, normal, shape)


def _read_header(path: Path) -> Dataset:
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_NEEDED))
    except (InvalidDicomError, OSError) as error:
        raise UnusableInput(
            f"{path.name} is not a readable DICOM file ({error}); export needs the whole series"
        ) from None
    if "SharedFunctionalGroupsSequence" in header or int(header.get("NumberOfFrames", None) or 1) > 1:
        raise UnusableInput(
            f"{path.name} is an enhanced multi-frame object; RTSTRUCT export needs one image per file, "
            "convert it to a classic series first"
        )
    if not header.get("FrameOfReferenceUID"):
        raise UnusableInput(
            f"{path.name} has no Frame of Reference UID, so no planning system could place the contours; "
            "export on a series that has one"
        )
    for name in (
        "SOPClassUID",
        "SOPInstanceUID",
        "SeriesInstanceUID",
        "StudyInstanceUID",
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "PixelSpacing",
        "Rows",
        "Columns",
    ):
        if not header.get(name):
            raise UnusableInput(
                f"{path.name} has no {name}; contours cannot refer to it, repair or leave out the series"
            )
    return header


def _unit_axes(orientation: np.ndarray, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Exactly perpendicular unit vectors along rows and columns, header rounding removed."""
    rows, columns = orientation[:3], orientation[3:]
    if (
        orientation.shape != (6,)
        or abs(rows @ columns) > 1e-2
        or not np.allclose(orientation @ orientation, 2, 0.02)
    ):
        raise UnusableInput(
            f"{path.name} has an ImageOrientationPatient that is no pair of perpendicular unit vectors; "
            "export it again"
        )
    rows = rows / np.linalg.norm(rows)
    columns = columns - (columns @ rows) * rows
    return rows, columns / np.linalg.norm(columns)


def _check_same_series(path: Path, header: Dataset, first: Dataset, orientation: np.ndarray) -> None:
    for name in ("SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID", "Rows", "Columns"):
        if header[name].value != first[name].value:
            raise UnusableInput(
                f"{path.name} differs from the rest of its series in {name}; give one clean series"
            )
    turned = np.abs(np.asarray(header.ImageOrientationPatient, dtype=np.float64) - orientation).max()
    spacing = np.abs(np.subtract(header.PixelSpacing, first.PixelSpacing).astype(np.float64)).max()
    if turned > _SAME_DIRECTION or spacing > _SAME_SPACING_MM:
        raise UnusableInput(
            f"{path.name} is turned or scaled against the rest of its series; give one clean series"
        )
