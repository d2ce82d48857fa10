"""What a reader's clicks did to a contour, and the figures that sum a curve, or many, up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from TumorSegRobustLib.review import Click, ClickResult

LOSS = 0.005
"""A click that costs more Dice than this is a lost step."""
GOALS = (0.85, 0.90)
"""The Dice that the number of clicks is counted to."""


@dataclass(frozen=True)
class Curve:
    """What the clicks did. `dice`, `hd95_mm` and `nsd` hold one value per click and one before the first.

    nsd: surface Dice at 1 mm (`SurfaceDistances.surface_dice`). `results` and `clicks` hold one entry per
    click made; fewer than asked for where nothing was left to correct or the reader was satisfied (the last
    values are then repeated). `kept`: share of the clicks whose label still stands after the last one.
    """

    dice: tuple[float, ...]
    hd95_mm: tuple[float, ...]
    nsd: tuple[float, ...]
    clicks: tuple[Click, ...]
    results: tuple[ClickResult, ...]
    kept: float
    jitter_mm: float
    seed: int
    reader: str = "robot"

    @property
    def honoured(self) -> float:
        """Share of the clicks whose voxel had their label right afterwards; 1 where none was needed."""
        return float(np.mean([result.honoured for result in self.results])) if self.results else 1.0

    @property
    def lost_steps(self) -> float:
        """Share of the clicks that cost more than .005 Dice."""
        steps = np.diff(self.dice)[: len(self.results)]
        return float(np.mean(steps < -LOSS)) if len(steps) else 0.0

    @property
    def auc_dice(self) -> float:
        """Area under Dice over clicks (trapezoids), divided by the clicks: 1 where all was right at once."""
        return _area(self.dice)

    @property
    def auc_nsd(self) -> float:
        """As `auc_dice`, of the surface Dice."""
        return _area(self.nsd)

    def reached(self, goal: float) -> bool:
        """Whether Dice was `goal` or better at any time."""
        return max(self.dice) >= goal

    def clicks_to(self, goal: float) -> int:
        """Clicks before Dice was first `goal` or better, 0 if it was so from the start; one more than were
        asked for where it never was, so that a failure never improves a mean.
        """
        return next((n for n, value in enumerate(self.dice) if value >= goal), len(self.dice))

    def to_json(self) -> dict[str, Any]:
        """The document `curve.json` of the command line."""
        return {
            "dice": list(self.dice),
            "hd95_mm": list(self.hd95_mm),
            "nsd": list(self.nsd),
            "auc_dice": self.auc_dice,
            "auc_nsd": self.auc_nsd,
            **{f"clicks_to_{round(100 * goal)}": self.clicks_to(goal) for goal in GOALS},
            **{f"reached_{round(100 * goal)}": self.reached(goal) for goal in GOALS},
            "honoured": self.honoured,
            "kept": self.kept,
            "lost_steps": self.lost_steps,
            "seconds": [result.seconds for result in self.results],
            "changed_ml": [result.changed_ml for result in self.results],
            "clicks": [
                {"position_lps_mm": list(click.position_mm), "include": click.include}
                for click in self.clicks
            ],
            "reader": self.reader,
            "jitter_mm": self.jitter_mm,
            "seed": self.seed,
        }


@dataclass(frozen=True)
class CurveSummary:
    """Many curves in figures: means over the curves, but shares of all clicks for `honoured`, `lost_steps`.

    clicks_to and not_reached: one value for each of GOALS; a curve that never got there counts as one click
    more than were asked for, and in the share `not_reached`.
    """

    curves: int
    auc_dice: float
    auc_nsd: float
    clicks_to: tuple[float, ...]
    not_reached: tuple[float, ...]
    honoured: float
    lost_steps: float
    first_dice: float
    last_dice: float


def summarise(curves: Sequence[Curve]) -> CurveSummary:
    """ValueError for no curve at all."""
    if not curves:
        raise ValueError("There is no curve to sum up.")
    clicks = np.array([len(curve.results) for curve in curves])

    def over_clicks(values: Sequence[float], without: float) -> float:
        return float(np.dot(values, clicks) / clicks.sum()) if clicks.any() else without

    return CurveSummary(
        curves=len(curves),
        auc_dice=_mean([curve.auc_dice for curve in curves]),
        auc_nsd=_mean([curve.auc_nsd for curve in curves]),
        clicks_to=tuple(_mean([curve.clicks_to(goal) for curve in curves]) for goal in GOALS),
        not_reached=tuple(_mean([not curve.reached(goal) for curve in curves]) for goal in GOALS),
        honoured=over_clicks([curve.honoured for curve in curves], 1.0),
        lost_steps=over_clicks([curve.lost_steps for curve in curves], 0.0),
        first_dice=_mean([curve.dice[0] for curve in curves]),
        last_dice=_mean([curve.dice[-1] for curve in curves]),
    )


def _area(values: Sequence[float]) -> float:
    if len(values) == 1:
        return float(values[0])
    return float(np.trapezoid(values) / (len(values) - 1))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
