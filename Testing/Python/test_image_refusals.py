"""Files that cannot be trusted are refused in one line that names the thing, the reason and the way out."""

from __future__ import annotations

import gzip
import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Geometry, Image, read_image, read_mask, write_image

VALUES = np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)


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


SFORM, QFORM_CODE, SFORM_CODE, PIXDIM, DIM, UNITS, DATATYPE = 280, 252, 254, 76, 40, 123, 70
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
    "cut mha": (lambda d: cut(write(d / "a.mha"), 0.7), "a.mha .*cut off"),
    "cut raw mha": (lambda d: cut(edited(d / "a.mha", "= 1 1 1", "= 1 1 1"), 0.7), "a.mha .*cut off"),
    "cut nrrd": (lambda d: cut(write(d / "a.nrrd"), 0.8), "a.nrrd cannot be read: its data are cut off"),
    "cut raw nrrd": (
        lambda d: cut(edited(d / "a.nrrd", "raw", "raw"), 0.8),
        "a.nrrd cannot be read: its data",
    ),
    "mhd without raw": (
        lambda d: content(d / "a.mhd", edited(d / "b.mha", "LOCAL", "gone.raw").read_bytes()[:300]),
        "a.mhd .*(missing|cut off)",
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
def test_unusable_input_is_refused_in_one_line(tmp_path: Path, case: str) -> None:
    make, reason = CASES[case]
    path = make(tmp_path)

    with pytest.raises(UnusableInput) as refusal:
        read_image(path)

    line = str(refusal.value)
    assert re.search(reason, line), line
    assert path.name in line
    assert "\n" not in line
    assert len(line) < 300
    assert ";" in line, "there is a way out"


def test_a_header_of_a_two_file_image_is_explained(tmp_path: Path) -> None:
    path = patched(tmp_path / "a.nii", (344, "4s", (b"ni1\0",)))

    with pytest.raises(UnusableInput, match=r"only the header of a two-file image; convert it to \.nii\.gz"):
        read_image(path)


def test_one_volume_of_a_4d_file_is_a_volume(tmp_path: Path) -> None:
    for name in ("a.nii", "a.nrrd"):
        path = itk(tmp_path / name, VALUES[None])
        assert np.array_equal(read_image(path).voxels, VALUES)


def test_a_slight_shear_is_rounding(tmp_path: Path) -> None:
    path = patched(tmp_path / "a.nii", (SFORM, "12f", (-1, 0, 5e-4, 0, 0, -1, 0, 0, 0, 0, 1, 0)))

    image = read_image(path)

    assert image.notices == ()
    assert image.geometry.position_of((3, 0, 0)) == pytest.approx([-0.0015, 0, 3], abs=1e-6)


def test_the_sform_says_the_voxel_size_where_pixdim_differs(tmp_path: Path) -> None:
    path = patched(tmp_path / "a.nii", (PIXDIM + 4, "3f", (9, 9, 9)), (QFORM_CODE, "h", (0,)))

    assert read_image(path).geometry.spacing_mm == (1.0, 1.0, 1.0)


def test_the_qform_is_used_where_there_is_no_sform(tmp_path: Path) -> None:
    grid = {"spacing_mm": (1, 2, 3), "origin_mm": (4, 5, 6), "direction": (0, 0, -1, 1, 0, 0, 0, -1, 0)}
    data = bytearray(write(tmp_path / "a.nii", **grid).read_bytes())
    struct.pack_into("<h", data, SFORM_CODE, 0)
    struct.pack_into("<12f", data, SFORM, *[0] * 12)
    (tmp_path / "a.nii").write_bytes(data)

    image = read_image(tmp_path / "a.nii")

    assert image.geometry.matches(Geometry((4, 5, 6), **grid))
    assert image.notices == ()


def test_two_places_in_one_header_give_a_notice(tmp_path: Path) -> None:
    path = patched(tmp_path / "a.nii", (256 + 12, "f", (10,)))

    image = read_image(path)

    assert image.geometry.origin_mm == (0.0, 0.0, 0.0)
    assert image.notices == ("a.nii places itself twice in its header, 10.0 mm apart; used the sform",)


def test_no_place_in_the_header_gives_a_notice_and_the_grid_that_itk_takes(tmp_path: Path) -> None:
    path = patched(tmp_path / "a.nii", (QFORM_CODE, "2h", (0, 0)), (PIXDIM + 4, "3f", (1, 2, 3)))

    image = read_image(path)

    assert image.notices == (
        "a.nii does not say how it lies in the patient; took its axes as left, posterior, superior",
    )
    assert image.geometry == Geometry((4, 5, 6), (1, 2, 3))
    assert sitk.ReadImage(str(path)).GetDirection() == image.geometry.direction


def test_scaling_in_the_header_is_applied(tmp_path: Path) -> None:
    path = patched(tmp_path / "a.nii", (112, "2f", (0.5, -20)))

    image = read_image(path)

    assert image.voxels.dtype == np.float32
    np.testing.assert_allclose(image.voxels, VALUES * 0.5 - 20)


def test_a_big_endian_file_is_read(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(">i2")
    affine = np.array([[-2, 0, 0, 1], [0, 0, 3, 2], [0, 1, 0, 3], [0, 0, 0, 1.0]])
    nibabel.save(nibabel.Nifti1Image(VALUES.T.astype(">i2"), affine, header), tmp_path / "a.nii")

    image = read_image(tmp_path / "a.nii")

    assert np.array_equal(image.voxels, VALUES)
    assert image.voxels.dtype == np.int16
    assert image.voxels.dtype.isnative
    assert image.geometry.position_of((1, 1, 1)).tolist() == [1.0, -5.0, 4.0]


def test_nifti_2_is_read(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    affine = np.array([[-2, 0, 0, 1], [0, 0, 3, 2], [0, 1, 0, 3], [0, 0, 0, 1.0]])
    nibabel.save(nibabel.Nifti2Image(VALUES.T, affine), tmp_path / "a.nii.gz")

    image = read_image(tmp_path / "a.nii.gz")

    assert np.array_equal(image.voxels, VALUES)
    assert image.geometry.position_of((1, 1, 1)).tolist() == [1.0, -5.0, 4.0]


def test_a_mask_is_what_is_above_zero_and_may_be_empty(tmp_path: Path) -> None:
    labels = np.zeros((4, 5, 6), np.int16)
    path = write(tmp_path / "mask.nii.gz", labels)
    assert read_mask(path).voxels.sum() == 0

    labels[1, 2, 3], labels[1, 2, 4], labels[0, 0, 0] = 4, 1, -1
    mask = read_mask(write(path, labels))

    assert mask.voxels.dtype == bool
    assert [tuple(map(int, index)) for index in np.argwhere(mask.voxels)] == [(1, 2, 3), (1, 2, 4)]


def test_a_mask_on_another_grid_is_resampled_with_a_notice(tmp_path: Path) -> None:
    labels = np.zeros((4, 5, 6), np.uint8)
    labels[1, 2, 3] = 1
    path = write(tmp_path / "mask.nii.gz", labels)
    fine = Geometry((8, 10, 12), (0.5, 0.5, 0.5), (-0.25, -0.25, -0.25))

    mask = read_mask(path, fine)

    assert mask.geometry == fine
    assert mask.voxels.sum() == 8
    assert mask.voxels[2:4, 4:6, 6:8].all()
    assert mask.notices == (
        "mask.nii.gz and the image lie on different grids (6x5x4 voxels of 1x1x1 mm vs 12x10x8 voxels of "
        "0.5x0.5x0.5 mm); resampled mask.nii.gz to the image",
    )


def test_what_a_mask_loses_outside_the_image_is_said(tmp_path: Path) -> None:
    labels = np.zeros((4, 5, 6), np.uint8)
    labels[1, 2, 2:6] = 1
    path = write(tmp_path / "mask.nii.gz", labels)

    mask = read_mask(path, Geometry((4, 5, 5)))

    assert np.array_equal(mask.voxels, labels[:, :, :5] > 0)
    assert mask.notices[0].endswith("; 25.0% of it lies outside the image and is left out")
    with pytest.raises(UnusableInput, match="does not overlap the image"):
        read_mask(path, Geometry((4, 5, 2)))


def test_a_small_mask_in_a_large_image_is_found(tmp_path: Path) -> None:
    path = write(tmp_path / "mask.nii.gz", np.ones((3, 3, 3), np.uint8), origin_mm=(107, 111, 103))

    mask = read_mask(path, Geometry((200, 220, 240)))

    assert mask.voxels.sum() == 27
    assert mask.voxels[103:106, 111:114, 107:110].all()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda d: write(d / "m.nii.gz", origin_mm=(400, 0, 0)), "m.nii.gz does not overlap the image"),
        (lambda d: write(d / "m.nii.gz", holed(np.nan)), "NaN or infinite values in 3 of 120 voxels"),
        (lambda d: d, "is a folder; give the mask as a NIfTI, NRRD or MHA file"),
        (lambda d: d / "none.nii.gz", "does not exist"),
    ],
)
def test_a_mask_that_cannot_be_used_is_refused(tmp_path: Path, make: Maker, reason: str) -> None:
    with pytest.raises(UnusableInput, match=reason):
        read_mask(make(tmp_path), Geometry((4, 5, 6)))
