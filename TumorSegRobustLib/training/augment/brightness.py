"""Brightness: all tissue becomes brighter or darker by the same amount; air does not."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..synth.draw import Draw
from ..tissue import over_tissue


@dataclass(frozen=True)
class Brightness:
    """shift: largest change up or down on the raw scale (1 = the 99.5th percentile), for each channel."""

    probability: float = 0.3
    shift: float = 0.1

    def draw(self, draw: Draw, image: torch.Tensor) -> BrightnessParameters | None:
        if not draw.chance(self.probability):
            return None
        return BrightnessParameters(tuple(draw.uniform(-self.shift, self.shift) for _ in image))


@dataclass(frozen=True)
class BrightnessParameters:
    """One shift for each channel. (z-scores undo it but for where tissue lies against air.)"""

    shift: tuple[float, ...]

    def apply(self, image: torch.Tensor) -> torch.Tensor:
        return over_tissue(image, image + image.new_tensor(self.shift).view(-1, 1, 1, 1))
