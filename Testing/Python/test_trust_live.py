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


def test_half_of_the_expected_error_is_left_once_as_much_was_changed():
    # 300 and 200 voxels: .4 of 500 are expected to be wrong; 100 were changed, so 200 / 300 is left
    better = PROPOSED.after(a_contour(300), a_contour(200))
    assert better.dice == pytest.approx(1 - 0.4 * 2 / 3, abs=1e-4)
    assert better.interval == pytest.approx((1 - 0.6 * 2 / 3, 1 - 0.2 * 2 / 3), abs=1e-4)


def test_the_estimate_rises_with_what_was_changed_and_stays_an_estimate():
    found = [PROPOSED.after(a_contour(200), a_contour(n)).dice for n in (200, 210, 250, 400, 1000)]
    assert found == sorted(found)
    assert PROPOSED.dice == found[0] < found[-1] < 1


def test_a_proposal_expected_to_be_right_stays_so():
    sure = LiveQuality(1.0, (0.9, 1.0))
    assert sure.after(a_contour(100), a_contour(150)) == sure
