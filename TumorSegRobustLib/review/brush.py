"""A round brush: balls of some millimetres along a stroke."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.image import Geometry
from TumorSegRobustLib.review.click import box_around

Position = tuple[float, float, float]


def stroke(geometry: Geometry, positions_mm: Sequence[Position], radius_mm: float) -> NDArray[np.bool_]:
    """Voxels (k, j, i) with their centre within `radius_mm` of a position (LPS mm), and those that hold one,
    however thin the brush. UnusableInput where a position lies outside the image.
    """
    drawn = np.zeros(geometry.shape, bool)
    spacing_kji = geometry.spacing_mm[::-1]
    for position in positions_mm:
        voxel = geometry.index_of(position)
        k, j, i = (int(radius_mm / s) + 1 for s in spacing_kji)
        box = box_around(voxel, (k, j, i), geometry.shape)
        middle = geometry.continuous_index(np.asarray(position, float))
        axes = np.ogrid[box]
        square = sum(((a - c) * s) ** 2 for a, c, s in zip(axes, middle, spacing_kji, strict=True))
        drawn[box] |= square <= radius_mm**2
        drawn[voxel] = True
    return drawn
