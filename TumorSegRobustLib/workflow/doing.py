"""The four kinds of command: opening, beginning a review, correcting it, and writing it out.

Each first asks whether it may be done now; then the runner does it, and the desk shows what came of it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..progress import Progress
from .case import Case
from .desk import Desk
from .journals import EarlierReview, earlier_reviews
from .reviewing import Change, Review
from .running import Runner

Opened = TypeVar("Opened")


class Doing:
    """`opened()` is called when a new scan lies on the desk."""

    def __init__(self, desk: Desk, runner: Runner, work_folder: Path, opened: Callable[[], None]) -> None:
        self._desk = desk
        self._runner = runner
        self._work_folder = work_folder
        self._opened = opened

    def allowed(self, command: str) -> bool:
        """Whether `command` may be done now; if not, the reason is told."""
        why = self._desk.state.why_not.get(command)
        if why is not None:
            self._runner.refuse(why)
        return why is None

    def open(self, read: Callable[[Case | None, Progress], Opened], wanted: Callable[[Opened], bool]) -> None:
        """`read(the case before, progress)` gives the case to show; `wanted(it)` whether it is one."""
        if not self.allowed("open"):
            return
        before = self._desk.case

        def work(progress: Progress) -> tuple[Opened, tuple[EarlierReview, ...]]:
            opened = read(before, progress)
            known = earlier_reviews(self._work_folder, opened.digest) if isinstance(opened, Case) else ()
            return opened, known

        def show(found: tuple[Opened, tuple[EarlierReview, ...]]) -> None:
            opened, earlier = found
            if wanted(opened) and isinstance(opened, Case):
                self._desk.show_case(opened, earlier)
                self._opened()

        self._runner.long("Opening the scan.", work, show)

    def begin(self, command: str, label: str, work: Callable[[Case, Progress], Review]) -> None:
        """Show the review that `work` gives, in place of the one before."""
        case = self._desk.case
        if self.allowed(command) and case is not None:
            self._runner.long(
                label,
                lambda progress: (work(case, progress), earlier_reviews(self._work_folder, case.digest)),
                lambda begun: self._desk.show_review(*begun),
            )

    def edit(self, command: str, label: str, work: Callable[[Review], Change]) -> None:
        """Show what `work` changes in the review, after the corrections asked for before."""
        review = self._desk.review
        if self.allowed(command) and review is not None:
            self._runner.edit(label, lambda: work(review), lambda c: self._desk.show_change(review, c))

    def finish(self, command: str, label: str, work: Callable[[Case, Review, Progress], str]) -> None:
        """Write the review out; `work` gives what to tell."""
        case, review = self._desk.case, self._desk.review
        if self.allowed(command) and case is not None and review is not None:
            self._runner.long(
                label,
                lambda progress: work(case, review, progress),
                lambda written: self._desk.update(message=written),
            )
