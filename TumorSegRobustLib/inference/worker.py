"""Work in one background thread while the caller keeps listening for cancel."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from TumorSegRobustLib.errors import Cancelled
from TumorSegRobustLib.progress import Progress

T = TypeVar("T")
_POLL_SECONDS = 0.05  # budget: cancel within 1 s


class Worker:
    """One thread, so that a network is never run twice at once and OpenMP keeps one pool of threads.

    A cancelled caller leaves at once; the task left behind is told to stop and the next one waits for it.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inference")

    def call(
        self, task: Callable[[], T], progress: Progress, interrupt: Callable[[], None] | None = None
    ) -> T:
        """The task's result or error. On cancel raises Cancelled within a poll and calls `interrupt`."""
        future = self._pool.submit(task)
        while not wait([future], timeout=_POLL_SECONDS).done:
            try:
                progress.check()
            except Cancelled:
                if not future.cancel() and interrupt is not None:
                    interrupt()
                raise
        return future.result()
