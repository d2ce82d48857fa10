"""How good the contour may be by now: the quality of the networks' proposal, carried through corrections."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .agreement import expected_dice


@dataclass(frozen=True)
class LiveQuality:
    """Expected Dice of a contour under correction, with an interval (low, high), 0..1.

    How it is computed. The proposal's expected Dice (from the members' agreement, calibrated where the
    package is) is a statement about scans like this one; no click changes what the networks know. What a
    click does change is the doubt left in the map of probabilities: `doubt` is 1 minus the Dice that the map
    itself expects (`expected_dice`, every voxel on its own). The error expected of the proposal is taken to
    shrink as that doubt does:

        1 - dice = (1 - dice of the proposal) * doubt now / doubt of the proposal

    and both ends of the interval likewise. It is a guess: errors in which the networks are sure leave no
    doubt in the map, so it errs on the high side there; docs/looking.md says by how much. It never falls
    because a reader corrected something, even where a correction leaves more doubt around it than there was.
    """

    dice: float
    interval: tuple[float, float]

    def after(self, before: float, now: float) -> LiveQuality:
        """After a correction that changed the map's own expectation (`expected_dice`) from `before` to
        `now`.
        """
        share = min(1.0, (1.0 - now) / (1.0 - before)) if before < 1.0 else 1.0
        low, high = self.interval
        return LiveQuality(_shrunk(self.dice, share), (_shrunk(low, share), _shrunk(high, share)))


def map_expectation(probability: NDArray, mask: NDArray) -> float:
    """`expected_dice` of a review's map, (k, j, i) in [0, 1], most of which is 0; 0 for an empty contour."""
    possible = probability > 0
    return expected_dice(probability[possible], np.asarray(mask[possible], dtype=bool))


def _shrunk(dice: float, share: float) -> float:
    return round(1.0 - (1.0 - dice) * share, 4)
