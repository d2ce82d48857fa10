"""Random shapes for any part of the body: organs that fill space, vessels, and lumpy lesions among them.

All grids are (k, j, i); lengths are in voxels, so that a scene can be of any size in millimetres.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .draw import Draw
from .fields import rotation, smooth_noise

Shape = Sequence[int]


def offsets(shape: Shape, centre: torch.Tensor) -> torch.Tensor:
    """(3, k, j, i): where each voxel lies as seen from `centre` (3,)."""
    axes = [torch.arange(n, dtype=torch.float32) - float(c) for n, c in zip(shape, centre, strict=True)]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))


def body(shape: Shape, draw: Draw) -> torch.Tensor:
    """A trunk, a limb or a head: bool, everything else is air. Often the body fills the whole scene."""
    if draw.chance(0.35):
        return torch.ones(tuple(shape), dtype=torch.bool)
    size = torch.tensor(shape, dtype=torch.float32)
    centre = size / 2 + draw.uniforms(3, -0.12, 0.12) * size
    radii = size * draw.uniforms(3, 0.42, 0.75)
    if draw.chance(0.7):
        radii[0] *= 3.0  # it goes on above and below
    distance = (offsets(shape, centre) / radii.view(3, 1, 1, 1)).square().sum(0).sqrt()
    return distance * (1 + draw.uniform(0, 0.15) * _noise(shape, draw, 0.25, 0.5)) < 1


def organs(shape: Shape, count: int, draw: Draw) -> torch.Tensor:
    """Classes 0 .. count - 1 that fill space: the largest of `count` smooth random fields at each voxel."""
    scale = draw.uniform(0.12, 0.4)
    fields = torch.stack([_noise(shape, draw, 0.7 * scale, 1.3 * scale) for _ in range(count)])
    fields += draw.white((count,)).view(-1, 1, 1, 1) * 0.5
    return fields.argmax(0)


def vessels(shape: Shape, draw: Draw) -> torch.Tensor:
    """Thin curved tubes, bool: where two smooth fields are both near zero."""
    scale = draw.uniform(0.1, 0.3)
    a, b = _noise(shape, draw, scale, scale * 1.5), _noise(shape, draw, scale, scale * 1.5)
    return a.square() + b.square() < draw.uniform(0.005, 0.04)


def sheet(shape: Shape, draw: Draw) -> torch.Tensor:
    """A thin curved layer (fascia, bone, wall), bool."""
    return _noise(shape, draw, 0.25, 0.5).abs() < draw.uniform(0.02, 0.12)


def lump(shape: Shape, centre: torch.Tensor, radius: float, softness: float, draw: Draw) -> torch.Tensor:
    """A lesion: soft, 0 .. 1, one half on its border; from a smooth ball to a lobed or spiky mass.

    centre (3,) and radius in voxels; softness: width of the border.
    """
    parts = []
    for n in range(1 + (draw.integer(3) if draw.chance(0.35) else 0)):
        size = radius if n == 0 else radius * draw.uniform(0.4, 0.9)
        at = centre if n == 0 else centre + draw.white((3,)) * radius * 0.6
        stretch = torch.exp(draw.white((3,)) * draw.uniform(0.05, 0.35))
        stretch = stretch / stretch.prod() ** (1 / 3)
        frame = rotation(draw.uniforms(3, -1.5, 1.5).tolist()) * stretch.view(3, 1)
        turned = torch.einsum("ab,bkji->akji", frame, offsets(shape, at))
        parts.append(turned.square().sum(0).sqrt() / size)
    distance = torch.stack(parts).amin(0)
    lobes = smooth_noise(shape, max(1.5, draw.uniform(0.6, 1.3) * radius), draw)[0]
    frills = smooth_noise(shape, max(1.2, draw.uniform(0.15, 0.45) * radius), draw)[0]
    spiky = draw.choice((draw.uniform(0, 0.06), draw.uniform(0.06, 0.2)))
    distance = distance * (1 + draw.uniform(0.0, 0.35) * lobes + spiky * frills).clamp(0.5, 2.5)
    return torch.sigmoid((1 - distance) * radius / max(0.25, softness) * 2)


def _noise(shape: Shape, draw: Draw, low: float, high: float) -> torch.Tensor:
    """Smooth noise whose features are `low` to `high` of the scene wide."""
    return smooth_noise(shape, max(2.0, draw.uniform(low, high) * max(shape)), draw)[0]
