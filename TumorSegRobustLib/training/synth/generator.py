"""From a label map to a training pair: image and truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from TumorSegRobustLib.models.preprocess import find_foreground, normalise

from .acquisition import acquire
from .anatomy import IS_BRAIN, IS_FLUID, IS_GREY, IS_STRIPPED, IS_TISSUE, IS_VENTRICLE, IS_WHITE, Anatomy
from .contrast import Contrast, draw_contrast
from .distractors import paint_distractors
from .draw import Draw
from .fields import blur, lookup, mirrored_noise, near, rotation, sampling_grid, smooth_noise
from .painting import Scene, finish, paint_head, paint_lesion
from .tumour import ARCHETYPES, Lesion, Seed, draw_seeds, grow, mass_effect

CHANNELS = ("flair", "t1c")
OUTPUTS = ("whole tumour", "tumour core", "brain", "white matter", "grey matter", "fluid")
UNKNOWN = 255  # truth the loss ignores


@dataclass(frozen=True)
class SynthConfig:
    """Parameters of the generator; probabilities unless a unit is named.

    `channels`, `outputs`: what a sample holds, in order. `kinds`: contrast of the first channel, `kinds_t1c`
    of the second. `present`: how often the head was scanned as (flair only, t1c only, both), if there are two
    channels.
    """

    patch: tuple[int, int, int] = (80, 80, 80)
    spacing_mm: float = 2.0
    kinds: Mapping[str, float] = field(
        default_factory=lambda: {"flair": 0.76, "t2": 0.08, "t1": 0.02, "random": 0.14}
    )
    channels: tuple[str, ...] = ("flair",)
    outputs: tuple[str, ...] = ("whole tumour", "brain")
    kinds_t1c: Mapping[str, float] = field(default_factory=lambda: {"t1c": 0.88, "random": 0.12})
    present: tuple[float, float, float] = (0.45, 0.15, 0.4)
    tumour: float = 0.92
    archetypes: Mapping[str, float] = field(default_factory=lambda: dict(ARCHETYPES))
    radius_mm: tuple[float, float, float] = (2.3, 10.0, 36.0)
    small: float = 0.3
    multifocal: float = 0.12
    cavity: float = 0.04
    stripped: float = 0.3
    centred: float = 0.75
    short_field: float = 0.3


@dataclass(frozen=True)
class Sample:
    """`image` (channels, k, j, i) float32, normalised as in inference, absent channels all zero; `truth`
    (outputs, k, j, i) uint8, 255 = unknown. `raw`: the image before normalisation, about 0..1.3. `kind`: the
    contrasts.
    """

    image: torch.Tensor
    truth: torch.Tensor
    raw: torch.Tensor
    kind: str


class HeadGenerator:
    """Draws samples; the same seed gives the same sample on the same machine type."""

    def __init__(self, anatomies: Sequence[Anatomy], config: SynthConfig) -> None:
        unknown = (set(config.channels) - set(CHANNELS)) | (set(config.outputs) - set(OUTPUTS))
        if unknown:
            raise ValueError(f"the generator does not know {', '.join(sorted(unknown))}")
        self.anatomies = anatomies
        self.config = config

    def sample(self, seed: int) -> Sample:
        """One head, or part of one, in the patch of the configuration."""
        draw = Draw(seed)
        c = self.config
        anatomy = self.anatomies[draw.integer(len(self.anatomies))]
        seeds = []
        if draw.chance(c.tumour):
            seeds = draw_seeds(anatomy, draw, c.radius_mm, c.small, c.multifocal, c.archetypes)
        position = self._place(anatomy, seeds, draw)
        looked_up = position
        for seed_ in seeds:
            if draw.chance(0.7):
                looked_up = mass_effect(looked_up, seed_, draw.uniform(0, 0.6))
        classes = lookup(anatomy.classes, looked_up).long()
        mirrored = None
        if draw.chance(0.6):
            mirrored = mirrored_noise(looked_up, anatomy.brain_mm.mean(0), draw.uniform(18, 50), draw)
        scene = self.scene(classes, draw, mirrored)
        lesions = self.lesions(scene, position, seeds, draw)
        truth = self._truth(scene, lesions)
        stripped = self._strip(scene, truth["whole tumour"], draw)
        raw, kinds = self._scan(scene, lesions, stripped, draw)
        keep = self._field_of_view(c.patch[0], draw)
        raw = torch.where(keep, raw, raw.amin((1, 2, 3), keepdim=True))
        masks = torch.stack([self._output(name, truth, kinds) for name in c.outputs])
        masks = torch.where(keep | (masks == UNKNOWN), masks, 0)
        flips = [axis for axis, p in ((3, 0.5), (2, 0.15), (1, 0.1)) if draw.chance(p)]
        raw, masks = torch.flip(raw, flips), torch.flip(masks, flips)
        image = torch.stack(
            [
                _normalised(one) if kind else torch.zeros_like(one)
                for one, kind in zip(raw, kinds, strict=True)
            ]
        )
        return Sample(image, masks, raw, "+".join(kind for kind in kinds if kind))

    def scene(self, classes: torch.Tensor, draw: Draw, mirrored: torch.Tensor | None = None) -> Scene:
        """What all channels share, from compact classes (k, j, i); `mirrored`: noise, left as right."""
        spacing = self.config.spacing_mm
        patterns = {
            "fat": smooth_noise(classes.shape, draw.uniform(8, 20) / spacing, draw)[0],
            "plexus": smooth_noise(classes.shape, draw.uniform(3, 6) / spacing, draw)[0],
        }
        if mirrored is not None:
            patterns["mirrored"] = mirrored
        around = blur(IS_STRIPPED[classes].float(), (10 / spacing,) * 3)
        if draw.chance(self.config.cavity):
            hole = smooth_noise(classes.shape, draw.uniform(20, 45) / spacing, draw)[0] > draw.uniform(
                1.2, 2.0
            )
            patterns["cavity"] = hole & IS_STRIPPED[classes] & (around < draw.uniform(0.75, 0.97))
        return Scene(
            classes,
            IS_TISSUE[classes],
            IS_WHITE[classes],
            IS_FLUID[classes],
            IS_VENTRICLE[classes],
            IS_BRAIN[classes],
            around,
            spacing,
            patterns,
        )

    def lesions(
        self, scene: Scene, position: torch.Tensor, seeds: Sequence[Seed], draw: Draw
    ) -> list[Lesion]:
        """The lesions of `seeds` that reach into the patch."""
        grown = [
            grow(position, seed, scene.white, scene.tissue, scene.fluid, scene.spacing_mm, draw)
            for seed in seeds
        ]
        return [lesion for lesion in grown if lesion is not None]

    def paint(self, scene: Scene, lesions: Sequence[Lesion], contrast: Contrast, draw: Draw) -> torch.Tensor:
        """The head in one contrast before any scanner saw it: (k, j, i), about 0..1.5."""
        image = paint_head(scene, contrast, draw)
        image = paint_distractors(image, scene, contrast, draw)
        for lesion in lesions:
            paint_lesion(image, lesion, contrast, scene.spacing_mm, draw)
        return finish(image, scene, draw).clamp(min=0)

    def _place(self, anatomy: Anatomy, seeds: Sequence[Seed], draw: Draw) -> torch.Tensor:
        c = self.config
        if seeds and draw.chance(c.centred):
            focus = seeds[0].centre_mm
        else:
            focus = anatomy.brain_mm[draw.integer(len(anatomy.brain_mm))]
        extent = torch.tensor(c.patch, dtype=torch.float32) * c.spacing_mm
        # inference sees whole heads, not corners of them
        focus = focus + (anatomy.brain_mm.mean(0) - focus) * draw.uniform(0.0, 0.8)
        centre = focus + draw.uniforms(3, -0.2, 0.2) * extent
        matrix = rotation(draw.uniforms(3, -0.3, 0.3).tolist()) @ torch.diag(draw.uniforms(3, 0.85, 1.15))
        position = sampling_grid(c.patch, (c.spacing_mm,) * 3, centre, matrix)
        return position.add_(smooth_noise(c.patch, 30 / c.spacing_mm, draw, 3), alpha=draw.uniform(0, 3.0))

    def _truth(self, scene: Scene, lesions: Sequence[Lesion]) -> dict[str, torch.Tensor]:
        whole, core = torch.zeros(scene.shape, dtype=torch.bool), torch.zeros(scene.shape, dtype=torch.bool)
        for lesion in lesions:
            whole |= lesion.whole(scene.shape)
            core |= lesion.tumour_core(scene.shape)
        healthy = ~whole
        return {
            "whole tumour": whole,
            "tumour core": core & whole,
            "brain": scene.brain | whole,
            "white matter": scene.white & healthy,
            "grey matter": IS_GREY[scene.classes] & healthy,
            "fluid": scene.fluid & healthy,
        }

    def _output(
        self, name: str, truth: Mapping[str, torch.Tensor], kinds: Sequence[str | None]
    ) -> torch.Tensor:
        if (
            name == "tumour core"
            and "t1c" in self.config.channels
            and kinds[self.config.channels.index("t1c")] is None
        ):
            return torch.full(
                self.config.patch, UNKNOWN, dtype=torch.uint8
            )  # only contrast agent shows the core
        return truth[name].to(torch.uint8)

    def _scan(
        self, scene: Scene, lesions: Sequence[Lesion], stripped: torch.Tensor | None, draw: Draw
    ) -> tuple[torch.Tensor, list[str | None]]:
        """Raw channels (channels, k, j, i), and the contrast of each, None where it was not scanned."""
        c = self.config
        wanted = [True] * len(c.channels)
        if len(c.channels) == 2:
            wanted = draw.choice(([True, False], [False, True], [True, True]), c.present)
        raw = torch.zeros(len(c.channels), *c.patch)
        kinds: list[str | None] = []
        for n, name in enumerate(c.channels):
            if not wanted[n]:
                kinds.append(None)
                continue
            contrast = draw_contrast(draw, c.kinds if name == "flair" else c.kinds_t1c)
            image = self.paint(scene, lesions, contrast, draw)
            second = n > 0 and wanted[0]
            raw[n] = acquire(image, c.spacing_mm, draw, stripped, shift_mm=0.7 if second else 0.0)
            kinds.append(contrast.kind)
        return raw, kinds

    def _strip(self, scene: Scene, whole: torch.Tensor, draw: Draw) -> torch.Tensor | None:
        """What a skull stripping tool keeps: its edge is smooth, at times too tight or too loose, with
        remnants.
        """
        if not draw.chance(self.config.stripped):
            return None
        kept = (IS_STRIPPED[scene.classes] | whole).float()
        if draw.chance(0.5):
            kept = (blur(kept, (draw.uniform(0.7, 2.0),) * 3) > draw.uniform(0.25, 0.75)).float()
        if draw.chance(0.15):
            blobs = smooth_noise(scene.shape, draw.uniform(10, 30) / scene.spacing_mm, draw)[0]
            ring = near(kept > 0.5, draw.uniform(4, 12) / scene.spacing_mm) > 0.1
            kept = torch.maximum(kept, (ring & (blobs > draw.uniform(0.8, 1.6))).float())
        return kept

    def _field_of_view(self, n: int, draw: Draw) -> torch.Tensor:
        """(n, 1, 1) bool: at times cut along the body axis, the rest is padding, as at the ends of a real
        scan.
        """
        keep = torch.ones(n, dtype=torch.bool)
        if draw.chance(self.config.short_field):
            cut = draw.integer(n // 3)
            keep[:cut] = False
            if draw.chance(0.4):
                keep = keep.flip(0)
        return keep.view(-1, 1, 1)


def _normalised(raw: torch.Tensor) -> torch.Tensor:
    array = raw.numpy()
    foreground, stripped = find_foreground(array)
    if stripped:
        array = np.where(foreground, array, array[foreground].min())
    return torch.from_numpy(normalise(array, foreground))
