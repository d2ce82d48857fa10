"""Weights of an ensemble's members, fitted on the worst site and judged on a site that fitting never saw.

Four ways are compared: equal weights, grid search over the simplex, genetic search, stacking; and the best
single member. Each is fitted on all sites but one and scored on that one, in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import differential_evolution, minimize

from TumorSegRobustLib.evaluation.statistics import bootstrap_worst_site, compare

LIKELY = 0.02
"""Voxels that no member holds for likelier are background under any weights, and are not kept."""
GRID_STEP = 0.1
_LEAST, _MOST = 2.0**-14, 1.0 - 2.0**-11  # what float16 tells from 0 and 1
_RIDGE = 1e-3
_STACKED_VOXELS = 20_000
_DE = {"popsize": 8, "maxiter": 30, "tol": 1e-4, "polish": False}


@dataclass(frozen=True, eq=False)
class MemberCase:
    """One case reduced to what weights can change: logits (members, n) float32 and truth (n) of the n voxels
    that any member holds for likelier than `LIKELY`; missed: tumour voxels elsewhere.
    """

    case: str
    site: str
    group: str
    logits: NDArray[np.float32]
    truth: NDArray[np.bool_]
    missed: int

    @classmethod
    def of(
        cls, case: str, site: str, members: NDArray[np.float16], truth: NDArray[np.bool_], group: str = ""
    ) -> MemberCase:
        """From the members' probabilities (m, k, j, i) and the truth (k, j, i) on the scan's own grid."""
        likely = (members >= LIKELY).any(axis=0)
        p = np.clip(members[:, likely].astype(np.float32), _LEAST, _MOST)
        inside = truth[likely]
        missed = int(np.count_nonzero(truth)) - int(np.count_nonzero(inside))
        return cls(case, site, group or case, np.log(p / (1 - p)), inside, missed)

    def dice(self, weights: NDArray[np.float64], bias: float = 0.0) -> float:
        """Of the contour where the weighted logits and the bias reach 0, a probability of one half."""
        found = weights.astype(np.float32) @ self.logits + np.float32(bias) >= 0
        hits = int(np.count_nonzero(found & self.truth))
        total = int(np.count_nonzero(found)) + int(np.count_nonzero(self.truth)) + self.missed
        return 2 * hits / total if total else 1.0


@dataclass(frozen=True, eq=False)
class Fitted:
    """Weights (members) that sum to 1; stacking has a bias and a free sum."""

    weights: NDArray[np.float64]
    bias: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return {"weights": [round(float(w), 4) for w in self.weights], "bias": round(self.bias, 4)}


Method = Callable[[Sequence[MemberCase], int], Fitted]


def worst_site_dice(cases: Sequence[MemberCase], weights: NDArray[np.float64], bias: float = 0.0) -> float:
    """The lowest of the sites' mean Dice: what is maximised."""
    sites: dict[str, list[float]] = {}
    for case in cases:
        sites.setdefault(case.site, []).append(case.dice(weights, bias))
    return min(float(np.mean(values)) for values in sites.values())


def equal(cases: Sequence[MemberCase], seed: int = 0) -> Fitted:
    """Every member counts the same; nothing is fitted."""
    count = len(cases[0].logits)
    return Fitted(np.full(count, 1 / count))


def best_member(cases: Sequence[MemberCase], seed: int = 0) -> Fitted:
    """The member whose worst site is best, alone."""
    rows = np.eye(len(cases[0].logits))
    return Fitted(max(rows, key=lambda row: worst_site_dice(cases, row)))


def grid_search(cases: Sequence[MemberCase], seed: int = 0, step: float = GRID_STEP) -> Fitted:
    """The best point of the simplex grid; of equally good ones the nearest to equal weights."""
    count = len(cases[0].logits)

    def rank(weights: NDArray[np.float64]) -> tuple[float, float]:
        return round(worst_site_dice(cases, weights), 6), -float(np.sum((weights - 1 / count) ** 2))

    return Fitted(max(simplex(count, step), key=rank))


def genetic_search(cases: Sequence[MemberCase], seed: int = 0) -> Fitted:
    """Differential evolution (Storn and Price 1997, scipy's) over weights in [0, 1], brought to the sum 1.

    An evolving population of weight vectors: the genetic search of the literature in a well-kept form.
    """

    def loss(genes: NDArray[np.float64]) -> float:
        return -worst_site_dice(cases, _normalised(genes))

    count = len(cases[0].logits)
    start = np.full(count, 0.5)
    found = differential_evolution(loss, [(0.0, 1.0)] * count, seed=seed, x0=start, **_DE)
    return Fitted(_normalised(found.x))


def stacking(cases: Sequence[MemberCase], seed: int = 0) -> Fitted:
    """Logistic regression of the truth on the members' logits: weights >= 0, a bias, a small ridge.

    Every site weighs the same, and within it every case; at most `_STACKED_VOXELS` of a case are drawn.
    """
    rng = np.random.default_rng(seed)
    per_site: dict[str, int] = {}
    for case in cases:
        per_site[case.site] = per_site.get(case.site, 0) + 1
    parts, truths, shares = [], [], []
    for case in cases:
        n = case.truth.size
        chosen = rng.choice(n, _STACKED_VOXELS, replace=False) if n > _STACKED_VOXELS else np.arange(n)
        parts.append(case.logits[:, chosen])
        truths.append(case.truth[chosen])
        shares.append(np.full(len(chosen), 1 / (len(per_site) * per_site[case.site] * max(1, len(chosen)))))
    x = np.concatenate(parts, axis=1).astype(np.float64)
    sign = np.where(np.concatenate(truths), 1.0, -1.0)
    share = np.concatenate(shares)

    def loss(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = sign * (theta[:-1] @ x + theta[-1])
        value = float(share @ np.logaddexp(0.0, -margin)) + _RIDGE * float(theta[:-1] @ theta[:-1])
        slope = -share * sign * np.exp(-np.logaddexp(0.0, margin))
        return value, np.append(x @ slope + 2 * _RIDGE * theta[:-1], slope.sum())

    count = len(x)
    start = np.append(np.full(count, 1 / count), 0.0)
    bounds = [(0.0, None)] * count + [(None, None)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return Fitted(found[:-1], float(found[-1]))


METHODS: Mapping[str, Method] = {
    "equal weights": equal,
    "best member": best_member,
    "grid search": grid_search,
    "genetic search": genetic_search,
    "stacking": stacking,
}


def compare_weights(
    cases: Sequence[MemberCase], methods: Mapping[str, Method] = METHODS, seed: int = 0
) -> dict[str, Any]:
    """The table: for every method the Dice at each site, with weights fitted on the other sites only.

    Also each method against the first (paired, Holm), the weights of every fold, and `final`: fitted on all
    sites, for shipping; no figure here is of those. ValueError with fewer than two sites.
    """
    sites = sorted({case.site for case in cases})
    if len(sites) < 2:
        raise ValueError("Weights are judged on a site that fitting did not see: two sites are needed")
    rows, dice = [], {}
    for name, method in methods.items():
        folds = {site: method([c for c in cases if c.site != site], seed) for site in sites}
        scores = {c.case: c.dice(folds[c.site].weights, folds[c.site].bias) for c in cases}
        dice[name] = scores
        by_site = {site: [scores[c.case] for c in cases if c.site == site] for site in sites}
        groups = {site: [c.group for c in cases if c.site == site] for site in sites}
        worst = bootstrap_worst_site(by_site, groups, seed=seed)
        rows.append(
            {
                "method": name,
                "sites": {site: float(np.mean(values)) for site, values in by_site.items()},
                "mean_of_cases": float(np.mean(list(scores.values()))),
                "worst_site": [worst.value, worst.low, worst.high],
                "fitted_without": {site: fitted.to_json() for site, fitted in folds.items()},
                "final": method(cases, seed).to_json(),
            }
        )
    first, *others = methods
    found = compare(dice[first], {name: dice[name] for name in others}, {c.case: c.group for c in cases})
    return {
        "members": len(cases[0].logits),
        "cases": len(cases),
        "baseline": first,
        "methods": rows,
        "comparisons": [
            {
                "method": c.arm,
                "difference": [c.difference.value, c.difference.low, c.difference.high],
                "p": c.p,
                "p_holm": c.p_holm,
                "verdict": c.verdict,
            }
            for c in found
        ],
    }


def simplex(count: int, step: float) -> Iterator[NDArray[np.float64]]:
    """Every vector of `count` multiples of `step` >= 0 that sum to 1 (stars and bars)."""
    parts = round(1 / step)
    for bars in combinations(range(parts + count - 1), count - 1):
        edges = (-1, *bars, parts + count - 1)
        yield np.diff(np.array(edges)) / parts - 1 / parts


def _normalised(genes: NDArray[np.float64]) -> NDArray[np.float64]:
    total = float(genes.sum())
    return genes / total if total > 0 else np.full(len(genes), 1 / len(genes))
