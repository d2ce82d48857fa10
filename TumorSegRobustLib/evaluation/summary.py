"""From the cases' lines to the figures: `sites.csv` and `summary.json`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from TumorSegRobustLib.image import whole_file

from .calibration import BAND_MM, Reliability, pooled
from .metrics import DEFAULT_POLICY
from .records import CaseRecord
from .sites import FAILED_BELOW, SiteTable, site_table

SITES, SUMMARY = "sites.csv", "summary.json"
SILENT_BELOW = 0.5
"""An accepted contour with a Dice below it is a silent failure: nobody was warned."""
POLICY = (
    "Both masks empty: Dice 1, distance 0. One empty: Dice 0, distance = the diagonal of the scan. "
    "Distances between surface voxels, HD95 = the larger of the two directed 95th percentiles. "
    f"ECE: voxels within {BAND_MM:g} mm of the border of contour or reference. "
    f"Failed: Dice below {FAILED_BELOW:g}. Intervals: 95 %, patients redrawn."
)


def summarise(records: Sequence[CaseRecord], model: Mapping[str, Any]) -> dict[str, Any]:
    """The document of `summary.json`; "sites" is None where no case could be measured."""
    measured = [record for record in records if record.measured]
    table = site_table(record.score() for record in measured) if measured else None
    return {
        "model": dict(model),
        "cases": len(measured),
        "not_measured": [{"case": r.case, "why": r.status} for r in records if not r.measured],
        "sites": table.to_json() if table else None,
        "calibration": _calibration(measured) if measured else None,
        "tumour_core": _core(measured),
        "triage": _triage(measured),
        "seconds": float(np.median([r.seconds for r in measured])) if measured else None,
        "policy": POLICY,
        "both_empty_overlap": DEFAULT_POLICY.both_empty_overlap,
    }


def write_summary(summary: Mapping[str, Any], out: Path) -> None:
    """`summary.json` and `sites.csv`, each complete or not at all."""
    with whole_file(out / SUMMARY) as temporary:
        temporary.write_text(json.dumps(summary, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    sites = summary["sites"]
    rows = [*sites["sites"], sites["overall"]] if sites else []
    names = [name for name in (rows[0] if rows else {"site": ""}) if name != "dice_ci"]
    writer.writerow([*names, "dice_ci_low", "dice_ci_high"])
    for row in rows:
        values = [round(row[n], 6) if isinstance(row[n], float) else row[n] for n in names]
        writer.writerow([*values, *(round(v, 6) for v in row["dice_ci"])])
    with whole_file(out / SITES) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def table_of(records: Sequence[CaseRecord]) -> SiteTable:
    """The sites of the measured cases."""
    return site_table(record.score() for record in records if record.measured)


def reliability_of(records: Sequence[CaseRecord]) -> Reliability:
    """The bins of all measured cases together."""
    return pooled(record.reliability() for record in records if record.measured)


def _calibration(measured: Sequence[CaseRecord]) -> dict[str, Any]:
    true = np.array([record.dice for record in measured])
    said = np.array([record.predicted_dice for record in measured])
    low = np.array([record.predicted_low for record in measured])
    high = np.array([record.predicted_high for record in measured])
    varied = len(true) > 2 and true.std() > 0 and said.std() > 0
    return {
        "ece_near_border": reliability_of(measured).ece,
        "mean_ece_of_cases": float(np.mean([record.ece for record in measured])),
        "predicted_dice": {
            "correlation": float(np.corrcoef(true, said)[0, 1]) if varied else None,
            "mean_absolute_error": float(np.abs(true - said).mean()),
            "mean_error": float((said - true).mean()),
            "within_interval": float(np.mean((true >= low) & (true <= high))),
        },
        "by_site": {
            site: {
                "ece_near_border": reliability_of(of_site).ece,
                "mean_error_of_predicted_dice": float(np.mean([r.predicted_dice - r.dice for r in of_site])),
            }
            for site, of_site in _by_site(measured).items()
        },
    }


def _core(measured: Sequence[CaseRecord]) -> dict[str, Any] | None:
    values = [record.core_dice for record in measured if record.core_dice is not None]
    if not values:
        return None
    return {"cases": len(values), "mean_dice": float(np.mean(values)), "worst": min(values)}


def _triage(measured: Sequence[CaseRecord]) -> dict[str, Any]:
    levels = {}
    for level in ("accept", "review", "reject"):
        dice = [record.dice for record in measured if record.level == level]
        if dice:
            levels[level] = {"cases": len(dice), "mean_dice": float(np.mean(dice)), "worst": min(dice)}
    silent = [r.case for r in measured if r.level == "accept" and r.dice < SILENT_BELOW]
    return {"levels": levels, "silent_failures": silent}


def _by_site(records: Sequence[CaseRecord]) -> dict[str, list[CaseRecord]]:
    sites: dict[str, list[CaseRecord]] = {}
    for record in sorted(records, key=lambda record: record.site):
        sites.setdefault(record.site, []).append(record)
    return sites
