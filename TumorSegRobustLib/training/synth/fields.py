"""Smooth random fields, blurring and sampling grids: the mechanics under the generator. All grids are (k, j,
i).

Whatever is separable is done as one small matrix per axis: on a CPU several times faster than 3D convolution
or interpolation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from .draw import Draw

Shape = Sequence[int]


def along(volume: torch.Tensor, matrix: torch.Tensor, axis: int) -> torch.Tensor:
    """`matrix` (m, n) applied along one of the last three axes, of size n, of a (..., k, j, i) volume."""
    if axis == 2:
        return volume @ matrix.T
    if axis == 1:
        return matrix @ volume
    k, j, i = volume.shape[-3:]
    flat = matrix @ volume.reshape(*volume.shape[:-3], k, j * i)
    return flat.reshape(*volume.shape[:-3], len(matrix), j, i)


def linear_matrix(positions: torch.Tensor, n: int) -> torch.Tensor:
    """(len(positions), n) weights that interpolate n samples linearly at positions 0 .. n - 1, held at the
    ends.
    """
    at = positions.clamp(0, n - 1)
    below = at.floor().clamp(max=max(0, n - 2)).long()
    weight = (at - below).unsqueeze(1)
    matrix = torch.zeros(len(positions), n)
    matrix.scatter_(1, below.unsqueeze(1), 1 - weight)
    return matrix.scatter_add_(1, (below + 1).clamp(max=n - 1).unsqueeze(1), weight)


def gaussian_matrix(positions: torch.Tensor, n: int, sigma: float) -> torch.Tensor:
    """(len(positions), n) weights of a Gaussian of SD `sigma` samples about each position; rows sum to one.
    """
    offset = (torch.arange(n, dtype=torch.float32).unsqueeze(0) - positions.unsqueeze(1)) / max(sigma, 1e-3)
    weights = torch.exp(-0.5 * offset.square()).clamp_min(1e-30)
    return weights / weights.sum(1, keepdim=True)


def smooth_noise(shape: Shape, scale: float, draw: Draw, channels: int = 1) -> torch.Tensor:
    """Noise of zero mean and about unit SD whose features are about `scale` voxels wide, (channels, *shape).

    A coarse normal grid, interpolated linearly: much cheaper than blurring white noise, and as good to the
    eye.
    """
    if scale <= 1.0:
        return draw.white((channels, *shape))
    coarse = [max(2, math.ceil(n / scale) + 1) for n in shape]
    field = draw.white((channels, *coarse)) / 0.65  # interpolation shrinks the SD to about 0.65 on average
    for axis, (n, m) in enumerate(zip(shape, coarse, strict=True)):
        field = along(field, linear_matrix(torch.linspace(0, m - 1, n), m), axis)
    return field


def mirrored_noise(
    position_mm: torch.Tensor, centre_mm: torch.Tensor, scale_mm: float, draw: Draw
) -> torch.Tensor:
    """Noise of about unit SD that is the same left and right of a sagittal plane: (k, j, i).

    position_mm: (3, k, j, i), the last component from right to left; centre_mm: (3,), on the plane;
    features are about `scale_mm` wide.
    """
    n = 2 + math.ceil(200.0 / scale_mm)
    coarse = draw.white((1, 1, n, n, n)) / 0.65
    at = (position_mm - centre_mm.view(3, 1, 1, 1)) / 100.0
    where = torch.stack([at[2].abs() * 2 - 1, at[1], at[0]], -1)[None]
    field = torch.nn.functional.grid_sample(coarse, where, padding_mode="border", align_corners=True)
    return field[0, 0]


def blur(volume: torch.Tensor, sigma: Sequence[float]) -> torch.Tensor:
    """Gaussian blur of a (..., k, j, i) volume; `sigma` in voxels per axis, below 0.2 leaves that axis alone.
    """
    for axis, s in enumerate(sigma):
        if s >= 0.2:
            n = volume.shape[axis - 3]
            volume = along(volume, gaussian_matrix(torch.arange(n, dtype=torch.float32), n, s), axis)
    return volume


def near(mask: torch.Tensor, reach: float) -> torch.Tensor:
    """How near a bool mask is, 0..1: about 0.5 on its border, small beyond `reach` voxels."""
    return blur(mask.float(), (max(reach, 0.4) / 1.5,) * 3)


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
    return affine_grid(axes, centre_mm, matrix)


def affine_grid(axes: Sequence[torch.Tensor], offset: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """`matrix` times every point of the grid spanned by three axes, plus `offset`: (3, k, j, i)."""
    k, j, i = axes
    out = torch.empty(3, len(k), len(j), len(i))
    for a in range(3):
        plane = (matrix[a, 1] * j).unsqueeze(1) + (matrix[a, 2] * i + offset[a]).unsqueeze(0)
        torch.add((matrix[a, 0] * k).view(-1, 1, 1), plane.unsqueeze(0), out=out[a])
    return out


def lookup(volume: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
    """Nearest value of an integer volume at positions (3, *shape) in voxels of it; 0 outside."""
    flat = torch.zeros(position.shape[1:], dtype=torch.int32)
    outside = torch.zeros(position.shape[1:], dtype=torch.bool)
    for axis, n in enumerate(volume.shape):
        index = position[axis].round().to(torch.int32)
        outside |= (index < 0) | (index >= n)
        flat = flat * n + index.clamp_(0, n - 1)
    values = torch.index_select(volume.reshape(-1), 0, flat.reshape(-1)).view(flat.shape)
    return values.masked_fill_(outside, 0)
