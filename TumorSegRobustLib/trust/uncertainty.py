"""Three maps of doubt from an ensemble's probabilities, all (k, j, i) float32 on the scan's grid.

Entropy and mutual information are in bits: 0 is certain, 1 is a coin toss. Mutual information is BALD
(Houlsby et al. 2011): the part of the entropy that comes from the members disagreeing rather than from each
being unsure.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from TumorSegRobustLib.progress import Progress

_SMALLEST = 1e-12  # entropy below is 4e-11 bits


@dataclass(frozen=True, eq=False)
class UncertaintyMaps:
    """entropy: of the published probability, bits. mutual_information: bits. disagreement: standard deviation
    of the members' probabilities, 0 to 0.5."""

    entropy: np.ndarray
    mutual_information: np.ndarray
    disagreement: np.ndarray


def binary_entropy(probability: np.ndarray) -> np.ndarray:
    """Entropy in bits of a yes/no event: 1 at 0.5, 0 at 0 and 1."""
    p = np.clip(np.asarray(probability, dtype=np.float64), _SMALLEST, 1.0 - _SMALLEST)
    bits = -(p * np.log2(p) + (1.0 - p) * np.log2(1.0 - p))
    return np.where(bits < 1e-9, 0.0, bits).astype(np.float32)


def uncertainty_maps(
    probability: np.ndarray, members: np.ndarray, progress: Progress | None = None
) -> UncertaintyMaps:
    """Maps from the ensemble's probability (k, j, i) and the members' (m, k, j, i) float16.

    Mutual information compares the members with their plain mean, which makes it 0 for equal members and
    never negative. Works slice by slice: nothing but the results has the scan's size.
    """
    maps = UncertaintyMaps(*(np.empty(probability.shape, dtype=np.float32) for _ in range(3)))
    progress = progress or Progress()
    table = _entropy_of_half()
    for k, published in enumerate(probability):
        progress.report(k / len(probability), "Measuring doubt")
        plane = np.ascontiguousarray(members[:, k], dtype=np.float16)
        values = plane.astype(np.float32)
        maps.entropy[k] = _fast_entropy(published)
        own = table[plane.view(np.uint16)].mean(axis=0)
        maps.mutual_information[k] = np.maximum(_fast_entropy(values.mean(axis=0)) - own, 0.0)
        maps.disagreement[k] = values.std(axis=0)
        # Rounding leaves 1e-7 where all members are equal.
        same = (plane == plane[0]).all(axis=0)
        maps.mutual_information[k][same] = 0.0
        maps.disagreement[k][same] = 0.0
    return maps


def _fast_entropy(probability: np.ndarray) -> np.ndarray:
    """`binary_entropy` in float32: three times faster on whole volumes, exact to 1e-6 bits."""
    p = np.clip(probability, np.float32(1e-9), np.float32(1.0 - 2.0**-24))
    rest = np.float32(1.0) - p
    return (p * np.log(p) + rest * np.log(rest)) * np.float32(-1.0 / np.log(2.0))


@cache
def _entropy_of_half() -> np.ndarray:
    """The entropy of every float16, so that members cost a look-up instead of two logarithms per voxel."""
    values = np.arange(2**16, dtype=np.uint16).view(np.float16).astype(np.float64)
    valid = (values >= 0.0) & (values <= 1.0)
    return np.where(valid, binary_entropy(np.where(valid, values, 0.0)), 0.0).astype(np.float32)
