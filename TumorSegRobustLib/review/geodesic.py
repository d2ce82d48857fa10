"""The click operator that needs no training: a click spreads along paths of little change in the image."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from TumorSegRobustLib.review.belief import to_log_odds
from TumorSegRobustLib.review.click import Box, Voxel, box_around
from TumorSegRobustLib.review.refiner import Refinement, Situation


@dataclass(frozen=True)
class GeodesicRefiner:
    """Adds to the log-odds around a click, falling with the geodesic distance in mm and with unlike
    intensity.
    """

    reach_mm: float = 42.0
    weight: float = 6.0
    edge_per_mm: float = 2.7
    likeness: float = 0.8
    budget_voxels: int = 60_000

    name = "geodesic"
    version = "0"

    @classmethod
    def recorded(cls, described: dict[str, Any]) -> GeodesicRefiner | None:
        """The refiner that a journal describes; None where this version cannot be it."""
        if described.get("name") != cls.name or described.get("version") != cls.version:
            return None
        return cls(**described["parameters"])

    def parameters(self) -> dict[str, Any]:
        return asdict(self)

    def refine(self, situation: Situation) -> Refinement:
        """See `Refiner.refine`."""
        geometry = situation.image.geometry
        spacing = geometry.spacing_mm[::-1]
        voxel = situation.click.voxel
        k, j, i = (int(self.reach_mm / s) for s in spacing)
        region = box_around(voxel, (k, j, i), geometry.shape)
        image = normalised(situation.image.voxels, region)
        distance = self._distance(image, spacing, region, voxel)
        at = tuple(
            slice(max(0, v - s.start - 1), v - s.start + 2) for v, s in zip(voxel, region, strict=True)
        )
        unlike = (image - image[at].mean()) / self.likeness
        push = self.weight * np.exp(-((3 * distance / self.reach_mm) ** 2) - unlike**2)
        sign = 1 if situation.click.include else -1
        return Refinement(region, to_log_odds(situation.levels[region]) + sign * push)

    def _distance(self, image: NDArray, spacing: tuple[float, ...], region: Box, voxel: Voxel) -> NDArray:
        count = image.size
        step = (count * np.prod(spacing) / self.budget_voxels) ** (1 / 3)
        strides = [max(1, round(step / s)) for s in spacing]
        centre = [v - s.start for v, s in zip(voxel, region, strict=True)]
        coarse = image[tuple(slice(c % t, None, t) for c, t in zip(centre, strides, strict=True))]
        index = np.arange(coarse.size).reshape(coarse.shape)
        rows, columns, costs = [], [], []
        for axis in range(3):
            a, b = [slice(None)] * 3, [slice(None)] * 3
            a[axis], b[axis] = slice(0, -1), slice(1, None)
            jump = np.abs(coarse[tuple(a)] - coarse[tuple(b)])
            rows.append(index[tuple(a)].ravel())
            columns.append(index[tuple(b)].ravel())
            costs.append((strides[axis] * spacing[axis] + 3 * self.edge_per_mm * jump).ravel())
        graph = coo_matrix(
            (np.concatenate(costs), (np.concatenate(rows), np.concatenate(columns))), shape=(coarse.size,) * 2
        ).tocsr()
        source = np.ravel_multi_index([c // t for c, t in zip(centre, strides, strict=True)], coarse.shape)
        distance = dijkstra(graph, directed=False, indices=int(source)).reshape(coarse.shape)
        axes = [(np.arange(n) - c % t) / t for n, c, t in zip(image.shape, centre, strides, strict=True)]
        grid = np.meshgrid(*axes, indexing="ij")
        return map_coordinates(distance, grid, order=1, mode="nearest")


def normalised(voxels: NDArray, region: Box) -> NDArray[np.float32]:
    """The voxels of `region` in robust z-units of the whole image."""
    strides = [max(1, n // 64) for n in voxels.shape]
    sample = voxels[tuple(slice(t // 2, None, t) for t in strides)].astype(np.float32)
    low, high = np.percentile(sample, [1, 99])
    inside = sample[(sample > low) & (sample < high)]
    if inside.size == 0:
        inside = sample
    return ((voxels[region] - inside.mean()) / max(float(inside.std()), 1e-6)).astype(np.float32)
