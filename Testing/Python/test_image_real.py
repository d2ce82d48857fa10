"""The image room on real scans, which lie beside the checkout and are never in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from TumorSegRobustLib.image import (
    from_sitk,
    list_series,
    orient,
    read_image,
    read_mask,
    read_series,
    write_image,
)

# folder, modality, slices, size (j, i), spacing (i, j, k), lowest and highest value
SERIES = [
    ("ct-lung", "CT", 99, (512, 512), (0.9766, 0.9766, 3.0), (-1000, 2976)),
    ("mr-sarcoma", "MR", 40, (384, 384), (0.5234375, 0.5234375, 5.2), (0, 1187)),
]


@pytest.mark.parametrize(("folder", "modality", "count", "size", "spacing", "values"), SERIES)
def test_a_clinical_series_is_read_as_gdcm_reads_it(
    shared_data: Path, folder: str, modality: str, count: int, size: tuple, spacing: tuple, values: tuple
) -> None:
    image, series = read_series(shared_data / "dicom" / folder)  # an RTSTRUCT lies beside the images

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(shared_data / "dicom" / folder), series.series_uid))
    theirs = from_sitk(reader.Execute())
    assert image.geometry.matches(theirs.geometry)
    assert np.array_equal(image.voxels, theirs.voxels)
    assert image.geometry.shape == (count, *size)
    assert image.geometry.spacing_mm == pytest.approx(spacing, abs=1e-4)
    assert (int(image.voxels.min()), int(image.voxels.max())) == values
    assert image.voxels.dtype == np.int16
    assert series.modality == modality
    assert series.regular
    assert len(series.files) == len(set(series.sop_instance_uids)) == count
    assert image.notices == ()


def test_the_oblique_series_survives_nifti(shared_data: Path, tmp_path: Path) -> None:
    image, series = read_series(shared_data / "dicom" / "mr-sarcoma")
    assert image.geometry.orientation == "LPS"
    assert abs(image.geometry.direction[5]) > 0.01  # oblique indeed
    assert list_series(shared_data / "dicom" / "mr-sarcoma") == [series]

    write_image(image, tmp_path / "scan.nii.gz")
    back = read_image(tmp_path / "scan.nii.gz")

    assert back.geometry.matches(image.geometry, tolerance_mm=1e-3)
    assert np.array_equal(back.voxels, image.voxels)
    for k, position in enumerate(series.positions_mm):
        np.testing.assert_allclose(back.geometry.position_of((k, 0, 0)), position, atol=2e-3)


@pytest.mark.parametrize(
    ("case", "scan", "tumour_ml"),
    [
        ("iso-1mm-01", "flair", 137.911),
        ("hospital-a-01", "flair", None),
        ("native-01", "t1", None),
        ("sarcoma-01-pet", "pet", None),
    ],
)
def test_a_case_and_its_mask_lie_on_one_grid(
    shared_data: Path, case: str, scan: str, tumour_ml: float | None
) -> None:
    folder = shared_data / "cases" / case
    image = read_image(folder / f"{scan}.nii.gz")
    mask = read_mask(folder / "mask.nii.gz", image.geometry)

    theirs = from_sitk(sitk.ReadImage(str(folder / f"{scan}.nii.gz")))
    assert image.geometry.matches(theirs.geometry)
    assert np.array_equal(image.voxels, theirs.voxels)
    assert image.notices == mask.notices == ()
    assert mask.geometry == image.geometry
    assert 0 < mask.voxels.mean() < 0.5
    if tumour_ml is not None:
        assert mask.voxels.sum() * mask.geometry.voxel_ml == pytest.approx(tumour_ml, abs=1e-3)


def test_orienting_a_flipped_scan_moves_no_tumour(shared_data: Path) -> None:
    mask = read_mask(shared_data / "cases" / "native-01" / "mask.nii.gz")
    assert mask.geometry.orientation != "RAS"
    centre = mask.geometry.position_of(np.argwhere(mask.voxels)).mean(axis=0)

    turned = orient(mask, "RAS")

    np.testing.assert_allclose(turned.geometry.position_of(np.argwhere(turned.voxels)).mean(axis=0), centre)
