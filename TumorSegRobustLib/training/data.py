"""Endless training pairs from the generator, the same order again after a restart."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.utils.data import IterableDataset, get_worker_info

from .synth import HeadGenerator


class SyntheticHeads(IterableDataset):
    """Sample n has the seed `base_seed + n`, whoever makes it; `start` is the first n."""

    def __init__(self, generator: HeadGenerator, base_seed: int, start: int = 0) -> None:
        super().__init__()
        self.generator, self.base_seed, self.start = generator, base_seed, start

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        info = get_worker_info()
        torch.set_num_threads(1)
        index, step = self.start + (info.id if info else 0), info.num_workers if info else 1
        while True:
            sample = self.generator.sample(self.base_seed + index)
            yield sample.image, sample.truth
            index += step
