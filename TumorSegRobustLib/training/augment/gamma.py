"""Gamma: the grey values between air and the bright end follow a power."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..synth.draw import Draw
from ..tissue import over_tissue


@dataclass(frozen=True)
class Gamma:
    """gamma: smallest and largest exponent, drawn evenly in its logarithm for each channel."""

    probability: float = 0.3
    gamma: tuple[float, float] = (0.7, 1.5)

    def draw(self, draw: Draw, image: torch.Tensor) -> GammaParameters | None:
        if not draw.chance(self.probability):
            return None
        return GammaParameters(tuple(draw.log_uniform(*self.gamma) for _ in image))


@dataclass(frozen=True)
class GammaParameters:
    """One exponent for each channel."""

    gamma: tuple[float, ...]

    def apply(self, image: torch.Tensor) -> torch.Tensor:
        """0 and 1 keep their value; what is brighter than 1 keeps its distance from it."""
        from monai.transforms import AdjustContrast
        from monai.utils import convert_to_tensor

        bent = [
            convert_to_tensor(AdjustContrast(gamma)(channel.clamp(0, 1)), track_meta=False)
            for channel, gamma in zip(image, self.gamma, strict=True)
        ]
        return over_tissue(image, torch.stack(bent) + (image - 1).clamp(min=0))
