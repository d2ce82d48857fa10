"""How far the members of an ensemble draw the same contour: a simple predictor of failure that holds up."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from TumorSegRobustLib.inference import bounding_box


def pairwise_dice(members: np.ndarray, threshold: float = 0.5) -> list[float]:
    """Dice between the masks of each pair of members (m, k, j, i); empty list for fewer than two.

    Two empty masks agree (1.0); an empty and a non-empty one do not (0.0).
    """
    masks = [member >= threshold for member in members]
    union = np.logical_or.reduce(masks)
    if not union.any():
        return [1.0 for _ in combinations(masks, 2)]
    box = bounding_box(union)
    inside = [mask[box] for mask in masks]
    sizes = [int(np.count_nonzero(mask)) for mask in inside]
    shared = [int(np.count_nonzero(one & other)) for one, other in combinations(inside, 2)]
    return [
        2.0 * both / (a + b) if a + b else 1.0
        for both, (a, b) in zip(shared, combinations(sizes, 2), strict=True)
    ]


def expected_dice(probability: np.ndarray, mask: np.ndarray) -> float:
    """Dice the mask would have on average if every voxel were tumour with its probability, independently.

    A stand-in for agreement when there is one member only; 0 for an empty mask.
    """
    size = int(np.count_nonzero(mask))
    if not size:
        return 0.0
    inside = float(probability[mask].sum(dtype=np.float64))
    # Voxels that are all but certainly background would add up over a whole scan.
    outside = float(probability[(probability > 0.05) & ~mask].sum(dtype=np.float64))
    return 2.0 * inside / (size + inside + outside)
