"""Every segment's contour and how sure the review is of it: what a step would do, the doing, the undoing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.image import Image
from TumorSegRobustLib.review.belief import BACKGROUND, LIMIT, Levels, to_levels
from TumorSegRobustLib.review.board import Board
from TumorSegRobustLib.review.click import Box, Click, Seed, around_both, box_shape, within
from TumorSegRobustLib.review.difference import Difference, bounding_box
from TumorSegRobustLib.review.levels import LevelChange, nothing_known, relabelled
from TumorSegRobustLib.review.refiner import Refiner, Situation
from TumorSegRobustLib.review.segment import FIRST, Part, Segment, Step, neighbour_part
from TumorSegRobustLib.review.words import Word, Words, contradicts_paint, fixed, painted, seeds_of

_DOUBTFUL = 32
"""Level for what is recorded but computed otherwise by this version: probability .73."""

Changes = dict[int, LevelChange]
"""Segment -> what a step does to its log-odds."""


@dataclass(frozen=True)
class Draft:
    """A step that has been thought out and not been done; `changes` of the log-odds go with it."""

    step: Step
    changes: Changes


class Contours:
    """`board` has segments and masks, this the log-odds below them: above 0 exactly where a mask is True."""

    def __init__(self, image: Image, refiner: Refiner, prior: Levels | None) -> None:
        """`prior`: what the first segment begins with, (k, j, i); None for nothing."""
        self._image, self._refiner, self._prior = image, refiner, prior
        first = nothing_known(image.geometry.shape) if prior is None else prior.copy()
        self._levels: dict[int, Levels] = {FIRST: first}
        self._open = {FIRST: None if prior is None else bounding_box(prior > BACKGROUND)}
        self.board = Board(first > 0)

    def levels(self, segment: int) -> Levels:
        """Log-odds of a segment (see `belief`), (k, j, i); changes with the next step."""
        if segment not in self._levels:
            self._levels[segment] = nothing_known(self._image.geometry.shape)
        return self._levels[segment]

    def proposed(self) -> NDArray[np.bool_]:
        """What the first segment began with, (k, j, i)."""
        return np.zeros(self._image.geometry.shape, bool) if self._prior is None else self._prior > 0

    def open_box(self, segment: int) -> Box | None:
        """A box outside which all of a segment is surely background; None where everything is. It never
        shrinks: a pass over a large scan takes longer than most clicks.
        """
        return self._open.get(segment)

    # Thinking a step out

    def click(self, number: int, segment: Segment, click: Click, seed: Seed) -> Draft:
        """One click: its voxel must be allowed (see `Board.forbidden`)."""
        levels = self.levels(segment.id)
        word, box, after = self._said(number, segment, levels, segment.words, click, seed, None)
        difference = Difference.between(self.board.masks[segment.id][box], after > 0, box)
        main = Part(segment.id, segment, replace(segment, words=(*segment.words, word)), difference)
        change = LevelChange.between(np.ascontiguousarray(levels[box]), after, box)
        return self._with_losses(Step(number, "click", (main,)), change)

    def paint(self, number: int, segment: Segment, difference: Difference) -> Draft:
        """A drawn change: what it adds must be allowed."""
        word = painted(number, difference, self.board.masks[segment.id])
        main = Part(segment.id, segment, replace(segment, words=(*segment.words, word)), difference)
        change = relabelled(self.levels(segment.id), difference)
        return self._with_losses(Step(number, "painted", (main,)), change)

    def without_click(self, number: int, segment: Segment, click: int) -> Draft:
        """As if the click `click` had never been made: everything else that was said is said again."""
        words = tuple(word for word in segment.words if word.number != click)
        return self._said_again(Step(number, "click_removed", (), click), segment, words)

    def with_click_at(self, number: int, segment: Segment, click: int, now: Click, seed: Seed) -> Draft:
        """As if the click `click` had not been made before, but now and here: its voxel must be allowed."""
        others = tuple(word for word in segment.words if word.number != click)
        moved = Word(click, now, seed)
        return self._said_again(Step(number, "click_moved", (), click), segment, others, moved)

    # Doing it

    def do(self, draft: Draft) -> None:
        self.board.do(draft.step)
        self._flip(draft.changes)

    def undo(self, draft: Draft) -> None:
        self.board.undo(draft.step)
        self._flip(draft.changes)

    def recalled(self, step: Step) -> tuple[Draft, bool]:
        """The log-odds that belong to a recorded step, which comes next: thought out again, and held to the
        record. False where this version would have come to another contour.
        """
        again = self._again(step)
        if again is not None and again.step == step:
            return again, True
        level = LIMIT if again is None else _DOUBTFUL
        changes = {p.id: relabelled(self.levels(p.id), p.difference, level) for p in step.parts}
        return Draft(step, {id_: change for id_, change in changes.items() if change}), again is None

    def _again(self, step: Step) -> Draft | None:
        """None where the record says everything."""
        before, after = step.main.before, step.main.after
        if before is None or after is None:
            return None
        if step.kind == "click":
            word = after.words[-1]
            assert word.click is not None
            assert word.seed is not None
            return self.click(step.number, before, word.click, word.seed)
        if step.kind == "click_removed" and step.click is not None:
            return self.without_click(step.number, before, step.click)
        if step.kind == "click_moved" and step.click is not None:
            word = next(w for w in after.words if w.number == step.click and w.seed is not None)
            assert word.click is not None
            assert word.seed is not None
            return self.with_click_at(step.number, before, step.click, word.click, word.seed)
        return None

    def _flip(self, changes: Changes) -> None:
        for segment, change in changes.items():
            change.apply(self.levels(segment))
            before = self._open.get(segment)
            self._open[segment] = change.box if before is None else around_both(before, change.box)

    def _said(
        self,
        number: int,
        segment: Segment,
        levels: Levels,
        words: Words,
        click: Click,
        seed: Seed,
        keep_off: NDArray[np.bool_] | None,
    ) -> tuple[Word, Box, Levels]:
        """What a click said after `words` does to `levels`: the word, its region, the levels there.

        `keep_off`: voxels that it may not take, (k, j, i); None for what the board forbids.
        """
        prior = self._prior if segment.id == FIRST else None
        refinement = self._refiner.refine(Situation(self._image, levels, prior, seeds_of(words), seed))
        region = refinement.region
        word = Word(number, click, seed, region, contradicts_paint(words, seed))
        labels = fixed((*words, word), region)
        after = to_levels(np.where(labels == 0, refinement.log_odds, labels.astype(np.float32) * LIMIT))
        forbidden = self.board.forbidden(region, segment.id) if keep_off is None else keep_off[region]
        if forbidden is not None and forbidden.any():
            if seed.include and keep_off is None:  # the clicked voxel itself has been allowed already
                k, j, i = (v - s.start for v, s in zip(seed.voxel, region, strict=True))
                forbidden[k, j, i] = False
            after = np.where(forbidden, np.minimum(levels[region], -1), after).astype(np.int8)
        return word, region, after

    def _said_again(self, step: Step, segment: Segment, words: Words, last: Word | None = None) -> Draft:
        """`words` from the beginning, which take nothing from the neighbours as they are now; then the click
        `last` as a new one.
        """
        owned = self.board.owned(self._everywhere, segment.id)
        start = self._prior if segment.id == FIRST else None
        levels = nothing_known(owned.shape) if start is None else start.copy()
        levels[owned & (levels > 0)] = BACKGROUND
        said: Words = ()
        for word in (*words, last) if last else words:
            if word.click is None or word.seed is None:
                _relabel(levels, word, owned)
                said += (word,)
                continue
            keep_off = None if word is last else owned
            new, box, after = self._said(word.number, segment, levels, said, word.click, word.seed, keep_off)
            levels[box] = after
            said += (new,)
        before = self.levels(segment.id)
        difference = Difference.between(self.board.masks[segment.id], levels > 0)
        main = Part(segment.id, segment, replace(segment, words=said), difference)
        differs = bounding_box(before != levels)
        change = None
        if differs is not None:
            change = LevelChange.between(before[differs].copy(), levels[differs].copy(), differs)
        return self._with_losses(replace(step, parts=(main,)), change, levels > 0)

    def _with_losses(self, step: Step, change: LevelChange | None, mask: NDArray | None = None) -> Draft:
        """The step with what it takes from its neighbours; and, where the mask was made anew (`mask`), with
        what they get back.
        """
        word = step.number if step.click is None else step.click
        parts = self.board.losses(word, step.main.id, step.main.difference)
        if mask is not None:
            parts = self._with_returns(word, step.main.id, mask, parts)
        changes = {p.id: relabelled(self.levels(p.id), p.difference) for p in parts} | {step.main.id: change}
        return Draft(
            replace(step, parts=(step.main, *parts)), {id_: c for id_, c in changes.items() if c is not None}
        )

    def _with_returns(
        self, word: int, taker: int, mask: NDArray, losses: tuple[Part, ...]
    ) -> tuple[Part, ...]:
        """What the removed or moved click had taken goes back to unlocked neighbours, where it is free now
        and nothing was said against it since.
        """
        parts = {part.id: part for part in losses}
        for other in self.board.others(taker):
            lost = [w.touched for w in other.words if w.number == word and w.seed is None]
            if other.locked or not lost or lost[0].box is None:
                continue
            box = lost[0].box
            free = lost[0].flips() & ~mask[box] & ~self.board.owned(box, taker)
            free &= fixed([w for w in other.words if w.number != word], box) >= 0
            flips = Difference.of(free, box)
            if other.id in parts:
                flips = _union(flips, parts[other.id].difference)
            if flips.box is not None:
                parts[other.id] = neighbour_part(other, self.board.masks[other.id], flips, word)
        return tuple(parts[id_] for id_ in sorted(parts))

    @property
    def _everywhere(self) -> Box:
        k, j, i = (slice(0, n) for n in self._image.geometry.shape)
        return k, j, i


def _relabel(levels: Levels, word: Word, owned: NDArray[np.bool_]) -> None:
    """Paint a word again, in place; what others own meanwhile stays theirs."""
    for difference, level in ((word.touched, -LIMIT), (word.added, LIMIT)):
        if difference.box is not None:
            here = levels[difference.box]
            hits = difference.flips()
            here[hits & ~owned[difference.box] if level > 0 else hits] = level


def _union(a: Difference, b: Difference) -> Difference:
    """Voxels that flip in one of two differences, which share none."""
    boxes = [d.box for d in (a, b) if d.box is not None]
    if len(boxes) < 2:
        return a if b.box is None else b
    k, j, i = around_both(*boxes)
    both = np.zeros(box_shape((k, j, i)), bool)
    for difference in (a, b):
        assert difference.box is not None
        both[within(difference.box, (k, j, i))] |= difference.flips()
    return Difference.of(both, (k, j, i))
