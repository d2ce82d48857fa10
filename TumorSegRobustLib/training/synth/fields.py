"""Smooth random fields, blurring and sampling grids: the mechanics under the generator. All grids are (k, j,
i).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from .draw import Draw

Shape = Sequence[int]


def smooth_noise(shape: Shape, scale: float, draw: Draw, channels: int = 1) -> torch.Tensor:
    """Noise of zero mean and about unit SD whose features are about `scale` voxels wide, (channels, *shape).

    A coarse normal grid is interpolated: much cheaper than blurring white noise, and as good to the eye.
    """
    if scale <= 1.0:
        return draw.white((channels, *shape))
    coarse = [max(2, math.ceil(n / scale) + 1) for n in shape]
    grid = draw.white((1, channels, *coarse))
    field = F.interpolate(grid, size=tuple(shape), mode="trilinear", align_corners=True)[0]
    return field / 0.65  # trilinear interpolation shrinks the SD to about 0.65 on average


def blur(volume: torch.Tensor, sigma: Sequence[float]) -> torch.Tensor:
    """Gaussian blur of a (k, j, i) volume; `sigma` in voxels per axis, 0 leaves that axis alone. Edges are
    replicated.
    """
    out = volume[None, None]
    for axis, s in enumerate(sigma):
        if s < 0.2:
            continue
        radius = max(1, math.ceil(2.5 * s))
        x = torch.arange(-radius, radius + 1, dtype=volume.dtype)
        kernel = torch.exp(-0.5 * (x / s) ** 2)
        kernel = kernel / kernel.sum()
        shape = [1, 1, 1, 1, 1]
        shape[2 + axis] = len(kernel)
        pad = [0, 0, 0, 0, 0, 0]
        pad[2 * (2 - axis)] = pad[2 * (2 - axis) + 1] = radius
        out = F.conv3d(F.pad(out, pad, mode="replicate"), kernel.view(shape))
    return out[0, 0]


def dilate(mask: torch.Tensor, voxels: int) -> torch.Tensor:
    """Bool mask grown by a cube of half-width `voxels`."""
    if voxels < 1:
        return mask
    grown = F.max_pool3d(mask[None, None].float(), 2 * voxels + 1, stride=1, padding=voxels)
    return grown[0, 0] > 0.5


def rotation(angles: Sequence[float]) -> torch.Tensor:
    """Rotation matrix of three angles in radians about the k, j and i axes."""
    a, b, c = (float(v) for v in angles)
    rk = torch.tensor([[1, 0, 0], [0, math.cos(a), -math.sin(a)], [0, math.sin(a), math.cos(a)]])
    rj = torch.tensor([[math.cos(b), 0, math.sin(b)], [0, 1, 0], [-math.sin(b), 0, math.cos(b)]])
    ri = torch.tensor([[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]])
    return rk @ rj @ ri


def sampling_grid(
    shape: Shape, spacing_mm: Sequence[float], centre_mm: torch.Tensor, matrix: torch.Tensor
) -> torch.Tensor:
    """Millimetre positions (3, *shape) of a grid about `centre_mm`, turned and zoomed by the 3x3 `matrix`."""
    axes = [
        (torch.arange(n, dtype=torch.float32) - (n - 1) / 2) * s
        for n, s in zip(shape, spacing_mm, strict=True)
    ]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"))
    return torch.einsum("ab,bkji->akji", matrix, grid) + centre_mm.view(3, 1, 1, 1)


def lookup(volume: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
    """Nearest value of an integer volume at positions (3, *shape) in voxels of it; 0 outside."""
    index = position.round().long()
    inside = torch.ones(index.shape[1:], dtype=torch.bool)
    for axis, n in enumerate(volume.shape):
        inside &= (index[axis] >= 0) & (index[axis] < n)
        index[axis].clamp_(0, n - 1)
    flat = (index[0] * volume.shape[1] + index[1]) * volume.shape[2] + index[2]
    values = volume.view(-1)[flat.view(-1)].view(flat.shape)
    return torch.where(inside, values, torch.zeros_like(values))
