"""Metrics on masks whose answers are known by hand."""

from __future__ import annotations

import numpy as np
import pytest
from fixtures_review import ball
from hypothesis import given
from hypothesis.extra.numpy import arrays
from scipy.ndimage import distance_transform_edt

from TumorSegRobustLib.evaluation import (
    MetricPolicy,
    dice,
    hd95_mm,
    iou,
    surface_distances,
    volume_error_ml,
)
from TumorSegRobustLib.evaluation.metrics import surface
from TumorSegRobustLib.image import Geometry

masks = arrays(bool, (3, 4, 5))
EMPTY = np.zeros((4, 5, 6), bool)
GEOMETRY = Geometry((4, 5, 6), (1.0, 2.0, 3.0))


def a_voxel(k: int, j: int, i: int) -> np.ndarray:
    mask = EMPTY.copy()
    mask[k, j, i] = True
    return mask


@given(masks, masks)
def test_iou_is_never_above_dice_and_both_lie_in_0_1(a, b):
    assert 0 <= iou(a, b) <= dice(a, b) <= 1
    assert iou(a, b) == pytest.approx(dice(a, b) / (2 - dice(a, b)))
    assert dice(a, b) == dice(b, a)


@given(masks)
def test_a_mask_agrees_with_itself(a):
    geometry = Geometry(a.shape, (0.5, 1.0, 4.0))
    assert (dice(a, a), iou(a, a), hd95_mm(a, a, geometry)) == (1.0, 1.0, 0.0)
    assert volume_error_ml(a, a, geometry) == 0


def test_overlap_of_known_masks():
    a, b = EMPTY.copy(), EMPTY.copy()
    a[0, 0, :4] = True
    b[0, 0, 2:5] = True

    assert dice(a, b) == pytest.approx(2 * 2 / 7)
    assert iou(a, b) == pytest.approx(2 / 5)
    assert volume_error_ml(a, b, GEOMETRY) == pytest.approx(0.006)
    assert volume_error_ml(b, a, GEOMETRY) == pytest.approx(-0.006)


@pytest.mark.parametrize(("step", "millimetres"), [((1, 0, 0), 3.0), ((0, 1, 0), 2.0), ((0, 0, 1), 1.0)])
def test_distances_are_in_mm_along_every_axis(step, millimetres):
    moved = a_voxel(*(1 + s for s in step))

    assert hd95_mm(a_voxel(1, 1, 1), moved, GEOMETRY) == pytest.approx(millimetres)


def test_hd95_is_the_larger_of_the_two_directed_percentiles():
    geometry = Geometry((1, 1, 200))
    a = np.zeros((1, 1, 200), bool)
    a[0, 0, :100] = True
    b = a.copy()
    b[0, 0, 110:114] = True  # 4 of 104 surface voxels lie 11 to 14 mm from a: above the 95th percentile

    assert hd95_mm(a, b, geometry) == 0.0
    assert surface_distances(a, b, geometry).hausdorff_mm == pytest.approx(14.0)
    b[0, 0, 110:120] = True  # now 10 of 110: the percentile lies among them, in one direction only
    assert hd95_mm(a, b, geometry) == pytest.approx(np.percentile([0.0] * 100 + list(range(11, 21)), 95))
    assert hd95_mm(a, b, geometry) == hd95_mm(b, a, geometry)


def test_distances_agree_with_a_distance_transform():
    shape, spacing = (12, 20, 22), (4.0, 1.0, 0.8)
    geometry = Geometry(shape, spacing[::-1])
    a, b = ball(shape, spacing, (5, 9, 10), 7.0), ball(shape, spacing, (6, 11, 12), 6.0)
    edges = [np.zeros(shape, bool) for _ in range(2)]
    for edge, mask in zip(edges, (a, b), strict=True):
        edge[tuple(surface(mask).T)] = True
    found = surface_distances(a, b, geometry)

    assert sorted(found.to_reference) == pytest.approx(
        sorted(distance_transform_edt(~edges[1], sampling=spacing)[edges[0]])
    )
    assert sorted(found.to_prediction) == pytest.approx(
        sorted(distance_transform_edt(~edges[0], sampling=spacing)[edges[1]])
    )
    assert 0 < found.average_mm < found.hd95_mm <= found.hausdorff_mm
    assert found.surface_dice(found.hausdorff_mm) == 1.0
    assert found.surface_dice(0.0) < 1.0


def test_the_surface_is_what_touches_the_outside_through_a_face():
    mask = np.ones((3, 3, 3), bool)
    assert len(surface(mask)) == 26
    mask = np.zeros((5, 5, 5), bool)
    mask[1:4, 1:4, 1:4] = True
    assert len(surface(mask)) == 26
    assert [2, 2, 2] not in surface(mask).tolist()


def test_two_empty_masks_agree():
    assert dice(EMPTY, EMPTY) == iou(EMPTY, EMPTY) == 1.0
    assert hd95_mm(EMPTY, EMPTY, GEOMETRY) == 0.0
    assert surface_distances(EMPTY, EMPTY, GEOMETRY).surface_dice(1.0) == 1.0
    assert dice(EMPTY, EMPTY, MetricPolicy(both_empty_overlap=0.0)) == 0.0


@pytest.mark.parametrize("swapped", [False, True])
def test_a_missed_and_an_invented_tumour_cost_the_diagonal_of_the_image(swapped):
    pair = (EMPTY, a_voxel(1, 1, 1))[:: -1 if swapped else 1]

    assert dice(*pair) == iou(*pair) == 0.0
    assert hd95_mm(*pair, GEOMETRY) == pytest.approx(np.sqrt(6**2 + 10**2 + 12**2))
    assert surface_distances(*pair, GEOMETRY).surface_dice(1.0) == 0.0
    assert hd95_mm(*pair, GEOMETRY, MetricPolicy(one_empty_distance_mm=99.0)) == 99.0


def test_masks_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="different shapes"):
        dice(EMPTY, np.zeros((1, 1, 1), bool))
