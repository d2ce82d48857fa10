"""Outlines along voxel edges, keyholes, and filling them again."""

from __future__ import annotations

import numpy as np
import pytest
from fixtures_export import crossings
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.ndimage import label

from TumorSegRobustLib.export.keyhole import polygons
from TumorSegRobustLib.export.raster import fill
from TumorSegRobustLib.export.rings import trace

slices = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))


def a_mask(drawing: str) -> np.ndarray:
    return np.array([[sign == "#" for sign in line] for line in drawing.split()])


def area(polygon: np.ndarray) -> float:
    """Signed area by the shoelace formula; positive when clockwise with rows pointing down."""
    x, y = polygon.T
    return float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) / 2)


@given(slices)
def test_polygons_give_the_mask_back_by_the_even_odd_rule(mask: np.ndarray) -> None:
    parity = (
        sum((crossings(polygon, mask.shape) for polygon in polygons(mask)), np.zeros(mask.shape, int)) % 2
    )
    assert np.array_equal(parity == 1, mask)


@given(slices)
def test_polygons_give_the_mask_back_by_the_nonzero_winding_rule(mask: np.ndarray) -> None:
    winding = sum(
        (crossings(polygon, mask.shape, signed=True) for polygon in polygons(mask)), np.zeros(mask.shape, int)
    )
    assert np.array_equal(np.abs(winding), mask)


@given(slices)
def test_polygons_give_the_mask_back_by_union(mask: np.ndarray) -> None:
    united = np.zeros(mask.shape, bool)
    for polygon in polygons(mask):
        united |= crossings(polygon, mask.shape) % 2 == 1
    assert np.array_equal(united, mask)


@given(slices)
def test_there_is_one_polygon_per_piece_and_its_area_is_that_of_its_voxels(mask: np.ndarray) -> None:
    pieces, count = label(mask)
    sizes = sorted(np.bincount(pieces.ravel(), minlength=1)[1:].tolist())
    found = polygons(mask)
    assert len(found) == count
    assert sorted(round(area(polygon), 6) for polygon in found) == sizes


@given(slices)
def test_polygons_run_along_voxel_edges_only(mask: np.ndarray) -> None:
    for polygon in polygons(mask):
        assert len(polygon) >= 4
        assert np.array_equal(polygon % 1, np.full(polygon.shape, 0.5))
        step = np.roll(polygon, -1, axis=0) - polygon
        assert ((step == 0).sum(axis=1) == 1).all(), "each step is horizontal or vertical and has a length"


@given(slices)
def test_traced_rings_hold_no_collinear_point(mask: np.ndarray) -> None:
    outline = trace(mask)
    place = np.stack([outline.column, outline.row], axis=1)
    step = place[outline.next] - place
    assert ((step[:, 0] == 0) != (step[:, 1] == 0)).all()
    assert ((step[:, 0] == 0) != (step[outline.next, 0] == 0)).all()


@given(slices, st.integers(0, 2**32 - 1))
def test_fill_agrees_with_a_ray_from_each_voxel(mask: np.ndarray, seed: int) -> None:
    polygon = np.random.default_rng(seed).uniform(-3, 14, (9, 2))
    assert np.array_equal(fill([polygon], mask.shape), crossings(polygon, mask.shape) % 2 == 1)


def test_lone_voxel_gives_its_four_corners() -> None:
    (polygon,) = polygons(np.ones((1, 1), bool))
    assert polygon.tolist() == [[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]


def test_straight_edges_are_merged() -> None:
    (polygon,) = polygons(np.ones((3, 7), bool))
    assert polygon.tolist() == [[-0.5, -0.5], [6.5, -0.5], [6.5, 2.5], [-0.5, 2.5]]


def test_voxels_that_touch_at_a_corner_are_two_polygons() -> None:
    assert [len(polygon) for polygon in polygons(a_mask("#. .#"))] == [4, 4]
    assert [len(polygon) for polygon in polygons(a_mask(".# #."))] == [4, 4]


def test_hole_is_joined_by_a_channel_walked_once_in_each_direction() -> None:
    (polygon,) = polygons(a_mask("### #.# ###"))
    edges = [
        tuple(map(tuple, edge))
        for edge in zip(polygon.tolist(), np.roll(polygon, -1, axis=0).tolist(), strict=True)
    ]
    assert ((0.5, 0.5), (-0.5, 0.5)) in edges
    assert ((-0.5, 0.5), (0.5, 0.5)) in edges
    assert area(polygon) == 8


@pytest.mark.parametrize(
    "drawing",
    [
        "##### #.#.# #####",  # two holes in one row: the second joins the first
        "##### #.#.# ##### #.#.# #####",  # four, two on one edge
        "####### #.....# #.###.# #.#.#.# #.###.# #.....# #######",  # ring in a ring
        "##### ##.## #.#.# ##.## #####",  # holes that touch at corners are one ring
        "#### #.## ##.. ####",  # a hole open to the outside through a corner
        "###### #....# #.##.# #....# ######",
    ],
)
def test_nested_and_touching_holes(drawing: str) -> None:
    mask = a_mask(drawing)
    found = polygons(mask)
    assert len(found) == label(mask)[1]
    assert np.array_equal(fill(found, mask.shape), mask)


def test_empty_slice_has_no_polygons() -> None:
    assert polygons(np.zeros((4, 5), bool)) == []


def test_fill_cuts_off_what_lies_outside() -> None:
    square = np.array([[-5.0, -5.0], [1.5, -5.0], [1.5, 1.5], [-5.0, 1.5]])
    assert np.array_equal(fill([square], (3, 4)), a_mask("##.. ##.. ...."))


def test_fill_gives_a_voxel_on_a_common_edge_to_one_neighbour_only() -> None:
    left, right = (np.array([[x, -0.5], [x + 2, -0.5], [x + 2, 1.5], [x, 1.5]]) for x in (0.0, 2.0))
    assert np.array_equal(fill([left], (1, 5)), a_mask("##..."))
    assert np.array_equal(fill([right], (1, 5)), a_mask("..##."))
