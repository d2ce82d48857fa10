"""Training of a first-stage network on generated heads: resumable, loud about NaN, on CPU or GPU."""

from __future__ import annotations

import copy
import json
import math
import os
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from TumorSegRobustLib.models.networks import build_network
from TumorSegRobustLib.progress import Progress

from .config import StageOneConfig, read_config
from .data import SyntheticHeads
from .monitor import Monitor
from .synth import HeadGenerator, load_anatomies

SEED_SPAN = 100_000_000  # samples of two seeds never meet


class NotFiniteError(FloatingPointError):
    """The loss is NaN or infinite; the last checkpoint is intact."""


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
    config: StageOneConfig, out: Path, *, monitor: Monitor | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    progress = progress or Progress()
    out.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    run = _Run(config, out, device)
    data = SyntheticHeads(
        HeadGenerator(load_anatomies(Path(config.label_maps), config.anatomies), config.synth),
        config.seed * SEED_SPAN,
        run.step * config.batch,
    )
    loader = iter(
        DataLoader(
            data, batch_size=config.batch, num_workers=config.workers, prefetch_factor=_prefetch(config)
        )
    )
    losses: list[float] = []
    saved = started = time.monotonic()
    while run.step < config.steps:
        losses.append(run.advance(*next(loader)))
        progress.report(run.step / config.steps, f"step {run.step} of {config.steps}")
        if run.step % config.log_every == 0:
            recent = losses[-config.log_every :]
            run.log({"loss": sum(recent) / len(recent), "seconds": time.monotonic() - started})
        if monitor and run.step % config.monitor_every == 0:
            run.log({"monitor": monitor.score(run.average, config.synth.spacing_mm, device)})
        if time.monotonic() - saved > 60 * config.checkpoint_minutes:
            run.save()
            saved = time.monotonic()
    run.save()
    summary = {
        "config": config.to_json(),
        "steps": run.step,
        "device": device.type,
        "loss": losses[-1] if losses else None,
    }
    if monitor:
        summary["monitor"] = monitor.score(run.average, config.synth.spacing_mm, device)
    _replace(out / "weights.pt", lambda path: torch.save(run.average.state_dict(), path))
    _replace(out / "summary.json", lambda path: path.write_text(json.dumps(summary, indent=1)))
    return summary


class _Run:
    """Network, its running average, optimiser and step count."""

    def __init__(self, config: StageOneConfig, out: Path, device: torch.device) -> None:
        torch.manual_seed(config.seed)
        self.config, self.out, self.device, self.step = config, out, device, 0
        network = build_network(config.network).train()
        self.network = _fp32_transposed(network).to(device).to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.average = copy.deepcopy(build_network(config.network)).to(device).eval()
        self.average.load_state_dict(self.network.state_dict())
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), config.learning_rate, weight_decay=config.weight_decay
        )
        if (out / "checkpoint.pt").exists():
            state = torch.load(out / "checkpoint.pt", map_location=device, weights_only=True)
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.step = int(state["step"])

    def advance(self, image: torch.Tensor, truth: torch.Tensor) -> float:
        """One step of the optimiser; the loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * _schedule(self.step, self.config)
        image = image.to(self.device, memory_format=torch.channels_last_3d)
        with torch.autocast(self.device.type, torch.bfloat16):
            logits = self.network(image)
        loss = segmentation_loss(logits.float(), truth.to(self.device).float(), self.config.brain_weight)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise NotFiniteError(
                f"The loss is {value} at step {self.step} of {self.config.name}; "
                "the last checkpoint is intact."
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0, error_if_nonfinite=True)
        self.optimiser.step()
        self.step += 1
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for a, b in zip(
                self.average.state_dict().values(), self.network.state_dict().values(), strict=True
            ):
                a.lerp_(b, 1 - decay) if a.is_floating_point() else a.copy_(b)
        return value

    def log(self, entry: dict[str, Any]) -> None:
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": self.step, **entry}) + "\n")

    def save(self) -> None:
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
        }
        _replace(self.out / "checkpoint.pt", lambda path: torch.save(state, path))


def segmentation_loss(logits: torch.Tensor, truth: torch.Tensor, brain_weight: float) -> torch.Tensor:
    """Dice + cross-entropy of the tumour, plus `brain_weight` times that of the brain; (batch, 2, k, j, i)
    each.
    """
    from monai.losses import DiceCELoss

    loss = DiceCELoss(sigmoid=True, smooth_nr=1.0, smooth_dr=1.0)
    return loss(logits[:, :1], truth[:, :1]) + brain_weight * loss(logits[:, 1:], truth[:, 1:])


def _schedule(step: int, config: StageOneConfig) -> float:
    """Warm up, stay, then fall along a cosine to 1 %."""
    if step < config.warm_up:
        return (step + 1) / config.warm_up
    start = config.decay_from * config.steps
    fraction = min(1.0, max(0.0, (step - start) / max(1.0, config.steps - start)))
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * fraction))


def _fp32_transposed(network: nn.Module) -> nn.Module:
    """Keep transposed convolutions out of bfloat16: there they turned residual U-Nets to NaN within 24
    steps.
    """
    for module in network.modules():
        if isinstance(module, nn.ConvTranspose3d):
            module.forward = _without_autocast(module.forward)  # type: ignore[method-assign]
    return network


def _without_autocast(forward: Any) -> Any:
    def call(x: torch.Tensor, *args: Any) -> torch.Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return forward(x.float(), *args)

    return call


def _prefetch(config: StageOneConfig) -> int | None:
    return 8 if config.workers else None


def _replace(path: Path, write: Any) -> None:
    draft = path.with_name(path.name + ".part")
    write(draft)
    os.replace(draft, path)
