"""The quality estimate that follows corrections: the expected error shrinks as the doubt does."""

from __future__ import annotations

import numpy as np
import pytest

from TumorSegRobustLib.trust import LiveQuality, expected_dice, map_expectation

PROPOSED = LiveQuality(0.6, (0.4, 0.8))


def test_the_expected_error_shrinks_as_the_doubt_in_the_map_does():
    halved = PROPOSED.after(before=0.8, now=0.9)
    assert halved.dice == pytest.approx(0.8)
    assert halved.interval == (pytest.approx(0.7), pytest.approx(0.9))


def test_a_correction_that_leaves_more_doubt_does_not_lower_the_estimate():
    assert PROPOSED.after(before=0.8, now=0.7) == PROPOSED


def test_a_map_without_doubt_promises_nothing_by_itself():
    assert PROPOSED.after(before=1.0, now=1.0) == PROPOSED


def test_no_doubt_left_is_a_contour_expected_to_be_right():
    assert PROPOSED.after(before=0.8, now=1.0) == LiveQuality(1.0, (1.0, 1.0))


def test_the_expectation_of_a_map_is_that_of_all_its_voxels():
    probability = np.array([[[0.0, 0.3, 0.9, 1.0, 0.6]]], np.float32)
    mask = probability > 0.5
    assert map_expectation(probability, mask) == expected_dice(probability, mask)
    assert map_expectation(np.zeros((2, 2, 2), np.float32), np.zeros((2, 2, 2), bool)) == 0.0
