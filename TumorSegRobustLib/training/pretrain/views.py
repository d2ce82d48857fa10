"""Two views of one scan: other patches, other flips, other looks of the same head."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import torch
from torch.utils.data import Dataset

from ..data import KIND, SCAN, SEED_SPAN, augmented, fraction, head_generator, pipeline, real_heads
from ..real import WHOLE, RealHeads
from .config import PretrainConfig

Views = tuple[torch.Tensor, torch.Tensor]


class ScanViews(Dataset[Views]):
    """Item n: (views float32 (2, C, k, j, i), number of the scan int64); it depends on the seed and n only.

    Numbers of real scans count from 0; every generated head is a scan of its own, -1 - n.
    """

    def __init__(self, config: PretrainConfig, cache: MutableMapping[Any, Any] | None = None) -> None:
        self.config, source = config, config.source
        self.share = source.share if source else 0.0
        self.scans: list[RealHeads] = []
        cache = {} if cache is None else cache
        if source and self.share > 0:
            heads = real_heads(source, config.channels, (WHOLE,), config.synth, config.seed, cache)
            given = (heads.channels, heads.outputs, heads.spacing_mm, heads.patch, heads.augment, config.seed)
            self.scans = [RealHeads([case], *given, cache=cache) for case in heads.cases]
        self.generator = self.augment = None
        if self.share < 1:
            self.generator = head_generator(config.label_maps, config.anatomies, config.heads)
            self.augment = pipeline(config.augment)

    @property
    def sites(self) -> list[str]:
        """Whose scans are looked at."""
        return sorted({case.site for scan in self.scans for case in scan.cases})

    def __getitem__(self, n: int) -> Views:
        if self.scans and fraction(self.config.seed, n, KIND) < self.share:
            number = int(fraction(self.config.seed, n, SCAN) * len(self.scans))
            views = [self.scans[number].sample(2 * n + view)[0] for view in (0, 1)]
            return torch.stack(views), torch.tensor(number)
        return self._generated(n), torch.tensor(-1 - n)

    def _generated(self, n: int) -> torch.Tensor:
        assert self.generator is not None
        sample = self.generator.sample(self.config.seed * SEED_SPAN + n)
        if self.augment is None:
            return torch.stack([sample.image, sample.image.flip(3)])
        views = [
            augmented(sample.raw, sample.truth, self.augment, self.config.seed, 2 * n + view)[0]
            for view in (0, 1)
        ]
        return torch.stack(views)
