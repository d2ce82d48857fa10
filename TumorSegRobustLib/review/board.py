"""All segments of a review and their masks: changed step by step, and back; no voxel has two owners."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.review.click import Box, Seed, Voxel, box_shape
from TumorSegRobustLib.review.difference import Difference
from TumorSegRobustLib.review.segment import Part, Segment, Step, first_segment, neighbour_part
from TumorSegRobustLib.review.words import fixed


class Board:
    """`segments`: id -> segment, those that are there, by id.

    `masks`: id -> bool (k, j, i), read-only; also of segments that were removed, for undo to bring back.
    """

    def __init__(self, first: NDArray[np.bool_]) -> None:
        """`first`: the mask that the review begins with."""
        self._shape = first.shape
        self.segments: dict[int, Segment] = {}
        self.masks: dict[int, NDArray[np.bool_]] = {}
        self._put(first_segment(), first.copy())

    def do(self, step: Step) -> None:
        for part in step.parts:
            self._show(part, part.after)

    def undo(self, step: Step) -> None:
        for part in reversed(step.parts):
            self._show(part, part.before)

    def agrees(self, segment: int, seed: Seed) -> bool:
        """Whether a clicked voxel has the label that it was clicked with."""
        return bool(self.masks[segment][seed.voxel]) == seed.include

    def owner(self, voxel: Voxel, beside: int) -> Segment | None:
        """The segment, other than `beside`, that a voxel belongs to."""
        return next((s for s in self.others(beside) if self.masks[s.id][voxel]), None)

    def others(self, beside: int) -> tuple[Segment, ...]:
        return tuple(segment for segment in self.segments.values() if segment.id != beside)

    def owned(self, box: Box, beside: int) -> NDArray[np.bool_]:
        """Voxels of `box` that belong to another segment than `beside`."""
        taken = np.zeros(box_shape(box), bool)
        for other in self.others(beside):
            taken |= self.masks[other.id][box]
        return taken

    def forbidden(self, box: Box, beside: int, *, painting: bool = False) -> NDArray[np.bool_] | None:
        """Voxels of `box` that `beside` may not take: all of a locked neighbour; of an unlocked one what the
        reader has clicked or painted, unless `painting` says otherwise. None where there is no neighbour.
        """
        others = self.others(beside)
        if not others:
            return None
        taken = np.zeros(box_shape(box), bool)
        for other in others:
            theirs = self.masks[other.id][box]
            if other.locked:
                taken |= theirs
            elif not painting and theirs.any():
                taken |= theirs & (fixed(other.words, box) > 0)
        return taken

    def losses(self, step: int, taker: int, difference: Difference) -> tuple[Part, ...]:
        """What the flips of `taker` take from its neighbours; `step`: number of the word that says so."""
        if difference.box is None or not self.others(taker):
            return ()
        gained = difference.flips() & ~self.masks[taker][difference.box]
        parts = []
        for other in self.others(taker):
            lost = Difference.of(gained & self.masks[other.id][difference.box], difference.box)
            if lost.box is not None:
                parts.append(neighbour_part(other, self.masks[other.id], lost, step))
        return tuple(parts)

    def _show(self, part: Part, segment: Segment | None) -> None:
        mask = self.masks.get(part.id)
        if mask is None:
            mask = np.zeros(self._shape, bool)
        if segment is None:
            self.masks[part.id] = mask
            del self.segments[part.id]
            return
        self._put(segment, mask if part.difference.box is None else part.difference.apply(mask))

    def _put(self, segment: Segment, mask: NDArray[np.bool_]) -> None:
        mask.flags.writeable = False
        self.masks[segment.id] = mask
        self.segments[segment.id] = segment
        self.segments = dict(sorted(self.segments.items()))
