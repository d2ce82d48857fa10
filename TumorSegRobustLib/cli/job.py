"""Long work that a person can watch and stop: it runs beside the main thread, which listens for Ctrl-C."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Generic, TypeVar

from ..errors import Cancelled
from ..progress import Progress

Result = TypeVar("Result")

CANCEL_GRACE_S = 0.7
"""How long cancelled work may take to stop by itself before it is left behind. Budget: 1 s in all."""

_left_behind: list[threading.Event] = []


def unstopped_work() -> bool:
    """True when cancelled work is still busy; the process must then end without waiting for it."""
    return not all(done.is_set() for done in _left_behind)


class Job:
    """One piece of long work: `progress` for what reports, `show` for what only tells."""

    def __init__(self, show: Callable[[float, str], None] | None = None) -> None:
        self.show = show or _nobody_looks
        self.progress = Progress(self.show)
        self._cancels: list[Callable[[], None]] = []
        self._cleanups: list[Callable[[], None]] = []
        self._finishing = threading.Lock()

    def on_cancel(self, call: Callable[[], None]) -> None:
        """Also call this when the user cancels, for work that carries its own progress."""
        self._cancels.append(call)

    def cancel(self) -> None:
        """Ask the work to stop; waits for a last step under way, and none begins afterwards."""
        with self._finishing:
            self.progress.cancel()
        for call in self._cancels:
            call()

    def on_leaving_behind(self, call: Callable[[], None]) -> None:
        """Also call this when cancelled work did not stop in time and can no longer tidy up itself."""
        self._cleanups.append(call)

    def leave_behind(self) -> None:
        for call in self._cleanups:
            call()

    @contextmanager
    def finishing(self) -> Iterator[None]:
        """Around the step that makes results visible: whole, or `Cancelled` is raised before it."""
        with self._finishing:
            self.progress.check()
            yield


def run_job(title: str, work: Callable[[Job], Result]) -> Result:
    """Do `work` with a progress bar on stderr (none when that is not a terminal); Ctrl-C raises `Cancelled`.

    `work` runs in a second thread, so that a cancel is heard even while it is deep inside a library.
    """
    with _bar(title) as show:
        job = Job(show)
        outcome = _Outcome[Result]()
        threading.Thread(target=outcome.of, args=(work, job), name=title, daemon=True).start()
        try:
            # Not Thread.join: interrupted, it takes a running thread for finished (Python up to 3.12).
            while not outcome.done.wait(0.2):
                pass
        except KeyboardInterrupt:
            _left_behind.append(outcome.done)
            job.cancel()
            with suppress(KeyboardInterrupt):  # a second Ctrl-C ends only the waiting
                outcome.done.wait(CANCEL_GRACE_S)
            if not outcome.done.is_set():
                job.leave_behind()
                raise Cancelled("Cancelled; nothing was written.") from None
        return outcome.get()


def _nobody_looks(fraction: float, message: str) -> None:
    """Where stderr is not a terminal."""


class _Outcome(Generic[Result]):
    """What the work gave: a result or an error, carried to the thread that waits."""

    def __init__(self) -> None:
        self._result: Result | None = None
        self._error: BaseException | None = None
        self.done = threading.Event()

    def of(self, work: Callable[[Job], Result], job: Job) -> None:
        try:
            self._result = work(job)
        except BaseException as error:
            self._error = error
        finally:
            self.done.set()

    def get(self) -> Result:
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]  # the work's own None is a Result


@contextmanager
def _bar(title: str) -> Iterator[Callable[[float, str], None] | None]:
    """A function that draws (fraction, message) on a terminal's stderr; None where nobody looks."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns: tuple[Any, ...] = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda fraction, message: bar.update(task, completed=fraction, description=message or title)
