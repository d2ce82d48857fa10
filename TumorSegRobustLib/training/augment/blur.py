"""Gaussian blur, differently strong along each axis."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..synth.draw import Draw
from ..synth.fields import blur
from ..tissue import over_tissue


@dataclass(frozen=True)
class Blur:
    """sigma: SD in voxels, smallest and largest, for each channel and axis."""

    probability: float = 0.2
    sigma: tuple[float, float] = (0.2, 0.9)

    def draw(self, draw: Draw, image: torch.Tensor) -> BlurParameters | None:
        if not draw.chance(self.probability):
            return None
        low, high = self.sigma
        return BlurParameters(
            tuple((draw.uniform(low, high), draw.uniform(low, high), draw.uniform(low, high)) for _ in image)
        )


@dataclass(frozen=True)
class BlurParameters:
    """SDs in voxels along (k, j, i) for each channel; below 0.2 nothing happens along that axis."""

    sigma: tuple[tuple[float, float, float], ...]

    def apply(self, image: torch.Tensor) -> torch.Tensor:
        """By one small matrix for each axis: ten times as fast on a CPU as MONAI's GaussianSmooth."""
        blurred = [blur(channel, sigma) for channel, sigma in zip(image, self.sigma, strict=True)]
        return over_tissue(image, torch.stack(blurred))
