"""Geometry: indices and positions, boxes, and which numbers are no grid."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fixtures_image import rotation
from hypothesis import given
from hypothesis import strategies as st

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Geometry

EYE = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    """Any grid: oblique, anisotropic, right- or left-handed, far from the origin."""
    direction = rotation(draw(st.tuples(*[st.floats(-180, 180)] * 3)))
    direction[:, draw(st.integers(0, 2))] *= draw(st.sampled_from([1, -1]))
    return Geometry(
        draw(st.tuples(*[st.integers(1, 12)] * 3)),
        draw(st.tuples(*[st.floats(0.2, 8)] * 3)),
        draw(st.tuples(*[st.floats(-500, 500)] * 3)),
        tuple(direction.ravel()),
    )


def test_an_index_is_k_j_i_and_a_position_x_y_z() -> None:
    grid = Geometry((4, 5, 6), (1.0, 2.0, 3.0), (10.0, 20.0, 30.0))

    assert grid.position_of((1, 2, 3)).tolist() == [13.0, 24.0, 33.0]
    assert grid.continuous_index((13.0, 24.0, 33.0)).tolist() == [1.0, 2.0, 3.0]
    assert grid.index_of((13.4, 23.1, 34.4)) == (1, 2, 3)
    assert grid.affine.tolist() == [[1, 0, 0, 10], [0, 2, 0, 20], [0, 0, 3, 30], [0, 0, 0, 1]]
    assert grid.extent_mm == (6.0, 10.0, 12.0)
    assert grid.voxel_ml == pytest.approx(0.006)
    assert grid.centre_mm == (12.5, 24.0, 34.5)


def test_many_indices_are_placed_at_once() -> None:
    grid = Geometry((4, 5, 6), (1.0, 2.0, 3.0))
    indices = np.arange(24).reshape(2, 4, 3)

    positions = grid.position_of(indices)

    assert positions.shape == (2, 4, 3)
    np.testing.assert_allclose(positions[1, 3], [23.0, 44.0, 63.0])
    np.testing.assert_allclose(grid.continuous_index(positions), indices)


@given(geometries(), st.tuples(*[st.floats(-20, 20)] * 3))
def test_index_to_position_and_back(grid: Geometry, index: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(grid.continuous_index(grid.position_of(index)), index, atol=1e-9)


@given(geometries(), st.data())
def test_every_point_of_a_voxel_belongs_to_it(grid: Geometry, data: st.DataObject) -> None:
    voxel = tuple(data.draw(st.integers(0, count - 1)) for count in grid.shape)
    inside = data.draw(st.tuples(*[st.floats(-0.499, 0.499)] * 3))

    assert grid.index_of(grid.position_of(np.add(voxel, inside))) == voxel


@given(geometries(), st.integers(0, 2), st.sampled_from([-1, 1]))
def test_beyond_the_box_there_is_no_voxel(grid: Geometry, axis: int, side: int) -> None:
    outside = (np.array(grid.shape) - 1) / 2.0
    outside[axis] += side * (grid.shape[axis] / 2 + 0.01)
    position = grid.position_of(outside)

    assert not grid.contains(position)
    with pytest.raises(
        UnusableInput, match=r"^Position \(.*\) mm lies outside the image, which spans .* mm \(LPS\)"
    ):
        grid.index_of(position)


def test_the_far_edge_of_the_box_still_belongs_to_the_last_voxel() -> None:
    grid = Geometry((4, 5, 6), (1.0, 2.0, 3.0))

    assert grid.index_of((5.5, 9.0, 10.5)) == (3, 4, 5)
    assert grid.index_of((-0.5, -1.0, -1.5)) == (0, 0, 0)


@pytest.mark.parametrize("position", [(np.nan, 0, 0), (np.inf, 0, 0), (0, 0), ((0, 0, 0), (0, 0, 0))])
def test_what_is_no_position_is_not_contained(position: tuple) -> None:
    assert not Geometry((4, 5, 6)).contains(position)


@given(geometries())
def test_json_keeps_a_grid_exactly(grid: Geometry) -> None:
    assert Geometry.from_json(json.loads(json.dumps(grid.to_json()))) == grid


def test_json_without_a_field_is_refused() -> None:
    with pytest.raises(UnusableInput, match="lacks the field 'direction'"):
        Geometry.from_json({"shape": [3, 3, 3], "spacing_mm": [1, 1, 1], "origin_mm": [0, 0, 0]})


@given(geometries(), st.floats(0.3, 3))
def test_another_spacing_keeps_the_box(grid: Geometry, step: float) -> None:
    other = grid.with_spacing((step, step, step))

    assert other.spacing_mm == (step, step, step)
    np.testing.assert_allclose(other.centre_mm, grid.centre_mm, atol=1e-6)
    for before, after in zip(grid.extent_mm, other.extent_mm, strict=True):
        if before < step:  # at least one voxel remains
            assert after == step
        else:
            assert after == pytest.approx(before, abs=step / 2 + 1e-6)


def test_another_spacing_that_divides_the_box_keeps_its_corners() -> None:
    grid = Geometry((4, 6, 8), (2.0, 1.0, 3.0), (5.0, 6.0, 7.0), tuple(rotation((10, 20, 30)).ravel()))

    other = grid.with_spacing((1.0, 2.0, 1.5))

    assert other.shape == (8, 3, 16)
    np.testing.assert_allclose(other.corners_mm(), grid.corners_mm(), atol=1e-9)


@pytest.mark.parametrize("spacing", [(0, 1, 1), (-1, 1, 1), (np.nan, 1, 1), (1, 1)])
def test_another_spacing_must_be_three_positive_numbers(spacing: tuple) -> None:
    with pytest.raises(UnusableInput, match="three positive numbers"):
        Geometry((4, 5, 6)).with_spacing(spacing)


def test_grids_match_within_a_tolerance_at_every_voxel() -> None:
    grid = Geometry((100, 100, 100))

    assert grid.matches(Geometry((100, 100, 100), origin_mm=(0.0009, 0, 0)))
    assert not grid.matches(Geometry((100, 100, 100), origin_mm=(0.0011, 0, 0)))
    assert not grid.matches(Geometry((100, 100, 101)))
    # 1e-4 mm of spacing is 0.005 mm at the far side
    assert not grid.matches(Geometry((100, 100, 100), (1.0001, 1, 1)))
    assert grid.matches(Geometry((100, 100, 100), (1.0001, 1, 1)), tolerance_mm=0.011)


def test_covered_by_is_a_fraction() -> None:
    grid = Geometry((10, 10, 10))

    assert grid.covered_by(grid) == 1.0
    assert grid.covered_by(Geometry((10, 10, 5))) == 0.5
    assert grid.covered_by(Geometry((10, 10, 10), origin_mm=(10.5, 0, 0))) == 0.0


def test_boxes_overlap_when_they_share_volume() -> None:
    grid = Geometry((10, 10, 10))
    turned = tuple(rotation((0, 0, 45)).ravel())

    assert grid.overlaps(Geometry((10, 10, 10), origin_mm=(9.9, 0, 0)))
    assert not grid.overlaps(Geometry((10, 10, 10), origin_mm=(10.0, 0, 0)))  # they touch
    assert grid.overlaps(Geometry((2, 2, 2), (0.01, 0.01, 0.01), (3.3, 4.4, 5.5)))  # far smaller than a voxel
    # Seen along the axes these two overlap; along the diagonal they do not.
    assert not grid.overlaps(Geometry((10, 10, 10), origin_mm=(17.0, 3.0, 0.0), direction=turned))
    assert grid.overlaps(Geometry((10, 10, 10), origin_mm=(13.0, 3.0, 0.0), direction=turned))


@given(geometries(), geometries())
def test_overlap_is_mutual_and_follows_the_samples(one: Geometry, other: Geometry) -> None:
    near = Geometry(other.shape, other.spacing_mm, one.origin_mm, other.direction)

    assert one.overlaps(near)
    assert near.overlaps(one)
    assert one.overlaps(other) == other.overlaps(one)
    if one.covered_by(other) > 0:
        assert one.overlaps(other)


@pytest.mark.parametrize(
    ("direction", "code"),
    [
        (EYE, "LPS"),
        ((-1, 0, 0, 0, -1, 0, 0, 0, 1), "RAS"),
        ((0, 0, 1, 1, 0, 0, 0, -1, 0), "PIL"),
        (tuple(rotation((20, -10, 15)).ravel()), "LPS"),
    ],
)
def test_orientation_names_where_the_axes_point(direction: tuple, code: str) -> None:
    assert Geometry((3, 3, 3), direction=direction).orientation == code


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"shape": (0, 3, 3)}, r"The grid is empty \(3x3x0 voxels\)"),
        ({"shape": (3, 3)}, "needs 3 numbers for its shape, got 2"),
        ({"spacing_mm": (0, 1, 1)}, "spacing must be positive, got 0x1x1 mm"),
        ({"spacing_mm": (-1, 1, 1)}, "spacing must be positive"),
        ({"spacing_mm": (np.nan, 1, 1)}, "not finite"),
        ({"origin_mm": (np.inf, 0, 0)}, "not finite"),
        ({"direction": (1, 0, 0, 0, 1, 0, 0, 0, 0)}, "singular"),
        ({"direction": (1, 0, 0, 0, 1, 0, 0, 1, 0)}, "singular"),
        ({"direction": (1, 0, 0.05, 0, 1, 0, 0, 0, 1)}, r"not perpendicular \(sheared by 0.05\)"),
        ({"direction": (2, 0, 0, 0, 1, 0, 0, 0, 1)}, "not perpendicular"),
    ],
)
def test_numbers_that_are_no_grid_are_refused(wrong: dict, reason: str) -> None:
    with pytest.raises(UnusableInput, match=reason):
        Geometry(**({"shape": (3, 3, 3)} | wrong))


def test_a_left_handed_grid_is_a_grid() -> None:
    grid = Geometry((3, 4, 5), direction=(-1, 0, 0, 0, 1, 0, 0, 0, 1))

    assert grid.orientation == "RPS"
    assert grid.position_of((0, 0, 2)).tolist() == [-2.0, 0.0, 0.0]
    assert grid.index_of((-2.0, 0.0, 0.0)) == (0, 0, 2)
