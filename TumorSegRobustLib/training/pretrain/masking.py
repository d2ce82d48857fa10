"""Masked reconstruction (He et al., 2022) for convolutions: hidden blocks are zeros, the mean of a scan."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ..synth.draw import Draw


def hidden_blocks(shape: Sequence[int], block: int, ratio: float, draw: Draw) -> torch.Tensor:
    """Bool (k, j, i): `ratio` of the cubes of side `block` (cut at the far ends), drawn at random."""
    grid = [math.ceil(side / block) for side in shape]
    order = torch.randperm(math.prod(grid), generator=draw.generator)
    chosen = torch.zeros(math.prod(grid), dtype=torch.bool)
    chosen[order[: round(ratio * len(order))]] = True
    blocks = chosen.view(grid)
    for axis in range(3):
        blocks = blocks.repeat_interleave(block, dim=axis)
    return blocks[: shape[0], : shape[1], : shape[2]]


def reconstruction_error(found: torch.Tensor, scan: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    """Mean absolute error in the hidden voxels of the channels that are there; 0 where nothing is hidden.

    found, scan: (B, C, k, j, i); hidden: bool (B, 1, k, j, i). An absent channel is zero everywhere.
    """
    there = scan.flatten(2).abs().amax(2) > 0
    counted = hidden & there[..., None, None, None]
    total = ((found - scan).abs() * counted).sum()
    return total / counted.sum().clamp(min=1)
