"""Brings calls of worker threads into the thread of the user interface, where Qt and the scene live."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable

_EVERY_MS = 20
_YIELD_SECONDS = 0.01
_LOG = logging.getLogger(__name__)


class MainThread:
    """`dispatch` of a `Workflow` in Slicer: a queue that a timer empties in the thread that made it.

    The timer also lets the worker run: Slicer's Python keeps the interpreter lock while Qt waits for events,
    so a Python thread moves on only while the main thread sleeps inside Python (docs/testing.md has the
    measurement).
    """

    def __init__(self, is_working: Callable[[], bool]) -> None:
        """is_working: whether a worker wants to run now; asked at every turn, so it must be quick."""
        import qt

        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._is_working = is_working
        self._timer = qt.QTimer()
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self.turn)
        self._timer.start()

    def __call__(self, call: Callable[[], None]) -> None:
        """Run `call` soon; may be called from any thread."""
        self._calls.put(call)

    def turn(self) -> None:
        """Run what has been queued so far, then give the worker a moment."""
        for _ in range(self._calls.qsize()):
            call = self._calls.get()
            try:
                call()
            except Exception:
                # One failing listener must not hold up the calls behind it.
                _LOG.exception("A call into the user interface failed")
        if self._is_working():
            time.sleep(_YIELD_SECONDS)

    def close(self) -> None:
        """Stop the timer; what is still queued is forgotten."""
        self._timer.stop()
