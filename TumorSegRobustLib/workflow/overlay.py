"""Uncertainty as something to look at: the map now, and a window in which differences can be seen."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..errors import UnusableInput

Box = tuple[slice, slice, slice]
Window = tuple[float, float]
KINDS = ("entropy", "mutual_information", "disagreement")
EVERYWHERE: Box = (slice(None), slice(None), slice(None))
_BACKGROUND = 0.01  # of the maximum: most voxels of a head lie below it, and tell nothing apart


def entropy_of(probability: NDArray) -> NDArray[np.float32]:
    """Predictive entropy in bits, 0..1, of a probability of any shape (see `trust.binary_entropy`)."""
    from ..trust import binary_entropy

    entropy = np.zeros(probability.shape, np.float32)
    open_question = (probability > 0) & (probability < 1)  # a review leaves few, and logarithms are slow
    entropy[open_question] = binary_entropy(probability[open_question])
    return entropy


def window_of(values: NDArray, percentile: tuple[float, float]) -> Window:
    """(lo, hi) for display: percentiles over the voxels that say anything, since over the whole volume the
    background decides and the map looks uniform. hi > lo always; an empty map gives (0, 1)."""
    top = float(np.max(values, initial=0.0))
    if not top > 0:
        return 0.0, 1.0
    low, high = np.percentile(values[values > _BACKGROUND * top], percentile)
    return float(low), float(high) if high > low else float(low) + top


class Uncertainty:
    """The maps of the networks' proposal; entropy follows the corrections.

    Windows are found once per map: if they followed every click, untouched places would change colour.
    """

    def __init__(self, maps: Mapping[str, NDArray], proposal: NDArray | None) -> None:
        """maps: kind -> float array (k, j, i), "entropy" among them.

        proposal: the probability (k, j, i) that the session began with, None if there is none to return to.
        """
        self._maps = dict(maps)
        self._of_networks = self._maps["entropy"]
        self._proposal = proposal
        if proposal is not None:  # else nothing is ever restored, and a large volume need not be held twice
            self._maps["entropy"] = self._of_networks.copy()
        self._windows: dict[tuple[str, tuple[float, float]], Window] = {}

    def show(self, kind: str, percentile: tuple[float, float]) -> tuple[NDArray, float, float]:
        """The map (not a copy) and its display window; zeros where no network was asked."""
        if kind not in KINDS:
            raise UnusableInput(f"There is no uncertainty map called {kind}: choose {', '.join(KINDS)}.")
        if kind not in self._maps:
            return np.broadcast_to(np.float32(0), self._of_networks.shape), 0.0, 1.0
        key = (kind, percentile)
        if key not in self._windows:
            source = self._of_networks if kind == "entropy" else self._maps[kind]
            self._windows[key] = window_of(source, percentile)
        return self._maps[kind], *self._windows[key]

    def entropy_at(self, box: Box, probability: NDArray) -> NDArray[np.float32]:
        """Entropy inside `box`: of a correction where one changed the probability, else the networks."""
        if self._proposal is None:
            return entropy_of(probability)
        untouched = probability == self._proposal[box]
        return np.where(untouched, self._of_networks[box], entropy_of(probability))

    def put(self, box: Box | None, entropy: NDArray) -> None:
        """Show `entropy` inside `box` (None: everywhere) from now on."""
        self._maps["entropy"][EVERYWHERE if box is None else box] = entropy
