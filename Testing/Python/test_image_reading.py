"""What a file says about its grid and its values, and which voxels are a mask."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from fixtures_image import PIXDIM, QFORM_CODE, SFORM, SFORM_CODE, VALUES, patched, write

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Geometry, read_image, read_labels, read_mask

Maker = Callable[[Path], Path]


def test_a_header_of_a_two_file_image_is_explained(tmp_path: Path) -> None:
    path = patched(tmp_path / "a.nii", (344, "4s", (b"ni1\0",)))

    with pytest.raises(UnusableInput, match=r"only the header of a two-file image; convert it to \.nii\.gz"):
        read_image(path)


def test_one_volume_of_a_4d_file_is_a_volume(tmp_path: Path) -> None:
    for name in ("a.nii", "a.nrrd"):
        path = tmp_path / name
        sitk.WriteImage(sitk.GetImageFromArray(VALUES[None], isVector=False), str(path))
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
        (
            lambda d: write(d / "m.nii.gz", np.where(VALUES > 2, VALUES, np.nan)),
            "NaN or infinite values in 3 of 120 voxels",
        ),
        (lambda d: d, "is a folder; give the mask as a NIfTI, NRRD or MHA file"),
        (lambda d: d / "none.nii.gz", "does not exist"),
    ],
)
def test_a_mask_that_cannot_be_used_is_refused(tmp_path: Path, make: Maker, reason: str) -> None:
    with pytest.raises(UnusableInput, match=reason):
        read_mask(make(tmp_path), Geometry((4, 5, 6)))


def test_labels_keep_their_values_and_a_mask_is_where_they_are_positive(tmp_path: Path) -> None:
    values = np.array([0, 1, 2, 4] * 6, np.uint8).reshape(2, 3, 4)
    path = write(tmp_path / "labels.nii.gz", values)
    assert np.array_equal(read_labels(path).voxels, values)
    assert np.array_equal(read_mask(path).voxels, values > 0)
    shifted = Geometry((2, 3, 4), origin_mm=(1.0, 0.0, 0.0))
    assert np.array_equal(read_labels(path, shifted).voxels[..., :3], values[..., 1:])
