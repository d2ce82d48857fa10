"""A folder of DICOM files as one volume: find the series, sort the slices, check their geometry."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image.geometry import Geometry
from TumorSegRobustLib.image.volume import Image


@dataclass(frozen=True)
class DicomSeries:
    """One series: files sorted along the slice normal, and the grid on which read_series puts them."""

    series_uid: str
    files: tuple[Path, ...]
    geometry: Geometry
    modality: str = ""
    description: str = ""
    study_uid: str = ""
    frame_of_reference_uid: str = ""
    patient_id: str = ""
    sop_instance_uids: tuple[str, ...] = ()


def list_series(folder: str | Path) -> list[DicomSeries]:
    """Every image series below a folder; other DICOM files (RTSTRUCT, SEG, reports) are left out."""
    groups: dict[str, list[tuple[Path, pydicom.Dataset]]] = defaultdict(list)
    for path in sorted(p for p in Path(folder).rglob("*") if p.is_file()):
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True)
        except (InvalidDicomError, OSError):
            continue
        if "ImagePositionPatient" in header and "Rows" in header:
            groups[str(header.SeriesInstanceUID)].append((path, header))
    return [_series(uid, slices) for uid, slices in groups.items()]


def read_series(folder: str | Path, series_uid: str | None = None) -> tuple[Image, DicomSeries]:
    """The volume of one series and the series itself, rescale slope and intercept applied."""
    found = list_series(folder)
    if series_uid is not None:
        found = [series for series in found if series.series_uid == series_uid]
    if len(found) != 1:
        listed = "; ".join(f"{s.series_uid} ({s.modality} {s.description}, {len(s.files)} images)" for s in found)
        raise UnusableInput(f"{folder} holds {len(found)} DICOM image series {listed}; give one")
    series = found[0]
    planes = []
    for path in series.files:
        data = pydicom.dcmread(path)
        planes.append(data.pixel_array * float(data.get("RescaleSlope", 1)) + float(data.get("RescaleIntercept", 0)))
    return Image(np.stack(planes).astype(np.float32), series.geometry, series.description or Path(folder).name), series


def _series(uid: str, slices: list[tuple[Path, pydicom.Dataset]]) -> DicomSeries:
    header = slices[0][1]
    row, column = np.reshape(np.asarray(header.ImageOrientationPatient, dtype=float), (2, 3))
    normal = np.cross(row, column)
    slices = sorted(slices, key=lambda item: float(np.dot(normal, np.asarray(item[1].ImagePositionPatient, float))))
    first, last = (np.asarray(slices[n][1].ImagePositionPatient, dtype=float) for n in (0, -1))
    step = float(np.dot(last - first, normal)) / max(1, len(slices) - 1)
    between_rows, between_columns = (float(v) for v in header.PixelSpacing)
    geometry = Geometry((len(slices), int(header.Rows), int(header.Columns)),
                        (between_columns, between_rows, step or 1.0), tuple(first.tolist()),
                        tuple(np.column_stack([row, column, normal]).ravel().tolist()))
    return DicomSeries(uid, tuple(path for path, _ in slices), geometry, str(header.get("Modality", "")),
                       str(header.get("SeriesDescription", "")), str(header.get("StudyInstanceUID", "")),
                       str(header.get("FrameOfReferenceUID", "")), str(header.get("PatientID", "")),
                       tuple(str(h.SOPInstanceUID) for _, h in slices))
