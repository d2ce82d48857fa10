"""A round brush: balls of some millimetres along a stroke."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.image import Geometry
from TumorSegRobustLib.review.click import box_around

Position = tuple[float, float, float]


def stroke(geometry: Geometry, positions_mm: Sequence[Position], radius_mm: float) -> NDArray[np.bool_]:
    """Voxels (k, j, i) with their centre within `radius_mm` of a position (LPS mm) or of the way from one to
    the next; those on the way itself however thin the brush. UnusableInput where it leaves the image.
    """
    drawn = np.zeros(geometry.shape, bool)
    spacing_kji = geometry.spacing_mm[::-1]
    for position in _way(positions_mm, max(radius_mm, min(spacing_kji)) / 2):
        voxel = geometry.index_of(position)
        k, j, i = (int(radius_mm / s) + 1 for s in spacing_kji)
        box = box_around(voxel, (k, j, i), geometry.shape)
        middle = geometry.continuous_index(np.asarray(position, float))
        axes = np.ogrid[box]
        square = sum(((a - c) * s) ** 2 for a, c, s in zip(axes, middle, spacing_kji, strict=True))
        drawn[box] |= square <= radius_mm**2
        drawn[voxel] = True
    return drawn


def _way(positions_mm: Sequence[Position], step_mm: float) -> Iterator[Position]:
    """The positions, and points between them so that none is farther than `step_mm` from the one before."""
    before = np.asarray(positions_mm[0], float)
    for position in positions_mm:
        here = np.asarray(position, float)
        steps = np.linalg.norm(here - before) / step_mm
        parts = max(1, int(np.ceil(steps))) if np.isfinite(steps) else 1
        for part in range(1, parts + 1):
            x, y, z = (before + (here - before) * part / parts).tolist()
            yield x, y, z
        before = here
