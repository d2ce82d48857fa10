"""Fresh processes on two cores, so that neither memory nor warm caches leak from one figure into another."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[2]
CORES = 2
Figures = dict[str, Any]


def in_fresh_process(name: str, *words: str) -> Figures:
    """Run `python -m Testing.benchmarks.<name> <words>` on two cores; it prints one JSON document last."""
    command = [sys.executable, "-m", f"Testing.benchmarks.{name}", *words]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[1:])} failed:\n{done.stderr[-4000:]}")
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def two_cores() -> None:
    """Keep this process and its threads on two cores; call before torch or OpenVINO are imported."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])


def peak_memory_mb() -> float:
    """Highest resident memory of this process so far."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 1e6 if sys.platform == "darwin" else used * 1024 / 1e6


@contextmanager
def clock(seconds: list[float]) -> Iterator[None]:
    """Append what the body takes."""
    began = perf_counter()
    yield
    seconds.append(perf_counter() - began)


def spread(seconds: Sequence[float]) -> Figures:
    """count, median, 95th percentile, largest, first."""
    values = np.asarray(seconds)
    return {
        "count": len(values),
        "p50": round(float(np.median(values)), 4),
        "p95": round(float(np.percentile(values, 95)), 4),
        "max": round(float(values.max()), 4),
        "first": round(float(values[0]), 4),
    }


def machine() -> Figures:
    """What the figures depend on; no name of a host or a user."""
    return {
        "processor": _processor(),
        "cores used": CORES,
        "cores there": os.cpu_count(),
        "load before": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "openvino", "monai", "SimpleITK", "numpy")},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
