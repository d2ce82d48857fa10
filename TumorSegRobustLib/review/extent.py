"""How far a click's answer reaches: every voxel about it is judged by itself, from what is known of it.

The geodesic operator and the refining network answer within a small ball. A reader who clicks into a rim that
is too narrow usually means the rim. So for each voxel that the click could change, up to 30 mm away, a small
network weighs how far it lies from the click and from the contour, what was thought of it before, what the
other clicks said, and whether it looks like the clicked spot: the log-odds that it has the click's label.
Far voxels are changed where it is sure; near ones that it strongly doubts stay as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from TumorSegRobustLib.review.belief import to_log_odds
from TumorSegRobustLib.review.click import (
    Box,
    Seed,
    around_both,
    box_around,
    box_shape,
    contains,
    inside,
    overlap,
    within,
)
from TumorSegRobustLib.review.geodesic import Proposal
from TumorSegRobustLib.review.neighbourhood import straight_distance, whole_voxels
from TumorSegRobustLib.review.refiner import Refinement, Situation

FACTS: Mapping[str, tuple[float, float]] = {
    "contour_mm": (0, 30),  # from the voxel to the contour
    "depth_mm": (0, 30),  # from the click to the contour
    "click_mm": (0, 30),  # from the voxel to the click; of that ...
    "across_mm": (0, 30),  # ... across the slices
    "within_mm": (0, 30),  # ... within them
    "proposed": (-4, 4),  # log-odds before the first click, for the click's label
    "proposed_there": (-4, 4),  # the same at the click
    "before": (-4, 4),  # log-odds before this click
    "before_there": (-4, 4),
    "brighter": (-3, 3),  # than the clicked spot, in units of the contrast nearby
    "unlike": (0, 3),  # the same without its sign
    "like_inside": (-3, 3),  # brighter than the contour's content nearby
    "like_outside": (-3, 3),  # brighter than what surrounds it nearby
    "contrast": (-1.5, 1.5),
    "spot": (-2, 2),  # how bright the clicked spot is between the two
    "grain": (-3, 3),  # as brighter, voxel by voxel instead of smoothed
    "operator": (-4, 4),  # log-odds by the geodesic operator, 0 outside its region
    "answer": (-4, 4),  # log-odds after the network
    "place_and_look": (-6, 6),  # what the operator would say without its limits
    "in_region": (0, 1),
    "influence_mm": (0, 60),
    "same_mm": (0, 60),  # to the nearest earlier click of the same kind
    "other_mm": (0, 60),  # ... and of the other kind
    "same_count": (0, 6),
    "other_count": (0, 6),
    "above_same": (-4, 4),  # proposed, above its mean at the clicks of this kind
    "above_other": (-4, 4),
    "brighter_than_other": (-3, 3),  # than the clicks of the other kind
    "include": (0, 1),
    "slice_mm": (0, 8),
    "from_nothing": (0, 1),
}
"""What the network is told of a voxel, and the range that becomes -1 .. 1. Log-odds and brightness are turned
so that more of them speaks for an include click and against an exclude click."""

REACH_MM = 30.0
"""How far a click can reach ..."""
_MOST_VOXELS = 100_000
"""... where a cube so large holds no more voxels; less on finer grids (23 mm at 1 mm), ..."""
_LEAST_REACH_MM = 8.0
"""... but never less than this."""
_MOST_SHARE, _MOST_ML = 1.0, 0.3
"""An answer is extended by at most this share of what it changes itself, and as many millilitres more."""
_LEAST_SPOT_MM = 2.0
"""What lies so near the click follows it, or as near as the click lies to the contour."""
_SMOOTH_MM = 2.0
"""Looks are smoothed by this (standard deviation), and taken ..."""
_NEAR_MM = 15.0
"""... so near the click, ..."""
_RIM_MM = 6.0
"""... outside the contour so near it."""

Judge = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""(voxels, facts) -> (voxels,): log-odds that a voxel has the click's label."""


@dataclass(frozen=True)
class Extent:
    """See the module. keep: a near voxel that would change and is less likely than this does not. extend: a
    voxel more likely than this changes wherever it lies.
    """

    judge: Judge
    keep: float = 0.4
    extend: float = 0.85

    def parameters(self) -> dict[str, Any]:
        return {"keep": self.keep, "extend": self.extend}

    def applied(
        self,
        situation: Situation,
        proposal: Proposal,
        answer: Refinement,
        changed_ml: float,
        left_ml: float = np.inf,
    ) -> Refinement:
        """The answer, which changes `changed_ml`, trimmed and extended; by at most `left_ml`, and not far
        beyond what it changes itself (the surest voxels come first): a click is no flood.
        """
        facts = facts_of(situation, proposal, answer)
        if facts is None:
            return answer
        stood = to_log_odds(situation.levels[facts.box])
        answered = _placed(answer.log_odds, answer.region, facts.box, stood)
        way = np.float32(1 if situation.click.include else -1)
        judged = self.judge(facts.table)
        old, new = stood[facts.open], answered[facts.open]
        moved = way * new > 0
        close = facts.click_mm <= max(facts.depth_mm, _LEAST_SPOT_MM)
        dropped = moved & ~close & (judged < _log_odds(self.keep))
        won = ~moved & (judged > _log_odds(self.extend))
        most_ml = min(left_ml, _MOST_SHARE * changed_ml + _MOST_ML)
        won = _surest(judged, won, most_ml / situation.image.geometry.voxel_ml, facts.click_mm)
        new = np.where(dropped, old, new)
        new = np.where(won, way * np.clip(judged - _log_odds(self.extend), 0.05, 3.0), new)
        answered[facts.open] = new
        return _grown(situation, answer, facts, answered, won)


def _grown(
    situation: Situation,
    answer: Refinement,
    facts: Facts,
    answered: NDArray[np.float32],
    won: NDArray[np.bool_],
) -> Refinement:
    """`answered` (of the shape of `facts.box`) in the answer's own region, which grows by what was won: a
    region is freed of what a reader painted, so it is no larger than need be.
    """
    region = answer.region
    if won.any():
        places = np.argwhere(facts.open)[won]
        low, high = places.min(axis=0), places.max(axis=0) + 1
        k, j, i = (
            slice(s.start + int(a), s.start + int(b))
            for s, a, b in zip(facts.box, low, high, strict=True)
        )
        region = around_both(region, (k, j, i))
    whole = _placed(answer.log_odds, answer.region, region, to_log_odds(situation.levels[region]))
    return Refinement(region, _placed(answered, facts.box, region, whole))


@dataclass(frozen=True)
class Facts:
    """`open` bool (k, j, i) of the shape of `box`: voxels that the click could change; `table` float32
    (voxels, facts): FACTS of them, each -1 .. 1. click_mm: of the same voxels. depth_mm: see FACTS.
    """

    box: Box
    open: NDArray[np.bool_]
    table: NDArray[np.float32]
    click_mm: NDArray[np.float32]
    depth_mm: float


def facts_of(situation: Situation, proposal: Proposal, answer: Refinement) -> Facts | None:
    """What is known about each voxel that the click could change; None where there is no contour nearby."""
    click, geometry = situation.click, situation.image.geometry
    spacing = geometry.spacing_mm[::-1]
    reach = min(REACH_MM, max(_LEAST_REACH_MM, 0.5 * (_MOST_VOXELS * float(np.prod(spacing))) ** (1 / 3)))
    box = box_around(click.voxel, whole_voxels(reach, geometry), geometry.shape)
    levels = situation.levels[box]
    tumour = levels > 0
    if tumour.all() or not tumour.any():
        return None
    shape = box_shape(box)
    here = inside(click.voxel, box)
    click_mm = straight_distance(shape, here, spacing)
    may = (click_mm < reach) & (tumour != click.include)
    if not may.any():
        return None
    way = np.float32(1 if click.include else -1)
    thick = int(np.argmax(spacing))
    across = np.abs(np.nonzero(may)[thick] - here[thick]) * spacing[thick]
    signed = _signed_mm(tumour, spacing)
    fine = situation.image.voxels[box].astype(np.float32)
    even = gaussian_filter(fine, [_SMOOTH_MM / s for s in spacing])
    content, around, contrast = _looks(even, tumour, signed, click_mm)
    spot = even[here]
    zero = np.zeros(shape, np.float32)
    before = to_log_odds(levels)
    proposed = zero if situation.prior is None else to_log_odds(situation.prior[box])
    region = _placed(np.ones(box_shape(answer.region), np.float32), answer.region, box, zero)
    same = [seed for seed in situation.earlier if seed.include == click.include]
    other = [seed for seed in situation.earlier if seed.include != click.include]
    prior_at_same = [_prior_at(situation, seed) for seed in (*same, click)]
    prior_at_other = [_prior_at(situation, seed) for seed in other]
    looks_of_other = [
        float(even[inside(seed.voxel, box)]) for seed in other if contains(box, seed.voxel)
    ]
    near = click_mm[may]
    columns: dict[str, Any] = {
        "contour_mm": np.abs(signed[may]),
        "depth_mm": abs(signed[here]),
        "click_mm": near,
        "across_mm": across,
        "within_mm": np.sqrt(np.maximum(near**2 - across**2, 0)),
        "proposed": way * proposed[may],
        "proposed_there": way * proposed[here],
        "before": way * before[may],
        "before_there": way * before[here],
        "brighter": way * (even[may] - spot) / contrast,
        "unlike": np.abs(even[may] - spot) / contrast,
        "like_inside": way * (even[may] - content) / contrast,
        "like_outside": way * (even[may] - around) / contrast,
        "contrast": way * (content - around) / contrast,
        "spot": way * (spot - (content + around) / 2) / contrast,
        "grain": way * (fine[may] - fine[here]) / contrast,
        "operator": way * _placed(proposal.log_odds, proposal.region, box, zero)[may],
        "answer": way * _placed(answer.log_odds, answer.region, box, zero)[may],
        "place_and_look": way * _placed(proposal.odds, proposal.region, box, zero)[may],
        "in_region": region[may],
        "influence_mm": proposal.influence_mm,
        "same_mm": _nearest(same, box, spacing)[may],
        "other_mm": _nearest(other, box, spacing)[may],
        "same_count": len(same),
        "other_count": len(other),
        "above_same": way * (proposed[may] - np.mean(prior_at_same)),
        "above_other": way * (proposed[may] - np.mean(prior_at_other)) if other else 0.0,
        "brighter_than_other": way * (even[may] - np.mean(looks_of_other)) / contrast
        if looks_of_other
        else 0.0,
        "include": click.include,
        "slice_mm": max(spacing),
        "from_nothing": situation.prior is None,
    }
    table = np.empty((near.size, len(FACTS)), np.float32)
    for n, (name, (low, high)) in enumerate(FACTS.items()):
        table[:, n] = (np.clip(columns[name], low, high) - low) * np.float32(2 / (high - low)) - 1
    return Facts(box, may, table, near, float(abs(signed[here])))


def judge_of(weights: Mapping[str, NDArray]) -> Judge:
    """MONAI's `FullyConnectedNet` (parametric ReLU) from its arrays, without PyTorch."""
    arrays = {name: np.asarray(value, np.float32) for name, value in weights.items()}
    hidden = sorted({name.split(".")[0] for name in arrays if name.startswith("hidden_")})

    def judge(table: NDArray[np.float32]) -> NDArray[np.float32]:
        told = table
        for layer in hidden:
            told = told @ arrays[f"{layer}.0.weight"].T + arrays[f"{layer}.0.bias"]
            told = np.where(told > 0, told, told * arrays[f"{layer}.1.A.weight"])
        answer: NDArray[np.float32] = told @ arrays["output.weight"].T + arrays["output.bias"]
        return answer[:, 0]

    return judge


def _looks(
    even: NDArray[np.float32],
    tumour: NDArray[np.bool_],
    signed: NDArray[np.float32],
    click_mm: NDArray[np.float32],
) -> tuple[float, float, float]:
    """Mean brightness of the contour's content and of its rim near the click, and the unit of brightness."""
    near = click_mm < _NEAR_MM
    held, rim = even[tumour & near], even[~tumour & near & (signed > -_RIM_MM)]
    content = float(held.mean()) if held.size else float(even[tumour].mean())
    around = float(rim.mean()) if rim.size else float(even[~tumour].mean())
    spread = float(even[near].std()) if near.any() else float(even.std())
    unit = abs(content - around) + 0.3 * spread + 1e-3 * float(np.ptp(even))
    return content, around, unit or 1.0


def _signed_mm(tumour: NDArray[np.bool_], spacing: tuple[float, ...]) -> NDArray[np.float32]:
    """Distance (mm) from the contour's outermost voxels, positive inside."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(tumour.astype(np.uint8))
    image.SetSpacing(tuple(float(s) for s in spacing[::-1]))
    away = sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True)
    distance: NDArray[np.float32] = -sitk.GetArrayViewFromImage(away).astype(np.float32)
    return distance


def _nearest(seeds: list[Seed], box: Box, spacing: tuple[float, ...]) -> NDArray[np.float32]:
    shape = box_shape(box)
    result = np.full(shape, FACTS["same_mm"][1], np.float32)
    for seed in seeds:
        np.minimum(result, straight_distance(shape, inside(seed.voxel, box), spacing), out=result)
    return result


def _prior_at(situation: Situation, seed: Seed) -> float:
    return 0.0 if situation.prior is None else float(to_log_odds(situation.prior[seed.voxel]))


def _placed(
    part: NDArray[np.floating], region: Box, box: Box, ground: NDArray[np.float32]
) -> NDArray[np.float32]:
    shared = overlap(region, box)
    result = ground.copy()
    if shared is not None:
        result[within(shared, box)] = part[within(shared, region)]
    return result


def _log_odds(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def _surest(
    judged: NDArray[np.float32], where: NDArray[np.bool_], count: float, click_mm: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """The `count` of `where` that are judged the likeliest, of equals those nearest to the click; all of them
    where they are no more.
    """
    at = np.flatnonzero(where)
    if at.size <= count:
        return where
    chosen = at[np.lexsort((click_mm[at], -judged[at]))[: max(0, int(count))]]
    result = np.zeros_like(where)
    result[chosen] = True
    return result
