"""What may be done to which segment; every refusal is one line that names the thing and the way out."""

from __future__ import annotations

from dataclasses import replace

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.review.board import Board
from TumorSegRobustLib.review.click import Seed
from TumorSegRobustLib.review.difference import Difference
from TumorSegRobustLib.review.segment import FIRST, Colour, Part, Segment, Step, colour_of
from TumorSegRobustLib.review.words import Word


class Rules:
    """Asks the board; changes nothing. Everything raises UnusableInput where it may not be done."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def segment(self, id_: int) -> Segment:
        found = self._board.segments.get(id_)
        if found is None:
            there = ", ".join(f"{s.id} ({s.name})" for s in self._board.segments.values())
            raise UnusableInput(f"There is no segment {id_}: choose one of {there}.")
        return found

    def click(self, number: int) -> tuple[Segment, Word]:
        """The click with this number, and the segment that it is in."""
        for segment in self._board.segments.values():
            for word in segment.words:
                if word.number == number and word.seed is not None:
                    return segment, word
        raise UnusableInput(f"There is no click {number} any more: choose one of the list.")

    def may_take(self, seed: Seed, segment: Segment) -> None:
        """Whether a click of `segment` may have its voxel."""
        owner = self._board.owner(seed.voxel, segment.id) if seed.include else None
        if owner is not None and owner.locked:
            raise UnusableInput(
                f"This point belongs to {owner.name}, which is locked: choose {owner.name} to correct it "
                f"there, or unlock it to give the point to {segment.name}."
            )

    def paintable(self, difference: Difference, segment: Segment) -> Difference:
        """A drawn change without what it may not take."""
        if difference.box is None:
            return difference
        forbidden = self._board.forbidden(difference.box, segment.id, painting=True)
        return difference if forbidden is None else difference.without(forbidden, difference.box)

    def added(self, number: int, name: str, colour: Colour | None) -> Step:
        id_ = max(self._board.masks) + 1
        segment = Segment(id_, self._name(name, id_), colour or colour_of(id_))
        return Step(number, "segment_added", (Part(id_, None, segment),))

    def renamed(self, number: int, id_: int, name: str) -> Step | None:
        """None where it is called so already."""
        segment = self.segment(id_)
        renamed = replace(segment, name=self._name(name, id_))
        return None if renamed == segment else Step(number, "segment_renamed", (Part(id_, segment, renamed),))

    def lock(self, number: int, id_: int, locked: bool) -> Step | None:
        """None where it is so already."""
        segment = self.segment(id_)
        changed = replace(segment, locked=bool(locked))
        return None if changed == segment else Step(number, "segment_locked", (Part(id_, segment, changed),))

    def removed(self, number: int, id_: int) -> Step:
        segment = self.segment(id_)
        if id_ == FIRST:
            raise UnusableInput(
                f"{segment.name} is what the review began with and stays: undo or erase its contour instead."
            )
        return Step(number, "segment_removed", (Part(id_, segment, None),))

    def _name(self, name: str, id_: int) -> str:
        """As it will be shown; structures of treatment planning may differ by more than case only."""
        text = " ".join(name.split())
        if not text:
            raise UnusableInput("A segment needs a name, such as GTVn.")
        for other in self._board.others(id_):
            if other.name.casefold() == text.casefold():
                raise UnusableInput(f"There is a segment called {other.name} already: give another name.")
        return text
