"""From classes and lesions to one channel of an image, before any scanner saw it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from .anatomy import INDEX, SOFT
from .contrast import Contrast
from .draw import Draw
from .fields import blur, smooth_noise
from .tumour import Lesion


@dataclass(frozen=True)
class Scene:
    """What every channel of one head shares; bool (k, j, i) unless said otherwise.

    `classes`: compact classes, int. `around`: soft nearness of the brain, 0..1. `brain`: with ventricles,
    without outer CSF.
    """

    classes: torch.Tensor
    tissue: torch.Tensor
    white: torch.Tensor
    fluid: torch.Tensor
    ventricles: torch.Tensor
    brain: torch.Tensor
    around: torch.Tensor
    spacing_mm: float
    patterns: Mapping[str, torch.Tensor]

    @property
    def shape(self) -> Sequence[int]:
        return self.classes.shape


def paint_head(scene: Scene, contrast: Contrast, draw: Draw) -> torch.Tensor:
    """The healthy head in one contrast: (k, j, i), about 0..1.5, brain at about half; borders still sharp."""
    image = _fat(contrast.mean[scene.classes], scene, contrast, draw)
    # healthy brain differs by region, a little at random and more the same way on both sides: deep white
    # matter of the parietal lobes, tracts, the cerebellum
    for part, largest in ((scene.white, 0.05), (scene.tissue & ~scene.white, 0.04)):
        region = smooth_noise(scene.shape, draw.uniform(15, 60) / scene.spacing_mm, draw)[0]
        image = image * (1 + draw.uniform(0.0, largest) * region.clamp(-1.5, 1.5) * part)
    mirrored = scene.patterns.get("mirrored")
    if mirrored is not None:
        part = scene.white if draw.chance(0.6) else scene.tissue
        image = image * (1 + draw.uniform(0.0, 0.15) * mirrored.clamp(-1.5, 1.5) * part)
    return image


def finish(image: torch.Tensor, scene: Scene, draw: Draw) -> torch.Tensor:
    """The texture of tissue and the partial volume of borders, over head and tumour alike.

    Were the tumour painted over the head's texture, it could be told by its smoothness, which no scanner
    shows.
    """
    fine, coarse = (float(s) / scene.spacing_mm for s in draw.uniforms(2, 1.0, 8.0))
    image = image + draw.log_uniform(0.003, 0.025) * smooth_noise(scene.shape, fine, draw)[0]
    wide = smooth_noise(scene.shape, coarse * 4, draw)[0]
    image = image + draw.uniform(0.0, 0.015) * wide * (scene.classes > 0)
    return blur(image, (draw.uniform(0.35, 0.7),) * 3)


def paint_lesion(
    image: torch.Tensor, lesion: Lesion, contrast: Contrast, spacing_mm: float, draw: Draw
) -> None:
    """Blend oedema, core, enhancing part and necrosis into `image`, in place, each with its own brightness
    and texture.
    """
    part = image[lesion.box]
    for alpha, level, texture in _layers(lesion, contrast, draw):
        grain = smooth_noise(part.shape, draw.uniform(2.0, 20.0) / spacing_mm, draw)[0] * texture
        part = part * (1 - alpha) + alpha * (level + grain)
    image[lesion.box] = part


def _layers(lesion: Lesion, contrast: Contrast, draw: Draw) -> list[tuple[torch.Tensor, float, float]]:
    """(opacity, brightness, texture) of each compartment, from the outside in."""
    oedema, core, necrosis = _levels(lesion, contrast, draw)
    # infiltrated brain keeps some of its own structure
    sparing = draw.uniform(0.55, 1.0) if draw.chance(0.4) else 1.0
    layers = []
    for alpha, level in ((lesion.oedema * sparing, oedema), (lesion.core, core)):
        # a good part of low-grade tumours is patchy, in places as dark as brain
        patchy = draw.choice((draw.uniform(0.01, 0.06), draw.uniform(0.05, 0.22)), (0.6, 0.4))
        layers.append((alpha, level, patchy * max(level, contrast.bright)))
    if contrast.enhancing and bool((lesion.enhancing > 0.3).any()):
        shine = contrast.bright * draw.uniform(1.2, 2.6)
        layers.append((lesion.enhancing, shine, draw.uniform(0.02, 0.2) * shine))
    grain = draw.uniform(0.02, 0.2) if lesion.mottled else draw.uniform(0.0, 0.12)
    layers.append((lesion.necrosis, necrosis, grain * contrast.bright))
    return layers


def _levels(lesion: Lesion, contrast: Contrast, draw: Draw) -> tuple[float, float, float]:
    bright, dark, fluid = contrast.bright, contrast.dark, contrast.fluid
    if contrast.sign > 0:  # FLAIR and its neighbours
        # the faint tumour is the hard one: half of them are at most 35 % brighter than grey matter
        faint = 0.6 if lesion.kind == "infiltrating" else 0.35
        oedema = bright * (draw.uniform(1.1, 1.35) if draw.chance(faint) else draw.uniform(1.2, 2.3))
        core = oedema + draw.normal(0, 0.12 * bright)
        if lesion.kind == "infiltrating" and draw.chance(0.1):
            # a tumour well seen, in a halo of infiltrated white matter a little brighter than the rest; not
            # less and not often, or the network learns to draw halos that no reader sees about every tumour
            oedema, core = bright * draw.uniform(1.2, 1.35), bright * draw.uniform(1.35, 1.9)
        if lesion.kind in ("ring", "nodule", "dural") and draw.chance(0.6):
            core = bright * draw.uniform(0.85, 1.4)  # solid tumour is often as bright as brain
        if oedema < 1.2 * bright < core - 0.1 * bright:  # the same about any brighter core
            oedema = bright * draw.uniform(1.2, 1.35)
        clear = draw.chance(0.75 if lesion.kind == "cyst" else 0.6)
        necrosis = max(0.0, fluid + draw.normal(0, 0.06)) if clear else oedema + draw.normal(0, 0.25 * bright)
        if lesion.mottled:
            necrosis = bright * draw.uniform(0.65, 1.1)
    else:  # T1 and its neighbours
        oedema = dark * draw.uniform(0.65, 1.0)
        core = dark * (draw.uniform(0.6, 1.0) if draw.chance(0.8) else draw.uniform(0.95, 1.25))
        necrosis = fluid + (dark - fluid) * draw.uniform(0.0, 0.6)
        if lesion.mottled:
            necrosis = dark * draw.uniform(0.45, 0.9)
        elif draw.chance(0.06):  # old blood and protein are bright
            necrosis = bright * draw.uniform(1.0, 1.6)
    if contrast.kind == "random":
        step = draw.uniform(0.05, 0.5)
        oedema = max(0.0, (bright if contrast.sign > 0 else dark) + contrast.sign * step)
        core = max(0.0, oedema + draw.normal(0, 0.15))
    return oedema, max(0.0, core), max(0.0, necrosis)


def _fat(image: torch.Tensor, scene: Scene, contrast: Contrast, draw: Draw) -> torch.Tensor:
    """Split the one soft-tissue class into fat (the scalp, and patches of the face and neck) and muscle."""
    if contrast.kind == "random" and draw.chance(0.5):
        return image
    soft = scene.classes == INDEX[SOFT]
    patches = scene.patterns["fat"] > draw.uniform(-0.3, 1.0)
    return torch.where(soft & ((scene.around > 0.08) | patches), contrast.fat, image)
