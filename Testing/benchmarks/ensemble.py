"""The ensemble over 240x240x155 at 1 mm: seconds and memory.

`python -m Testing.benchmarks.ensemble BACKEND PRECISION MEMBERS [RUNS]` prints one JSON document.
MEMBERS: 0 for the package as it is, another number to repeat its members up to that many.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from itertools import cycle, islice
from time import process_time

from .measuring import Figures, clock, peak_memory_mb, spread, two_cores


def measure(backend: str, precision: str, members: int, runs: int) -> Figures:
    """Loading and compiling are told apart from predicting: they happen once, in the background."""
    from TumorSegRobustLib.inference import Ensemble
    from TumorSegRobustLib.models import find_package

    from . import volumes

    package = find_package(None)
    if members:
        repeated = islice(cycle(package.members), members)
        numbered = tuple(replace(m, name=f"{m.name}-{n}") for n, m in enumerate(repeated))
        package = replace(package, members=numbered)
    image = volumes.made_elsewhere("head")
    ensemble = Ensemble(package, device="cpu", backend=backend, precision=precision)
    estimate_mb = ensemble.estimate_memory_mb(image.geometry)
    warm: list[float] = []
    seconds: list[float] = []
    with clock(warm):
        ensemble.warm_up()
    cpu: list[float] = []
    for _ in range(runs):
        began_s = process_time()
        with clock(seconds):
            prediction = ensemble.predict(image)
        cpu.append(process_time() - began_s)
    return {
        "package": f"{package.id} {package.version}",
        "members": len(package.members),
        "backend": prediction.backend,
        "precision": precision,
        "warm_up_s": round(warm[0], 2),
        "predict_s": spread(seconds),
        "predict_cpu_s": round(min(cpu), 2),
        "stages_s": prediction.seconds,
        "peak_memory_mb": round(peak_memory_mb()),
        "estimated_memory_mb": round(estimate_mb),
        "notices": list(prediction.notices),
    }


if __name__ == "__main__":
    two_cores()
    backend, precision, members, *runs = sys.argv[1:]
    print(json.dumps(measure(backend, precision, int(members), int(runs[0]) if runs else 3)))
