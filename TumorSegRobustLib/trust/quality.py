"""From agreement between members to the Dice a clinician may expect, with an interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

# Until a package is calibrated the agreement itself is the guess. Members trained alike share their mistakes,
# so the interval reaches much further down than up: nine in ten of 51 real scans lay within it (two early
# members trained on generated heads; Dice minus agreement, 5th to 95th percentile -0.34 to +0.13).
_UNCALIBRATED_BELOW, _UNCALIBRATED_ABOVE = 0.35, 0.15


@dataclass(frozen=True)
class Quality:
    """predicted_dice and its interval (low, high), 0..1; `calibrated`: whether they rest on real cases."""

    predicted_dice: float
    interval: tuple[float, float]
    calibrated: bool


def on_strange_scan(quality: Quality, kept: float) -> Quality:
    """The same where something speaks against the whole scan, which leaves the share `kept` (0..1).

    Models that never saw such a scan agree on mistakes, so no contour is too bad to be expected; the upper
    end stays, and nothing of it is calibrated.
    """
    if kept >= 1.0:
        return quality
    return Quality(round(kept * quality.predicted_dice, 3), (0.0, quality.interval[1]), calibrated=False)


def predict_quality(agreement: float, calibration: Mapping[str, Any]) -> Quality:
    """Look the agreement up in the package's table, linearly between its rows.

    `calibration["quality"]`: {"agreement": rising values, "dice": [...], "low": [...], "high": [...]}.
    Without it: the agreement, and a wide interval.
    """
    table = calibration.get("quality")
    if not table:
        low = max(0.0, agreement - _UNCALIBRATED_BELOW)
        high = min(1.0, agreement + _UNCALIBRATED_ABOVE)
        return Quality(round(agreement, 3), (round(low, 3), round(high, 3)), calibrated=False)
    dice, low, high = (
        float(np.clip(np.interp(agreement, table["agreement"], table[column]), 0.0, 1.0))
        for column in ("dice", "low", "high")
    )
    return Quality(round(dice, 3), (round(min(low, dice), 3), round(max(high, dice), 3)), calibrated=True)
