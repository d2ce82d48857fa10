"""Where a training reader clicks: in an error drawn by its size, at a voxel drawn by its depth, now and then
beside it.
"""

from __future__ import annotations

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from TumorSegRobustLib.image import Geometry
from TumorSegRobustLib.review import Seed

from ..synth.draw import Draw


def draw_click(
    mask: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    geometry: Geometry,
    draw: Draw,
    jittered: float,
    jitter_mm: float,
) -> Seed | None:
    """A click that corrects `mask` towards `truth` (k, j, i); None where nothing is wrong.

    A click that misses keeps the label that was meant.
    """
    kinds = (truth & ~mask).astype(np.uint8) | ((mask & ~truth).astype(np.uint8) << 1)
    if not kinds.any():
        return None
    labels, count = cc3d.connected_components(kinds, connectivity=6, return_N=True)
    statistics = cc3d.statistics(labels)
    sizes = statistics["voxel_counts"][1 : count + 1].astype(np.float64)
    by_size = draw.choice(range(count), (sizes**1.5).tolist())
    chosen = 1 + (int(np.argmax(sizes)) if draw.chance(0.5) else by_size)
    box = statistics["bounding_boxes"][chosen]
    spacing_mm = geometry.spacing_mm[::-1]
    depth = distance_transform_edt(np.pad(labels[box] == chosen, 1), sampling=spacing_mm)[1:-1, 1:-1, 1:-1]
    if draw.chance(0.6):
        at = int(np.argmax(depth))
    else:
        weights = (depth**2).ravel()
        at = int(np.searchsorted(np.cumsum(weights), draw.uniform() * weights.sum()))
    inside = np.unravel_index(min(at, depth.size - 1), depth.shape)
    voxel = np.array([int(v) + s.start for v, s in zip(inside, box, strict=True)])
    include = bool(truth[tuple(voxel)])
    if draw.chance(jittered):
        miss = np.array([draw.normal(0, jitter_mm) for _ in range(3)]) / np.array(spacing_mm)
        voxel = np.clip(np.rint(voxel + miss), 0, np.array(mask.shape) - 1)
    k, j, i = (int(v) for v in voxel)
    return Seed((k, j, i), include)
