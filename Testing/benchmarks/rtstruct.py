"""RTSTRUCT of a 100 ml tumour on 155 slices of 1 mm: `python -m Testing.benchmarks.rtstruct [RUNS]`."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from .measuring import Figures, clock, peak_memory_mb, spread, two_cores

RADIUS_MM = 28.6  # a ball of 98 ml; the uneven surface brings it to 100 ml


def measure(runs: int) -> Figures:
    """Reading the series' headers is part of it: the writer checks what it refers to."""
    from TumorSegRobustLib.export import write_rtstruct
    from TumorSegRobustLib.image import read_series

    from . import volumes

    seconds: list[float] = []
    opening: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        volumes.write_series(volumes.head(), Path(folder) / "series")
        with clock(opening):
            image, series = read_series(Path(folder) / "series")
        mask = image.with_voxels(volumes.tumour(image.geometry, (35.0, -25.0, 10.0), RADIUS_MM))
        for n in range(runs):
            out = Path(folder) / f"{n}.dcm"
            with clock(seconds):
                write_rtstruct(mask, series, out)
        size_mb = out.stat().st_size / 1e6
    return {
        "volume_ml": round(float(mask.voxels.sum()) * image.geometry.voxel_ml, 1),
        "write_s": spread(seconds),
        "read_series_s": round(opening[0], 2),
        "size_mb": round(size_mb, 2),
        "peak_memory_mb": round(peak_memory_mb()),
    }


if __name__ == "__main__":
    two_cores()
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5)))
