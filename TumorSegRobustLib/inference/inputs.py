"""What a member's network gets to see of a scan, and how its answer goes back to the whole grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from TumorSegRobustLib.image import Geometry, Image
from TumorSegRobustLib.models import DEFAULT_PREPROCESSING, Prepared, pad, prepare

from .boxes import bounding_box

_NOTHING = -10.0  # logit of what was cut away: probability 5e-5


@dataclass(frozen=True, eq=False)
class NetworkInput:
    """volume: padded float32 (channels, k, j, i); box: the part of `grid` it shows."""

    volume: np.ndarray
    grid: Geometry
    box: tuple[slice, slice, slice]

    def without(self, channels: Sequence[int]) -> NetworkInput:
        """The same, but as if these channels had not been given."""
        volume = self.volume.copy()
        volume[list(channels)] = 0.0
        return replace(self, volume=volume)

    def restore(self, logits: np.ndarray) -> np.ndarray:
        """Logits of the padded volume (outputs, k, j, i) put back on the whole grid."""
        sides = tuple(slice(0, part.stop - part.start) for part in self.box)
        inside = logits[(slice(None), *sides)]
        if inside.shape[1:] == self.grid.shape:
            return inside
        whole = np.full((len(logits), *self.grid.shape), _NOTHING, dtype=np.float32)
        whole[(slice(None), *self.box)] = inside
        return whole


def network_input(
    channels: Sequence[Image | None], spacing_mm: tuple[float, float, float], preprocessing: Mapping[str, Any]
) -> NetworkInput:
    """Prepare every channel on the member's grid; an absent one is zeros (the mean), as in training."""
    p = {**DEFAULT_PREPROCESSING, **preprocessing}
    prepared = [None if image is None else prepare(image, spacing_mm, p) for image in channels]
    present = [one for one in prepared if one is not None]
    grid = present[0].geometry
    box = _box(present, int(p["crop_margin"]) if p["crop_stripped"] else None)
    arrays = [np.zeros(grid.shape, dtype=np.float32) if one is None else one.array for one in prepared]
    return NetworkInput(np.stack([pad(array[box], p) for array in arrays]), grid, box)


def _box(prepared: Sequence[Prepared], margin: int | None) -> tuple[slice, slice, slice]:
    """The foreground and a margin when every channel is background-stripped, else everything."""
    shape = prepared[0].array.shape
    whole = (slice(0, shape[0]), slice(0, shape[1]), slice(0, shape[2]))
    if margin is None or not all(one.stripped for one in prepared):
        return whole
    foreground = np.logical_or.reduce([one.foreground for one in prepared])
    return bounding_box(foreground, margin)
