"""What the networks were shown of a scan, and where they see a brain: to judge if the scan suits them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from TumorSegRobustLib.image import Image
from TumorSegRobustLib.models import ModelPackage

from .fusion import BRAIN, sigmoid
from .inputs import NetworkInput


@dataclass(frozen=True, eq=False)
class Seen:
    """scans: the channels that were given, by name, on the scan's own grid.

    On the first member's grid (spacing_mm i, j, k; LPS), cut to what the networks saw, float16 (k, j, i):
    normalised: each of the channels as a network gets it; tumour, brain: mean probability over the members of
    that grid. brain is None where the package has no such output.
    """

    scans: Mapping[str, Image]
    normalised: Mapping[str, np.ndarray]
    spacing_mm: tuple[float, float, float]
    tumour: np.ndarray
    brain: np.ndarray | None


class Watch:
    """Gathers `Seen` while an ensemble runs; two volumes on the members' coarse grid are all it holds."""

    def __init__(self, package: ModelPackage, channels: Sequence[Image | None]) -> None:
        names = [channel.name for channel in package.channels]
        self._given = {n: name for n, name in enumerate(names) if channels[n] is not None}
        self._scans = {name: scan for name, scan in zip(names, channels, strict=True) if scan is not None}
        self._brain = list(package.outputs).index(BRAIN) if BRAIN in package.outputs else None
        self._first: NetworkInput | None = None
        self._sums: list[np.ndarray] = []
        self._weight = 0.0

    def add(self, given: NetworkInput, logits: np.ndarray, weight: float) -> None:
        """One member's answer (outputs, k, j, i) on its whole grid."""
        wanted = [0] if self._brain is None else [0, self._brain]
        if self._first is None:
            self._first = given
            self._sums = [np.zeros(logits.shape[1:], np.float32)[given.box] for _ in wanted]
        if given.grid != self._first.grid:
            return
        for total, output in zip(self._sums, wanted, strict=True):
            total += np.float32(weight) * logits[output][self._first.box]
        self._weight += weight

    def finish(self) -> Seen:
        """Call once, after the last member."""
        assert self._first is not None
        shape = self._sums[0].shape
        part = tuple(slice(0, side) for side in shape)
        maps = [sigmoid(total / np.float32(self._weight)).astype(np.float16) for total in self._sums]
        return Seen(
            self._scans,
            {name: self._first.volume[n][part].astype(np.float16) for n, name in self._given.items()},
            self._first.grid.spacing_mm,
            maps[0],
            maps[1] if self._brain is not None else None,
        )
