"""One hospital at a time: what a mean over everything would hide. The worst site is the primary figure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .statistics import Interval, bootstrap_mean, bootstrap_worst_site

FAILED_BELOW = 0.1
"""A Dice below it is a contour somewhere else: no start for a correction."""


@dataclass(frozen=True)
class CaseScore:
    """How one case came out. group: the patient."""

    case: str
    site: str
    dice: float
    hd95_mm: float
    group: str = ""


@dataclass(frozen=True)
class SiteRow:
    """One line of the table. dice_ci: of the mean (patients redrawn). sd: of the cases, n - 1; 0 for one.

    failed: share of the cases with a Dice below `FAILED_BELOW`.
    """

    site: str
    cases: int
    mean: float
    sd: float
    median: float
    worst: float
    failed: float
    median_hd95_mm: float
    dice_ci: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "dice_ci": list(self.dice_ci)}


@dataclass(frozen=True)
class SiteTable:
    """A row for every site, in the order of their names, and the figures over all of them.

    worst_site: the site with the lowest mean Dice; worst_hd95_site: with the highest median HD95.
    mean_of_sites counts every site once, mean_of_cases every case.
    """

    rows: tuple[SiteRow, ...]
    overall: SiteRow
    worst_site: str
    worst_site_dice: Interval
    worst_hd95_site: str
    mean_of_sites: float

    @property
    def worst_hd95_mm(self) -> float:
        return max(row.median_hd95_mm for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        return {
            "worst_site": self.worst_site,
            "worst_site_dice": asdict(self.worst_site_dice),
            "worst_hd95_site": self.worst_hd95_site,
            "worst_site_hd95_mm": self.worst_hd95_mm,
            "mean_of_sites": self.mean_of_sites,
            "sd_of_sites": float(np.std([row.mean for row in self.rows])),
            "mean_of_cases": self.overall.mean,
            "failed": self.overall.failed,
            "sites": [row.to_json() for row in self.rows],
            "overall": self.overall.to_json(),
        }


def site_table(scores: Iterable[CaseScore], seed: int = 0) -> SiteTable:
    """The table of measured cases. ValueError when there is none."""
    listed = list(scores)
    if not listed:
        raise ValueError("No case was measured, so there is no table")
    names = sorted({score.site for score in listed})
    by_site = {name: [score for score in listed if score.site == name] for name in names}
    rows = tuple(_row(name, members, seed) for name, members in by_site.items())
    return SiteTable(
        rows=rows,
        overall=_row("all", listed, seed),
        worst_site=min(rows, key=lambda row: row.mean).site,
        worst_site_dice=bootstrap_worst_site(
            {name: [s.dice for s in members] for name, members in by_site.items()},
            {name: [s.group or s.case for s in members] for name, members in by_site.items()},
            seed=seed,
        ),
        worst_hd95_site=max(rows, key=lambda row: row.median_hd95_mm).site,
        mean_of_sites=float(np.mean([row.mean for row in rows])),
    )


def _row(site: str, scores: Sequence[CaseScore], seed: int) -> SiteRow:
    dice = np.array([score.dice for score in scores])
    interval = bootstrap_mean(list(dice), [score.group or score.case for score in scores], seed=seed)
    return SiteRow(
        site=site,
        cases=len(scores),
        mean=float(dice.mean()),
        sd=float(dice.std(ddof=1)) if len(dice) > 1 else 0.0,
        median=float(np.median(dice)),
        worst=float(dice.min()),
        failed=float(np.mean(dice < FAILED_BELOW)),
        median_hd95_mm=float(np.median([score.hd95_mm for score in scores])),
        dice_ci=(interval.low, interval.high),
    )
