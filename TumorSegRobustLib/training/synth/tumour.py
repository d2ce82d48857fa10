"""Shapes of generated tumours: where they are and what they are made of, not yet how bright."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from .anatomy import Anatomy
from .draw import Draw
from .fields import blur, rotation, smooth_noise

LARGEST_REACH_MM = 40.0  # oedema beyond this would fill a hemisphere

# What the clinic sees, and how often it is drawn. `infiltrating` is the low-grade glioma, `ring` the
# glioblastoma
# (enhancing rim about dead tissue, oedema), `nodule` the metastasis, `dural` the meningioma, `cyst` fluid
# with a
# wall and perhaps a nodule.
ARCHETYPES = {"infiltrating": 0.42, "ring": 0.25, "nodule": 0.12, "dural": 0.06, "cyst": 0.15}


@dataclass(frozen=True)
class Seed:
    """Centre (3,) and radius in mm of a lesion to come, and its archetype."""

    centre_mm: torch.Tensor
    radius_mm: float
    kind: str = "infiltrating"


@dataclass(frozen=True)
class Lesion:
    """One lesion inside `box`, a part of the patch; all tensors (k, j, i) of that part, soft: 0..1, 0.5 on
    the border.

    `oedema` includes `core`, `core` includes `necrosis` and `enhancing`. Whole tumour: oedema above one half;
    tumour core: the enhancing part and what it encloses, empty in a lesion that does not enhance.
    mottled: what `necrosis` marks is living tumour about as bright as brain in FLAIR, inside a brighter rim
    (the mismatch of T2 and FLAIR of many large low-grade gliomas).
    """

    kind: str
    box: tuple[slice, slice, slice]
    core: torch.Tensor
    oedema: torch.Tensor
    necrosis: torch.Tensor
    enhancing: torch.Tensor
    mottled: bool = False

    def whole(self, shape: Sequence[int]) -> torch.Tensor:
        """As a reader draws it: gaps and frills of a voxel or so are smoothed over."""
        smooth = blur(self.oedema, (0.8,) * 3) if min(self.oedema.shape) > 12 else self.oedema
        return self._on(shape, smooth > 0.5)

    def tumour_core(self, shape: Sequence[int]) -> torch.Tensor:
        if not bool((self.enhancing > 0.5).any()):
            return torch.zeros(tuple(shape), dtype=torch.bool)
        return self._on(shape, self.core > 0.5)

    def _on(self, shape: Sequence[int], part: torch.Tensor) -> torch.Tensor:
        mask = torch.zeros(tuple(shape), dtype=torch.bool)
        mask[self.box] = part
        return mask


def draw_seeds(
    anatomy: Anatomy,
    draw: Draw,
    radius_mm: tuple[float, float, float],
    small: float,
    multifocal: float,
    kinds: Mapping[str, float] = ARCHETYPES,
) -> list[Seed]:
    """One lesion, or with probability `multifocal` up to five; satellites tend to be near and smaller.

    `radius_mm`: smallest, middle, largest; with probability `small` a radius lies below the middle.
    """
    kind = draw.choice(list(kinds), list(kinds.values()))
    ground = anatomy.surface_mm if kind == "dural" else anatomy.brain_mm
    centre = ground[draw.integer(len(ground))]
    is_small = draw.chance(0.7 if kind == "nodule" else small)
    radius = draw.log_uniform(*radius_mm[:2]) if is_small else draw.uniform(*radius_mm[1:])
    if kind in ("nodule", "dural"):
        radius = min(radius, 24.0)
    seeds = [Seed(centre, radius, kind)]
    if draw.chance(0.5 if kind == "nodule" else multifocal):
        for _ in range(1 + draw.integer(4)):
            other = anatomy.brain_mm[draw.integer(len(anatomy.brain_mm))]
            if draw.chance(0.6):
                beside = centre + draw.normal(0, 1) * radius * 2 + draw.white((3,)) * radius
                other = anatomy.brain_mm[(anatomy.brain_mm - beside).square().sum(1).argmin()]
            satellite = "nodule" if kind == "dural" else kind
            seeds.append(Seed(other, max(radius_mm[0], radius * draw.uniform(0.15, 0.8)), satellite))
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
) -> Lesion | None:
    """The lesion of a seed, or None when it lies outside the patch.

    `position_mm` (3, k, j, i); `white`, `tissue`, `fluid` bool (k, j, i). CSF inside is replaced in half of
    them.
    """
    r, kind = seed.radius_mm, seed.kind
    has_oedema = draw.chance(
        {"infiltrating": 0.38, "ring": 0.8, "nodule": 0.5, "dural": 0.4, "cyst": 0.35}[kind]
    )
    reach = 1.0
    if has_oedema:
        widest = 3.5 if kind == "nodule" else 2.3
        reach = min(draw.uniform(1.15, widest), max(1.05, LARGEST_REACH_MM / r))
    box = _box(position_mm, seed, 1.9 * r * reach + 4.0)
    if box is None:
        return None
    position, white, tissue, fluid = position_mm[(slice(None), *box)], white[box], tissue[box], fluid[box]
    shape = position.shape[1:]
    stretch = torch.exp(draw.white((3,)) * (0.1 if kind in ("nodule", "dural") else 0.22))
    frame = rotation(draw.uniforms(3, -1.5, 1.5).tolist()) * stretch.view(3, 1)
    offset = torch.einsum("ab,bkji->akji", frame, position - seed.centre_mm.view(3, 1, 1, 1))
    distance = offset.square().sum(0).sqrt()

    def wrinkles(low: float, high: float) -> torch.Tensor:
        return smooth_noise(shape, max(1.5, draw.uniform(low, high) * r / spacing_mm), draw)[0]

    round_ = kind in ("nodule", "dural")
    lumps = draw.uniform(0.03, 0.12) if round_ else draw.uniform(0.08, 0.3)
    rough = (
        distance
        / r
        * (1 + lumps * wrinkles(0.5, 1.2) + draw.uniform(0.0, 0.12) * wrinkles(0.15, 0.4)).clamp(0.6, 2.5)
    )
    softness = draw.log_uniform(0.4, 2.0) if round_ or draw.chance(0.75) else draw.uniform(2.0, 6.0)  # mm
    # readers draw across the sulci inside a tumour; a large one presses them shut
    swallows = kind == "dural" or draw.chance(0.85 if r > 18 else 0.6)
    ground = tissue | fluid if swallows else tissue | (fluid & (rough < 0.7))
    core = torch.sigmoid((1 - rough) * r / softness * 2) * ground
    oedema = core
    if has_oedema:
        spread = distance / (r * reach) * (1 + draw.uniform(0.1, 0.45) * wrinkles(0.4, 1.0)).clamp(0.6, 2.5)
        spread = torch.where(white, spread, spread * draw.uniform(1.2, 2.2))  # oedema follows white matter
        soft = draw.log_uniform(0.6, 4.0)
        oedema = torch.maximum(torch.sigmoid((1 - spread) * r * reach / soft * 2) * ground, core)
    necrosis = torch.zeros(shape)
    hollow = {"infiltrating": 0.35, "ring": 0.85, "nodule": 0.3, "dural": 0.05, "cyst": 1.0}[kind]
    if r > 4 and draw.chance(hollow):
        # cysts and dead tissue are often eccentric, up to the tumour's border
        eccentric = 0.15 if kind in ("ring", "cyst") else 0.45
        shift = draw.white((3,)) * draw.uniform(0.0, eccentric) * r
        inner = (offset - shift.view(3, 1, 1, 1)).square().sum(0).sqrt() / r
        inner = inner * (1 + draw.uniform(0.05, 0.4) * wrinkles(0.3, 1.0)).clamp(0.5, 2.5)
        size = draw.uniform(0.6, 0.97) if kind == "cyst" else draw.uniform(0.25, 0.85)
        necrosis = torch.sigmoid((size - inner) * r / draw.log_uniform(0.4, 1.5) * 2) * core
    mottled = kind == "infiltrating" and r > 8 and draw.chance(0.65 if r > 18 else 0.4)
    if mottled:
        deep = torch.sigmoid((draw.uniform(0.7, 1.0) - rough) * r)
        islands = torch.sigmoid((wrinkles(0.25, 0.9) - draw.uniform(-1.5, 0.6)) * 4)
        necrosis = deep * islands * core
    return Lesion(
        kind, box, core, oedema, necrosis, _enhancing(kind, core, necrosis, wrinkles, draw), mottled
    )


def _enhancing(
    kind: str,
    core: torch.Tensor,
    necrosis: torch.Tensor,
    wrinkles: Callable[[float, float], torch.Tensor],
    draw: Draw,
) -> torch.Tensor:
    """Where a contrast agent would shine: the living part of the core, at times only patches of it."""
    share = {"infiltrating": 0.12, "ring": 0.97, "nodule": 0.97, "dural": 0.97, "cyst": 0.5}[kind]
    if not draw.chance(share):
        return torch.zeros_like(core)
    alive = core * (1 - necrosis)
    if draw.chance({"infiltrating": 0.9, "ring": 0.35, "nodule": 0.1, "dural": 0.1, "cyst": 0.5}[kind]):
        alive = alive * torch.sigmoid((wrinkles(0.3, 0.8) - draw.uniform(-0.8, 0.5)) * 4)
    return alive


def _box(position_mm: torch.Tensor, seed: Seed, reach_mm: float) -> tuple[slice, slice, slice] | None:
    """The part of the patch within `reach_mm` of the seed, found on every fourth voxel."""
    coarse = position_mm[:, ::4, ::4, ::4] - seed.centre_mm.view(3, 1, 1, 1)
    inside = coarse.square().sum(0) <= (reach_mm + 10.0) ** 2
    if not bool(inside.any()):
        return None
    sides = []
    for axis, n in enumerate(position_mm.shape[1:]):
        other = tuple(a for a in range(3) if a != axis)
        hit = torch.nonzero(inside.amax(other)).flatten()
        sides.append(slice(max(0, int(hit[0]) * 4 - 4), min(n, int(hit[-1]) * 4 + 5)))
    return sides[0], sides[1], sides[2]
