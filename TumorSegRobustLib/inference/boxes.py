"""Boxes of voxels."""

from __future__ import annotations

import numpy as np


def bounding_box(mask: np.ndarray, margin: int = 0) -> tuple[slice, slice, slice]:
    """The smallest box around a non-empty (k, j, i) mask, grown by `margin` voxels within the array."""
    ends = []
    for axis, size in enumerate(mask.shape):
        found = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        ends.append(slice(max(0, int(found[0]) - margin), min(size, int(found[-1]) + 1 + margin)))
    return ends[0], ends[1], ends[2]
