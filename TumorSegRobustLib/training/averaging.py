"""The mean of several weights of one network: a member that is steadier than any of its snapshots.

Weights along one training lie in one basin, so their mean is a network too (stochastic weight averaging,
Izmailov et al., UAI 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from TumorSegRobustLib.errors import UnusableInput

from .checkpoints import read_weights, write_whole


def main(snapshots: Sequence[Path], out: Path) -> dict[str, Any]:
    """Write the mean of `snapshots` (weights.pt, checkpoint.pt, .safetensors) to `out`, as weights.pt.

    UnusableInput where they are not of one network.
    """
    states = [read_weights(path) for path in snapshots]
    shapes = [{name: tensor.shape for name, tensor in state.items()} for state in states]
    for path, shape in zip(snapshots[1:], shapes[1:], strict=True):
        if shape != shapes[0]:
            raise UnusableInput(
                f"{path}: is of another network than {snapshots[0]}; average those of one run."
            )
    mean = {name: mean_of([state[name] for state in states]) for name in states[0]}
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, lambda path: torch.save(mean, path))
    return {"snapshots": len(states), "tensors": len(mean)}


def mean_of(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """Of floating-point tensors the mean, summed in double precision; of counts the last one."""
    if not tensors[0].is_floating_point():
        return tensors[-1].clone()
    return torch.stack([tensor.double() for tensor in tensors]).mean(0).to(tensors[0].dtype)
