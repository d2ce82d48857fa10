"""Training of a first-stage network on generated and real heads: resumable, on CPU or GPU."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from TumorSegRobustLib.models.networks import build_network
from TumorSegRobustLib.progress import Progress

from .checkpoints import write_whole
from .config import StageOneConfig, identity, read_config
from .data import batches, examples
from .distributed import World, world_of_this_process
from .losses import DeepSupervision, build_loss
from .monitor import Monitor
from .running import NotFiniteError, Run

__all__ = ["NotFiniteError", "main", "train"]


def main(
    config: Path, out: Path, *, monitor: Path | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Train as `config` (YAML) says into the folder `out`, going on from its checkpoint if it has one.

    Writes `checkpoint.pt`, `log.jsonl`, and at the end `weights.pt` (averaged) and `summary.json`, whose
    content is returned.
    `monitor`: a folder of cases (`<case>/flair.nii.gz`, `mask.nii.gz`) whose Dice is logged, never used to
    choose.
    """
    return train(read_config(config), out, monitor=Monitor(monitor) if monitor else None, progress=progress)


def train(
    config: StageOneConfig,
    out: Path,
    *,
    monitor: Monitor | None = None,
    progress: Progress | None = None,
    cache: MutableMapping[Any, Any] | None = None,
) -> dict[str, Any]:
    """As `main`, from the configuration itself; `cache` keeps prepared real scans between trainings."""
    config.check()
    with world_of_this_process() as world:
        return _train(config, Path(out), monitor, progress or Progress(), cache, world)


def _train(
    config: StageOneConfig,
    out: Path,
    monitor: Monitor | None,
    progress: Progress,
    cache: MutableMapping[Any, Any] | None,
    world: World,
) -> dict[str, Any]:
    torch.manual_seed(config.seed)
    settings = config.to_json()
    run = Run(
        build_network(config.network),
        config,
        out,
        identity=identity(settings),
        initial=Path(config.initial) if config.initial else None,
        world=world,
    )
    compute = Objective(config)

    def look() -> None:
        if monitor and world.leads and run.step % config.monitor_every == 0:
            run.log({"monitor": _scores(monitor, run, config)})

    last = run.go(
        lambda start: batches(examples(config, cache), config.batch, config.workers, start, world),
        lambda model, batch: compute(run, model, *batch),
        progress,
        config.log_every,
        look,
    )
    summary = {
        "config": settings,
        "steps": run.step,
        "device": run.device.type,
        "processes": world.size,
        "loss": last,
    }
    if world.leads:
        if monitor:
            summary["monitor"] = _scores(monitor, run, config)
        write_whole(out / "weights.pt", lambda path: torch.save(run.average.state_dict(), path))
        write_whole(out / "summary.json", lambda path: path.write_text(json.dumps(summary, indent=1)))
    world.wait()
    return summary


class Objective:
    """The loss of a batch under a configuration."""

    def __init__(self, config: StageOneConfig) -> None:
        loss = build_loss(config.loss, config.weights)
        self._loss = DeepSupervision(loss, config.deep_supervision) if config.deep_supervision else loss

    def __call__(self, run: Run, model: nn.Module, image: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        """image float32 (B, C, k, j, i), truth uint8 (B, T, k, j, i) with 255 = unknown: a scalar."""
        image = image.to(run.device, memory_format=torch.channels_last_3d)
        with run.autocast():
            logits = model(image)
        if logits.ndim == 6:  # MONAI's DynUNet stacks its resolutions: (B, resolutions, T, k, j, i)
            levels = [level.float() for level in logits.unbind(1)]
            return self._loss(levels, truth.to(run.device), run.progress)  # type: ignore[arg-type]
        return self._loss(logits.float(), truth.to(run.device), run.progress)


def _scores(monitor: Monitor, run: Run, config: StageOneConfig) -> dict[str, Any]:
    spacing = config.synth.spacing_mm
    return monitor.score(run.average, spacing, run.device, channels=config.channels, outputs=config.outputs)
