"""One thread for long work, whose results come back to the thread of the user interface."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

Call = Callable[[], None]
Dispatch = Callable[[Call], None]

_LOG = logging.getLogger(__name__)


def run_now(call: Call) -> None:
    """The dispatch of a program without an event loop: call it here, in the worker's thread."""
    call()


class Worker:
    """Runs jobs one after the other, in order, and hands each result over through `dispatch`.

    `dispatch(call)` must run `call` soon, once, in order, in the thread of the user interface
    (asyncio: `loop.call_soon_threadsafe`; Qt: a queue emptied by a timer).
    With `background=False` a job runs inside `submit`, which raises what the job raised.
    """

    def __init__(self, dispatch: Dispatch = run_now, background: bool = True) -> None:
        self._dispatch = dispatch
        self._background = background
        self._jobs: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._pending = 0
        self._idle = threading.Condition()
        self._closed = False

    @property
    def pending(self) -> int:
        """Jobs that were submitted and whose result has not been handed over yet."""
        return self._pending

    def submit(
        self, work: Callable[[], Any], deliver: Callable[[Any], None], fail: Callable[[Exception], None]
    ) -> None:
        """Run `work` in its turn, then `deliver(result)` or `fail(error)` by way of `dispatch`."""
        if self._closed:
            return
        if not self._background:
            try:
                result = work()
            except Exception as error:
                fail(error)
                raise
            deliver(result)
            return
        with self._idle:
            self._pending += 1
        self._jobs.put(lambda: self._run(work, deliver, fail))
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop, name="TumorSegRobust worker", daemon=True)
            self._thread.start()

    def post(self, call: Call) -> None:
        """Run `call` in the thread of the user interface, without waiting for it."""
        if not self._closed:
            self._dispatch(call)

    def wait(self, timeout: float | None = None, pump: Call | None = None) -> bool:
        """Until every job is done and handed over: True; after `timeout` seconds: False.

        In the thread that `dispatch` needs, give `pump` (for Qt: `processEvents`), which is called meanwhile.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            if pump is not None:
                pump()
            with self._idle:
                if self._pending == 0 or self._closed:
                    return True
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    return False
                slice_s = left if pump is None else 0.01 if left is None else min(0.01, left)
                self._idle.wait(slice_s)

    def close(self, timeout: float = 5.0) -> None:
        """Forget the jobs that have not begun and end the thread; nothing is handed over any more."""
        with self._idle:
            self._closed = True
            self._idle.notify_all()
        self._jobs.put(None)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _loop(self) -> None:
        while (job := self._jobs.get()) is not None:
            if not self._closed:
                job()

    def _run(
        self, work: Callable[[], Any], deliver: Callable[[Any], None], fail: Callable[[Exception], None]
    ) -> None:
        outcome: Call
        try:
            result = work()
            outcome = lambda: deliver(result)  # noqa: E731
        except Exception as error:
            failure = error
            outcome = lambda: fail(failure)  # noqa: E731
        except BaseException as error:  # SystemExit, say: it would end the thread, and nobody would be told
            ended = RuntimeError(f"the work was ended from inside ({type(error).__name__})")
            ended.__cause__ = error
            outcome = lambda: fail(ended)  # noqa: E731
        self._dispatch(lambda: self._hand_over(outcome))

    def _hand_over(self, outcome: Call) -> None:
        try:
            if not self._closed:
                outcome()
        except Exception:
            # A listener that fails must not end the thread that all later commands need.
            _LOG.exception("A listener of the workflow failed.")
        finally:
            with self._idle:
                self._pending -= 1
                self._idle.notify_all()
