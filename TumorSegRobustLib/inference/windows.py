"""One network over one volume: in a single pass where it fits, else in overlapping windows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.progress import Progress

from .backend import Backend, is_out_of_memory
from .worker import Worker

Shape = tuple[int, int, int]

_SIDES = (192, 160, 128, 96, 64, 32)
_OVERLAP = 0.25
_SIGMA = 0.125  # standard deviation of a window's weights, as a fraction of its side
_LEAST_WEIGHT = 1e-3
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
    """Overlapping windows, averaged with Gaussian weights as MONAI's inferer does; reports after each."""
    shape = volume.shape[1:]
    corners = list(itertools.product(*map(_starts, shape, window)))
    weight = _window_weight(window)
    total_weight = np.zeros(shape, dtype=np.float32)
    sums: np.ndarray | None = None
    for number, corner in enumerate(corners, 1):
        box = tuple(slice(start, start + side) for start, side in zip(corner, window, strict=True))
        logits = _call(backend, volume[(None, slice(None), *box)], worker, progress)[0]
        progress.report(number / len(corners), f"window {number} of {len(corners)}")
        if sums is None:
            sums = np.zeros((len(logits), *shape), dtype=np.float32)
        sums[(slice(None), *box)] += logits * weight
        total_weight[box] += weight
    assert sums is not None
    sums /= total_weight
    return sums


def _starts(side: int, size: int) -> list[int]:
    """Where windows of `size` begin along a side: steps of (1 - overlap), the last one flush with the end."""
    step = max(1, int(size * (1 - _OVERLAP)))
    return [min(number * step, side - size) for number in range(math.ceil((side - size) / step) + 1)]


def _window_weight(window: Shape) -> np.ndarray:
    """float32 (k, j, i): a Gaussian about the window's centre, nowhere below `_LEAST_WEIGHT`."""
    weight = np.ones((1, 1, 1))
    for axis, size in enumerate(window):
        offsets = np.arange(size) - (size - 1) / 2
        profile = np.exp(-0.5 * (offsets / (_SIGMA * size)) ** 2)
        weight = weight * np.expand_dims(profile, tuple(other for other in range(3) if other != axis))
    return np.maximum(weight, _LEAST_WEIGHT).astype(np.float32)


def _text(window: Shape) -> str:
    return "x".join(str(side) for side in reversed(window))
