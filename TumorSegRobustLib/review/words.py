"""What the reader has said of one segment, and the labels that it fixes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.review.click import Box, Click, Seed, Voxel, box_shape, contains, overlap, within
from TumorSegRobustLib.review.difference import UNCHANGED, Difference


@dataclass(frozen=True)
class Word:
    """One thing that was said, in the event `number` of the journal.

    A click has its place and label (`click`, `seed`), its `region` of influence, and `frees`: whether it said
    that painting under it was wrong. Painting has the voxels that it gave a label (`touched`) and those of
    them that became tumour (`added`); so has what another segment took away, with nothing added.
    """

    number: int
    click: Click | None = None
    seed: Seed | None = None
    region: Box | None = None
    frees: bool = False
    touched: Difference = UNCHANGED
    added: Difference = UNCHANGED


Words = tuple[Word, ...]
"""Oldest first."""


def painted(number: int, difference: Difference, before: NDArray[np.bool_]) -> Word:
    """The word of a drawn change; `before` is the mask that it changed, (k, j, i)."""
    if difference.box is None:
        return Word(number)
    flips = difference.flips()
    became = flips & ~before[difference.box]
    return Word(number, touched=difference, added=Difference.of(became, difference.box))


def seeds_of(words: Words) -> tuple[Seed, ...]:
    """The clicks that count, oldest first."""
    return tuple(word.seed for word in words if word.seed is not None)


def contradicts_paint(words: Words, click: Seed) -> bool:
    """Whether the voxel of `click` was painted, last of all, with the other label."""
    k, j, i = click.voxel
    label = fixed(words, (slice(k, k + 1), slice(j, j + 1), slice(i, i + 1)), clicks=False)[0, 0, 0]
    return bool(label == (-1 if click.include else 1))


def fixed(words: Iterable[Word], box: Box, *, clicks: bool = True) -> NDArray[np.int8]:
    """What the reader has fixed inside `box`: +1 tumour, -1 not tumour, 0 free. The later word wins.

    A click fixes its voxel; painting fixes every voxel that it changed. A click on a voxel that was painted
    with the other label says that the painting was wrong: it frees what was painted within its region of
    influence. `clicks` False leaves the clicked voxels out.
    """
    labels = np.zeros(box_shape(box), np.int8)
    clicked: dict[Voxel, int] = {}
    for word in words:
        if word.seed is None:
            _paint(labels, clicked, box, word)
            continue
        if word.frees and word.region is not None and (shared := overlap(word.region, box)) is not None:
            labels[within(shared, box)] = 0
        if contains(box, word.seed.voxel):
            k, j, i = (v - s.start for v, s in zip(word.seed.voxel, box, strict=True))
            clicked[k, j, i] = 1 if word.seed.include else -1
    if clicks:
        for voxel, label in clicked.items():
            labels[voxel] = label
    return labels


def _paint(labels: NDArray[np.int8], clicked: dict[Voxel, int], box: Box, word: Word) -> None:
    for difference, label in ((word.touched, -1), (word.added, 1)):  # `added` overwrites its part
        if difference.box is None or (shared := overlap(difference.box, box)) is None:
            continue
        hits = difference.flips()[within(shared, difference.box)]
        labels[within(shared, box)][hits] = label
        for voxel in [voxel for voxel in clicked if _hits_at(voxel, hits, shared, box)]:
            del clicked[voxel]


def _hits_at(voxel: Voxel, hits: NDArray[np.bool_], shared: Box, box: Box) -> bool:
    """Whether `voxel`, an index into `box`, is True in `hits`, which covers `shared`."""
    k, j, i = (v + b.start - s.start for v, b, s in zip(voxel, box, shared, strict=True))
    inside = all(0 <= v < n for v, n in zip((k, j, i), hits.shape, strict=True))
    return inside and bool(hits[k, j, i])
