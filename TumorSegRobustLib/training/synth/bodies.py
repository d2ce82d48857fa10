"""Scenes from any part of any body in any modality: random organs, random lesions, MR-, CT- or PET-like.

For what must work everywhere (the refining network), where no atlas could be complete: shapes and contrasts
are drawn so widely that real anatomy is one more variation (SynthMorph's idea, Hoffmann et al., 2022).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from .acquisition import acquire
from .draw import Draw
from .fields import blur, near, smooth_noise
from .shapes import body, lump, organs, sheet, vessels


@dataclass(frozen=True)
class BodyConfig:
    """side: voxels of the cubic scene. spacing_mm: lowest and highest. radius: smallest and largest radius of
    a lesion in voxels. kinds: how often each modality. others: how often there are further lesions; same: how
    often such a one is to be contoured too.
    """

    side: int = 72
    spacing_mm: tuple[float, float] = (0.7, 2.6)
    radius: tuple[float, float] = (3.5, 25.0)
    kinds: Mapping[str, float] = field(default_factory=lambda: {"mr": 0.5, "ct": 0.27, "pet": 0.23})
    others: float = 0.4
    same: float = 0.5


@dataclass(frozen=True)
class Scene:
    """`image` (k, j, i) float32 in the modality's own unit; `truth` bool: what a reader means to contour."""

    image: torch.Tensor
    truth: torch.Tensor
    spacing_mm: float
    kind: str


class BodyGenerator:
    """Draws scenes; the same seed gives the same scene on the same machine type."""

    def __init__(self, config: BodyConfig | None = None) -> None:
        self.config = config or BodyConfig()

    def sample(self, seed: int) -> Scene:
        draw, c = Draw(seed), self.config
        shape = (c.side,) * 3
        spacing = draw.log_uniform(*c.spacing_mm)
        kind = draw.choice(list(c.kinds), list(c.kinds.values()))
        inside = body(shape, draw)
        classes = organs(shape, 3 + draw.integer(8), draw)
        classes[~inside] = -1
        extra = [vessels(shape, draw) & inside] if draw.chance(0.6) else []
        extra += [sheet(shape, draw) & inside for _ in range(draw.integer(3))]
        target, others = self._lesions(classes, inside, draw)
        truth = torch.stack([part for part, _ in target]).amax(0) > 0.5
        paint = {"mr": _mr, "ct": _ct, "pet": _pet}[kind]
        image = paint(classes, extra, target + others, spacing, draw)
        return Scene(image.float(), truth, spacing, kind)

    def _lesions(
        self, classes: torch.Tensor, inside: torch.Tensor, draw: Draw
    ) -> tuple[list[tuple[torch.Tensor, float]], list[tuple[torch.Tensor, float]]]:
        """(soft shape, radius) of what is to be contoured, and of other lesions that look as they like."""
        c = self.config
        ground = torch.nonzero(inside[8:-8, 8:-8, 8:-8]).float() + 8
        if not len(ground):
            ground = torch.nonzero(torch.ones_like(inside)).float()
        radius = draw.log_uniform(*c.radius) if draw.chance(0.5) else draw.uniform(*c.radius)
        softness = draw.log_uniform(0.5, 3.0) if draw.chance(0.8) else draw.uniform(2.0, 6.0)

        def one(size: float) -> torch.Tensor:
            centre = ground[draw.integer(len(ground))]
            if size > 10:  # large ones lie where most of them can be seen
                centre = centre + (torch.tensor(classes.shape) / 2 - centre) * draw.uniform(0.3, 1.0)
            shape = lump(classes.shape, centre, size, softness, draw)
            kept = inside.float()
            if draw.chance(0.35):  # a border that it does not cross: fascia, bone, pleura
                home = classes == classes[tuple(centre.long().clamp(0, c.side - 1).tolist())]
                kept = kept * (near(home, draw.uniform(0.5, 2.0)) > 0.4).float()
            cut = shape * kept
            return cut if float((cut > 0.5).sum()) > 20 else shape

        target = [(one(radius), radius)]
        others: list[tuple[torch.Tensor, float]] = []
        if draw.chance(c.others):
            for _ in range(1 + draw.integer(3)):
                size = radius * draw.uniform(0.25, 1.0)
                (target if draw.chance(c.same) else others).append((one(size), size))
        return target, others


def _texture(shape: torch.Size, draw: Draw, fine: float, coarse: float) -> torch.Tensor:
    """Noise of unit SD or so at a small and at a larger scale."""
    a = smooth_noise(shape, draw.uniform(1.0, fine), draw)[0]
    b = smooth_noise(shape, draw.uniform(fine, coarse), draw)[0]
    share = draw.uniform(0.0, 1.0)
    return a * (1 - share) + b * share


def _blend(
    image: torch.Tensor,
    lesions: list[tuple[torch.Tensor, float]],
    level: float,
    contrast: float,
    draw: Draw,
) -> torch.Tensor:
    """Paint lesions that differ from `level` by `contrast`: even or patchy, some with rim or dead centre."""
    patchy = abs(contrast) * (draw.uniform(0.0, 0.25) if draw.chance(0.6) else draw.uniform(0.2, 0.7))
    hollow = draw.chance(0.3)
    inner = level + contrast * draw.uniform(-0.6, 0.6)
    rim = draw.chance(0.2)
    for shape, radius in lesions:
        own = level + contrast * (1 + 0.2 * draw.normal())
        grain = patchy * _texture(image.shape, draw, 3, max(4.0, radius))
        image = image * (1 - shape) + shape * (own + grain)
        if hollow and radius > 4:
            depth = blur(shape, (0.25 * radius,) * 3)
            dead = torch.sigmoid((depth - draw.uniform(0.75, 0.95)) * 15) * shape
            dead = dead * torch.sigmoid((smooth_noise(image.shape, radius * 0.6, draw)[0] + 0.8) * 4)
            image = image * (1 - dead) + dead * inner
        if rim and radius > 4:
            edge = (4 * shape * (1 - shape)).clamp(0, 1)
            image = image + edge * contrast * draw.uniform(0.2, 0.8)
    return image


def _local_level(image: torch.Tensor, lesions: list[tuple[torch.Tensor, float]]) -> float:
    """What the tissue about the first lesion looks like."""
    shape = lesions[0][0]
    shell = (blur(shape, (2.5,) * 3) > 0.1) & (shape < 0.3)
    return float(image[shell].median()) if bool(shell.any()) else float(image.median())


def _mr(
    classes: torch.Tensor,
    extra: list[torch.Tensor],
    lesions: list[tuple[torch.Tensor, float]],
    spacing: float,
    draw: Draw,
) -> torch.Tensor:
    means = draw.uniforms(int(classes.max()) + 1, 0.08, 1.0)
    if draw.chance(0.5):  # soft tissues are alike
        means = means.mean() + (means - means.mean()) * draw.uniform(0.15, 0.6)
    image = torch.where(classes >= 0, means[classes.clamp(min=0)], torch.tensor(0.0))
    for part in extra:
        image = torch.where(part, torch.tensor(draw.uniform(0.0, 1.1)), image)
    image = image * (1 + draw.uniform(0.0, 0.12) * _texture(image.shape, draw, 4, 16))
    level = _local_level(image, lesions)
    strength = draw.uniform(0.06, 0.2) if draw.chance(0.45) else draw.uniform(0.15, 0.7)
    sign = 1 if draw.chance(0.7) else -1
    if level + sign * strength < 0.02:
        sign = 1
    image = _blend(image, lesions, level, sign * strength, draw)
    image = image + draw.log_uniform(0.003, 0.04) * _texture(image.shape, draw, 2, 8) * (classes >= 0)
    return acquire(blur(image, (draw.uniform(0.35, 0.8),) * 3).clamp(min=0), spacing, draw)


def _ct(
    classes: torch.Tensor,
    extra: list[torch.Tensor],
    lesions: list[tuple[torch.Tensor, float]],
    spacing: float,
    draw: Draw,
) -> torch.Tensor:
    tissues = ((-105, 15, 0.22), (45, 15, 0.4), (60, 40, 0.18), (-820, 60, 0.12), (15, 10, 0.08))
    count = int(classes.max()) + 1
    means = torch.zeros(count)
    for n in range(count):
        mean, sd, _ = draw.choice(tissues, [t[2] for t in tissues])
        means[n] = draw.normal(mean, sd)
    image = torch.where(classes >= 0, means[classes.clamp(min=0)], torch.tensor(-1000.0))
    for part in extra:
        level = draw.choice((draw.uniform(150, 1200), draw.uniform(-110, 250)))  # bone; fat or contrast agent
        image = torch.where(part, torch.tensor(level), image)
    level = _local_level(image, lesions)
    lesion = draw.normal(40, 18)
    if abs(lesion - level) < 8:
        lesion = level + (1 if draw.chance(0.5) else -1) * draw.uniform(8, 45)
    image = _blend(image, lesions, level, lesion - level, draw)
    image = image + draw.uniform(2, 12) * _texture(image.shape, draw, 4, 12) * (classes >= 0)
    image = blur(image, (draw.uniform(0.4, 1.0) / spacing**0.5,) * 3)
    noise = draw.log_uniform(4, 35)
    grain = blur(draw.white(image.shape), (draw.uniform(0.3, 0.9),) * 3)
    image = image + noise * grain / max(1e-3, float(grain.std()))
    low, high = (-1024.0, 3071.0) if draw.chance(0.6) else (draw.uniform(-200, -100), draw.uniform(180, 350))
    return image.clamp(low, high).round()


def _pet(
    classes: torch.Tensor,
    extra: list[torch.Tensor],
    lesions: list[tuple[torch.Tensor, float]],
    spacing: float,
    draw: Draw,
) -> torch.Tensor:
    means = torch.exp(draw.white((int(classes.max()) + 1,)) * 0.6) * draw.uniform(0.3, 1.5)
    image = torch.where(classes >= 0, means[classes.clamp(min=0)], torch.tensor(0.05))
    if draw.chance(0.3):  # an organ that takes up as much as a tumour
        hot = draw.integer(int(classes.max()) + 1)
        image = torch.where(classes == hot, image + draw.uniform(1, 6), image)
    level = _local_level(image, lesions)
    image = _blend(image, lesions, level, draw.log_uniform(0.8, 14.0), draw).clamp(min=0)
    image = blur(image, (draw.uniform(1.8, 3.6) / spacing,) * 3)
    noise = draw.uniform(0.02, 0.2)
    grain = blur(draw.white(image.shape), (max(0.3, draw.uniform(1.0, 2.5) / spacing),) * 3)
    return (image + noise * image.sqrt() * grain / max(1e-3, float(grain.std()))).clamp(min=0)
