"""The seam between a review and whatever turns a click into a new contour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.image import Image
from TumorSegRobustLib.review.belief import Levels
from TumorSegRobustLib.review.click import Box, Seed


@dataclass(frozen=True)
class Situation:
    """All that a refiner may know at a click; whole-volume arrays are read-only, (k, j, i), on the native
    grid.

    `levels`: log-odds so far (see `belief`; > 0 is tumour).  `prior`: the same before the first click,
    None when the review began from nothing.  `earlier`: the clicks that still count, oldest first.

    """

    image: Image
    levels: Levels
    prior: Levels | None
    earlier: tuple[Seed, ...]
    click: Seed


@dataclass(frozen=True)
class Refinement:
    """New log-odds (float, of the shape of `region`) around a click. Nothing outside `region` changes."""

    region: Box
    log_odds: NDArray[np.floating]


class Refiner(Protocol):
    """Turns a click into new log-odds around it.

    Must be a pure function of the situation and its own parameters: a journal is replayed through it. It
    need not keep the promise of the click itself; the session writes the clicked labels over whatever
    comes back.
    """

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str:
        """Changes whenever the same situation may give another result."""

    def parameters(self) -> dict[str, Any]:
        """Plain JSON values; recorded in the journal."""

    def refine(self, situation: Situation) -> Refinement: ...
