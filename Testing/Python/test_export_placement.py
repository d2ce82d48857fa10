"""Masks from other grids than the series: reordered where it is the same, resampled and told where not."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from fixtures_export import HARD_GRIDS, Grid, dice, hard_mask, read_even_odd, write_series
from hypothesis import given
from hypothesis import strategies as st

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.export import write_rtstruct
from TumorSegRobustLib.export.placement import place
from TumorSegRobustLib.export.stack import Stack, read_stack
from TumorSegRobustLib.image import (
    DicomSeries,
    Geometry,
    Image,
    list_series,
    orient,
    read_mask,
    resample,
    write_image,
)

ORIENTATIONS = [
    "".join(axes)
    for letters in itertools.permutations(("LR", "PA", "SI"))
    for axes in itertools.product(*letters)
]
GRID = HARD_GRIDS["oblique, non-square pixels and matrix"]


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> DicomSeries:
    return list_series(write_series(tmp_path_factory.mktemp("placement") / "series", GRID))[0]


@pytest.fixture(scope="module")
def stack(series: DicomSeries) -> Stack:
    return read_stack(series.files)


@pytest.fixture(scope="module")
def mask(series: DicomSeries) -> Image:
    return Image(hard_mask(GRID.shape), series.geometry)


@pytest.mark.parametrize("code", ORIENTATIONS)
def test_every_order_and_direction_of_the_axes_is_exact_and_silent(
    code: str, mask: Image, stack: Stack
) -> None:
    placed = place(orient(mask, code), stack, "GTVp")
    assert np.array_equal(placed.voxels, mask.voxels)
    assert placed.notices == ()


@given(change=st.tuples(*[st.integers(-4, 4)] * 6), code=st.sampled_from(ORIENTATIONS))
def test_cropped_and_padded_grids_keep_what_they_share(
    change: tuple[int, ...], code: str, series: DicomSeries, stack: Stack, mask: Image
) -> None:
    low, high = np.array(change[:3]), np.array(change[3:]) + GRID.shape
    wide = np.pad(mask.voxels, 4)
    part = wide[tuple(slice(a + 4, b + 4) for a, b in zip(low, high, strict=True))]
    old = series.geometry
    geometry = Geometry(part.shape, old.spacing_mm, tuple(old.position_of(low)), old.direction)
    kept = np.zeros(GRID.shape, bool)
    here = tuple(slice(max(0, a), min(n, b)) for a, b, n in zip(low, high, GRID.shape, strict=True))
    kept[here] = mask.voxels[here]

    placed = place(orient(Image(part, geometry), code), stack, "GTVp")

    assert np.array_equal(placed.voxels, kept)
    assert placed.notices == ()


def test_mask_saved_as_nifti_comes_back_exactly(mask: Image, series: DicomSeries, tmp_path: Path) -> None:
    """NIfTI stores its affine in single precision and in RAS."""
    write_image(mask, tmp_path / "mask.nii.gz")
    report = write_rtstruct(read_mask(tmp_path / "mask.nii.gz"), series, tmp_path / "out.dcm")
    assert np.array_equal(read_even_odd(report.path, series.files[0].parent)["GTVp"], mask.voxels)
    assert report.notices == ()


def test_finer_grid_is_resampled_with_a_notice_of_both_volumes(mask: Image, stack: Stack) -> None:
    fine = resample(mask, mask.geometry.with_spacing((0.5, 0.5, 1.0)), "nearest")
    placed = place(fine, stack, "GTVp")
    assert dice(placed.voxels, mask.voxels) > 0.97
    (notice,) = placed.notices
    assert "GTVp lies on another grid than the DICOM series (0.5x0.5x1 mm)" in notice
    assert f"-> {placed.voxels.sum() * stack.voxel_ml:.3g} ml" in notice


def test_half_a_voxel_of_shift_is_another_grid(mask: Image, stack: Stack) -> None:
    old = mask.geometry
    shifted = Geometry(old.shape, old.spacing_mm, tuple(old.position_of((0, 0, 0.4))), old.direction)
    placed = place(Image(mask.voxels, shifted), stack, "GTVp")
    assert np.array_equal(placed.voxels, mask.voxels)
    assert len(placed.notices) == 1


def test_foreground_beside_the_series_is_left_out_with_a_notice(mask: Image, stack: Stack) -> None:
    old = mask.geometry
    moved = Geometry(old.shape, old.spacing_mm, tuple(old.position_of((0, 0, 20))), old.direction)
    placed = place(Image(mask.voxels, moved), stack, "GTVp")
    assert np.array_equal(placed.voxels[:, :, 20:], mask.voxels[:, :, :-20])
    lost = mask.voxels[:, :, -20:].sum() * old.voxel_ml
    (notice,) = placed.notices
    assert notice.startswith(f"{lost:.3g} of {mask.voxels.sum() * old.voxel_ml:.3g} ml of GTVp lie outside")


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_mask_of_another_place_is_refused(axis: int, mask: Image, stack: Stack) -> None:
    old = mask.geometry
    far = np.zeros(3)
    far[axis] = 3 * old.shape[axis]
    moved = Geometry(old.shape, old.spacing_mm, tuple(old.position_of(far)), old.direction)
    with pytest.raises(UnusableInput, match="GTVp does not overlap the DICOM series"):
        place(Image(mask.voxels, moved), stack, "GTVp")


def test_speck_between_the_voxels_is_refused(stack: Stack, series: DicomSeries) -> None:
    fine = series.geometry.with_spacing((0.1, 0.1, 0.1))
    speck = np.zeros(fine.shape, bool)
    speck[fine.index_of(series.geometry.position_of((7.4, 20.4, 20.4)))] = True
    with pytest.raises(UnusableInput, match="falls between the voxels"):
        place(Image(speck, fine), stack, "GTVp")


def test_empty_mask_is_refused(mask: Image, stack: Stack) -> None:
    with pytest.raises(UnusableInput, match="The mask of GTVp is empty"):
        place(mask.with_voxels(np.zeros(GRID.shape, bool)), stack, "GTVp")


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32])
def test_masks_of_numbers_count_all_above_zero(kind: type, mask: Image, stack: Stack) -> None:
    scale = 1 if kind is np.float32 else 4
    placed = place(mask.with_voxels(mask.voxels.astype(kind) * kind(scale)), stack, "GTVp")
    assert np.array_equal(placed.voxels, mask.voxels)


@pytest.mark.parametrize("value", [0.5, np.nan])
def test_probabilities_are_no_mask(value: float, mask: Image, stack: Stack) -> None:
    voxels = mask.voxels.astype(np.float32)
    voxels[0, 0, 0] = value
    with pytest.raises(UnusableInput, match="threshold it first"):
        place(mask.with_voxels(voxels), stack, "GTVp")


def test_mask_drawn_on_a_straightened_tilted_scan_returns_to_the_tilted_images(tmp_path: Path) -> None:
    grid = Grid(shape=(12, 40, 40), between_slices=3.0, shift_per_slice_mm=0.5)
    folder = write_series(tmp_path / "series", grid)
    (series,) = list_series(folder)
    assert not series.regular
    position = series.geometry.position_of(np.moveaxis(np.indices(series.geometry.shape), 0, -1))
    centre = series.geometry.centre_mm
    ball = Image(np.linalg.norm(position - centre, axis=-1) < 11, series.geometry)

    report = write_rtstruct(ball, series, tmp_path / "out.dcm")

    tilted = read_stack(series.files)
    column_row = np.stack(np.meshgrid(np.arange(40), np.arange(40)), axis=-1).reshape(-1, 2)
    places = np.stack([tilted.positions_mm(n, column_row) for n in range(12)]).reshape(*grid.shape, 3)
    wanted = np.linalg.norm(places - centre, axis=-1) < 11
    assert dice(read_even_odd(report.path, folder)["GTVp"], wanted) > 0.97
    assert len(report.notices) == 1
