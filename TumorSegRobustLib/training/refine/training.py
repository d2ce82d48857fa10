"""Training of a refining network on generated reviews: resumable, on CPU or GPU."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from torch import nn

from TumorSegRobustLib.models.networks import build_network
from TumorSegRobustLib.progress import Progress
from TumorSegRobustLib.review.network_input import CHANNELS, SCALE
from TumorSegRobustLib.review.network_refiner import NetworkRefiner
from TumorSegRobustLib.review.network_refiner import Run as RunNetwork

from ..checkpoints import write_whole
from ..config import identity
from ..running import Run
from ..synth.draw import Draw
from .config import RefineConfig, read_refine_config
from .scenes import SceneGenerator
from .unrolling import Example, play

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]
"""Channels (B, 8, n, n, n); base, before and truth (B, n, n, n): see `Example`."""


def main(
    config: Path, out: Path, *, gate: Path | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Train as `config` (YAML) says into the folder `out`, going on from its checkpoint if it has one.

    Writes `checkpoint.pt`, `log.jsonl`, and at the end `weights.pt` (averaged) and `summary.json`, whose
    content is returned. gate: a manifest of real cases; then the comparison of `refine.gate` is made too.
    """
    settings, progress = read_refine_config(config), progress or Progress()
    summary = train(settings, Path(out), progress=progress.part(0.0, 0.8 if gate else 1.0))
    if gate is None:
        return summary
    from .gate import main as compare

    network = build_network(settings.network)
    network.load_state_dict(torch.load(out / "weights.pt", map_location="cpu", weights_only=True))
    refiner = NetworkRefiner(
        predictor(network.eval(), torch.device("cpu")),
        side=settings.side,
        context=settings.context,
        strength=settings.strength,
    )
    verdict = compare(refiner, gate, out, package=settings.package, progress=progress.part(0.8, 1.0))
    return {**summary, **{f"won from {start}": str(told["won"]) for start, told in verdict.items()}}


def train(config: RefineConfig, out: Path, *, progress: Progress | None = None) -> dict[str, Any]:
    """As `main`, from the configuration itself."""
    config.check()
    torch.manual_seed(config.seed)
    settings = config.to_json()
    network = build_network(config.network)
    start_at_zero(network)
    initial = Path(config.initial) if config.initial else None
    run = Run(network, config, out, identity=identity(settings), initial=initial)
    scenes = SceneGenerator(config, first_stage(config.package))

    def batches(start: int) -> Iterator[Batch]:
        return _batches(scenes, config, start, predictor(run.average, run.device))

    last = run.go(
        batches,
        lambda model, batch: loss_of(model, batch, config, run),
        progress or Progress(),
        config.log_every,
    )
    summary = {"config": settings, "steps": run.step, "device": run.device.type, "loss": last}
    write_whole(out / "weights.pt", lambda path: torch.save(run.average.state_dict(), path))
    write_whole(out / "summary.json", lambda path: path.write_text(json.dumps(summary, indent=1)))
    return summary


def start_at_zero(network: nn.Module) -> None:
    """Make the last layer silent, so that training begins at the geodesic operator itself."""
    last = [module for module in network.modules() if isinstance(module, nn.Conv3d)][-1]
    nn.init.zeros_(last.weight)
    if last.bias is not None:
        nn.init.zeros_(last.bias)


def predictor(network: nn.Module, device: torch.device) -> RunNetwork:
    """The network for `NetworkRefiner`, in PyTorch, as it is at the moment of every call; in bf16, which is
    three times as fast here.
    """

    def run(channels: NDArray[np.float32]) -> NDArray[np.float32]:
        given = torch.from_numpy(channels).to(device, memory_format=torch.channels_last_3d)
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
            residual = network(given).float()
        return torch.nan_to_num(residual, 0.0).cpu().numpy()

    return run


def loss_of(model: nn.Module, batch: Batch, config: RefineConfig, run: Run) -> torch.Tensor:
    """Dice and cross-entropy of the corrected log-odds.

    Weighed more: the clicked spots; and away from the click what was right before, which it may not cost.
    """
    channels, base, before, truth = (part.to(run.device) for part in batch)
    with run.autocast():
        residual = model(channels.to(memory_format=torch.channels_last_3d))
    gate, newest = (channels[:, CHANNELS.index(name)] for name in ("gate", "newest"))
    odds = base + SCALE * gate * residual[:, 0].float()
    includes = newest.sum((1, 2, 3)) > 0
    kept = (before > 0) == includes.view(-1, 1, 1, 1)  # has the click's label already
    balls = torch.maximum(channels[:, CHANNELS.index("include")], channels[:, CHANNELS.index("exclude")])
    was_right = ((before > 0) == (truth > 0.5)).float()
    far = config.far_weight * was_right * (1 - newest.abs())
    weight = (gate > 0) * ~kept * (1 + config.click_weight * balls + far)
    cross = functional.binary_cross_entropy_with_logits(odds, truth, reduction="none")
    cross = (cross * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp(min=1)
    chance = torch.where(kept, (before > 0).float(), torch.sigmoid(odds))
    both = (chance * truth).sum((1, 2, 3))
    dice = 1 - (2 * both + 10) / (chance.sum((1, 2, 3)) + truth.sum((1, 2, 3)) + 10)
    return (cross + config.dice_weight * dice).mean()


def first_stage(package: str | None) -> Any:
    if package is None:
        return None
    from TumorSegRobustLib.inference import Ensemble
    from TumorSegRobustLib.models import find_package

    ensemble = Ensemble(find_package(package))
    return lambda image: ensemble.predict(image).probability


def _batches(
    scenes: SceneGenerator, config: RefineConfig, start: int, run: RunNetwork
) -> Iterator[Batch]:
    """Endless batches; examples of one scene are spread over several by a pool."""
    mix = Draw(config.seed * 7919 + start)
    pool: list[Example] = []
    scene = start
    while True:
        while len(pool) < config.pool:
            draw = Draw((config.seed + 1) * 1_000_003 + scene)
            pool += play(scenes.sample(draw.integer(2**31 - 1)), run, config, draw)
            scene += 1
        chosen = [pool.pop(mix.integer(len(pool))) for _ in range(config.batch)]
        yield (
            torch.from_numpy(np.stack([e.channels for e in chosen])),
            torch.from_numpy(np.stack([e.base for e in chosen])),
            torch.from_numpy(np.stack([e.before for e in chosen])),
            torch.from_numpy(np.stack([e.truth for e in chosen])),
        )
