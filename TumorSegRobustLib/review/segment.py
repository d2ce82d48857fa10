"""One segment of a review - a lesion, a compartment - and what one step does to one or several of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.review.difference import UNCHANGED, Difference
from TumorSegRobustLib.review.words import Word, Words

Colour = tuple[int, int, int]
"""Red, green, blue, 0..255."""

FIRST = 1
"""Id of the segment that every review begins with: the networks' proposal, or nothing."""
FIRST_NAME = "GTVp"
COLOURS: tuple[Colour, ...] = (
    (41, 230, 245),
    (255, 176, 0),
    (220, 106, 255),
    (140, 224, 75),
    (255, 110, 122),
    (120, 148, 255),
)
"""Told apart from one another, and from grey, also by those who do not tell red from green."""


@dataclass(frozen=True)
class Segment:
    """What is known of a segment besides its voxels.

    `locked`: no click, painting or prediction of another segment takes a voxel of it. `words`: what the
    reader has said of it, oldest first.
    """

    id: int
    name: str
    colour: Colour
    locked: bool = True
    words: Words = ()


def first_segment() -> Segment:
    return Segment(FIRST, FIRST_NAME, COLOURS[0])


def colour_of(number: int) -> Colour:
    """The colour that a segment with this id begins with."""
    return COLOURS[(number - 1) % len(COLOURS)]


@dataclass(frozen=True)
class Part:
    """What a step does to one segment: from `before` to `after` (None: it is not there), and which voxels
    flip.
    """

    id: int
    before: Segment | None
    after: Segment | None
    difference: Difference = UNCHANGED


@dataclass(frozen=True)
class Step:
    """One event that undo takes back and redo does again; `parts[0]` is the segment that it is about.

    kind: the event's name in the journal. click: number of the click that it removes or moves.
    """

    number: int
    kind: str
    parts: tuple[Part, ...]
    click: int | None = None

    @property
    def main(self) -> Part:
        return self.parts[0]


def neighbour_part(
    segment: Segment, mask: NDArray[np.bool_], difference: Difference, number: int
) -> Part:
    """What a step of another segment does to `segment`: `difference` flips voxels of its `mask` (k, j, i).

    What it loses counts as painted away by the word `number`; what it gets back was lost to that word before.
    """
    assert difference.box is not None
    flips, here = difference.flips(), mask[difference.box]
    lost, regained = flips & here, flips & ~here
    words = segment.words
    if regained.any():
        kept = (
            replace(word, touched=word.touched.without(regained, difference.box))
            if word.number == number
            else word
            for word in words
        )
        words = tuple(word for word in kept if word.seed is not None or word.touched.box is not None)
    if lost.any():
        words = (*words, Word(number, touched=Difference.of(lost, difference.box)))
    return Part(segment.id, segment, replace(segment, words=words), difference)
