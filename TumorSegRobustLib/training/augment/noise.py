"""A little Gaussian noise.

Sources disagree on noise: it is asked for as an augmentation, and a study in which its SD was at least that
of the (z-scored) image found that it never helped on an unseen hospital. Hence far below one SD, rarely,
and without a promise: whether it helps is for the noise sweep to say.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..synth.draw import Draw
from ..tissue import foreground_moments, over_tissue


@dataclass(frozen=True)
class Noise:
    """sigma: SD of the noise as a fraction of the foreground's SD, smallest and largest, for each channel."""

    probability: float = 0.15
    sigma: tuple[float, float] = (0.0, 0.15)

    def draw(self, draw: Draw, image: torch.Tensor) -> NoiseParameters | None:
        if not draw.chance(self.probability):
            return None
        return NoiseParameters(tuple(draw.uniform(*self.sigma) for _ in image), draw.integer(2**31))


@dataclass(frozen=True)
class NoiseParameters:
    """One SD for each channel; the seed makes the noise the same again."""

    sigma: tuple[float, ...]
    seed: int

    def apply(self, image: torch.Tensor) -> torch.Tensor:
        _, deviation = foreground_moments(image)
        white = Draw(self.seed).white(image.shape).to(image.device)
        return over_tissue(image, image + white * deviation * image.new_tensor(self.sigma).view(-1, 1, 1, 1))
