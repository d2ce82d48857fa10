"""Frequency mixing: the amplitudes of the spectrum move towards those of another scan, the phases stay.

After FDA (Yang and Soatto, 2020), with two changes. Amplitudes are compared on a small smooth grid instead
of one by one: the amplitudes of single frequencies belong to one head's outline, and mixing them draws
ghosts of it. And they are mixed in their logarithm, as a gain for each frequency, which fades out at
`radius`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch

from ..style import FREQUENCIES, frequency_matrix, spectrum, transform_frequencies
from ..style_bank import StyleBank
from ..synth.draw import Draw
from ..synth.fields import along, linear_matrix
from ..tissue import over_tissue

Grid = tuple[tuple[tuple[float, ...], ...], ...]


@dataclass(frozen=True)
class FrequencyMix:
    """strength: lambda, how far towards the other spectrum, smallest and largest (1: all the way).

    radius: up to which frequency, in cycles per voxel (0.5: all). limit: largest gain, up or down. sd: of the
    logarithm of the gain where there is no bank and the own spectrum is bent instead.
    """

    probability: float = 0.25
    strength: tuple[float, float] = (0.3, 1.0)
    radius: tuple[float, float] = (0.15, 0.5)
    limit: float = 2.0
    sd: float = 0.6
    bank: StyleBank | None = field(default=None, repr=False, compare=False)

    def draw(self, draw: Draw, image: torch.Tensor) -> FrequencyMixParameters | None:
        if not draw.chance(self.probability):
            return None
        strength = torch.tensor([draw.uniform(*self.strength) for _ in image]).view(-1, 1, 1, 1)
        radius = draw.uniform(*self.radius)
        logs = (self._bent(draw, len(image)) if self.bank is None else self._towards(draw, image)) * strength
        logs = (logs - logs[:, :1, :1, :1]) * _fading(radius)  # the mean of the image stays
        gain = torch.exp(logs.clamp(-math.log(self.limit), math.log(self.limit)))
        return FrequencyMixParameters(_plain(gain))

    def _bent(self, draw: Draw, channels: int) -> torch.Tensor:
        coarse = draw.white((channels, 3, 3, 3)) * self.sd
        matrix = linear_matrix(torch.linspace(0, 2, FREQUENCIES), 3)
        for axis in range(3):
            coarse = along(coarse, matrix, axis)
        return coarse

    def _towards(self, draw: Draw, image: torch.Tensor) -> torch.Tensor:
        assert self.bank is not None
        aims = [self.bank.pick(draw, index).spectrum for index in range(len(image))]
        return torch.stack([torch.from_numpy(aim) for aim in aims]) - spectrum(image)


@dataclass(frozen=True)
class FrequencyMixParameters:
    """For each channel the gain at 8 x 8 x 8 |frequencies| along (k, j, i), 0 to 0.5 cycles per voxel."""

    gain: tuple[Grid, ...]

    def apply(self, image: torch.Tensor) -> torch.Tensor:
        shape = tuple(image.shape[1:])
        gain = torch.tensor(self.gain, device=image.device)
        for axis, frequencies in enumerate(transform_frequencies(shape)):
            gain = along(gain, frequency_matrix(frequencies), axis)
        changed = torch.fft.irfftn(torch.fft.rfftn(image, dim=(1, 2, 3)) * gain, s=shape, dim=(1, 2, 3))
        return over_tissue(image, changed)


def _fading(radius: float) -> torch.Tensor:
    """1 at frequency 0, 0 from `radius` on: (8, 8, 8)."""
    axis = torch.linspace(0, 0.5, FREQUENCIES).square()
    distance = (axis.view(-1, 1, 1) + axis.view(1, -1, 1) + axis).sqrt()
    return (2 - 2 * distance / radius).clamp(0, 1)


def _plain(gain: torch.Tensor) -> tuple[Grid, ...]:
    return tuple(tuple(tuple(tuple(row) for row in plane) for plane in grid) for grid in gain.tolist())
