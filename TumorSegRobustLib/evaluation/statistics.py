"""Is a difference real? Paired tests with correction, bootstrap intervals, non-inferiority.

Every resampling takes an explicit seed and is the same again for it. Groups (patients) are resampled whole:
two scans of one patient are not two patients.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import wilcoxon

LEVEL = 0.95
RESAMPLES = 5000
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Interval:
    """A figure and its percentile bootstrap interval (Efron 1979)."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class Comparison:
    """One arm against the baseline, on the cases both have: mean paired difference (arm - baseline).

    p: Wilcoxon signed-rank, two-sided; p_holm: corrected for all arms compared together.
    """

    arm: str
    cases: int
    difference: Interval
    median: float
    p: float
    p_holm: float

    @property
    def verdict(self) -> str:
        """As `verdict_of`."""
        return verdict_of(self.difference.low, self.difference.high, self.p_holm)


def verdict_of(low: float, high: float, p: float | None = None) -> str:
    """ "better", "worse" or "no difference shown": what the interval (low to high), and the corrected p where
    there is one (below 5 %), both allow to say.
    """
    if low <= 0 <= high or (p is not None and p >= SIGNIFICANT):
        return "no difference shown"
    return "better" if low > 0 else "worse"


def signed_rank(differences: ArrayLike) -> float:
    """p of the two-sided Wilcoxon signed-rank test that paired differences are symmetric about 0.

    Zeros are left out (Wilcoxon 1945); exact without ties for up to 50 pairs, normal approximation otherwise;
    1.0 when nothing differs.
    """
    values = np.asarray(differences, dtype=np.float64)
    moved = values[values != 0]
    if not moved.size:
        return 1.0
    exact = moved.size <= 50 and np.unique(np.abs(moved)).size == moved.size
    return float(wilcoxon(moved, method="exact" if exact else "approx").pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """The step-down correction of Holm (1979), in the given order, at most 1."""
    order = np.argsort(p_values, kind="stable")
    corrected = np.empty(len(p_values))
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, (len(p_values) - rank) * float(p_values[index]))
        corrected[index] = min(1.0, largest)
    return [float(p) for p in corrected]


def bootstrap_mean(
    values: Sequence[float],
    groups: Sequence[Hashable] | None = None,
    *,
    seed: int = 0,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Interval:
    """The mean and its interval; `groups` (one per value) are drawn whole. ValueError without a value."""
    if not len(values):
        raise ValueError("No value, so no mean")
    means = _means(values, groups, np.random.default_rng(seed), resamples)
    return _interval(float(np.mean(values)), means, level)


def bootstrap_worst_site(
    sites: Mapping[str, Sequence[float]],
    groups: Mapping[str, Sequence[Hashable]] | None = None,
    *,
    seed: int = 0,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Interval:
    """The lowest of the sites' means, patients redrawn within every site; sites are given, not sampled.

    The minimum of several noisy means is biased low, so the interval may lie below the value: that is honest.
    """
    if not sites:
        raise ValueError("No site, so no worst one")
    rng = np.random.default_rng(seed)
    means = [_means(v, groups[s] if groups else None, rng, resamples) for s, v in sorted(sites.items())]
    return _interval(min(float(np.mean(v)) for v in sites.values()), np.min(means, axis=0), level)


def paired_difference(
    arm: Mapping[str, float],
    baseline: Mapping[str, float],
    groups: Mapping[str, Hashable] | None = None,
    *,
    seed: int = 0,
    level: float = LEVEL,
) -> Interval:
    """Mean of arm - baseline over the cases that both have, with its interval."""
    shared = _shared(arm, baseline)
    which = None if groups is None else [groups[case] for case in shared]
    return bootstrap_mean([arm[c] - baseline[c] for c in shared], which, seed=seed, level=level)


def compare(
    baseline: Mapping[str, float],
    arms: Mapping[str, Mapping[str, float]],
    groups: Mapping[str, Hashable] | None = None,
    *,
    seed: int = 0,
) -> list[Comparison]:
    """Every arm against the baseline, {case: value} each, with Holm's correction over the arms."""
    differences = {
        name: np.array([values[case] - baseline[case] for case in _shared(values, baseline)])
        for name, values in arms.items()
    }
    raw = [signed_rank(one) for one in differences.values()]
    return [
        Comparison(
            name,
            len(one),
            paired_difference(arms[name], baseline, groups, seed=seed),
            float(np.median(one)),
            p,
            corrected,
        )
        for (name, one), p, corrected in zip(differences.items(), raw, holm(raw), strict=True)
    ]


def non_inferior(difference: Interval, margin: float) -> bool:
    """Whether a paired difference (new - old, more is better) is surely not worse than -margin.

    The lower end of a two-sided 95 % interval above -margin: a one-sided test at 2.5 %.
    """
    if margin <= 0:
        raise ValueError("The margin is the largest loss that would be accepted, a positive number")
    return difference.low > -margin


def _shared(one: Mapping[str, float], other: Mapping[str, float]) -> list[str]:
    shared = [case for case in one if case in other]
    if not shared:
        raise ValueError("The two have no case in common")
    return shared


def _means(
    values: Sequence[float],
    groups: Sequence[Hashable] | None,
    rng: np.random.Generator,
    resamples: int,
) -> NDArray[np.float64]:
    """Means of `resamples` redrawn samples of whole groups."""
    numbers = np.asarray(values, dtype=np.float64)
    names = {name: n for n, name in enumerate(dict.fromkeys(groups or range(len(numbers))))}
    index = [names[group] for group in groups or range(len(numbers))]
    sums, counts = np.bincount(index, weights=numbers), np.bincount(index)
    drawn = rng.integers(len(sums), size=(resamples, len(sums)))
    return sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)


def _interval(value: float, resampled: NDArray[np.float64], level: float) -> Interval:
    low, high = np.percentile(resampled, [50 * (1 - level), 50 * (1 + level)])
    return Interval(value, float(low), float(high))
