"""From a label map to a training pair: image and truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from TumorSegRobustLib.models.preprocess import find_foreground, normalise

from .acquisition import acquire
from .anatomy import INDEX, IS_BRAIN, IS_FLUID, IS_STRIPPED, IS_TISSUE, IS_VENTRICLE, IS_WHITE, SOFT, Anatomy
from .contrast import Contrast, draw_contrast
from .distractors import paint_distractors
from .draw import Draw
from .fields import blur, lookup, rotation, sampling_grid, smooth_noise
from .tumour import Lesion, draw_seeds, grow, mass_effect


@dataclass(frozen=True)
class SynthConfig:
    """Parameters of the generator; probabilities unless a unit is named."""

    patch: tuple[int, int, int] = (80, 80, 80)
    spacing_mm: float = 2.0
    kinds: Mapping[str, float] = field(
        default_factory=lambda: {"flair": 0.72, "t2": 0.1, "t1": 0.03, "random": 0.15}
    )
    tumour: float = 0.92
    radius_mm: tuple[float, float, float] = (2.5, 10.0, 33.0)
    small: float = 0.3
    multifocal: float = 0.15
    stripped: float = 0.3
    centred: float = 0.75
    short_field: float = 0.3


@dataclass(frozen=True)
class Sample:
    """`image` (1, k, j, i) float32, normalised as in inference; `truth` (2, k, j, i) uint8: whole tumour,
    brain.

    `raw` is the image before normalisation, about 0..1.3.
    """

    image: torch.Tensor
    truth: torch.Tensor
    raw: torch.Tensor
    kind: str


class HeadGenerator:
    """Draws samples; the same seed gives the same sample on the same machine type."""

    def __init__(self, anatomies: Sequence[Anatomy], config: SynthConfig) -> None:
        self.anatomies = anatomies
        self.config = config

    def sample(self, seed: int) -> Sample:
        """One head, or part of one, in the patch of the configuration."""
        draw = Draw(seed)
        c = self.config
        anatomy = self.anatomies[draw.integer(len(self.anatomies))]
        seeds = (
            draw_seeds(anatomy.brain_mm, draw, c.radius_mm, c.small, c.multifocal)
            if draw.chance(c.tumour)
            else []
        )
        focus = seeds[0].centre_mm if seeds and draw.chance(c.centred) else _any(anatomy.brain_mm, draw)
        extent = torch.tensor(c.patch, dtype=torch.float32) * c.spacing_mm
        middle = anatomy.brain_mm.mean(0)
        focus = focus + (middle - focus) * draw.uniform(
            0.0, 0.8
        )  # inference sees whole heads, not corners of them
        centre = focus + draw.uniforms(3, -0.2, 0.2) * extent
        matrix = rotation(draw.uniforms(3, -0.3, 0.3).tolist()) @ torch.diag(draw.uniforms(3, 0.85, 1.15))
        position = sampling_grid(c.patch, (c.spacing_mm,) * 3, centre, matrix)
        position = position + smooth_noise(c.patch, 30 / c.spacing_mm, draw, 3) * draw.uniform(0, 3.0)
        looked_up = position
        for seed_ in seeds:
            if draw.chance(0.7):
                looked_up = mass_effect(looked_up, seed_, draw.uniform(0, 0.6))
        classes = lookup(anatomy.classes, looked_up).long()
        image, lesions, contrast = self.paint(classes, position, seeds, draw)
        brain = IS_BRAIN[classes]
        whole = torch.zeros(c.patch, dtype=torch.bool)
        for lesion in lesions:
            whole |= lesion.whole
        brain |= whole
        raw = acquire(image, c.spacing_mm, draw, self._strip(classes, whole, draw))
        raw, whole, brain = self._shorten(raw, whole, brain, draw)
        flips = [axis for axis, p in ((2, 0.5), (1, 0.15), (0, 0.1)) if draw.chance(p)]
        raw, whole, brain = (torch.flip(v, flips) for v in (raw, whole, brain))
        truth = torch.stack([whole, brain]).to(torch.uint8)
        return Sample(_normalised(raw)[None], truth, raw, contrast.kind)

    def paint(
        self, classes: torch.Tensor, position: torch.Tensor, seeds: list, draw: Draw
    ) -> tuple[torch.Tensor, list[Lesion], Contrast]:
        """The head before any scanner saw it (k, j, i, about 0..1.5), its lesions, and the contrast drawn."""
        c = self.config
        contrast = draw_contrast(draw, dict(c.kinds))
        shape = classes.shape
        tissue, white, fluid = IS_TISSUE[classes], IS_WHITE[classes], IS_FLUID[classes]
        image = contrast.mean[classes]
        image = _fat(image, classes, contrast, c.spacing_mm, draw)
        scales = draw.uniforms(2, 1.0, 8.0) / c.spacing_mm
        image = image + draw.uniform(0.005, 0.04) * smooth_noise(shape, float(scales[0]), draw)[0]
        image = image + draw.uniform(0.0, 0.03) * smooth_noise(shape, float(scales[1]) * 4, draw)[0] * (
            classes > 0
        )
        image = blur(image, (draw.uniform(0.35, 0.6),) * 3)  # partial volume, which a nearest look-up lacks
        image = paint_distractors(
            image, tissue, white, fluid, IS_VENTRICLE[classes], contrast, c.spacing_mm, draw
        )
        lesions = []
        for seed in seeds:
            lesion = grow(position, seed, white, tissue, fluid, c.spacing_mm, draw)
            image = _paint_lesion(image, lesion, contrast, c.spacing_mm, draw)
            lesions.append(lesion)
        return image.clamp(min=0), lesions, contrast

    def _strip(self, classes: torch.Tensor, whole: torch.Tensor, draw: Draw) -> torch.Tensor | None:
        if not draw.chance(self.config.stripped):
            return None
        kept = (IS_STRIPPED[classes] | whole).float()
        if draw.chance(0.5):  # a tool's edge is smooth, and at times too tight or too loose
            kept = (blur(kept, (draw.uniform(0.7, 2.0),) * 3) > draw.uniform(0.25, 0.75)).float()
        return kept

    def _shorten(self, raw: torch.Tensor, whole: torch.Tensor, brain: torch.Tensor, draw: Draw) -> tuple:
        """Cut the field of view along the body axis: the rest is padding, as at the ends of a real scan."""
        if not draw.chance(self.config.short_field):
            return raw, whole, brain
        n = raw.shape[0]
        cut = draw.integer(n // 3)
        start, stop = (cut, n) if draw.chance(0.6) else (0, n - cut)
        inside = torch.zeros(n, dtype=torch.bool)
        inside[start:stop] = True
        keep = inside.view(-1, 1, 1)
        return torch.where(keep, raw, raw.min()), whole & keep, brain & keep


def _any(brain_mm: torch.Tensor, draw: Draw) -> torch.Tensor:
    return brain_mm[draw.integer(len(brain_mm))]


def _fat(
    image: torch.Tensor, classes: torch.Tensor, contrast: Contrast, spacing_mm: float, draw: Draw
) -> torch.Tensor:
    """Split the one soft-tissue class into fat (the scalp, and patches of the face and neck) and muscle."""
    if contrast.kind == "random" and draw.chance(0.5):
        return image
    soft = classes == INDEX[SOFT]
    near_brain = blur(IS_STRIPPED[classes].float(), (10 / spacing_mm,) * 3) > 0.08
    patches = smooth_noise(classes.shape, draw.uniform(8, 20) / spacing_mm, draw)[0] > draw.uniform(-0.3, 1.0)
    return torch.where(soft & (near_brain | patches), contrast.fat, image)


def _paint_lesion(
    image: torch.Tensor, lesion: Lesion, contrast: Contrast, spacing_mm: float, draw: Draw
) -> torch.Tensor:
    """Blend oedema, core and necrosis in, each with its own brightness and texture."""
    sign = contrast.sign
    edge = contrast.bright if sign > 0 else contrast.dark
    strength = draw.choice((draw.uniform(0.04, 0.15), draw.uniform(0.12, 0.6)), (0.3, 0.7))
    oedema_level = edge + sign * strength
    has_oedema = bool((lesion.oedema > 0.5).any())
    core_level = oedema_level + draw.normal(0, 0.12) if has_oedema else edge + sign * strength
    if contrast.kind in ("t1", "random") and draw.chance(0.5):
        core_level = contrast.bright + draw.uniform(0.15, 0.6)  # enhancement
    cyst_like = draw.chance(0.6)
    cyst = contrast.fluid + draw.normal(0, 0.08) if cyst_like else oedema_level + draw.normal(0, 0.2)
    for alpha, level in ((lesion.oedema, oedema_level), (lesion.core, core_level), (lesion.necrosis, cyst)):
        # a good part of low-grade tumours is patchy, in places as dark as brain
        patchy = draw.choice((draw.uniform(0.01, 0.1), draw.uniform(0.1, 0.3)), (0.6, 0.4))
        texture = smooth_noise(image.shape, draw.uniform(3, 20) / spacing_mm, draw)[0] * patchy
        image = image * (1 - alpha) + alpha * (level + texture)
    return image


def _normalised(raw: torch.Tensor) -> torch.Tensor:
    array = raw.numpy()
    foreground, stripped = find_foreground(array)
    if stripped:
        array = np.where(foreground, array, array[foreground].min())
    return torch.from_numpy(normalise(array, foreground))
