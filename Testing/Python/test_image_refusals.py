"""Files that cannot be trusted are refused in one line that names the thing, the reason and the way out."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from fixtures_image import DATATYPE, DIM, PIXDIM, QFORM_CODE, SFORM, SFORM_CODE, UNITS, VALUES, patched, write

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import read_image


def edited(path: Path, before: str, after: str) -> Path:
    """A valid uncompressed text-header file (.mha, .nrrd) with a line replaced."""
    sitk.WriteImage(sitk.GetImageFromArray(VALUES), str(path), useCompression=False)
    data = path.read_bytes()
    assert before.encode() in data
    path.write_bytes(data.replace(before.encode(), after.encode()))
    return path


def cut(path: Path, keep: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    return path


def content(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def itk(path: Path, voxels: np.ndarray, vector: bool = False) -> Path:
    sitk.WriteImage(sitk.GetImageFromArray(voxels, isVector=vector), str(path))
    return path


def holed(value: float, everywhere: bool = False) -> np.ndarray:
    voxels = VALUES.copy()
    voxels[slice(None) if everywhere else (1, 2, slice(0, 3))] = value
    return voxels


SHEARED = (-1, 0, 0.05, 0, 0, -1, 0, 0, 0, 0, 1, 0)
FLAT = (1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0)

Maker = Callable[[Path], Path]
CASES: dict[str, tuple[Maker, str]] = {
    # no image at all
    "missing": (lambda d: d / "none.nii.gz", "none.nii.gz does not exist; check the path"),
    "missing folder": (lambda d: d / "none", "none does not exist"),
    "empty folder": (lambda d: d, "holds no DICOM images; give a folder with one DICOM series"),
    "text": (lambda d: content(d / "notes.txt", b"hello"), "notes.txt is not an image that can be read here"),
    "text named nii": (lambda d: content(d / "a.nii", b"hello" * 200), "a.nii is not a NIfTI file"),
    "text named nii.gz": (lambda d: content(d / "a.nii.gz", b"hello" * 200), "a.nii.gz is not a NIfTI file"),
    "text named nrrd": (
        lambda d: content(d / "a.nrrd", b"hello"),
        "its content is not that of its extension",
    ),
    "text named mha": (lambda d: content(d / "a.mha", b"hello"), "a.mha cannot be read"),
    "empty nii": (
        lambda d: content(d / "a.nii.gz", b""),
        "a.nii.gz is an empty file; copy or export it again",
    ),
    "empty mha": (lambda d: content(d / "a.mha", b""), "a.mha is an empty file"),
    "picture": (
        lambda d: itk(d / "a.png", np.zeros((9, 9), np.uint8)),
        "a.png is not an image that can be read",
    ),
    # damaged
    "cut nii": (lambda d: cut(write(d / "a.nii"), 0.6), "a.nii is cut off: .* of 480 bytes"),
    "cut nii header": (lambda d: cut(write(d / "a.nii"), 0.2), "is cut off within its header"),
    "cut nii.gz": (lambda d: cut(write(d / "a.nii.gz"), 0.6), "a.nii.gz is damaged or cut off"),
    "short nii.gz": (
        lambda d: content(d / "a.nii.gz", gzip.compress(write(d / "b.nii").read_bytes()[:600])),
        "a.nii.gz is cut off: 248 of 480 bytes",
    ),
    "cut mha": (lambda d: cut(write(d / "a.mha"), 0.7), r"a.mha is cut off: \d+ of \d+ bytes"),
    "cut raw mha": (
        lambda d: cut(edited(d / "a.mha", "= 1 1 1", "= 1 1 1"), 0.7),
        "a.mha is cut off: .* of 480 bytes",
    ),
    "cut nrrd": (lambda d: cut(write(d / "a.nrrd"), 0.8), "a.nrrd cannot be read: its data are cut off"),
    "cut raw nrrd": (
        lambda d: cut(edited(d / "a.nrrd", "raw", "raw"), 0.8),
        "a.nrrd cannot be read: its data",
    ),
    "mhd without raw": (
        lambda d: content(d / "a.mhd", edited(d / "b.mha", "LOCAL", "gone.raw").read_bytes()[:300]),
        "a.mhd lacks its data file gone.raw; copy both files together",
    ),
    # not one scalar volume
    "4D nii": (lambda d: itk(d / "a.nii", np.zeros((3, 4, 5, 6), np.int16)), r"a.nii is 4D \(3 volumes\)"),
    "4D nrrd": (lambda d: itk(d / "a.nrrd", np.zeros((3, 4, 5, 6), np.int16)), r"a.nrrd is 4D \(3 volumes\)"),
    "vector nii": (
        lambda d: itk(d / "a.nii", np.zeros((4, 5, 6, 3), np.float32), True),
        "a.nii is a vector image",
    ),
    "vector mha": (lambda d: itk(d / "a.mha", np.zeros((4, 5, 6, 3), np.float32), True), "colour or vector"),
    "colour nii": (
        lambda d: itk(d / "a.nii", np.zeros((4, 5, 6, 3), np.uint8), True),
        "a.nii is a (colour|vector)",
    ),
    "complex": (lambda d: patched(d / "a.nii", (DATATYPE, "h", (32,))), r"vector image \(complex\)"),
    "odd type": (lambda d: patched(d / "a.nii", (DATATYPE, "h", (1,))), r"unknown voxel type \(1\)"),
    "2D nrrd": (lambda d: itk(d / "a.nrrd", np.zeros((9, 9), np.uint8)), "a.nrrd is 2D"),
    "2D nii": (lambda d: itk(d / "a.nii", np.eye(9)), "9x9x1 voxels: a volume with at least 3 slices"),
    "one slice": (
        lambda d: write(d / "a.nii.gz", VALUES[:1]),
        "6x5x1 voxels: a volume with at least 3 slices",
    ),
    "two columns": (
        lambda d: write(d / "a.nrrd", VALUES[:, :, :2]),
        "2x5x4 voxels: a volume with at least 3",
    ),
    "zero size nii": (
        lambda d: patched(d / "a.nii", (DIM + 2, "h", (0,))),
        r"a.nii is empty \(0x5x4 voxels\)",
    ),
    "negative size": (lambda d: patched(d / "a.nii", (DIM + 2, "h", (-6,))), r"a.nii is empty \(-6x5x4"),
    "zero size mha": (lambda d: edited(d / "a.mha", "DimSize = 6", "DimSize = 0"), "a.mha "),
    "no dimensions": (lambda d: patched(d / "a.nii", (DIM, "h", (0,))), "its header claims 0 dimensions"),
    "huge nii": (
        lambda d: patched(d / "a.nii", (DIM, "4h", (3, 32000, 32000, 32000))),
        "more than can be opened",
    ),
    "huge mha": (
        lambda d: edited(d / "a.mha", "DimSize = 6 5 4", "DimSize = 90000 90000 90000"),
        "90000x90000x90000 voxels, more than can be opened",
    ),
    # values
    "some NaN": (lambda d: write(d / "a.nii.gz", holed(np.nan)), "NaN or infinite values in 3 of 120 voxels"),
    "some infinite": (
        lambda d: write(d / "a.mha", holed(-np.inf)),
        "NaN or infinite values in 3 of 120 voxels",
    ),
    "all NaN": (
        lambda d: write(d / "a.nrrd", holed(np.nan, True)),
        "NaN or infinite values in all 120 voxels",
    ),
    "constant": (
        lambda d: write(d / "a.nii", np.full((4, 5, 6), 7.5)),
        r"is constant \(every voxel is 7.5\)",
    ),
    # the grid
    "sheared sform": (
        lambda d: patched(d / "a.nii", (SFORM, "12f", SHEARED)),
        r"a.nii: its sform is unusable: the axes are not perpendicular \(sheared by 0.0499\); resample",
    ),
    "sheared sform only": (
        lambda d: patched(d / "a.nii", (QFORM_CODE, "h", (0,)), (SFORM, "12f", SHEARED)),
        "its sform is unusable: the axes are not perpendicular",
    ),
    "singular sform": (lambda d: patched(d / "a.nii", (SFORM, "12f", FLAT)), "direction matrix is singular"),
    "zero sform": (
        lambda d: patched(d / "a.nii", (SFORM, "12f", (0,) * 12)),
        "sform gives a voxel size of zero",
    ),
    "NaN sform": (
        lambda d: patched(d / "a.nii", (SFORM, "12f", (np.nan,) * 12)),
        "holds values that are not finite",
    ),
    "zero pixdim": (
        lambda d: patched(d / "a.nii", (SFORM_CODE, "h", (0,)), (PIXDIM + 4, "f", (0,))),
        "qform gives a voxel size that is not positive",
    ),
    "negative pixdim": (
        lambda d: patched(d / "a.nii", (SFORM_CODE, "h", (0,)), (PIXDIM + 8, "f", (-2,))),
        "qform gives a voxel size that is not positive",
    ),
    "bad quaternion": (
        lambda d: patched(d / "a.nii", (SFORM_CODE, "h", (0,)), (256, "3f", (2, 2, 2))),
        "its qform is unusable",
    ),
    "absurd spacing": (
        lambda d: write(d / "a.nii", spacing_mm=(1, 1, 900)),
        r"implausible voxel size \(1x1x900 mm",
    ),
    "tiny spacing": (lambda d: write(d / "a.mha", spacing_mm=(1e-4, 1, 1)), "implausible voxel size"),
    "metres": (
        lambda d: patched(d / "a.nii", (UNITS, "b", (1,))),
        r"implausible voxel size \(1e\+03x1e\+03x1e\+03 mm",
    ),
    "odd unit": (lambda d: patched(d / "a.nii", (UNITS, "b", (5,))), r"unknown unit \(5\)"),
    "sheared nrrd": (
        lambda d: edited(d / "a.nrrd", "(0,0,1)", "(0.2,0,1)"),
        "a.nrrd: The axes are not perpendicular",
    ),
    "sheared mha": (
        lambda d: edited(d / "a.mha", "1 0 0 0 1 0 0 0 1", "1 0 0 0 1 0 0.2 0 1"),
        "a.mha: The axes are not perpendicular",
    ),
    "singular nrrd": (
        lambda d: edited(d / "a.nrrd", "(0,0,1)", "(0,1,0)"),
        "its direction matrix is singular",
    ),
    "singular mha": (
        lambda d: edited(d / "a.mha", "1 0 0 0 1 0 0 0 1", "1 0 0 0 1 0 0 0 0"),
        "its direction matrix is singular",
    ),
    "zero spacing nrrd": (lambda d: edited(d / "a.nrrd", "(1,0,0)", "(0,0,0)"), "its voxel size is zero"),
    "zero spacing mha": (
        lambda d: edited(d / "a.mha", "ElementSpacing = 1 1 1", "ElementSpacing = 0 1 1"),
        "its voxel size is zero",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_unusable_input_is_refused_in_one_line(
    tmp_path: Path, case: str, capfd: pytest.CaptureFixture[str]
) -> None:
    make, reason = CASES[case]
    path = make(tmp_path)
    capfd.readouterr()

    with pytest.raises(UnusableInput) as refusal:
        read_image(path)

    line = str(refusal.value)
    assert re.search(reason, line), line
    assert path.name in line
    assert "\n" not in line
    assert len(line) < 300
    assert ";" in line, "there is a way out"
    assert capfd.readouterr() == ("", ""), "ITK has nothing to add"
