"""Tests, corrections and intervals against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from TumorSegRobustLib.evaluation.calibration import pooled, reliability_near_border
from TumorSegRobustLib.evaluation.sites import CaseScore, site_table
from TumorSegRobustLib.evaluation.statistics import (
    Interval,
    bootstrap_mean,
    bootstrap_worst_site,
    compare,
    holm,
    non_inferior,
    paired_difference,
    signed_rank,
)
from TumorSegRobustLib.image import Geometry


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([1, 2, 3, 4, 5], 2 / 32),  # one of 32 sign patterns is as extreme, on either side
        ([1, -2, 3], 6 / 8),  # W- = 2: {}, {1}, {2} of 8 patterns, doubled
        ([-1, -2, -3, -4, 0], 2 / 16),  # the zero is left out
        ([0, 0], 1.0),
        ([], 1.0),
    ],
)
def test_signed_rank_is_exact_for_few_pairs(differences: list[float], p: float) -> None:
    assert signed_rank(differences) == pytest.approx(p)


def test_signed_rank_with_ties_uses_the_normal_approximation() -> None:
    # All ranks 5.5, W+ = 55, mean 27.5, variance n(n+1)(2n+1)/24 - sum(t^3 - t)/48 = 96.25 - 20.625
    z = (55 - 27.5) / np.sqrt(96.25 - 990 / 48)
    from scipy.stats import norm

    assert signed_rank([0.5] * 10) == pytest.approx(2 * norm.sf(z), rel=1e-6)


def test_holm_steps_down_and_never_falls() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


def test_bootstrap_of_a_mean_agrees_with_the_normal_interval_and_its_seed() -> None:
    values = np.random.default_rng(1).normal(0.7, 0.2, 200).tolist()
    found = bootstrap_mean(values, seed=3)
    half = 1.96 * np.std(values) / np.sqrt(200)
    assert found.value == pytest.approx(np.mean(values))
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.06)
    assert bootstrap_mean(values, seed=3) == found
    assert bootstrap_mean([0.4] * 5) == Interval(0.4, pytest.approx(0.4), pytest.approx(0.4))
    with pytest.raises(ValueError, match="No value"):
        bootstrap_mean([])


def test_patients_are_redrawn_whole() -> None:
    one_patient_four_times = bootstrap_mean([0.0] * 4 + [1.0], ["a"] * 4 + ["b"])
    assert one_patient_four_times.value == pytest.approx(0.2)
    assert (one_patient_four_times.low, one_patient_four_times.high) == (0.0, 1.0)
    single = bootstrap_mean([0.0, 1.0], ["a", "a"])
    assert (single.low, single.high) == (0.5, 0.5)


def test_the_worst_site_is_the_lowest_mean_redrawn_within_sites() -> None:
    found = bootstrap_worst_site({"a": [0.5, 0.5], "b": [0.2, 0.2]})
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.2, 0.2))
    # Either site may turn out worst: the interval reaches below the value.
    noisy = bootstrap_worst_site({"a": [0.2, 0.8], "b": [0.1, 0.9]})
    assert noisy.value == 0.5
    assert noisy.low == pytest.approx(0.1)
    assert noisy.high < 0.9


def test_arms_are_compared_on_the_cases_both_have() -> None:
    baseline = {"a": 0.5, "b": 0.6, "c": 0.7, "d": 0.4}
    better = {"a": 0.61, "b": 0.72, "c": 0.83, "d": 0.54, "e": 0.0}
    same = {"a": 0.5, "b": 0.6, "c": 0.7, "d": 0.4}
    one, two = compare(baseline, {"better": better, "same": same})
    assert (one.arm, one.cases, one.verdict) == ("better", 4, "no difference shown"), "p .25: too few cases"
    assert one.difference.value == pytest.approx(0.125)
    assert one.median == pytest.approx(0.125)
    assert (one.p, one.p_holm) == pytest.approx((0.125, 0.25))
    assert (two.difference.value, two.p_holm, two.verdict) == (0.0, 1.0, "no difference shown")
    assert paired_difference({"a": 0.4}, baseline).value == pytest.approx(-0.1)
    many = {f"{name}{n}": dice + 0.001 * n for name, dice in baseline.items() for n in range(5)}
    (shown,) = compare(many, {"better": {name: dice + 0.02 + 0.05 * dice for name, dice in many.items()}})
    (harmed,) = compare(many, {"worse": {name: dice - 0.02 - 0.05 * dice for name, dice in many.items()}})
    assert (shown.verdict, harmed.verdict) == ("better", "worse")
    with pytest.raises(ValueError, match="no case in common"):
        paired_difference({"z": 1.0}, baseline)


def test_non_inferiority_looks_at_the_lower_end() -> None:
    assert non_inferior(Interval(-0.01, -0.04, 0.02), 0.05)
    assert not non_inferior(Interval(0.01, -0.06, 0.08), 0.05)
    with pytest.raises(ValueError, match="positive"):
        non_inferior(Interval(0, 0, 0), -0.1)


def test_site_table_counts_sites_and_cases_apart() -> None:
    scores = [CaseScore(f"a-{n}", "a", dice, 10.0 * n) for n, dice in enumerate((0.9, 0.8, 0.7))]
    scores += [CaseScore("b-1", "b", 0.05, 50.0), CaseScore("c-1", "c", 0.6, 2.0)]
    table = site_table(scores)
    a, b, c = table.rows
    assert (a.site, a.cases, a.mean, a.median, a.worst) == pytest.approx(("a", 3, 0.8, 0.8, 0.7))
    assert a.sd == pytest.approx(0.1)
    assert (b.failed, b.sd, b.dice_ci) == (1.0, 0.0, pytest.approx((0.05, 0.05)))
    assert c.median_hd95_mm == 2.0
    assert table.overall.mean == pytest.approx((0.9 + 0.8 + 0.7 + 0.05 + 0.6) / 5)
    assert table.mean_of_sites == pytest.approx((0.8 + 0.05 + 0.6) / 3)
    assert (table.worst_site, table.worst_site_dice.value) == ("b", 0.05)
    assert (table.worst_hd95_site, table.worst_hd95_mm) == ("b", 50.0)
    with pytest.raises(ValueError, match="No case was measured"):
        site_table([])


def test_calibration_near_the_border_ignores_what_is_far() -> None:
    geometry = Geometry((1, 1, 21))
    reference = np.zeros((1, 1, 21), bool)
    reference[..., 10] = True
    probability = np.zeros((1, 1, 21))
    probability[..., 9:12] = 0.85
    probability[..., 0] = 0.99  # far away and wrong, but not near the border
    bins = reliability_near_border(probability, probability == 0.85, reference, geometry, band_mm=2.0)
    # contour 9..11: outside voxels 7, 8, 12, 13 lie within 2 mm; inside all three
    assert bins.count.tolist() == [4, 0, 0, 0, 0, 0, 0, 0, 3, 0]
    assert bins.tumour.tolist() == [0, 0, 0, 0, 0, 0, 0, 0, 1, 0]
    assert bins.ece == pytest.approx((3 * 0.85 - 1) / 7)
    assert pooled([bins, bins]).ece == pytest.approx(bins.ece)
    assert bins.points() == [(0.0, 0.0, 4), (pytest.approx(0.85), pytest.approx(1 / 3), 3)]
    empty = np.zeros_like(reference)
    assert reliability_near_border(probability, empty, empty, geometry).ece == 0.0
