"""Appearance after AdaIN: coarse and fine contrast of the tissue take the strength they have in another scan.

AdaIN (Huang and Belongie, 2017) sets mean and SD of features. Those of the grey values alone would be
undone by the z-scores of the preprocessing; here the "features" are two bands of the image, its local mean
and what that leaves, whose strength against each other (and against air) is what differs between scanners.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch

from ..style import bands, contrast
from ..style_bank import StyleBank
from ..synth.draw import Draw
from ..tissue import foreground_moments, over_tissue


@dataclass(frozen=True)
class Appearance:
    """strength: how far towards the other scan, smallest and largest (1: all the way), for each channel.

    limit: largest factor, up or down, by which a mean or an SD changes. Without a bank the factors are drawn.
    """

    probability: float = 0.25
    strength: tuple[float, float] = (0.3, 1.0)
    limit: float = 1.6
    bank: StyleBank | None = field(default=None, repr=False, compare=False)

    def draw(self, draw: Draw, image: torch.Tensor) -> AppearanceParameters | None:
        if not draw.chance(self.probability):
            return None
        if self.bank is None:
            end = math.log(self.limit)
            wanted = draw.uniforms(3 * len(image), -end, end).view(3, -1)
        else:
            styles = [self.bank.pick(draw, index).contrast for index in range(len(image))]
            aim = torch.stack([torch.from_numpy(style) for style in styles], dim=1)
            mean, _, coarse, fine = torch.log(aim.clamp(min=1e-4)) - torch.log(
                contrast(image).clamp(min=1e-4)
            )
            wanted = torch.stack([mean, coarse, fine])
        strength = torch.tensor([draw.uniform(*self.strength) for _ in image])
        factors = torch.exp((wanted * strength).clamp(-math.log(self.limit), math.log(self.limit)))
        mean, coarse, fine = (tuple(row) for row in factors.tolist())
        return AppearanceParameters(mean, coarse, fine)


@dataclass(frozen=True)
class AppearanceParameters:
    """For each channel the factors of the mean, of the SD of the coarse and of that of the fine band."""

    mean: tuple[float, ...]
    coarse: tuple[float, ...]
    fine: tuple[float, ...]

    def apply(self, image: torch.Tensor) -> torch.Tensor:
        mean, _ = foreground_moments(image)
        local, detail = bands(image)
        by_mean, by_coarse, by_fine = (
            image.new_tensor(factor).view(-1, 1, 1, 1) for factor in (self.mean, self.coarse, self.fine)
        )
        return over_tissue(image, mean * by_mean + (local - mean) * by_coarse + detail * by_fine)
