"""For the tests of export: series made to measure, masks that break writers, readers that are not ours."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
# Rows and columns of the rotation about x, y and z by 15, -8 and 10 degrees.
OBLIQUE = (0.9752236717, 0.1719582455, 0.1391731010, -0.2032046740, 0.9449963225, 0.2563002359)
CORNER_MM = (-80.5, -90.25, 37.0)


@dataclass(frozen=True)
class Grid:
    """A DICOM series to write: (slices, rows, columns), mm between rows, columns and slices, axes, tilt."""

    shape: tuple[int, int, int] = (14, 48, 48)
    between_rows: float = 1.0
    between_columns: float = 1.0
    between_slices: float = 2.5
    orientation: tuple[float, ...] = AXIAL
    shift_per_slice_mm: float = 0.0  # along the columns, as a tilted gantry gives


HARD_GRIDS = {
    "axial, square": Grid(),
    "non-square pixels": Grid(between_rows=0.9, between_columns=1.2, between_slices=3.0),
    "non-square matrix": Grid(shape=(14, 45, 57)),
    "oblique": Grid(orientation=OBLIQUE),
    "oblique, non-square pixels and matrix": Grid((14, 45, 57), 0.9, 1.1, 3.0, OBLIQUE),
}


def write_series(folder: Path, grid: Grid | None = None, **attributes: object) -> Path:
    """A CT series that dciodvfy accepts; `attributes` replace or (None) remove those of every image."""
    grid = grid or Grid()
    folder.mkdir(parents=True, exist_ok=True)
    row, column = np.array(grid.orientation[:3]), np.array(grid.orientation[3:])
    step = np.cross(row, column) * grid.between_slices + column * grid.shift_per_slice_mm
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    noise = np.random.default_rng(7)
    for n in range(grid.shape[0]):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        position = np.array(CORNER_MM) + n * step
        values = {
            "SpecificCharacterSet": "ISO_IR 100",
            "SOPClassUID": CTImageStorage,
            "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
            "StudyInstanceUID": study,
            "SeriesInstanceUID": series,
            "FrameOfReferenceUID": frame,
            "PositionReferenceIndicator": "",
            "PatientName": "Test^Synthetic",
            "PatientID": "SYN1",
            "PatientBirthDate": "19700101",
            "PatientSex": "O",
            "StudyID": "1",
            "StudyDate": "20260101",
            "StudyTime": "120000",
            "AccessionNumber": "",
            "ReferringPhysicianName": "",
            "SeriesNumber": 3,
            "InstanceNumber": n + 1,
            "Modality": "CT",
            "Manufacturer": "Synthetic",
            "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
            "KVP": 120,
            "AcquisitionNumber": 1,
            "PatientPosition": "HFS",
            "Rows": grid.shape[1],
            "Columns": grid.shape[2],
            "PixelSpacing": [grid.between_rows, grid.between_columns],
            "SliceThickness": grid.between_slices,
            "ImageOrientationPatient": [f"{value:.10g}" for value in grid.orientation],
            "ImagePositionPatient": [f"{value:.10g}" for value in position],
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2",
            "BitsAllocated": 16,
            "BitsStored": 16,
            "HighBit": 15,
            "PixelRepresentation": 1,
            "RescaleIntercept": 0,
            "RescaleSlope": 1,
            "RescaleType": "HU",
            "PixelData": noise.integers(-50, 50, grid.shape[1:]).astype("<i2").tobytes(),
            **attributes,
        }
        for name, value in values.items():
            if value is not None:
                setattr(image, name, value)
        # Names against the order of the slices: files are not to be trusted to be in order.
        image.save_as(folder / f"{grid.shape[0] - n:03d}.dcm", enforce_file_format=True)
    return folder


def hard_mask(shape: tuple[int, int, int]) -> np.ndarray:
    """A hole with an island in it, a satellite, a diagonal touch, a lone voxel, a thin ring, the border."""
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")

    def ellipsoid(centre: Sequence[float], radii: Sequence[float]) -> np.ndarray:
        return ((z - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2 + (
            (x - centre[2]) / radii[2]
        ) ** 2 <= 1

    mask = ellipsoid((0, 0, 0), (0.8, 0.62, 0.62)) & ~ellipsoid((0, 0.05, -0.05), (0.5, 0.4, 0.4))
    mask |= ellipsoid((0, 0.05, -0.05), (0.3, 0.18, 0.2))
    mask |= ellipsoid((0.3, -0.6, 0.78), (0.3, 0.18, 0.16))
    middle = shape[0] // 2
    mask[middle, -4, -4] = True
    mask[middle, 2:4, 3] = mask[middle, 4:6, 4] = True
    mask[middle, 2:7, 10:15] = True
    mask[middle, 3:6, 11:14] = False
    mask[middle + 1, -3:, :5] = True
    return mask


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Dice overlap of two masks that are not both empty."""
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def read_even_odd(rtstruct: Path, folder: Path) -> dict[str, np.ndarray]:
    """Masks (slices, rows, columns) of an RTSTRUCT: voxel centres against edges, and none of our code.

    Slices in order along the normal of the images in `folder`; each contour must lie on the image it names.
    """
    images = [pydicom.dcmread(file, stop_before_pixels=True) for file in folder.iterdir()]
    images = [image for image in images if "ImagePositionPatient" in image]
    row, column = np.reshape(np.array(images[0].ImageOrientationPatient, float), (2, 3))
    normal = np.cross(row, column)
    images.sort(key=lambda image: float(normal @ np.array(image.ImagePositionPatient, float)))
    between_rows, between_columns = (float(value) for value in images[0].PixelSpacing)
    order = {image.SOPInstanceUID: n for n, image in enumerate(images)}
    dataset = pydicom.dcmread(rtstruct)
    names = {item.ROINumber: str(item.ROIName) for item in dataset.StructureSetROISequence}
    masks = {}
    for region in dataset.ROIContourSequence:
        mask = np.zeros((len(images), images[0].Rows, images[0].Columns), bool)
        for contour in region.ContourSequence:
            n = order[contour.ContourImageSequence[0].ReferencedSOPInstanceUID]
            offset = np.reshape(np.array(contour.ContourData, float), (-1, 3)) - np.array(
                images[n].ImagePositionPatient, float
            )
            assert np.abs(offset @ normal).max() < 0.01, "a contour lies beside the image it refers to"
            polygon = np.stack([offset @ row / between_columns, offset @ column / between_rows], axis=1)
            mask[n] ^= crossings(polygon, mask[n].shape) % 2 == 1
        masks[names[region.ReferencedROINumber]] = mask
    return masks


def crossings(polygon: np.ndarray, shape: tuple[int, int], signed: bool = False) -> np.ndarray:
    """How often a ray from each voxel centre to the right meets the polygon; signed: its winding number."""
    count = np.zeros(shape, int)
    rows, columns = np.arange(shape[0]), np.arange(min(shape[1], max(0, int(np.ceil(polygon[:, 0].max())))))
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        hit = np.flatnonzero((y0 > rows) != (y1 > rows))
        if len(hit):
            meets = x0 + (rows[hit] - y0) / (y1 - y0) * (x1 - x0)
            count[hit, : len(columns)] += np.where(
                columns < meets[:, None], np.sign(y1 - y0) if signed else 1, 0
            ).astype(int)
    return count


def read_plastimatch(rtstruct: Path, folder: Path, scratch: Path, *options: str) -> dict[str, np.ndarray]:
    """Masks as plastimatch reads them, on the grid of the images; slices in order along the normal."""
    fixed, out = scratch / "fixed.nrrd", scratch / "-".join(("masks", *options))
    if not fixed.exists():
        files = [
            file
            for file in folder.iterdir()
            if "ImagePositionPatient" in pydicom.dcmread(file, stop_before_pixels=True)
        ]
        sitk.WriteImage(sitk.ReadImage([str(file) for file in _sorted(files)]), fixed)
    run("plastimatch", "convert", "--input", rtstruct, "--referenced-ct", folder, "--fixed", fixed,
        "--output-prefix", out, "--prefix-format", "nrrd", *options)  # fmt: skip
    return {file.stem: sitk.GetArrayFromImage(sitk.ReadImage(file)) > 0 for file in out.iterdir()}


def read_frames(seg: Path, folder: Path) -> dict[str, np.ndarray]:
    """Masks (slices, rows, columns) of a DICOM SEG by segment label: bits and headers, and no library of SEG.

    Slices in order along the normal of the images in `folder`; each frame must lie on the image it names.
    """
    images = [pydicom.dcmread(file, stop_before_pixels=True) for file in _sorted(folder.iterdir())]
    order = {image.SOPInstanceUID: n for n, image in enumerate(images)}
    dataset = pydicom.dcmread(seg)
    assert (dataset.SegmentationType, dataset.BitsAllocated) == ("BINARY", 1)
    shape = (dataset.Rows, dataset.Columns)
    bits = np.unpackbits(np.frombuffer(dataset.PixelData, np.uint8), bitorder="little")
    frames = bits[: int(dataset.NumberOfFrames) * shape[0] * shape[1]].reshape(-1, *shape).astype(bool)
    labels = {item.SegmentNumber: str(item.SegmentLabel) for item in dataset.SegmentSequence}
    masks = {label: np.zeros((len(images), *shape), bool) for label in labels.values()}
    (shared,) = dataset.SharedFunctionalGroupsSequence
    orientation = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    assert np.allclose(orientation, images[0].ImageOrientationPatient)
    assert np.allclose(shared.PixelMeasuresSequence[0].PixelSpacing, images[0].PixelSpacing)
    for frame, group in zip(frames, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        (source,) = group.DerivationImageSequence[0].SourceImageSequence
        n = order[source.ReferencedSOPInstanceUID]
        position = group.PlanePositionSequence[0].ImagePositionPatient
        assert np.allclose(position, images[n].ImagePositionPatient, atol=1e-6), "it lies beside its image"
        own = group if "SegmentIdentificationSequence" in group else shared
        label = labels[own.SegmentIdentificationSequence[0].ReferencedSegmentNumber]
        assert not masks[label][n].any(), "two frames of one segment on one image"
        masks[label][n] = frame
    return masks


def dciodvfy_errors(file: Path, kind: str = "RTStructureSet") -> list[str]:
    """The lines of dciodvfy that start with "Error"; kind: what it calls the object."""
    said = run("dciodvfy", file).stderr
    assert kind in said, f"dciodvfy did not recognise the object: {said}"
    return [line for line in said.splitlines() if line.startswith("Error")]


def run(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A program of the system; the test fails where it is missing, because `make test` installs it."""
    if shutil.which(program) is None:
        pytest.fail(f"{program} is not installed; run `.ci/system-packages test` (make test does)")
    return subprocess.run(
        [program, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        errors="replace",
    )


def _sorted(files: Iterable[Path]) -> list[Path]:
    def along(file: Path) -> float:
        image = pydicom.dcmread(file, stop_before_pixels=True)
        row, column = np.reshape(np.array(image.ImageOrientationPatient, float), (2, 3))
        return float(np.cross(row, column) @ np.array(image.ImagePositionPatient, float))

    return sorted(files, key=along)
