"""Progress and cancel for long work, without threads or a toolkit."""

from __future__ import annotations

import threading
from collections.abc import Callable

from .errors import Cancelled

Listener = Callable[[float, str], None]


class Progress:
    """Reports a fraction in [0, 1] to a listener and carries the wish to cancel back to the worker.

    The worker calls `report` or `check` often (budget: once a second); both raise `Cancelled` after `cancel`.
    """

    def __init__(self, listener: Listener | None = None) -> None:
        self._listener = listener
        self._cancelled = threading.Event()

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Ask the worker to stop at its next report; may be called from any thread."""
        self._cancelled.set()

    def check(self) -> None:
        """Raise `Cancelled` if somebody asked for it."""
        if self.is_cancelled:
            raise Cancelled("Cancelled; nothing was written.")

    def report(self, fraction: float, message: str = "") -> None:
        """Tell the listener how far the work is, then `check`."""
        if self._listener is not None:
            self._listener(min(1.0, max(0.0, float(fraction))), message)
        self.check()

    def part(self, start: float, stop: float) -> Progress:
        """A view on this progress whose 0..1 lies between `start` and `stop` of it; cancel is shared."""
        view = Progress(lambda fraction, message: self._forward(start + (stop - start) * fraction, message))
        view._cancelled = self._cancelled
        return view

    def _forward(self, fraction: float, message: str) -> None:
        if self._listener is not None:
            self._listener(fraction, message)
