"""Bright and dark things that are not tumour. A network that never met them contours them in the clinic."""

from __future__ import annotations

import torch

from .anatomy import INDEX, OTHER_HEAD
from .contrast import Contrast
from .draw import Draw
from .fields import blur, near, smooth_noise
from .painting import Scene


def paint_distractors(image: torch.Tensor, scene: Scene, contrast: Contrast, draw: Draw) -> torch.Tensor:
    """`image` (k, j, i) with what shines or is dark in its contrast without being a tumour."""
    if contrast.sign > 0 or contrast.kind == "random":
        image = _white_matter_disease(image, scene, contrast, draw)
        image = _pulsation(image, scene, contrast, draw)
        image = _cortex(image, scene, contrast, draw)
        image = _skull_base(image, scene, contrast, draw)
    if contrast.enhancing:
        image = _dura(image, scene, contrast, draw)
        image = _mucosa(image, scene, contrast, draw)
    image = _plexus(image, scene, contrast, draw)
    image = _vessels(image, scene, contrast, draw)
    image = _old_blood(image, scene, draw)
    return _cavity(image, scene, contrast, draw)


def _noise(scene: Scene, low_mm: float, high_mm: float, draw: Draw) -> torch.Tensor:
    return smooth_noise(scene.shape, draw.uniform(low_mm, high_mm) / scene.spacing_mm, draw)[0]


def _white_matter_disease(image: torch.Tensor, scene: Scene, contrast: Contrast, draw: Draw) -> torch.Tensor:
    level = contrast.bright * draw.uniform(1.08, 1.7)
    if draw.chance(0.55) and bool(scene.ventricles.any()):
        caps = near(scene.ventricles, draw.uniform(2.0, 7.0) / scene.spacing_mm) > 0.12
        mirrored = scene.patterns.get("mirrored")
        where = _noise(scene, 3, 10, draw) if mirrored is None or draw.chance(0.4) else mirrored
        caps &= scene.white & (where > draw.uniform(-0.5, 1.2))
        image = _blend(image, caps, level, draw.uniform(0.5, 1.2), draw.uniform(0.4, 1.0))
    if draw.chance(0.4):
        spots = (_noise(scene, 3, 8, draw) > draw.uniform(2.2, 3.2)) & scene.tissue
        image = _blend(image, spots, level, 0.5, draw.uniform(0.5, 1.0))
    return image


def _pulsation(image: torch.Tensor, scene: Scene, contrast: Contrast, draw: Draw) -> torch.Tensor:
    """CSF that flows into the slice escapes its suppression."""
    if not draw.chance(0.35):
        return image
    bright = scene.fluid & (_noise(scene, 6, 20, draw) > draw.uniform(0.8, 1.6))
    level = draw.uniform(0.3, 1.3) * contrast.bright
    return _blend(image, bright, level, 0.6, draw.uniform(0.3, 1.0))


def _cortex(image: torch.Tensor, scene: Scene, contrast: Contrast, draw: Draw) -> torch.Tensor:
    """Cingulate, insula and hippocampus are a little brighter than other cortex."""
    if not draw.chance(0.4):
        return image
    grey = scene.tissue & ~scene.white
    patch = grey & (_noise(scene, 20, 50, draw) > draw.uniform(0.0, 1.0))
    return _blend(image, patch, contrast.grey * draw.uniform(1.03, 1.18), 0.5, 1.0)


def _skull_base(image: torch.Tensor, scene: Scene, contrast: Contrast, draw: Draw) -> torch.Tensor:
    """Susceptibility beside air: bright and dark bands in the lower frontal and temporal lobes."""
    if not draw.chance(0.3):
        return image
    k = image.shape[0]
    lower = torch.linspace(1, -1, k).view(-1, 1, 1) * draw.choice((1.0, 1.0, 1.0, -1.0)) > draw.uniform(
        -0.2, 0.6
    )
    edge = scene.brain & (near(~scene.brain, 5.0 / scene.spacing_mm) > 0.2) & lower
    edge &= _noise(scene, 10, 30, draw) > draw.uniform(0.5, 1.3)
    return _blend(image, edge, contrast.bright * draw.uniform(1.1, 1.8), 0.8, draw.uniform(0.3, 0.9))


def _dura(image: torch.Tensor, scene: Scene, contrast: Contrast, draw: Draw) -> torch.Tensor:
    if not draw.chance(0.6):
        return image
    edge = ~scene.brain & (near(scene.brain, 3.0 / scene.spacing_mm) > draw.uniform(0.15, 0.35))
    edge &= _noise(scene, 15, 40, draw) > draw.uniform(-0.8, 1.0)
    return _blend(image, edge, contrast.bright * draw.uniform(1.0, 1.8), 0.4, draw.uniform(0.3, 0.9))


def _mucosa(image: torch.Tensor, scene: Scene, contrast: Contrast, draw: Draw) -> torch.Tensor:
    if not draw.chance(0.4):
        return image
    label = INDEX[draw.choice(OTHER_HEAD)]
    return _blend(image, scene.classes == label, contrast.bright * draw.uniform(0.9, 1.9), 0.4, 1.0)


def _plexus(image: torch.Tensor, scene: Scene, contrast: Contrast, draw: Draw) -> torch.Tensor:
    if not (draw.chance(0.5 if contrast.enhancing else 0.25) and bool(scene.ventricles.any())):
        return image
    plexus = scene.ventricles & (scene.patterns["plexus"] > draw.uniform(1.0, 1.8))
    shine = draw.uniform(1.2, 2.2) if contrast.enhancing else draw.uniform(0.95, 1.5)
    return _blend(image, plexus, contrast.bright * shine, 0.4, 1.0)


def _vessels(image: torch.Tensor, scene: Scene, contrast: Contrast, draw: Draw) -> torch.Tensor:
    if not draw.chance(0.6 if contrast.enhancing else 0.25):
        return image
    a, b = _noise(scene, 8, 25, draw), _noise(scene, 8, 25, draw)
    width = draw.uniform(0.03, 0.08)
    tubes = (a.abs() < width) & (b.abs() < width * 2) & (scene.tissue | scene.fluid)
    dark = not contrast.enhancing and draw.chance(0.5)
    level = draw.uniform(0.0, 0.2) if dark else contrast.bright * draw.uniform(1.2, 2.2)
    return _blend(image, tubes, level, 0.4, draw.uniform(0.5, 1.0))


def _old_blood(image: torch.Tensor, scene: Scene, draw: Draw) -> torch.Tensor:
    """Iron and calcium are black specks."""
    if not draw.chance(0.1):
        return image
    specks = (_noise(scene, 4, 9, draw) > draw.uniform(2.4, 3.2)) & scene.tissue
    return _blend(image, specks, draw.uniform(0.0, 0.15), 0.5, draw.uniform(0.6, 1.0))


def _cavity(image: torch.Tensor, scene: Scene, contrast: Contrast, draw: Draw) -> torch.Tensor:
    """A resection cavity: fluid that reaches the brain's surface, with a thin scar; no mass effect."""
    cavity = scene.patterns.get("cavity")
    if cavity is None:
        return image
    scar = near(cavity, 3.0 / scene.spacing_mm) > 0.15
    image = _blend(image, scar & scene.tissue, contrast.bright * draw.uniform(0.95, 1.25), 0.5, 0.8)
    return _blend(image, cavity, max(0.0, contrast.fluid + draw.normal(0, 0.03)), 0.4, 1.0)


def _blend(
    image: torch.Tensor, mask: torch.Tensor, level: float, softness: float, opacity: float
) -> torch.Tensor:
    if not bool(mask.any()):
        return image
    alpha = (blur(mask.float(), (softness,) * 3) * opacity).clamp(0, 1)
    return image + alpha * (level - image)
