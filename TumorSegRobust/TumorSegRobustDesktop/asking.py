"""Puts the workflow's questions before the user."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import slicer

if TYPE_CHECKING:
    from TumorSegRobustLib.workflow import Question


class Asker:
    """Every question once, in a window that waits for Ok or Cancel."""

    def __init__(
        self, later: Callable[[Callable[[], None]], None], answer: Callable[[bool], None]
    ) -> None:
        """later: runs a call when the workflow has finished telling. answer: takes whether it was Ok."""
        self._later = later
        self._answer = answer
        self._asked: Question | None = None

    def look(self, question: Question | None) -> None:
        """What the state tells now."""
        if question is not None and question is not self._asked:
            self._later(lambda: self._ask(question))
        self._asked = question

    def _ask(self, question: Question) -> None:
        if question is self._asked:
            self._answer(bool(slicer.util.confirmOkCancelDisplay(question.text, "TumorSegRobust")))
