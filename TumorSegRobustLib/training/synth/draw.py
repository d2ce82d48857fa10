"""Random numbers from one explicit generator, so that a seed gives the same head again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import torch

T = TypeVar("T")


class Draw:
    """Scalar and tensor draws from a seeded `torch.Generator`."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        return low + (high - low) * float(torch.rand((), generator=self.generator))

    def log_uniform(self, low: float, high: float) -> float:
        return math.exp(self.uniform(math.log(low), math.log(high)))

    def normal(self, mean: float = 0.0, sd: float = 1.0) -> float:
        return mean + sd * float(torch.randn((), generator=self.generator))

    def integer(self, stop: int) -> int:
        """0 .. stop - 1."""
        return int(torch.randint(stop, (), generator=self.generator))

    def chance(self, probability: float) -> bool:
        return self.uniform() < probability

    def choice(self, options: Sequence[T], weights: Sequence[float] | None = None) -> T:
        if weights is None:
            return options[self.integer(len(options))]
        table = torch.tensor(weights, dtype=torch.float64)
        return options[int(torch.multinomial(table, 1, generator=self.generator))]

    def uniforms(self, n: int, low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(n, generator=self.generator)

    def white(self, shape: Sequence[int]) -> torch.Tensor:
        """Standard normal noise, float32."""
        return torch.randn(tuple(shape), generator=self.generator)
