"""The review's log-odds over the whole image, changed in place and changed back."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from TumorSegRobustLib.review.belief import BACKGROUND, LIMIT, STEPS, Levels
from TumorSegRobustLib.review.click import Box, box_shape
from TumorSegRobustLib.review.difference import Difference

_FAST = 1
_HINT = STEPS
"""Level for a voxel of which only the label is known: probability .73."""


@dataclass(frozen=True)
class LevelChange:
    """Old and new levels of a box, exclusive-or-ed and compressed: the same value does and undoes."""

    box: Box
    packed: bytes

    @classmethod
    def between(cls, before: Levels, after: Levels, box: Box) -> LevelChange:
        flips = before.view(np.uint8) ^ after.view(np.uint8)
        return cls(box, zlib.compress(flips.tobytes(), _FAST))

    def apply(self, levels: Levels) -> None:
        """Change `levels` (whole image) in place."""
        flips = np.frombuffer(zlib.decompress(self.packed), np.uint8).reshape(box_shape(self.box))
        levels.view(np.uint8)[self.box] ^= flips


def nothing_known(shape: tuple[int, ...]) -> Levels:
    return np.full(shape, BACKGROUND, np.int8)


def relabelled(levels: Levels, difference: Difference, level: int = LIMIT) -> LevelChange | None:
    """The change that gives the flipped voxels of a difference their new label at `level`; None where
    there are none.
    """
    if difference.box is None:
        return None
    before = levels[difference.box]
    flips = difference.flips()
    after = np.where(flips, np.where(before > 0, -level, level), before).astype(np.int8)
    return LevelChange.between(np.ascontiguousarray(before), after, difference.box)


def agreeing(levels: Levels, mask: np.ndarray) -> Levels:
    """The same levels, moved across zero where their sign is not that of `mask` (of the same shape)."""
    return np.where(mask, np.maximum(levels, 1), np.minimum(levels, -1)).astype(np.int8)
