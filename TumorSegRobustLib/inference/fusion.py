"""From each member's logits on its own grid to one probability on the scan's grid, slice by slice.

Only two volumes of the scan's size are held besides the members' probabilities: none of the intermediate
results is larger than a slice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from TumorSegRobustLib.image import Geometry
from TumorSegRobustLib.models.separable import axes_between, axis_positions, linear_taps, turn
from TumorSegRobustLib.progress import Progress

_LIMIT = 30.0  # logits beyond this give 0 or 1 in float32 and would overflow exp

# Below it a float16 is subnormal, and numpy's conversion ten times slower: most of a scan lies there.
_SMALLEST_HALF = np.float32(2.0**-14)


WHOLE, CORE, BRAIN = "whole tumour", "tumour core", "brain"


def tumour_logits(
    logits: np.ndarray, calibration: Mapping[str, Any], outputs: Sequence[str] = (WHOLE, BRAIN)
) -> np.ndarray:
    """The first output, lowered where the output "brain" says "not brain" if `brain_gate` is on.

    Gate: min(tumour, brain + `brain_gate_margin`), in logits; so a voxel counts as tumour only where it also
    counts as brain (the brain output includes the tumour). `logits` is (outputs, k, j, i).
    """
    tumour = logits[0]
    if calibration.get("brain_gate") and BRAIN in outputs[: len(logits)]:
        brain = logits[list(outputs).index(BRAIN)]
        return np.minimum(tumour, brain + np.float32(calibration.get("brain_gate_margin", 0.0)))
    return tumour


def core_logits(logits: np.ndarray, tumour: np.ndarray, outputs: Sequence[str]) -> np.ndarray:
    """The output "tumour core", nowhere above the whole tumour of `tumour_logits`."""
    return np.minimum(logits[list(outputs).index(CORE)], tumour)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-z)) without overflow."""
    return 1.0 / (1.0 + np.exp(-np.clip(logits, -_LIMIT, _LIMIT)))


def _between(below: np.ndarray, above: np.ndarray, fraction: np.ndarray) -> np.ndarray:
    return below + fraction * (above - below)


class Fusion:
    """Sums the members' logits on the scan's grid and keeps each member's probability (float16).

    `members` is how many probabilities are kept: 0 keeps the sum only.
    """

    def __init__(self, geometry: Geometry, members: int, temperature: float, bias: float) -> None:
        self._geometry = geometry
        self._temperature = np.float32(temperature)
        self._bias = np.float32(bias)
        self._sum = np.zeros(geometry.shape, dtype=np.float32)
        self._weight = 0.0
        self._members = np.empty((members, *geometry.shape), dtype=np.float16)
        self._count = 0

    def add(self, logits: np.ndarray, grid: Geometry, weight: float, progress: Progress) -> None:
        """Resample one member's tumour logits (k, j, i) linearly from its grid and add them."""
        order, flip = axes_between(grid, self._geometry)
        turned = np.ascontiguousarray(turn(logits, order, flip), dtype=np.float32)
        positions = axis_positions(grid, self._geometry)
        along_k, along_j, along_i = (
            linear_taps(size, where) for size, where in zip(turned.shape, positions, strict=True)
        )
        kept = self._members[self._count] if len(self._members) else None
        for k, (below, above, fraction) in enumerate(zip(*along_k, strict=True)):
            # Two taps per axis, not a matrix: BLAS threads stall when another program holds a core.
            plane = _between(turned[below], turned[above], fraction)
            plane = _between(plane[along_j[0]], plane[along_j[1]], along_j[2][:, None])
            plane = _between(plane[:, along_i[0]], plane[:, along_i[1]], along_i[2])
            self._sum[k] += np.float32(weight) * plane
            if kept is not None:
                probability = sigmoid(plane / self._temperature + self._bias)
                probability[probability < _SMALLEST_HALF] = 0.0
                kept[k] = probability
            if k % 16 == 0:
                progress.check()
        self._weight += weight
        self._count += 1

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """(probability float32 (k, j, i), members float16 (m, k, j, i)); call once, after the last member."""
        scale = np.float32(1.0 / (self._weight * float(self._temperature)))
        for k, plane in enumerate(self._sum):
            self._sum[k] = sigmoid(plane * scale + self._bias)
        return self._sum, self._members
