"""Questions that are asked before something is done that a clinician might not mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .desk import Desk
    from .running import Runner


@dataclass(frozen=True)
class Question:
    """text: one or two sentences that end in a question. yes: what the button says that means it."""

    text: str
    yes: str


class Asking:
    """One question at a time. Who drives the workflow without a background (the command line) has said what
    it wants, and is not asked.
    """

    def __init__(self, desk: Desk, runner: Runner) -> None:
        self._desk, self._runner = desk, runner
        self._act: Callable[[], None] | None = None

    @property
    def asks(self) -> bool:
        return self._runner.background

    def before(self, act: Callable[[], None], question: Question | None) -> None:
        """`act()`, after the `question` if there is one and it is answered with yes."""
        if question is None or not self.asks:
            act()
            return
        self._act, self._desk.question = act, question
        self._desk.update(error="")

    def answer(self, yes: bool) -> None:
        """Without a question nothing happens: another scan or review has taken it away."""
        asked, act = self._desk.question, self._act
        self._desk.question = self._act = None
        if asked is None:
            return
        self._desk.update()
        if yes and act is not None:
            act()


def about_replacing(accepted_by: str, corrected: bool) -> Question | None:
    """Before another contour takes the place of this one; None where nobody has worked on it."""
    kept = "It is kept and can be opened again. Begin anew?"
    if accepted_by:
        return Question(f"This contour was accepted by {accepted_by}. {kept}", "Begin anew")
    return Question(f"This contour has corrections. {kept}", "Begin anew") if corrected else None


def about_no_tumour() -> Question:
    """Before an empty contour is accepted."""
    return Question(
        "The contour is empty. Do you state that there is no tumour in this scan?", "Accept: no tumour"
    )
