"""Runs commands: one long one at a time, corrections in order, every outcome told in one line."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from ..errors import Cancelled, UnusableInput
from ..progress import Progress
from . import messages
from .worker import Call, Dispatch, Worker

_LOG = logging.getLogger(__name__)
_STEP = 0.01  # progress is told in steps of one per cent: a panel cannot draw more
T = TypeVar("T")


class Tell(Protocol):
    """Called in the thread of the user interface with what changed of `State`: message, progress, error."""

    def __call__(self, **changes: Any) -> None: ...


class Runner:
    """`running`: a line about the long command under way, "" for none; `edits`: corrections in the queue."""

    def __init__(self, dispatch: Dispatch, background: bool, tell: Tell) -> None:
        self.running = ""
        self.edits = 0
        self.background = background
        self._worker = Worker(dispatch, background)
        self._tell = tell
        self._progress: Progress | None = None
        self._counting = threading.Lock()

    def long(self, label: str, work: Callable[[Progress], T], deliver: Callable[[T], None]) -> None:
        """Work that hides the phase until it ends; then `deliver(result)`, where `dispatch` runs it."""
        told: tuple[float, str] = (-1.0, "")

        def listen(fraction: float, message: str) -> None:
            nonlocal told
            if abs(fraction - told[0]) >= _STEP or message != told[1]:
                told = (fraction, message)
                self._worker.post(lambda: self._show(progress, fraction, message))

        def done(result: T) -> None:
            self._end()
            deliver(result)

        def failed(error: Exception) -> None:
            self._end()
            self._fail(error, label)

        self._progress = progress = Progress(listen)
        self.running = label
        self._tell(message=label, progress=0.0, error="")
        self._worker.submit(lambda: work(progress), done, failed)

    def edit(self, doing: str, work: Callable[[], T], deliver: Callable[[T], None]) -> None:
        """A correction: done in its turn, without hiding the phase, so that the next one may be asked for."""

        def done(result: T) -> None:
            self._count(-1)
            deliver(result)

        def failed(error: Exception) -> None:
            self._count(-1)
            self._fail(error, doing)

        self._count(1)
        self._tell(error="")
        self._worker.submit(work, done, failed)

    def quietly(self, work: Callable[[], T], deliver: Callable[[T], None]) -> None:
        """Work in its turn that nobody asked for: nothing is told of it, and failing it harms nothing."""

        def attempt() -> T | None:
            try:
                return work()
            except Exception:
                _LOG.exception("Work in the background failed.")
                return None

        self._worker.submit(
            attempt, lambda result: None if result is None else deliver(result), lambda _: None
        )

    def at_once(self, doing: str, act: Call) -> None:
        """Something quick that may be refused."""
        try:
            act()
        except Exception as error:
            self._fail(error, doing)
            if not self.background:
                raise

    def refuse(self, why: str) -> None:
        """The command cannot be done: one line, and nothing else changes."""
        self._tell(error=why)
        if not self.background:
            raise UnusableInput(why)

    def cancel(self) -> None:
        """Ask the long command to stop; it does so at its next report."""
        if self._progress is not None:
            self._progress.cancel()
            self._tell(message="Cancelling.")

    def wait(self, timeout: float | None, pump: Call | None) -> bool:
        return self._worker.wait(timeout, pump)

    def close(self) -> None:
        if self._progress is not None:
            self._progress.cancel()
        self._worker.close()

    def _count(self, change: int) -> None:
        with self._counting:  # with `run_now` the worker's thread counts down while the caller's counts up
            self.edits += change

    def _show(self, progress: Progress, fraction: float, message: str) -> None:
        if self._progress is not progress or progress.is_cancelled:
            return  # told by a command that has ended meanwhile
        self._tell(progress=fraction, **({"message": message} if message else {}))

    def _end(self) -> None:
        self.running, self._progress = "", None

    def _fail(self, error: Exception, doing: str) -> None:
        if isinstance(error, Cancelled):
            self._tell(message="Cancelled. Nothing was changed.", progress=None, error="")
            return
        if not isinstance(error, UnusableInput):
            _LOG.error("%s failed.", doing.rstrip("."), exc_info=error)
        self._tell(message="", progress=None, error=messages.of_error(error, doing))
