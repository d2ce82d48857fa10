"""Small scans made for the tests of the image room: volumes of known values, DICOM series slice by slice."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Geometry, Image, read_series, write_image

STUDY_UID = "1.2.826.0.1.3680043.8.498.1"
SERIES_UID = "1.2.826.0.1.3680043.8.498.1.1"


# Offsets of the fields of a NIfTI-1 header
SFORM, QFORM_CODE, SFORM_CODE, PIXDIM, DIM, UNITS, DATATYPE = 280, 252, 254, 76, 40, 123, 70
VALUES = np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)
AXIAL = [(-10.0, 20.0, 5.0 + 3.0 * n) for n in range(5)]


def linear_field(position_mm: NDArray) -> NDArray:
    """A value for every LPS position (..., 3): linear, so that linear interpolation is exact anywhere."""
    return 300.0 + np.asarray(position_mm) @ np.array([1.5, -2.25, 3.0])


def field_image(geometry: Geometry, name: str = "field") -> Image:
    """The linear field sampled on a grid, float32."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in geometry.shape], indexing="ij"), axis=-1)
    return Image(linear_field(geometry.position_of(index)).astype(np.float32), geometry, name)


def rotation(degrees_xyz: Sequence[float]) -> NDArray:
    """A rotation matrix: about x, then y, then z."""
    result = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees_xyz)):
        turn = np.eye(3)
        a, b = [n for n in range(3) if n != axis]
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        result = turn @ result
    return result


def write_slices(
    folder: Path,
    positions_mm: Sequence[Sequence[float]],
    *,
    cosines: Sequence[float] = (1, 0, 0, 0, 1, 0),
    size: tuple[int, int] = (8, 6),
    spacing_mm: tuple[float, float] = (1.5, 2.0),
    modality: str = "MR",
    rescale: tuple[float, float] | None = (0.05, -100.0),
    series_uid: str = SERIES_UID,
    prefix: str = "slice",
    **attributes: object,
) -> list[Path]:
    """One DICOM file per position, its pixels the linear field; size and spacing along (i, j).

    Names run against the order of the positions, so that nothing is right by alphabet alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, position in enumerate(positions_mm):
        path = folder / f"{prefix}-{len(positions_mm) - number:03d}.dcm"
        slope, intercept = rescale or (1.0, 0.0)
        values = (plane_values(position, cosines, size, spacing_mm) - intercept) / slope
        _write_slice(
            path,
            np.round(values).astype(np.uint16),
            position,
            cosines,
            spacing_mm,
            modality,
            rescale,
            series_uid,
            number,
            attributes,
        )
        paths.append(path)
    return paths


def plane_values(
    position: Sequence[float],
    cosines: Sequence[float],
    size: tuple[int, int],
    spacing_mm: tuple[float, float],
) -> NDArray:
    """The linear field on one slice, (j, i)."""
    j, i = np.meshgrid(np.arange(size[1]), np.arange(size[0]), indexing="ij")
    row, column = np.reshape(np.asarray(cosines, dtype=float), (2, 3))
    places = np.asarray(position) + i[..., None] * spacing_mm[0] * row + j[..., None] * spacing_mm[1] * column
    return linear_field(places)


def _write_slice(
    path, pixels, position, cosines, spacing_mm, modality, rescale, series_uid, number, attributes
):
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage

    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = CTImageStorage if modality == "CT" else MRImageStorage
    data.SOPInstanceUID = f"{series_uid}.{number + 1}"
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.StudyInstanceUID, data.SeriesInstanceUID = STUDY_UID, series_uid
    data.FrameOfReferenceUID = STUDY_UID + ".9"
    data.PatientID, data.Modality, data.SeriesDescription = "TEST", modality, "FLAIR axial"
    data.ImagePositionPatient = [f"{value:.6f}" for value in position]
    data.ImageOrientationPatient = [f"{value:.10f}" for value in cosines]
    data.PixelSpacing = [spacing_mm[1], spacing_mm[0]]  # between rows first
    data.Rows, data.Columns = pixels.shape
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    if rescale is not None:
        data.RescaleSlope, data.RescaleIntercept = rescale
    data.PixelData = pixels.astype("<u2").tobytes()
    for keyword, value in attributes.items():
        if value is None:
            delattr(data, keyword)
        else:
            setattr(data, keyword, value)
    data.save_as(path, enforce_file_format=True)


def write(path: Path, voxels: np.ndarray = VALUES, **grid: object) -> Path:
    write_image(Image(voxels, Geometry(voxels.shape, **grid)), path)  # type: ignore[arg-type]
    return path


def patched(path: Path, *changes: tuple[int, str, tuple]) -> Path:
    """A valid .nii file with some header fields overwritten: (offset, struct format, values)."""
    data = bytearray(write(path).read_bytes())
    for offset, layout, values in changes:
        struct.pack_into("<" + layout, data, offset, *values)
    path.write_bytes(data)
    return path


def field_errors(image: Image) -> np.ndarray:
    """How far each voxel is from the linear field that was written."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in image.geometry.shape], indexing="ij"), axis=-1)
    return np.abs(image.voxels - linear_field(image.geometry.position_of(index)))


def refusal_of(folder: Path, series_uid: str | None = None) -> str:
    with pytest.raises(UnusableInput) as refusal:
        read_series(folder, series_uid)
    line = str(refusal.value)
    assert "\n" not in line
    return line
