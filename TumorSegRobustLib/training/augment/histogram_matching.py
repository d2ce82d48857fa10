"""Histogram matching: the grey values of tissue take the distribution of a real scan, their order stays."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from ..style import grey_values
from ..style_bank import StyleBank
from ..synth.draw import Draw
from ..tissue import over_tissue
from .curve import bend


@dataclass(frozen=True)
class HistogramMatching:
    """strength: how far towards the other scan, smallest and largest (1: all the way), for each channel.

    Without a bank there is nothing to match, and nothing happens.
    """

    probability: float = 0.2
    strength: tuple[float, float] = (0.3, 1.0)
    bank: StyleBank | None = field(default=None, repr=False, compare=False)

    def draw(self, draw: Draw, image: torch.Tensor) -> HistogramMatchingParameters | None:
        if self.bank is None or not draw.chance(self.probability):
            return None
        strength = tuple(draw.uniform(*self.strength) for _ in image)
        styles = [self.bank.pick(draw, index) for index in range(len(image))]
        return HistogramMatchingParameters(strength, tuple(tuple(s.grey_values.tolist()) for s in styles))


@dataclass(frozen=True)
class HistogramMatchingParameters:
    """For each channel: how far, and the quantiles of the foreground to aim at (see `style.grey_values`)."""

    strength: tuple[float, ...]
    grey_values: tuple[tuple[float, ...], ...]

    def apply(self, image: torch.Tensor) -> torch.Tensor:
        return over_tissue(
            image,
            torch.stack(
                [
                    _matched(channel, strength, aim)
                    for channel, strength, aim in zip(image, self.strength, self.grey_values, strict=True)
                ]
            ),
        )


def _matched(channel: torch.Tensor, strength: float, aim: tuple[float, ...]) -> torch.Tensor:
    own = grey_values(channel).tolist()
    if not own:
        return channel
    between = [(1 - strength) * a + strength * b for a, b in zip(own, aim, strict=True)]
    return bend(channel, [0.0, *own], [0.0, *between])
