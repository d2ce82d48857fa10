"""Uncertainty as something to look at: the map now, and a window in which differences can be seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import UnusableInput

Box = tuple[slice, slice, slice]
Window = tuple[float, float]
FOLLOWS = "entropy"  # the kind that is always there: it follows the corrections
EVERYWHERE: Box = (slice(None), slice(None), slice(None))
_BACKGROUND = 0.01  # of the maximum: most voxels of a head lie below it, and tell nothing apart


@dataclass(frozen=True)
class OverlayKind:
    """value: as in `Workflow.overlay`. text: its name in the field. about: what it shows, in a sentence."""

    value: str
    text: str
    about: str


OVERLAY_KINDS = (
    OverlayKind(
        FOLLOWS,
        "Entropy",
        "Entropy: how open it is whether there is tumour, for all networks together; it follows corrections.",
    ),
    OverlayKind(
        "mutual_information",
        "Mutual information",
        "Mutual information: the part of that doubt that comes from networks contradicting each other.",
    ),
    OverlayKind(
        "disagreement",
        "Disagreement",
        "Disagreement: how far the probabilities of the networks lie apart (standard deviation).",
    ),
)
KINDS = tuple(kind.value for kind in OVERLAY_KINDS)
_ONLY_ENTROPY = "Of this contour only the entropy is known."


@dataclass(frozen=True)
class OverlayChoice:
    """shown: the kind that is drawn. about: a tooltip of it. usable: whether another one can be chosen."""

    shown: str
    about: str
    usable: bool


def overlay_choice(chosen: str, known: Sequence[str]) -> OverlayChoice:
    """chosen: the kind that the user wants; known: `State.overlay_kinds`. Where the chosen one is not known,
    the entropy is drawn: an empty map of another kind would look like certainty.
    """
    shown = chosen if chosen in known else FOLLOWS
    about = next(kind.about for kind in OVERLAY_KINDS if kind.value == shown)
    return OverlayChoice(shown, f"{about} {_ONLY_ENTROPY}" if len(known) == 1 else about, len(known) > 1)


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

    @property
    def kinds(self) -> tuple[str, ...]:
        """Those that tell something: of a contour that no network has just made, the entropy alone."""
        return tuple(kind for kind in KINDS if kind in self._maps)

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
