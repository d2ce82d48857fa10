"""Bright things that are not tumour. A network that never met them contours them in the clinic."""

from __future__ import annotations

import torch

from .contrast import Contrast
from .draw import Draw
from .fields import blur, dilate, smooth_noise


def paint_distractors(
    image: torch.Tensor,
    tissue: torch.Tensor,
    white: torch.Tensor,
    fluid: torch.Tensor,
    ventricles: torch.Tensor,
    contrast: Contrast,
    spacing_mm: float,
    draw: Draw,
) -> torch.Tensor:
    """`image` with periventricular caps, white-matter hyperintensities, vessels, choroid plexus and CSF
    pulsation.

    All volumes (k, j, i), masks bool; only contrasts in which these things shine (FLAIR, T2, random) get
    them.
    """
    if contrast.kind == "t1":
        return image
    shape = image.shape
    level = contrast.bright + draw.uniform(0.04, 0.35)
    if draw.chance(0.6) and bool(ventricles.any()):
        reach = max(1, round(draw.uniform(2.0, 7.0) / spacing_mm))
        texture = smooth_noise(shape, draw.uniform(3, 10) / spacing_mm, draw)[0]
        caps = dilate(ventricles, reach) & white & (texture > draw.uniform(-0.5, 1.2))
        image = _blend(image, caps, level, draw.uniform(0.5, 1.2), draw.uniform(0.4, 1.0))
    if draw.chance(0.45):
        texture = smooth_noise(shape, draw.uniform(3.0, 8.0) / spacing_mm, draw)[0]
        spots = (texture > draw.uniform(2.2, 3.2)) & tissue
        image = _blend(image, spots, level, 0.5, draw.uniform(0.5, 1.0))
    if draw.chance(0.25) and bool(ventricles.any()):
        texture = smooth_noise(shape, draw.uniform(3, 6) / spacing_mm, draw)[0]
        plexus = ventricles & (texture > draw.uniform(1.0, 1.8))
        image = _blend(image, plexus, contrast.bright + draw.uniform(0.0, 0.4), 0.4, 1.0)
    if draw.chance(0.35):
        texture = smooth_noise(shape, draw.uniform(6, 20) / spacing_mm, draw)[0]
        pulsation = fluid & (texture > draw.uniform(0.8, 1.6))
        image = _blend(image, pulsation, draw.uniform(0.3, 1.1) * level, 0.6, draw.uniform(0.3, 1.0))
    if draw.chance(0.3):
        a = smooth_noise(shape, draw.uniform(8, 25) / spacing_mm, draw)[0]
        b = smooth_noise(shape, draw.uniform(8, 25) / spacing_mm, draw)[0]
        width = draw.uniform(0.03, 0.08)
        vessels = (a.abs() < width) & (b.abs() < width * 2) & (tissue | fluid)
        value = draw.choice((draw.uniform(0.0, 0.2), level + draw.uniform(0.0, 0.5)))
        image = _blend(image, vessels, value, 0.4, draw.uniform(0.5, 1.0))
    return image


def _blend(
    image: torch.Tensor, mask: torch.Tensor, level: float, softness: float, opacity: float
) -> torch.Tensor:
    alpha = (blur(mask.float(), (softness,) * 3) * opacity).clamp(0, 1)
    return image * (1 - alpha) + alpha * level
