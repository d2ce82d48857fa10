"""One network over one volume: in a single pass where it fits, else in overlapping windows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.progress import Progress

from .backend import Backend, is_out_of_memory
from .worker import Worker

Shape = tuple[int, int, int]

_SIDES = (192, 160, 128, 96, 64, 32)
_OVERLAP = 0.25
_MB = 1e6


def window_plans(shape: Shape, preferred: Shape | None = None) -> list[Shape]:
    """Window sizes to try for a padded volume, largest first: the whole volume, then shrinking cubes.

    `preferred` (the package's window) replaces every larger one.
    """
    largest = tuple(min(side, limit) for side, limit in zip(shape, preferred or shape, strict=True))
    plans = [largest]
    for side in _SIDES:
        plan = tuple(min(side, limit) for limit in largest)
        if math.prod(plan) < math.prod(plans[-1]):
            plans.append(plan)
    return plans  # type: ignore[return-value]


def pass_memory_mb(shape: Shape, window: Shape, bytes_per_voxel: float, outputs: int) -> float:
    """Memory of a run over `shape` in windows: the activations of one, and the sums if there are several."""
    sums = 0 if window == shape else 4 * (2 * outputs + 1) * math.prod(shape)
    return (bytes_per_voxel * math.prod(window) + sums) / _MB


def run_network(
    backend: Backend,
    volume: np.ndarray,
    *,
    worker: Worker,
    progress: Progress,
    budget_mb: float,
    outputs: int,
    preferred: Shape | None = None,
    notify: Callable[[str], None] = lambda notice: None,
) -> np.ndarray:
    """Logits (outputs, k, j, i) of a padded volume (channels, k, j, i).

    Takes the largest window within `budget_mb`; when memory runs out all the same, goes on with smaller ones
    and says so through `notify`. Raises Cancelled within 1 s, UnusableInput when even the smallest fails.
    """
    shape: Shape = volume.shape[1:]
    plans = window_plans(shape, preferred)
    fitting = [p for p in plans if pass_memory_mb(shape, p, backend.bytes_per_voxel, outputs) <= budget_mb]
    remaining = iter(fitting or plans[-1:])
    window = next(remaining)
    while True:
        try:
            if window == shape:
                result = _call(backend, volume[None], worker, progress)[0]
            else:
                result = _slide(backend, volume, window, worker, progress)
            backend.release()
            progress.report(1.0)
            return result
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            backend.release()
            smaller = next(remaining, None)
            if smaller is None:
                raise UnusableInput(
                    f"Memory ran out even with windows of {_text(window)} voxels; "
                    "close other programs or crop the scan to the head."
                ) from error
            notify(f"Memory ran out with windows of {_text(window)} voxels; continued with {_text(smaller)}.")
            window = smaller


def _call(backend: Backend, batch: np.ndarray, worker: Worker, progress: Progress) -> np.ndarray:
    return worker.call(lambda: backend.run(batch), progress, backend.interrupt)


def _slide(
    backend: Backend, volume: np.ndarray, window: Shape, worker: Worker, progress: Progress
) -> np.ndarray:
    """MONAI's sliding window with Gaussian weights; reports after each window."""
    import torch
    from monai.inferers import SlidingWindowInferer

    total = _count_windows(volume.shape[1:], window)
    done: Iterator[int] = iter(range(1, total + 1))

    def predict(part: torch.Tensor) -> torch.Tensor:
        logits = _call(backend, part.numpy(), worker, progress)
        number = next(done, total)
        progress.report(number / total, f"window {number} of {total}")
        return torch.from_numpy(logits)

    inferer = SlidingWindowInferer(
        roi_size=window, sw_batch_size=1, overlap=_OVERLAP, mode="gaussian", progress=False
    )
    with torch.inference_mode():
        result = inferer(torch.from_numpy(volume[None]), predict)
    return result[0].numpy()


def _count_windows(shape: tuple[int, ...], window: Shape) -> int:
    """As many as MONAI will lay: steps of (1 - overlap) of a window, the last one flush with the end."""
    steps = [max(1, int(size * (1 - _OVERLAP))) for size in window]
    return math.prod(
        1 if side <= size else math.ceil((side - size) / step) + 1
        for side, size, step in zip(shape, window, steps, strict=True)
    )


def _text(window: Shape) -> str:
    return "x".join(str(side) for side in reversed(window))
