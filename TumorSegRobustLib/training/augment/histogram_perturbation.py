"""Histogram perturbation: grey values follow a random rising curve, so that their order stays."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ..synth.draw import Draw
from ..tissue import over_tissue
from .curve import bend


@dataclass(frozen=True)
class HistogramPerturbation:
    """pieces: fewest and most straight pieces of the curve. strength: largest SD of its slopes' logarithm."""

    probability: float = 0.3
    pieces: tuple[int, int] = (3, 6)
    strength: float = 0.6

    def draw(self, draw: Draw, image: torch.Tensor) -> HistogramPerturbationParameters | None:
        if not draw.chance(self.probability):
            return None
        return HistogramPerturbationParameters(tuple(self._curve(draw) for _ in image))

    def _curve(self, draw: Draw) -> tuple[float, ...]:
        fewest, most = self.pieces
        count = fewest + draw.integer(most - fewest + 1)
        strength = draw.uniform(0, self.strength)
        slopes = [math.exp(draw.normal(0, strength)) for _ in range(count)]
        heights = [0.0]
        for slope in slopes:
            heights.append(heights[-1] + slope / sum(slopes))
        return tuple(heights)


@dataclass(frozen=True)
class HistogramPerturbationParameters:
    """For each channel the new values of evenly spaced old ones from 0 to 1; the ends keep theirs."""

    heights: tuple[tuple[float, ...], ...]

    def apply(self, image: torch.Tensor) -> torch.Tensor:
        bent = [
            bend(channel, [n / (len(y) - 1) for n in range(len(y))], y)
            for channel, y in zip(image, self.heights, strict=True)
        ]
        return over_tissue(image, torch.stack(bent))
