"""Figures of one curve and of many: areas, clicks to a goal, and failures that stay in the means."""

from __future__ import annotations

import pytest

from TumorSegRobustLib.evaluation import Curve, summarise
from TumorSegRobustLib.review import Click, ClickResult

NOWHERE = (slice(0, 0),) * 3


def a_curve(dice: tuple[float, ...], nsd: tuple[float, ...] | None = None, honoured: bool = True) -> Curve:
    """With one click for every value but the first."""
    made = len(dice) - 1
    return Curve(
        dice=dice,
        hd95_mm=(1.0,) * len(dice),
        nsd=nsd or dice,
        clicks=(Click((0.0, 0.0, 0.0), True),) * made,
        results=(ClickResult(honoured, 0.0, NOWHERE, 0.1, NOWHERE),) * made,
        kept=1.0,
        jitter_mm=0.0,
        seed=0,
    )


def test_the_area_is_that_of_trapezoids_over_the_clicks():
    curve = a_curve((0.0, 0.5, 1.0), (0.0, 0.0, 1.0))
    assert curve.auc_dice == pytest.approx((0.25 + 0.75) / 2)
    assert curve.auc_nsd == pytest.approx((0.0 + 0.5) / 2)


def test_a_curve_without_clicks_has_the_area_of_its_only_value():
    assert a_curve((0.7,)).auc_dice == 0.7


def test_clicks_are_counted_to_the_first_time_that_a_goal_is_reached():
    curve = a_curve((0.5, 0.86, 0.84, 0.91))
    assert (curve.clicks_to(0.85), curve.clicks_to(0.90), curve.clicks_to(0.5)) == (1, 3, 0)
    assert curve.reached(0.85)


def test_a_goal_never_reached_counts_as_one_click_more_than_were_made():
    curve = a_curve((0.5, 0.6, 0.7))
    assert (curve.clicks_to(0.85), curve.reached(0.85)) == (3, False)


def test_the_document_names_every_figure():
    document = a_curve((0.5, 0.6, 0.86)).to_json()
    assert (document["clicks_to_85"], document["reached_85"]) == (2, True)
    assert (document["clicks_to_90"], document["reached_90"]) == (3, False)
    assert document["nsd"] == [0.5, 0.6, 0.86]
    assert document["reader"] == "robot"


def test_many_curves_are_summed_up_with_their_failures():
    summary = summarise([a_curve((0.5, 0.9, 0.896)), a_curve((0.2, 0.4, 0.3), honoured=False)])
    assert summary.curves == 2
    assert summary.clicks_to == (2.0, 2.0)  # (1 + 3) / 2 both times
    assert summary.not_reached == (0.5, 0.5)
    assert summary.honoured == 0.5
    assert summary.lost_steps == 0.25  # one of four: .004 is none
    assert (summary.first_dice, summary.last_dice) == (pytest.approx(0.35), pytest.approx(0.598))
    assert summary.auc_dice == pytest.approx((0.799 + 0.325) / 2)


def test_shares_of_clicks_weigh_every_click_alike():
    many, one = a_curve((0.1,) * 10), a_curve((0.5, 0.1), honoured=False)
    assert summarise([many, one]).honoured == pytest.approx(0.9)
    assert summarise([many, one]).lost_steps == pytest.approx(0.1)


def test_no_curve_cannot_be_summed_up():
    with pytest.raises(ValueError, match="no curve"):
        summarise([])
