"""What agreement between the members is worth, measured on generated heads that no training saw.

A package with a permissive licence may not learn from hospital contours, and its members were trained on
heads like these; the scans drawn here are therefore *harder* than in training (see `HARDER`), and the table
is checked on real scans by `evaluate`, which chooses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.evaluation import dice
from TumorSegRobustLib.image import Geometry, Image
from TumorSegRobustLib.inference import Ensemble
from TumorSegRobustLib.models import ModelPackage, revise_package
from TumorSegRobustLib.progress import Progress
from TumorSegRobustLib.trust import assess

from .synth import HeadGenerator, SynthConfig, load_anatomies

SEED = 88_000_000_000  # beyond every training's examples
GRID = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0)
COVERAGE = (0.05, 0.95)  # of the interval around the expected Dice
HARDER = SynthConfig(
    patch=(96, 112, 96),
    spacing_mm=2.0,
    kinds={"flair": 0.8, "t2": 0.1, "random": 0.1},
    channels=("flair", "t1c"),
    present=(0.7, 0.1, 0.2),
    tumour=1.0,
    small=0.15,
    centred=0.3,
)


def main(
    package: str | Path, label_maps: Path, *, heads: int = 80, progress: Progress | None = None
) -> dict[str, Any]:
    """Measure `heads` generated heads and write the table `quality` into the package's calibration."""
    folder = Path(package)
    measured = measure(ModelPackage.load(folder), label_maps, heads, progress or Progress())
    table = quality_table([m["agreement"] for m in measured], [m["dice"] for m in measured])
    revise_package(folder, calibration={"quality": table})
    expected = np.interp([m["agreement"] for m in measured], table["agreement"], table["dice"])
    error = np.mean(np.abs(expected - [m["dice"] for m in measured]))
    return {"heads": len(measured), "mean_absolute_error": round(float(error), 4), "quality": table}


def measure(
    package: ModelPackage, label_maps: Path, heads: int, progress: Progress
) -> list[dict[str, float]]:
    """Agreement of the members and true Dice of every head with a tumour in its view."""
    if len(package.members) < 2 and not package.calibration.get("flip_average"):
        raise UnusableInput(
            f"{package.id} has one member and no second view: there is no agreement to calibrate."
        )
    ensemble = Ensemble(package)
    known = {channel.name for channel in package.channels}
    generator = HeadGenerator(load_anatomies(label_maps), replace(HARDER, outputs=("whole tumour", "brain")))
    geometry = Geometry(HARDER.patch, (HARDER.spacing_mm,) * 3, (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    found = []
    for n in range(heads):
        sample = generator.sample(SEED + n)
        truth = sample.truth[0].numpy() == 1
        scan = {
            name: Image(channel.numpy().astype(np.float32) * 1000, geometry, name)
            for name, channel in zip(HARDER.channels, sample.raw, strict=True)
            if bool(channel.any()) and name in known
        }
        if truth.any() and scan:
            prediction = ensemble.predict(scan)
            agreement = assess(prediction, next(iter(scan.values()))).agreement
            assert agreement is not None
            found.append({"agreement": agreement, "dice": dice(prediction.mask, truth)})
        progress.report((n + 1) / heads, f"head {n + 1} of {heads}")
    return found


def quality_table(agreement: Sequence[float], true_dice: Sequence[float]) -> Mapping[str, list[float]]:
    """Rising Dice by agreement (isotonic regression, Barlow et al. 1972), with the interval that holds
    COVERAGE of the cases. UnusableInput for fewer than 20 cases.
    """
    from scipy.optimize import isotonic_regression

    if len(agreement) < 20:
        raise UnusableInput(f"{len(agreement)} heads are too few to calibrate on; take at least 20.")
    order = np.argsort(agreement)
    x, y = np.asarray(agreement, dtype=float)[order], np.asarray(true_dice, dtype=float)[order]
    rising = isotonic_regression(y).x
    at = np.interp(GRID, x, rising)
    below, above = np.quantile(y - rising, COVERAGE)
    return {
        "agreement": [float(v) for v in GRID],
        "dice": _rounded(at),
        "low": _rounded(at + below),
        "high": _rounded(at + above),
    }


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(v), 3) for v in np.clip(values, 0.0, 1.0)]
