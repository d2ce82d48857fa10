"""A contour against a reference: figures that can be counted, and errors named as readers name them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from TumorSegRobustLib.evaluation.comparing import (
    KINDS,
    MISSED,
    SUPERFLUOUS,
    Comparison,
    compare,
    error_map,
)
from TumorSegRobustLib.image import Geometry

GRID = Geometry((12, 30, 30), (1.0, 1.0, 3.0), (-10.0, 5.0, 100.0))  # a voxel is 3 mm^3
BOX = np.s_[3:7, 5:15, 5:15]
SATELLITE = np.s_[9:11, 20:24, 20:24]


def drawn(*boxes: tuple[slice, ...]) -> np.ndarray:
    mask = np.zeros(GRID.shape, bool)
    for box in boxes:
        mask[box] = True
    return mask


def compared(contour: np.ndarray, reference: np.ndarray) -> Comparison:
    return compare(contour, reference, GRID)


def index_of(position_mm: tuple[float, float, float]) -> tuple[int, int, int]:
    k, j, i = np.rint(GRID.continuous_index(position_mm)).astype(int).tolist()
    return k, j, i


def test_equal_contours_have_no_error() -> None:
    result = compared(drawn(BOX), drawn(BOX))
    assert (result.dice, result.surface_dice, result.hd95_mm, result.errors) == (1.0, 1.0, 0.0, ())
    assert result.volume_ml == result.reference_ml == pytest.approx(1.2)


def test_nothing_against_nothing_is_no_error() -> None:
    assert compared(drawn(), drawn()) == Comparison(1.0, 1.0, 0.0, 0.0, 0.0, ())


def test_a_lesion_that_the_contour_does_not_meet_is_missed() -> None:
    result = compared(drawn(BOX), drawn(BOX, SATELLITE))
    (error,) = result.errors
    assert error.kind == "missed lesion"
    assert error.missed
    assert error.size_ml == pytest.approx(32 * 0.003)
    assert drawn(SATELLITE)[index_of(error.position_mm)]
    assert result.difference_ml == pytest.approx(-0.096)


def test_a_lesion_that_the_reference_does_not_know_is_false() -> None:
    (error,) = compared(drawn(BOX, SATELLITE), drawn(BOX)).errors
    assert (error.kind, error.missed) == ("false lesion", False)


def test_what_is_left_out_beside_a_shared_lesion_is_a_border_too_tight() -> None:
    smaller = np.s_[3:7, 5:15, 5:11]  # 4 columns short
    (error,) = compared(drawn(smaller), drawn(BOX)).errors
    assert error.kind == "border too tight"
    assert error.size_ml == pytest.approx(4 * 10 * 4 * 0.003)
    assert error.off_mm == pytest.approx(4.0)
    assert 11 <= index_of(error.position_mm)[2] < 15


def test_what_goes_beyond_a_shared_lesion_is_a_border_too_wide() -> None:
    (error,) = compared(drawn(BOX), drawn(np.s_[3:7, 5:15, 5:11])).errors
    assert (error.kind, error.off_mm) == ("border too wide", 4.0)


def test_two_ends_of_one_border_are_two_errors() -> None:
    shorter = np.s_[3:7, 5:15, 8:13]
    errors = compared(drawn(shorter), drawn(BOX)).errors
    kinds = [(error.kind, round(error.size_ml / 0.003)) for error in errors]
    assert kinds == [("border too tight", 120), ("border too tight", 80)]


def test_errors_of_all_types_come_largest_first() -> None:
    contour = drawn(np.s_[3:7, 5:15, 5:14], np.s_[3:7, 15:16, 5:9], np.s_[0:1, 27:29, 0:2])
    reference = drawn(BOX, SATELLITE)
    errors = compared(contour, reference).errors
    assert [error.kind for error in errors] == [
        "border too tight",
        "missed lesion",
        "border too wide",
        "false lesion",
    ]
    sizes = [error.size_ml for error in errors]
    assert sizes == sorted(sizes, reverse=True)


def test_a_lesion_touched_by_one_voxel_is_not_missed() -> None:
    inside = drawn(BOX)
    one = drawn(np.s_[4:5, 8:9, 8:9])
    assert {error.kind for error in compared(one, inside).errors} == {"border too tight"}


def test_against_an_empty_contour_everything_is_missed_and_there_is_no_distance() -> None:
    result = compared(drawn(), drawn(BOX))
    assert (result.dice, result.surface_dice, result.hd95_mm) == (0.0, 0.0, None)
    (error,) = result.errors
    assert (error.kind, error.off_mm) == ("missed lesion", None)


def test_figures_are_those_of_the_metrics() -> None:
    """A box moved by two voxels of 1 mm: 8 of 10 columns are shared."""
    result = compared(drawn(np.s_[3:7, 5:15, 7:17]), drawn(BOX))
    assert result.dice == pytest.approx(0.8)
    assert result.hd95_mm == pytest.approx(2.0)
    assert 0 < result.surface_dice < 1
    assert result.difference_ml == pytest.approx(0.0)


def test_the_map_tells_missed_from_superfluous() -> None:
    wrong = error_map(drawn(np.s_[3:7, 5:15, 7:17]), drawn(BOX))
    assert wrong.dtype == np.uint8
    assert (wrong[4, 8, 6], wrong[4, 8, 10], wrong[4, 8, 16], wrong[0, 0, 0]) == (MISSED, 0, SUPERFLUOUS, 0)


def test_as_json_it_has_plain_values() -> None:
    told = compared(drawn(BOX), drawn(BOX, SATELLITE)).to_json()
    assert list(told) == [
        "dice",
        "surface_dice_1mm",
        "hd95_mm",
        "volume_ml",
        "reference_ml",
        "difference_ml",
        "errors",
    ]
    assert list(told["errors"][0]) == ["kind", "size_ml", "position_lps_mm", "off_mm"]


def test_masks_of_two_shapes_are_not_compared() -> None:
    with pytest.raises(ValueError, match="different shapes"):
        compared(drawn(BOX), np.zeros((2, 2, 2), bool))


@settings(max_examples=60, deadline=None)
@given(arrays(bool, (4, 6, 6), elements=st.booleans()), arrays(bool, (4, 6, 6), elements=st.booleans()))
def test_errors_hold_every_wrong_voxel_once_and_the_roles_mirror(one: np.ndarray, two: np.ndarray) -> None:
    geometry = Geometry((4, 6, 6), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0))
    result, mirrored = compare(one, two, geometry), compare(two, one, geometry)
    assert sum(e.size_ml for e in result.errors) == pytest.approx((one ^ two).sum() * geometry.voxel_ml)
    for error in result.errors:
        k, j, i = np.rint(geometry.continuous_index(error.position_mm)).astype(int)
        assert (two & ~one if error.missed else one & ~two)[k, j, i]
    mirror = ("false lesion", "missed lesion", "border too wide", "border too tight")
    opposite = dict(zip(KINDS, mirror, strict=True))
    assert sorted((opposite[e.kind], e.size_ml) for e in result.errors) == sorted(
        (e.kind, e.size_ml) for e in mirrored.errors
    )
