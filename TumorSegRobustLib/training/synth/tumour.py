"""Shapes of generated tumours: where they are, not yet how bright."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .draw import Draw
from .fields import rotation, smooth_noise

LARGEST_REACH_MM = 42.0  # oedema beyond this would fill a hemisphere


@dataclass(frozen=True)
class Lesion:
    """One lesion on the patch grid; all tensors (k, j, i).

    `core` and `oedema` are soft (0..1, 0.5 on the boundary) and already limited to where a tumour can grow;
    `necrosis` lies inside the core. `whole` is the truth: core or oedema above one half.
    """

    core: torch.Tensor
    oedema: torch.Tensor
    necrosis: torch.Tensor

    @property
    def whole(self) -> torch.Tensor:
        return (self.core > 0.5) | (self.oedema > 0.5)


@dataclass(frozen=True)
class Seed:
    """Centre (3,) and radius in mm of a lesion to come."""

    centre_mm: torch.Tensor
    radius_mm: float


def draw_seeds(
    brain_mm: torch.Tensor, draw: Draw, radius_mm: tuple[float, float, float], small: float, multifocal: float
) -> list[Seed]:
    """One lesion, or with probability `multifocal` up to four; satellites tend to be near and smaller.

    `radius_mm`: smallest, middle, largest; with probability `small` a radius lies below the middle.
    """
    centre = brain_mm[draw.integer(len(brain_mm))]
    radius = draw.log_uniform(*(radius_mm[:2] if draw.chance(small) else radius_mm[1:]))
    seeds = [Seed(centre, radius)]
    if draw.chance(multifocal):
        for _ in range(1 + draw.integer(3)):
            other = brain_mm[draw.integer(len(brain_mm))]
            if draw.chance(0.6):
                near = centre + draw.normal(0, 1) * radius * 2 + draw.white((3,)) * radius
                other = brain_mm[(brain_mm - near).square().sum(1).argmin()]
            seeds.append(Seed(other, max(radius_mm[0], radius * draw.uniform(0.15, 0.8))))
    return seeds


def mass_effect(position_mm: torch.Tensor, seed: Seed, strength: float) -> torch.Tensor:
    """Positions (3, k, j, i) pulled towards the lesion, so that tissue looked up there seems pushed away."""
    offset = position_mm - seed.centre_mm.view(3, 1, 1, 1)
    squared = offset.square().sum(0) / (2 * seed.radius_mm) ** 2
    return position_mm - offset * (strength * torch.exp(-squared))


def grow(
    position_mm: torch.Tensor,
    seed: Seed,
    white: torch.Tensor,
    tissue: torch.Tensor,
    fluid: torch.Tensor,
    spacing_mm: float,
    draw: Draw,
) -> Lesion:
    """A lesion about `seed`: an irregular, elongated core, oedema that prefers white matter, perhaps
    necrosis.

    `position_mm` (3, k, j, i); `white`, `tissue`, `fluid` bool (k, j, i). CSF inside the tumour is replaced
    in half of them.
    """
    shape = position_mm.shape[1:]
    stretch = torch.exp(draw.white((3,)) * 0.22)
    frame = rotation(draw.uniforms(3, -1.5, 1.5).tolist()) * stretch.view(3, 1)
    offset = torch.einsum("ab,bkji->akji", frame, position_mm - seed.centre_mm.view(3, 1, 1, 1))
    distance = offset.square().sum(0).sqrt()
    r = seed.radius_mm
    coarse = smooth_noise(shape, max(2.0, draw.uniform(0.5, 1.2) * r / spacing_mm), draw)[0]
    fine = smooth_noise(shape, max(1.5, draw.uniform(0.15, 0.4) * r / spacing_mm), draw)[0]
    rough = (
        distance
        / r
        * (1 + draw.uniform(0.05, 0.3) * coarse + draw.uniform(0.0, 0.12) * fine).clamp(0.65, 2.5)
    )
    softness = draw.log_uniform(0.4, 3.0) if draw.chance(0.8) else draw.uniform(3.0, 6.0)  # mm
    ground = tissue | fluid if draw.chance(0.5) else tissue | (fluid & (rough < 0.6))
    core = torch.sigmoid((1 - rough) * r / softness * 2) * ground
    oedema = torch.zeros(shape)
    if draw.chance(0.6):
        reach = min(draw.uniform(1.15, 2.4), max(1.0, LARGEST_REACH_MM / r))
        tracts = smooth_noise(shape, max(2.0, draw.uniform(0.4, 1.0) * r * reach / spacing_mm), draw)[0]
        spread = distance / (r * reach) * (1 + draw.uniform(0.1, 0.4) * tracts).clamp(0.65, 2.5)
        spread = torch.where(white, spread, spread * draw.uniform(1.2, 2.0))
        soft = draw.log_uniform(0.6, 3.0)
        oedema = torch.maximum(torch.sigmoid((1 - spread) * r * reach / soft * 2) * ground, core)
    necrosis = torch.zeros(shape)
    if r > 6 and draw.chance(0.55):
        # cysts and dead tissue are often eccentric, up to the tumour's border
        shift = draw.white((3,)) * draw.uniform(0.0, 0.45) * r
        holes = smooth_noise(shape, max(2.0, draw.uniform(0.3, 1.0) * r / spacing_mm), draw)[0]
        inner = (offset - shift.view(3, 1, 1, 1)).square().sum(0).sqrt() / r
        inner = inner * (1 + draw.uniform(0.1, 0.45) * holes).clamp(0.5, 2.5)
        size = draw.uniform(0.25, 0.8)
        necrosis = torch.sigmoid((size - inner) * r / draw.log_uniform(0.4, 1.5) * 2) * core
    return Lesion(core, oedema, necrosis)
