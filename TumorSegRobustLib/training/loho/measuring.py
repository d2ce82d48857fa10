"""A trained run on its test cases: as a package of one member, through `evaluation`, in native geometry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from TumorSegRobustLib.evaluation.evaluating import Predictor, evaluate_cases
from TumorSegRobustLib.evaluation.manifest import ManifestCase
from TumorSegRobustLib.evaluation.records import CaseRecord
from TumorSegRobustLib.inference import Ensemble
from TumorSegRobustLib.models import Channel, ModelPackage, TrainedMember, write_package
from TumorSegRobustLib.progress import Progress

Adapter = Callable[[Ensemble], Predictor]
"""Makes a predictor that adapts to every scan (and rolls back) out of an ensemble with pristine weights."""


def measure_run(
    trained: Path,
    settings: Mapping[str, Any],
    cases: Sequence[ManifestCase],
    out: Path,
    progress: Progress,
    adapter: Adapter | None = None,
    package: Mapping[str, Any] | None = None,
) -> list[CaseRecord]:
    """Measure `trained/weights.pt` on `cases`; resumable, as `evaluate` is.

    package: further settings of the package that is made of it, such as calibration.
    """
    ensemble = Ensemble(as_package(trained, settings, package or {}))
    predictor: Predictor = ensemble if adapter is None else adapter(ensemble)
    return evaluate_cases(cases, predictor, out, progress)


def as_package(trained: Path, settings: Mapping[str, Any], further: Mapping[str, Any]) -> ModelPackage:
    """The run's weights as a package in `trained/package`; written once."""
    folder = trained / "package"
    if (folder / "configs" / "package.json").is_file():
        return ModelPackage.load(folder)
    spacing = settings.get("synth", {}).get("spacing_mm", 2.0)
    sides = (spacing,) * 3 if isinstance(spacing, int | float) else tuple(spacing)
    state = torch.load(trained / "weights.pt", map_location="cpu", weights_only=True)
    member = TrainedMember("a", dict(settings["network"]), sides, state, seed=int(settings["seed"]))
    first, *others = settings["channels"]
    return write_package(
        folder,
        id=f"run-{trained.name}",
        version="0.0.0",
        title="One run of an experiment",
        licence="not for distribution",
        members=[member],
        channels=[Channel(first, required=not others), *(Channel(name, required=False) for name in others)],
        outputs=list(settings["outputs"]),
        card="# One run of an experiment\n\nNot for distribution.\n",
        **further,
    )
