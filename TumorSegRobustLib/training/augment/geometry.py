"""Geometry: flips, quarter turns, an affine and an elastic deformation, of image and truth together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import grid_sample

from ..synth.draw import Draw
from ..synth.fields import affine_grid, along, linear_matrix, rotation

Example = tuple[torch.Tensor, torch.Tensor]
Triple = tuple[float, float, float]
Grid = tuple[tuple[tuple[float, ...], ...], ...]
UNKNOWN = 255


@dataclass(frozen=True)
class Geometry:
    """probability: of the deformation; flips: for (k, j, i), in LPS i is left/right; turns: of quarter turns
    about k.

    rotation_degrees: largest angle about each axis. scale: smallest and largest zoom along each axis.
    elastic_mm: largest SD of the displacements of control points `control_mm` apart; 0 switches it off.
    spacing_mm: of the voxels along (k, j, i).
    """

    probability: float = 0.5
    rotation_degrees: float = 15.0
    scale: tuple[float, float] = (0.85, 1.15)
    flips: Triple = (0.0, 0.0, 0.5)
    turns: float = 0.0
    elastic_mm: float = 2.5
    control_mm: float = 32.0
    spacing_mm: Triple = (2.0, 2.0, 2.0)

    def draw(self, draw: Draw, image: torch.Tensor) -> GeometryParameters | None:
        flips = tuple(axis for axis, chance in enumerate(self.flips) if draw.chance(chance))
        turns = 1 + draw.integer(3) if draw.chance(self.turns) else 0
        warp = self._warp(draw, image.shape[1:]) if draw.chance(self.probability) else None
        if not flips and not turns and warp is None:
            return None
        return GeometryParameters(flips, turns, warp)

    def _warp(self, draw: Draw, shape: Sequence[int]) -> Warp:
        most = math.radians(self.rotation_degrees)
        angles = draw.uniforms(3, -most, most).tolist()
        scale = draw.uniforms(3, *self.scale).tolist()
        controls = [
            max(2, math.ceil(n * s / self.control_mm) + 1)
            for n, s in zip(shape, self.spacing_mm, strict=True)
        ]
        displacement: tuple[Grid, ...] = ()
        if self.elastic_mm > 0:
            moved = draw.white((3, *controls)) * draw.uniform(0, self.elastic_mm)
            displacement = _tuples(moved.tolist())
        return Warp(tuple(angles), tuple(scale), displacement, self.spacing_mm)


@dataclass(frozen=True)
class Warp:
    """angles: radians about (k, j, i); scale: zoom along them (above 1: larger); spacing_mm: along (k, j, i).

    displacement_mm: (3, a, b, c) of control points spread evenly over the image; () for none.
    """

    angles: Triple
    scale: Triple
    displacement_mm: tuple[Grid, ...]
    spacing_mm: Triple

    def positions(self, shape: Sequence[int]) -> torch.Tensor:
        """Where each voxel of the result comes from, in voxels: (3, k, j, i)."""
        spacing = torch.tensor(self.spacing_mm)
        centre = torch.tensor([(n - 1) / 2 for n in shape])
        axes = [torch.arange(n) - float(c) for n, c in zip(shape, centre, strict=True)]
        millimetres = rotation(self.angles) @ torch.diag(1 / torch.tensor(self.scale))
        matrix = torch.diag(1 / spacing) @ millimetres @ torch.diag(spacing)
        where = affine_grid(axes, centre, matrix)
        if self.displacement_mm:
            moved = torch.tensor(self.displacement_mm) / spacing.view(-1, 1, 1, 1)
            for axis, n in enumerate(shape):
                points = moved.shape[axis + 1]
                moved = along(moved, linear_matrix(torch.linspace(0, points - 1, n), points), axis)
            where = where + moved
        return where


@dataclass(frozen=True)
class GeometryParameters:
    """flips: axes of (k, j, i); turns: quarter turns about k; then the warp. All three in this order."""

    flips: tuple[int, ...]
    turns: int
    warp: Warp | None

    def apply(self, image: torch.Tensor, truth: torch.Tensor) -> Example:
        """image (C, k, j, i), linear, 0 outside; truth uint8 (T, k, j, i), nearest, 255 (unknown) outside.

        An odd number of quarter turns swaps the sides j and i.
        """
        image, truth = (self._turned(volume) for volume in (image, truth))
        if self.warp is None:
            return image.contiguous(), truth.contiguous()
        where = self.warp.positions(image.shape[1:]).to(image.device)
        return sample_linear(image, where), sample_nearest(truth, where)

    def _turned(self, volume: torch.Tensor) -> torch.Tensor:
        flipped = torch.flip(volume, [axis + 1 for axis in self.flips]) if self.flips else volume
        return torch.rot90(flipped, self.turns, (2, 3)) if self.turns else flipped


def sample_linear(image: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """(C, k, j, i) at positions (3, ...) in its voxels, 0 outside."""
    sizes = where.new_tensor(image.shape[1:]).view(-1, 1, 1, 1)
    grid = (where * (2 / (sizes - 1).clamp(min=1)) - 1).flip(0).permute(1, 2, 3, 0)
    return grid_sample(image.unsqueeze(0), grid.unsqueeze(0), align_corners=True)[0]


def sample_nearest(truth: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """(T, k, j, i) at positions (3, ...) in its voxels, `UNKNOWN` outside."""
    index = torch.zeros(where.shape[1:], dtype=torch.int32, device=where.device)
    outside = torch.zeros(where.shape[1:], dtype=torch.bool, device=where.device)
    for at, n in zip(where, truth.shape[1:], strict=True):
        nearest = at.round().to(torch.int32)
        outside |= (nearest < 0) | (nearest >= n)
        index = index * n + nearest.clamp_(0, n - 1)
    taken = torch.stack([channel.index_select(0, index.flatten()) for channel in truth.flatten(1)])
    return taken.view(-1, *index.shape).masked_fill_(outside, UNKNOWN)


def _tuples(nested: list) -> tuple:
    return tuple(_tuples(part) if isinstance(part, list) else part for part in nested)
