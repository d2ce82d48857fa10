"""The separate lesions of a mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from TumorSegRobustLib.image import Geometry
from TumorSegRobustLib.inference import bounding_box


@dataclass(frozen=True)
class Lesion:
    """Volume in ml and centre of mass in LPS mm (which may lie outside a bent lesion)."""

    volume_ml: float
    centre_lps_mm: tuple[float, float, float]

    def to_json(self) -> dict[str, Any]:
        return {"volume_ml": self.volume_ml, "centre_lps_mm": list(self.centre_lps_mm)}


def find_lesions(mask: np.ndarray, geometry: Geometry, minimum_ml: float = 0.0) -> tuple[Lesion, ...]:
    """26-connected components of at least `minimum_ml`, largest first; () for an empty mask."""
    if not mask.any():
        return ()
    import cc3d

    box = bounding_box(mask)
    part = mask[box].astype(np.uint8)  # a copy: cc3d takes no read-only mask, and a contour on show is one
    labels, count = cc3d.connected_components(part, connectivity=26, return_N=True)
    statistics = cc3d.statistics(labels)
    start = np.array([side.start for side in box], dtype=np.float64)
    lesions = []
    for label in range(1, count + 1):
        volume_ml = float(statistics["voxel_counts"][label]) * geometry.voxel_ml
        if volume_ml >= minimum_ml:
            centre = geometry.position_of(np.asarray(statistics["centroids"][label]) + start)
            x, y, z = (round(float(value), 2) for value in centre)
            lesions.append(Lesion(round(volume_ml, 4), (x, y, z)))
    return tuple(sorted(lesions, key=lambda lesion: -lesion.volume_ml))
