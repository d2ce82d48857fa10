"""Click -> new mask, as a panel sees it: command to contour, journal and uncertainty included.

Every click goes to the largest error, some 3 mm off, as a person's would. Those that fell on a voxel which
had its label already take a millisecond and are left out: only clicks that moved the contour are timed.

`python -m Testing.benchmarks.clicks head|ct empty|networks [COUNT]` prints one JSON document.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from .measuring import Figures, clock, peak_memory_mb, spread, two_cores

PATIENCE_S = 600.0


def measure(volume: str, start: str, count: int) -> Figures:
    """The first click is the first of a fresh process, after the background warm-up that `open` begins."""
    from TumorSegRobustLib.evaluation import dice
    from TumorSegRobustLib.evaluation.aiming import find_largest_error
    from TumorSegRobustLib.evaluation.habits import JITTERED, aim
    from TumorSegRobustLib.workflow import Workflow

    from . import volumes

    image = volumes.made_elsewhere(volume)
    centre, radius = ((35.0, -25.0, 15.0), 24.0) if volume == "head" else ((60.0, 0.0, 20.0), 28.0)
    truth = volumes.tumour(image.geometry, centre, radius)
    generator = np.random.default_rng(0)
    seconds: list[float] = []
    settled: list[float] = []
    begin: list[float] = []
    undo: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        workflow = Workflow(work_folder=Path(folder))
        workflow.open_image(image)
        _settle(workflow)
        workflow.wait_until_warm(PATIENCE_S)
        with clock(begin):
            workflow.segment() if start == "networks" else workflow.start_empty()
            _settle(workflow)
        cpu: list[float] = []
        shown: list[float] = []
        workflow.contour_changed.connect(lambda *_: shown.append(perf_counter()))
        for _ in range(4 * count):
            if len(seconds) == count:
                break
            assert workflow.mask is not None
            before = workflow.mask
            error = find_largest_error(workflow.mask, truth, image.geometry)
            if error is None:
                break
            position = aim(error, truth, image.geometry, JITTERED, generator)
            began_s, began_cpu_s = perf_counter(), process_time()
            workflow.click(position, error.include)
            _settle(workflow)
            if np.any(before != workflow.mask):
                seconds.append(shown[-1] - began_s)
                settled.append(perf_counter() - began_s)
                cpu.append(process_time() - began_cpu_s)
            voxel = image.geometry.index_of(position)
            if bool(workflow.mask[voxel]) != error.include:
                raise RuntimeError(f"The click at {voxel} was not honoured.")
        cpu_s = sum(cpu) / len(cpu)
        reached = dice(workflow.mask, truth)
        with clock(undo):
            workflow.undo()
            _settle(workflow)
        workflow.close()
    return {
        "volume": volume,
        "start": start,
        "shape": list(image.geometry.shape),
        "click_s": spread(seconds),
        "settled_s": spread(settled),
        "click_cpu_s": round(cpu_s, 4),
        "undo_s": round(undo[0], 4),
        "begin_s": round(begin[0], 3),
        "dice": round(reached, 3),
        "peak_memory_mb": round(peak_memory_mb()),
    }


def _settle(workflow) -> None:  # type: ignore[no-untyped-def]
    if not workflow.wait(PATIENCE_S) or workflow.state.error:
        raise RuntimeError(workflow.state.error or "It took too long.")


if __name__ == "__main__":
    two_cores()
    volume, start, *count = sys.argv[1:]
    print(json.dumps(measure(volume, start, int(count[0]) if count else 40)))
