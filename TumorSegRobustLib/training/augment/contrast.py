"""Contrast: grey values move away from the mean of the foreground, or towards it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..synth.draw import Draw
from ..tissue import foreground_moments, over_tissue


@dataclass(frozen=True)
class Contrast:
    """change: largest relative change (0.2: contrast x 0.8 to x 1.2), for each channel."""

    probability: float = 0.3
    change: float = 0.2

    def draw(self, draw: Draw, image: torch.Tensor) -> ContrastParameters | None:
        if not draw.chance(self.probability):
            return None
        return ContrastParameters(tuple(draw.uniform(1 - self.change, 1 + self.change) for _ in image))


@dataclass(frozen=True)
class ContrastParameters:
    """One factor for each channel. (z-scores undo it but for where tissue lies against air.)"""

    factor: tuple[float, ...]

    def apply(self, image: torch.Tensor) -> torch.Tensor:
        mean, _ = foreground_moments(image)
        factor = image.new_tensor(self.factor).view(-1, 1, 1, 1)
        return over_tissue(image, mean + (image - mean) * factor)
