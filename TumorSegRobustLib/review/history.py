"""The steps of a review that undo and redo walk over, whatever segment they are about."""

from __future__ import annotations

from dataclasses import dataclass, field

from TumorSegRobustLib.review.segment import Step


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
