"""How good the contour may be by now: the quality of the networks' proposal, carried through corrections."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FOUND = 0.4
_LEFT = 0.5
_BEYOND = 0.8


@dataclass(frozen=True)
class LiveQuality:
    """Expected Dice of a contour under correction, with an interval (low, high), 0..1.

    How it is computed. The proposal's expected Dice (from the members' agreement, calibrated where the
    package is) names an expected error, 1 - dice. What was changed since, as a share of the voxels of both
    contours, counts as error found:

    * .4 of it comes off the expected error, because corrections are good but not perfect, down to
    * half of the expected error, which is what ten clicks of a simulated reader leave;
    * where much was changed, .8 as much is expected to be wrong still: either the proposal was far worse than
      it seemed, or the corrections are not good.

    So the estimate rises while corrections stay within what was expected, and falls again beyond: nobody can
    tell a great repair from a great mistake, and neither may look certain. Both ends of the interval move
    likewise. docs/estimate.md tells how far off it is, for careful, careless and mistaken readers.

    The map of probabilities is not asked, although it follows every click: around a click it becomes vaguer,
    not surer, so the doubt in it grew where simulated readers made contours better.
    """

    dice: float
    interval: tuple[float, float]

    def after(self, proposed: NDArray, now: NDArray) -> LiveQuality:
        """Of the contour `now`, when this is the quality of the `proposed` one; bool (k, j, i)."""
        changed = int(np.count_nonzero(proposed ^ now))
        if not changed:
            return self
        share = changed / (int(np.count_nonzero(proposed)) + int(np.count_nonzero(now)))
        dice, low, high = (round(1.0 - _left(1.0 - end, share), 4) for end in (self.dice, *self.interval))
        return LiveQuality(dice, (low, high))


def _left(error: float, changed: float) -> float:
    """The expected error that is left; both are shares, 0..1."""
    return min(1.0, max(_LEFT * error, error - _FOUND * changed, _BEYOND * changed))
