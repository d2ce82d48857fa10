"""The pretraining of a network that `train stage1` starts from (`initial: DIR/weights.pt`)."""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from TumorSegRobustLib.models import build_network
from TumorSegRobustLib.progress import Progress

from ..checkpoints import write_whole
from ..config import identity
from ..data import batches
from ..distributed import World, world_of_this_process
from ..real import example_seed
from ..running import Run
from ..synth.draw import Draw
from .config import PretrainConfig, read_pretraining
from .contrast import Embedder, info_nce
from .masking import hidden_blocks, reconstruction_error
from .views import ScanViews


def main(config: Path, out: Path, *, progress: Progress | None = None) -> dict[str, Any]:
    """Pretrain as `config` (YAML) says into the folder `out`, going on from its checkpoint if it has one.

    Writes `checkpoint.pt`, `log.jsonl`, and at the end `weights.pt` (for `initial`) and `summary.json`, which
    names the sites whose scans were looked at.
    """
    return train(read_pretraining(config), out, progress=progress)


def train(
    config: PretrainConfig,
    out: Path,
    *,
    progress: Progress | None = None,
    cache: MutableMapping[Any, Any] | None = None,
) -> dict[str, Any]:
    """As `main`, from the configuration itself; `cache` keeps prepared real scans between trainings."""
    config.check()
    with world_of_this_process() as world:
        return _train(config, Path(out), progress or Progress(), cache, world)


def _train(
    config: PretrainConfig,
    out: Path,
    progress: Progress,
    cache: MutableMapping[Any, Any] | None,
    world: World,
) -> dict[str, Any]:
    torch.manual_seed(config.seed)
    settings = config.to_json()
    network = build_network(with_outputs(config.network, len(config.channels)))
    side = min(config.synth.patch)
    embedder = Embedder(network, len(config.channels), side, config.embedding, config.queue)
    run = Run(embedder, config, out, identity=identity(settings), world=world)
    task = Task(config, run)
    views = ScanViews(config, cache)
    last = run.go(
        lambda start: batches(views, config.batch, config.workers, start, world),
        lambda model, batch: task(model, *batch),
        progress,
        config.log_every,
    )
    summary = {
        "config": settings,
        "steps": run.step,
        "device": run.device.type,
        "sites": views.sites,
        "loss": last,
    }
    if world.leads:
        weights = body_weights(config.network, run.average.get_submodule("network"))
        summary["tensors"] = len(weights)
        write_whole(out / "weights.pt", lambda path: torch.save(weights, path))
        write_whole(out / "summary.json", lambda path: path.write_text(json.dumps(summary, indent=1)))
    world.wait()
    return summary


class Task:
    """The loss of a batch of views; the keys of the second views go into the queue."""

    def __init__(self, config: PretrainConfig, run: Run) -> None:
        self.config, self.run = config, run

    def __call__(self, model: nn.Module, views: torch.Tensor, scans: torch.Tensor) -> torch.Tensor:
        """views float32 (B, 2, C, k, j, i), scans int64 (B,): a scalar."""
        c, run = self.config, self.run
        first, second = (
            views[:, n].to(run.device, memory_format=torch.channels_last_3d) for n in (0, 1)
        )
        hidden = self._hidden(first)
        with run.autocast():
            found, codes = model(first.masked_fill(hidden, 0.0))
        loss = c.reconstruction * reconstruction_error(found.float(), first, hidden)
        if c.contrast > 0:
            scans = scans.to(run.device)
            with torch.no_grad():
                keys = run.average(second)[1]
            own: Embedder = run.network
            told_apart = info_nce(codes, keys, scans, own.queue.clone(), own.scans, c.temperature)
            loss = loss + c.contrast * told_apart
            own.remember(keys, scans)
            return loss
        return loss + 0.0 * codes.sum()  # every weight takes part, as averaging between ranks demands

    def _hidden(self, image: torch.Tensor) -> torch.Tensor:
        c, run = self.config, self.run
        if c.reconstruction <= 0:
            return torch.zeros_like(image[:, :1], dtype=torch.bool)
        draw = Draw(example_seed(c.seed, run.examples + run.world.rank))
        masks = [hidden_blocks(image.shape[2:], c.block, c.mask_ratio, draw) for _ in image]
        return torch.stack(masks)[:, None].to(run.device)


def with_outputs(network: Mapping[str, Any], outputs: int) -> dict[str, Any]:
    """The same network with another number of outputs."""
    if "head" in network:
        return {**network, "head": outputs}
    return {**network, "args": {**network["args"], "out_channels": outputs}}


def body_weights(network: Mapping[str, Any], trained: nn.Module) -> dict[str, torch.Tensor]:
    """The tensors that do not depend on the number of outputs: what the last layer learned is of no use."""
    one, two = (build_network(with_outputs(network, n)).state_dict() for n in (1, 2))
    state = trained.state_dict()
    return {name: state[name].cpu() for name in one if one[name].shape == two[name].shape}
