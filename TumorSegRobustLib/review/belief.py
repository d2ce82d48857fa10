"""How sure the review is of every voxel: log-odds in 8 bits, so that a replay is exact and a volume is small.

Steps of 1/32, at most +-3.875 (probabilities of .02 and .98): a confident network must stay within the
reach of a click. Zero is never stored; the sign is the label, so mask and probability cannot disagree.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.int8]

STEPS = 32
"""Levels per unit of log-odds."""
LIMIT = 124
"""Largest level: the log-odds of .98, times 32."""
BACKGROUND = -LIMIT
"""The level of a voxel of which nobody has said anything."""


def to_levels(log_odds: NDArray) -> Levels:
    """Round log-odds (any shape) to levels; exactly 0 counts as not tumour."""
    rounded = np.clip(np.rint(log_odds * STEPS), -LIMIT, LIMIT).astype(np.int8)
    return np.where(log_odds > 0, np.maximum(rounded, 1), np.minimum(rounded, -1)).astype(np.int8)


def to_log_odds(levels: Levels) -> NDArray[np.float32]:
    return levels.astype(np.float32) / np.float32(STEPS)


def to_probability(levels: Levels) -> NDArray[np.float32]:
    """Probabilities (float32), above .5 exactly where the label is tumour; the two limits read as 0 and 1."""
    return _PROBABILITY[levels.astype(np.int16) + 128]


def levels_of_probability(probability: NDArray, threshold: float = 0.5) -> Levels:
    """Levels of a probability map (k, j, i); tumour is where `probability >= threshold`, which becomes
    log-odds 0.
    """
    clipped = np.clip(np.asarray(probability, dtype=np.float32), 0.001, 0.999)
    log_odds = np.log(clipped) - np.log1p(-clipped) - np.float32(math.log(threshold / (1 - threshold)))
    # The label is taken from the map itself: rounding must not move the contour.
    return to_levels(
        np.where(np.asarray(probability) >= threshold, np.maximum(log_odds, 1e-6), np.minimum(log_odds, 0))
    )


def _probability_table() -> NDArray[np.float32]:
    table = 1 / (1 + np.exp(-np.arange(-128, 128, dtype=np.float64) / STEPS))
    table[: 128 - LIMIT + 1] = 0.0
    table[128 + LIMIT :] = 1.0
    return table.astype(np.float32)


_PROBABILITY = _probability_table()
