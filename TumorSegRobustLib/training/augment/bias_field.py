"""Bias field: the coil sees one side of the head better than the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..synth.draw import Draw
from ..synth.fields import along

Coefficients = tuple[tuple[tuple[float, ...], ...], ...]


@dataclass(frozen=True)
class BiasField:
    """strength: SD of the logarithm of the field, smallest and largest. degree: of its polynomials.

    One field for all channels: the series of an examination are made with one coil.
    """

    probability: float = 0.3
    strength: tuple[float, float] = (0.05, 0.35)
    degree: int = 3

    def draw(self, draw: Draw, image: torch.Tensor) -> BiasFieldParameters | None:
        if not draw.chance(self.probability):
            return None
        strength = draw.uniform(*self.strength)
        side = self.degree + 1
        weights = draw.white((side, side, side))
        order = torch.arange(side)
        total = order.view(-1, 1, 1) + order.view(1, -1, 1) + order
        weights[(total > self.degree) | (total == 0)] = 0.0
        rows = tuple(tuple(tuple(row) for row in plane) for plane in weights.tolist())
        return BiasFieldParameters(strength, rows)


@dataclass(frozen=True)
class BiasFieldParameters:
    """Weights of the products of Legendre polynomials along (k, j, i), as in MONAI's RandBiasField."""

    strength: float
    weights: Coefficients

    def apply(self, image: torch.Tensor) -> torch.Tensor:
        """A factor around 1 for each voxel: zeros stay zeros."""
        return image * torch.exp(self.logarithm(tuple(image.shape[1:]))).to(image.device)

    def logarithm(self, shape: tuple[int, ...]) -> torch.Tensor:
        """Of the field, (k, j, i): mean 0, SD `strength`."""
        field = torch.tensor(self.weights)
        degree = len(self.weights) - 1
        for axis, n in enumerate(shape):
            polynomials = np.polynomial.legendre.legvander(np.linspace(-1, 1, n), degree)
            field = along(field, torch.from_numpy(polynomials).float(), axis)
        field = field - field.mean()
        return field * (self.strength / field.std(correction=0).clamp(min=1e-6))
