"""The steps of a review that undo and redo walk over, and the labels that they have fixed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.review.click import Box, Seed, Voxel, box_shape, contains, overlap, within
from TumorSegRobustLib.review.difference import Difference


@dataclass(frozen=True)
class Step:
    """One change of the mask.

    A click has a `seed`, its `region` of influence, and `frees`: whether it said that painting under it
    was wrong. A painted change has `added` instead: those of its voxels that became tumour.
    """

    number: int
    difference: Difference
    seed: Seed | None = None
    region: Box | None = None
    frees: bool = False
    added: Difference | None = None


@dataclass
class History:
    """Steps done and steps taken back; a new step forgets the latter, as everywhere."""

    done: list[Step] = field(default_factory=list)
    undone: list[Step] = field(default_factory=list)

    def add(self, step: Step) -> None:
        self.done.append(step)
        self.undone.clear()

    def undo(self) -> Step:
        self.undone.append(self.done.pop())
        return self.undone[-1]

    def redo(self) -> Step:
        self.done.append(self.undone.pop())
        return self.done[-1]

    @property
    def seeds(self) -> tuple[Seed, ...]:
        """The clicks that count, oldest first."""
        return tuple(step.seed for step in self.done if step.seed is not None)

    def contradicts_paint(self, click: Seed) -> bool:
        """Whether the voxel of `click` was painted, last of all, with the other label."""
        k, j, i = click.voxel
        label = self.fixed((slice(k, k + 1), slice(j, j + 1), slice(i, i + 1)), clicks=False)[0, 0, 0]
        return bool(label == (-1 if click.include else 1))

    def fixed(self, box: Box, then: Step | None = None, *, clicks: bool = True) -> NDArray[np.int8]:
        """What the reader has fixed inside `box`: +1 tumour, -1 not tumour, 0 free. The later word wins.

        A click fixes its voxel; painting fixes every voxel that it changed. A click on a voxel that was
        painted with the other label says that the painting was wrong: it frees what was painted within its
        region of influence.
        `then` is a step about to be done, counted as if it were; `clicks` False leaves the clicked voxels
        out.
        """
        labels = np.zeros(box_shape(box), np.int8)
        clicked: dict[Voxel, int] = {}
        for step in (*self.done, then) if then else self.done:
            if step.seed is None:
                _paint(labels, clicked, box, step)
                continue
            if step.frees and step.region is not None and (shared := overlap(step.region, box)) is not None:
                labels[within(shared, box)] = 0
            if contains(box, step.seed.voxel):
                k, j, i = (v - s.start for v, s in zip(step.seed.voxel, box, strict=True))
                clicked[k, j, i] = 1 if step.seed.include else -1
        if clicks:
            for voxel, label in clicked.items():
                labels[voxel] = label
        return labels


def _paint(labels: NDArray[np.int8], clicked: dict[Voxel, int], box: Box, step: Step) -> None:
    for difference, label in (
        (step.difference, -1),
        (step.added, 1),
    ):  # `added` overwrites its part of all flips
        if difference is None or difference.box is None or (shared := overlap(difference.box, box)) is None:
            continue
        hits = difference.flips()[within(shared, difference.box)]
        labels[within(shared, box)][hits] = label
        for voxel in [voxel for voxel in clicked if hits_at(voxel, hits, shared, box)]:
            del clicked[voxel]


def hits_at(voxel: Voxel, hits: NDArray[np.bool_], shared: Box, box: Box) -> bool:
    """Whether `voxel`, an index into `box`, is True in `hits`, which covers `shared`."""
    k, j, i = (v + b.start - s.start for v, b, s in zip(voxel, box, shared, strict=True))
    inside = all(0 <= v < n for v, n in zip((k, j, i), hits.shape, strict=True))
    return inside and bool(hits[k, j, i])
