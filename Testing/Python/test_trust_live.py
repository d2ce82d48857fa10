"""The quality estimate that follows corrections: the expected error shrinks with what was put right."""

from __future__ import annotations

import numpy as np
import pytest

from TumorSegRobustLib.trust import LiveQuality

PROPOSED = LiveQuality(0.6, (0.4, 0.8))


def a_contour(voxels: int) -> np.ndarray:
    return np.arange(1000).reshape(10, 10, 10) < voxels


def test_an_untouched_contour_is_as_good_as_it_was_proposed():
    assert PROPOSED.after(a_contour(100), a_contour(100)) == PROPOSED
    assert PROPOSED.after(a_contour(0), a_contour(0)) == PROPOSED


def test_what_was_put_right_comes_off_the_expected_error():
    # 300 and 200 voxels: 100 were changed, a fifth of both; .4 of that comes off the expected error of .4
    better = PROPOSED.after(a_contour(300), a_contour(200))
    assert better.dice == pytest.approx(1 - (0.4 - 0.4 * 0.2))
    assert better.interval == pytest.approx((1 - (0.6 - 0.08), 1 - (0.2 - 0.08 + 0.04)))


def test_the_estimate_rises_while_changes_stay_within_what_was_expected_and_falls_beyond():
    found = [PROPOSED.after(a_contour(200), a_contour(n)).dice for n in (200, 230, 290, 400, 700, 1000)]
    top = found.index(max(found))
    assert found[: top + 1] == sorted(found[: top + 1])
    assert found[top:] == sorted(found[top:], reverse=True)
    assert 0 < top < len(found) - 1
    assert found[-1] < PROPOSED.dice


def test_no_correction_makes_a_contour_certain():
    best = max(PROPOSED.after(a_contour(500), a_contour(n)).dice for n in range(0, 1001, 10))
    assert best <= 1 - (1 - PROPOSED.dice) / 2


def test_another_contour_altogether_is_worth_nothing():
    elsewhere = ~a_contour(900)
    assert PROPOSED.after(a_contour(100), elsewhere).dice == pytest.approx(0.2)


def test_the_ends_of_the_interval_stay_around_the_estimate():
    for n in range(0, 1001, 50):
        quality = PROPOSED.after(a_contour(300), a_contour(n))
        assert 0 <= quality.interval[0] <= quality.dice <= quality.interval[1] <= 1
