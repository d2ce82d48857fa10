"""One network over one volume: whole, in windows, cancelled, out of memory."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from TumorSegRobustLib.errors import Cancelled, UnusableInput
from TumorSegRobustLib.inference.backend import is_out_of_memory
from TumorSegRobustLib.inference.windows import pass_memory_mb, run_network, window_plans
from TumorSegRobustLib.inference.worker import Worker
from TumorSegRobustLib.progress import Progress


class Pointwise:
    """A network without neighbourhood: logits (x, -x). Keeps count, and may fail above a number of voxels."""

    name = "pointwise"
    bytes_per_voxel = 100.0

    def __init__(self, error: BaseException | None = None, most_voxels: int = 10**9) -> None:
        self.error, self.most_voxels = error, most_voxels
        self.shapes: list[tuple[int, ...]] = []
        self.released = 0

    def run(self, volume: np.ndarray) -> np.ndarray:
        self.shapes.append(volume.shape[2:])
        if self.error is not None and volume[0, 0].size > self.most_voxels:
            raise self.error
        return np.concatenate([volume, -volume], axis=1)

    def interrupt(self) -> None: ...

    def release(self) -> None:
        self.released += 1


@pytest.fixture(scope="module")
def volume() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(1, 64, 96, 64)).astype(np.float32)


def run(backend, volume, progress=None, **options):
    given = {"budget_mb": 1e6, "outputs": 2, "worker": Worker(), **options}
    return run_network(backend, volume, progress=progress or Progress(), **given)


def test_plans_shrink_from_the_whole_volume_to_32():
    assert window_plans((112, 96, 64)) == [(112, 96, 64), (96, 96, 64), (64, 64, 64), (32, 32, 32)]
    assert window_plans((32, 32, 32)) == [(32, 32, 32)]


def test_a_packages_window_replaces_larger_ones():
    assert window_plans((112, 96, 48), preferred=(64, 64, 64)) == [(64, 64, 48), (32, 32, 32)]


def test_memory_of_windows_counts_the_sums():
    assert pass_memory_mb((100, 100, 100), (100, 100, 100), 200.0, 2) == 200.0
    assert pass_memory_mb((100, 100, 100), (50, 50, 50), 200.0, 2) == 25.0 + 20.0


def test_a_volume_that_fits_goes_through_in_one_pass(volume):
    backend = Pointwise()
    logits = run(backend, volume)
    np.testing.assert_array_equal(logits, np.concatenate([volume, -volume]))
    assert backend.shapes == [(64, 96, 64)]
    assert backend.released == 1


def test_windows_give_the_same_as_one_pass_for_a_pointwise_network(volume):
    backend = Pointwise()
    logits = run(backend, volume, budget_mb=36.0)
    np.testing.assert_allclose(logits, np.concatenate([volume, -volume]), atol=1e-5)
    assert set(backend.shapes) == {(64, 64, 64)}
    assert len(backend.shapes) == 2


class Local(Pointwise):
    """Logits that depend on where in its window a voxel lies, as at the borders of a real network."""

    def run(self, volume: np.ndarray) -> np.ndarray:
        place = np.indices(volume.shape[2:]).sum(0) / 100
        return super().run(volume) + place.astype(np.float32)


@pytest.mark.parametrize("window", [(32, 32, 32), (48, 64, 32), (64, 48, 64)])
def test_overlapping_windows_are_laid_and_weighed_as_by_monai(volume, window):
    import torch
    from monai.inferers import SlidingWindowInferer

    inferer = SlidingWindowInferer(window, sw_batch_size=1, overlap=0.25, mode="gaussian")
    local = Local()
    expected = inferer(torch.from_numpy(volume[None]), lambda part: torch.from_numpy(local.run(part.numpy())))
    backend = Local()
    found = run(backend, volume, preferred=window)
    np.testing.assert_allclose(found, expected[0].numpy(), atol=1e-5)
    assert backend.shapes == local.shapes


def test_progress_is_reported_after_every_window(volume):
    seen = []
    run(Pointwise(), volume, Progress(lambda *report: seen.append(report)), budget_mb=36.0)
    assert seen == [(0.5, "window 1 of 2"), (1.0, "window 2 of 2"), (1.0, "")]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 20 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"),
        RuntimeError("Exception from src/plugins: std::bad_alloc"),
    ],
)
def test_running_out_of_memory_goes_on_with_smaller_windows_and_says_so(volume, error):
    notices = []
    backend = Pointwise(error, most_voxels=50**3)
    logits = run(backend, volume, notify=notices.append)
    np.testing.assert_allclose(logits, np.concatenate([volume, -volume]), atol=1e-5)
    assert notices == [
        "Memory ran out with windows of 64x96x64 voxels; continued with 64x64x64.",
        "Memory ran out with windows of 64x64x64 voxels; continued with 32x32x32.",
    ]
    assert backend.shapes[-1] == (32, 32, 32)


def test_memory_that_does_not_suffice_for_the_smallest_window_is_refused(volume):
    with pytest.raises(UnusableInput, match="even with windows of 32x32x32 voxels; close other programs"):
        run(Pointwise(MemoryError(), most_voxels=10), volume)


def test_any_other_error_is_not_mistaken_for_memory(volume):
    with pytest.raises(RuntimeError, match="shape mismatch"):
        run(Pointwise(RuntimeError("shape mismatch"), most_voxels=10), volume)
    assert not is_out_of_memory(ValueError("out of memory"))
    assert not is_out_of_memory(RuntimeError("out of range"))


def test_cancel_during_a_pass_leaves_at_once_and_interrupts_the_backend(volume):
    progress = Progress()

    class Endless(Pointwise):
        stopped = threading.Event()

        def run(self, volume: np.ndarray) -> np.ndarray:
            progress.cancel()
            assert self.stopped.wait(timeout=20), "the backend was never interrupted"
            raise RuntimeError("interrupted")

        def interrupt(self) -> None:
            self.stopped.set()

    backend = Endless()
    with pytest.raises(Cancelled):
        run(backend, volume, progress)
    assert backend.stopped.is_set()


def test_cancel_between_windows_stops_before_the_next(volume):
    progress = Progress(lambda *_: progress.cancel())
    backend = Pointwise()
    with pytest.raises(Cancelled):
        run(backend, volume, progress, budget_mb=36.0)
    assert len(backend.shapes) == 1


def test_work_after_a_cancelled_task_is_done_as_usual():
    worker, progress, gate = Worker(), Progress(), threading.Event()
    progress.cancel()
    with pytest.raises(Cancelled):
        worker.call(lambda: gate.wait(timeout=20), progress, gate.set)
    assert worker.call(lambda: 7, Progress()) == 7


def test_an_error_in_the_worker_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        Worker().call(lambda: 1 / 0, Progress())
