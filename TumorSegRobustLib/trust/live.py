"""How good the contour may be by now: the quality of the networks' proposal, carried through corrections."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LiveQuality:
    """Expected Dice of a contour under correction, with an interval (low, high), 0..1.

    How it is computed. The proposal's expected Dice (from the members' agreement, calibrated where the
    package is) names an expected error: (1 - dice) times the voxels of the two contours. What a reader
    changed since counts as error found and put right, and finding some tells that there may be more. So the
    share of the expected error that is left is taken to be

        expected error / (expected error + voxels changed)

    half of it once as much was changed as was expected to be wrong; both ends of the interval move likewise.
    It is a guess that trusts the reader: nobody measured the contour, and changes that made it worse count as
    well. docs/looking.md says how far off it is. It never falls because something was corrected.

    The map of probabilities is not asked, although it follows every click: around a click it becomes vaguer,
    not surer, so the doubt in it grew where simulated readers made contours better.
    """

    dice: float
    interval: tuple[float, float]

    def after(self, proposed: NDArray, now: NDArray) -> LiveQuality:
        """Of the contour `now`, when this is the quality of the `proposed` one; bool (k, j, i)."""
        changed = int(np.count_nonzero(proposed ^ now))
        size = int(np.count_nonzero(proposed)) + int(np.count_nonzero(now))
        wrong = (1.0 - self.dice) * size
        share = wrong / (wrong + changed) if wrong > 0 else 1.0
        low, high = (round(1.0 - (1.0 - end) * share, 4) for end in self.interval)
        return LiveQuality(round(1.0 - (1.0 - self.dice) * share, 4), (low, high))
