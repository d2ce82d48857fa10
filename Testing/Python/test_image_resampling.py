"""Resample, orient, and channels on different grids."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from fixtures_image import field_image, linear_field, rotation
from hypothesis import example, given, settings
from hypothesis import strategies as st

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Geometry, Image, align_channels, from_sitk, orient, resample, to_sitk

CODES = [
    "".join(letters)
    for axes in itertools.permutations(("LR", "PA", "SI"))
    for letters in itertools.product(*axes)
]
OBLIQUE = st.tuples(*[st.floats(-40, 40)] * 3)


def numbered(geometry: Geometry) -> Image:
    """Every voxel has its own value."""
    return Image(
        np.arange(np.prod(geometry.shape), dtype=np.int16).reshape(geometry.shape), geometry, "numbered"
    )


def test_there_are_48_orientations() -> None:
    assert len(set(CODES)) == 48


@pytest.mark.parametrize("code", CODES)
def test_orienting_moves_no_value_in_the_patient(code: str) -> None:
    image = numbered(
        Geometry((3, 4, 5), (1.0, 2.0, 3.5), (7.0, -8.0, 9.0), tuple(rotation((12, -7, 30)).ravel()))
    )

    turned = orient(image, code)

    assert turned.geometry.orientation == code
    for index in np.ndindex(*image.geometry.shape):
        assert (
            turned.voxels[turned.geometry.index_of(image.geometry.position_of(index))] == image.voxels[index]
        )
    back = orient(turned, "LPS")
    assert np.array_equal(back.voxels, image.voxels)
    assert back.voxels.dtype == np.int16
    assert back.geometry.matches(image.geometry, tolerance_mm=1e-9)


@pytest.mark.parametrize("code", CODES)
def test_resampling_between_any_two_orientations_is_a_permutation(code: str) -> None:
    image = numbered(Geometry((3, 4, 5), (1.0, 2.0, 3.5), (7.0, -8.0, 9.0)))
    turned = orient(image, code)

    again = resample(image, turned.geometry, "nearest")

    assert np.array_equal(again.voxels, turned.voxels)
    assert again.voxels.dtype == np.int16
    np.testing.assert_allclose(resample(turned, image.geometry).voxels, image.voxels, atol=1e-3)


@pytest.mark.parametrize("code", ["LP", "LPSS", "LRS", "XYZ", ""])
def test_a_wrong_orientation_code_is_named(code: str) -> None:
    with pytest.raises(ValueError, match="is not an orientation"):
        orient(numbered(Geometry((3, 3, 3))), code)


@settings(max_examples=40)
@given(OBLIQUE, OBLIQUE, st.tuples(*[st.floats(0.6, 3)] * 3), st.sampled_from([1, -1]))
def test_linear_resampling_between_oblique_grids_is_exact_for_a_linear_field(
    source_angles: tuple, target_angles: tuple, spacing: tuple, hand: int
) -> None:
    source_direction = rotation(source_angles) * [1, 1, hand]
    origin = -source_direction @ [19.0, 19.0, 19.0]  # centred on (0, 0, 0)
    source = field_image(
        Geometry((39, 20, 39), (1.0, 2.0, 1.0), tuple(origin), tuple(source_direction.ravel()))
    )
    target = Geometry((4, 5, 6), spacing, (-4.0, 2.0, -3.0), tuple(rotation(target_angles).ravel()))
    index = np.stack(np.meshgrid(*[np.arange(n) for n in target.shape], indexing="ij"), axis=-1)
    positions = target.position_of(index)
    covered = np.linalg.norm(positions, axis=-1) < 18.5

    moved = resample(source, target, fill=-1e6)

    assert moved.voxels.dtype == np.float32
    assert moved.geometry == target
    np.testing.assert_allclose(moved.voxels[covered], linear_field(positions)[covered], atol=2e-3)


@settings(max_examples=25)
@given(OBLIQUE, st.sampled_from([1, -1]))
@example((0.0, 2.0, 2.2e-311), 1)  # a cosine that underflows, which ITK cannot invert
def test_a_mask_survives_the_way_to_an_oblique_grid_and_back(angles: tuple, hand: int) -> None:
    grid = Geometry((24, 24, 24), (1.0, 1.0, 1.0), (-11.5, -11.5, -11.5))
    index = np.stack(np.meshgrid(*[np.arange(24)] * 3, indexing="ij"), axis=-1)
    ball = Image(np.linalg.norm(grid.position_of(index), axis=-1) < 8, grid, "ball")
    direction = rotation(angles) * [1, 1, hand]
    origin = -direction @ [22.5, 22.5, 22.5]
    oblique = Geometry((92, 92, 92), (0.5, 0.5, 0.5), tuple(origin), tuple(direction.ravel()))

    there = resample(ball, oblique, "nearest")
    back = resample(there, grid, "nearest")

    assert there.voxels.dtype == bool
    assert there.voxels.sum() * there.geometry.voxel_ml == pytest.approx(
        ball.voxels.sum() * grid.voxel_ml, rel=0.02
    )
    assert (back.voxels != ball.voxels).sum() <= 0.01 * ball.voxels.sum()


def test_outside_the_source_there_is_the_fill() -> None:
    image = numbered(Geometry((3, 3, 3)))

    moved = resample(image, Geometry((3, 3, 3), origin_mm=(2.0, 0, 0)), fill=-7)

    assert (moved.voxels[:, :, 0] == image.voxels[:, :, 2]).all()
    assert (moved.voxels[:, :, 1:] == -7).all()


def test_the_same_grid_returns_the_same_voxels() -> None:
    image = numbered(Geometry((3, 4, 5)))

    assert resample(image, image.geometry, "nearest").voxels is image.voxels
    assert np.array_equal(resample(image, image.geometry).voxels, image.voxels)
    assert resample(image, image.geometry).voxels.dtype == np.float32


def test_bspline_passes_through_the_samples_and_beats_linear_between_them() -> None:
    fine = Geometry((5, 5, 61), (0.5, 1.0, 1.0))
    coarse = Geometry((5, 5, 31), (1.0, 1.0, 1.0))
    wave = np.broadcast_to(np.sin(np.arange(31) / 2.0), coarse.shape).astype(np.float32)
    truth = np.sin(np.arange(61) / 4.0)[10:50]

    smooth = resample(Image(wave, coarse), fine, "bspline").voxels[2, 2, 10:50]
    straight = resample(Image(wave, coarse), fine, "linear").voxels[2, 2, 10:50]

    assert np.abs(smooth - truth).max() < 0.005
    assert np.abs(straight - truth).max() > 0.02


def test_an_unknown_interpolation_is_named() -> None:
    with pytest.raises(ValueError, match="Unknown interpolation 'cubic'"):
        resample(numbered(Geometry((3, 3, 3))), Geometry((3, 3, 3)), "cubic")  # type: ignore[arg-type]


def test_channels_on_one_grid_stay_as_they_are() -> None:
    one, other = numbered(Geometry((3, 4, 5))), numbered(Geometry((3, 4, 5), origin_mm=(0.0005, 0, 0)))

    aligned, notices = align_channels({"FLAIR": one, "T1c": other})

    assert notices == []
    assert aligned["T1c"].voxels is other.voxels
    assert aligned["T1c"].geometry == one.geometry


def test_channels_on_other_grids_are_resampled_to_the_first_with_a_notice() -> None:
    target = Geometry((6, 20, 20), (0.9, 0.9, 5.5))
    flair = field_image(Geometry((40, 24, 24), (1.0, 1.0, 1.0), (-2.0, -2.0, -3.0)))

    aligned, notices = align_channels({"T1c": field_image(target), "FLAIR": flair})

    assert notices == [
        "T1c and FLAIR lie on different grids (0.9x0.9x5.5 vs 1x1x1 mm); resampled FLAIR to T1c"
    ]
    assert list(aligned) == ["T1c", "FLAIR"]
    assert aligned["FLAIR"].geometry == target
    np.testing.assert_allclose(aligned["FLAIR"].voxels, field_image(target).voxels, atol=1e-3)


def test_a_channel_that_covers_part_of_the_first_is_filled_with_its_background() -> None:
    first = numbered(Geometry((4, 4, 4)))
    half = Image(np.full((4, 4, 4), 50, np.int16), Geometry((4, 4, 4), origin_mm=(2.0, 0, 0)))
    half.voxels[0, 0, 0] = -1000

    aligned, notices = align_channels({"CT": first, "PET": half})

    assert notices == [
        "CT and PET lie on different grids (at (0.0, 0.0, 0.0) LPS vs at (2.0, 0.0, 0.0) LPS); "
        "resampled PET to CT; PET covers 50% of it, the rest is background"
    ]
    assert (aligned["PET"].voxels[:, :, :2] == -1000).all()
    assert aligned["PET"].voxels[3, 3, 2] == 50


def test_channels_of_the_same_spacing_but_other_size_are_told_apart() -> None:
    _, notices = align_channels({"T1": numbered(Geometry((4, 4, 4))), "T2": numbered(Geometry((5, 6, 7)))})

    assert notices == [
        "T1 and T2 lie on different grids (4x4x4 voxels of 1x1x1 mm vs 7x6x5 voxels of 1x1x1 mm); "
        "resampled T2 to T1"
    ]


def test_channels_that_do_not_overlap_are_refused() -> None:
    far = numbered(Geometry((4, 4, 4), origin_mm=(300.0, 0, 0)))

    with pytest.raises(UnusableInput, match="T2 does not overlap T1"):
        align_channels({"T1": numbered(Geometry((4, 4, 4))), "T2": far})


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int16, np.uint16, np.int32, np.float16, np.float32])
def test_simpleitk_gets_and_gives_back_values_and_place(kind: type) -> None:
    grid = Geometry(
        (3, 4, 5), (1.0, 2.0, 3.0), (4.0, 5.0, 6.0), tuple((rotation((5, 6, 7)) * [1, -1, 1]).ravel())
    )
    image = Image((np.arange(60).reshape(grid.shape) % 7 > 2).astype(kind), grid, "some")

    source = to_sitk(image)
    back = from_sitk(source, "back")

    assert source.GetSize() == (5, 4, 3)
    assert source.TransformIndexToPhysicalPoint((1, 2, 3 - 1)) == pytest.approx(
        tuple(grid.position_of((2, 2, 1)))
    )
    assert np.array_equal(back.voxels, image.voxels)
    assert back.geometry.matches(grid, tolerance_mm=1e-9)
    assert back.name == "back"


def test_an_image_must_fit_its_grid() -> None:
    with pytest.raises(ValueError, match=r"\(5, 4, 3\) do not fit the grid \(3, 4, 5\)"):
        Image(np.zeros((5, 4, 3)), Geometry((3, 4, 5)))
