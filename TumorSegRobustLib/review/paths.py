"""Geodesic distances: how far it is to walk when crossing an edge of the image costs more than staying in
one tissue.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from TumorSegRobustLib.review.click import Voxel

_STEPS = (
    (0, 0, 1),
    (0, 1, 0),
    (1, 0, 0),
    (0, 1, 1),
    (0, 1, -1),
    (1, 0, 1),
    (1, 0, -1),
    (1, 1, 0),
    (1, -1, 0),
)
"""Half of the 18 neighbours; the other half are the same edges walked back."""


def geodesic_distance(
    cost: NDArray[np.floating], spacing_mm: tuple[float, ...], source: Voxel, limit_mm: float
) -> NDArray[np.float64]:
    """Length (mm times cost) of the cheapest path from `source` to every voxel; `limit_mm` where it is
    longer.

    Exact on the graph of 18 neighbours (Dijkstra), the cost of an edge being the mean of its ends. Measured
    on
    64^3 voxels it took a third of the time of fast marching or of `skimage.graph.MCP_Geometric`.
    """
    reach = [int(limit_mm / step) for step in spacing_mm]
    k, j, i = (slice(max(0, at - r), at + r + 1) for at, r in zip(source, reach, strict=True))
    # Beyond this box even the straight way is too long: a millimetre costs 1 at least.
    part = cost[k, j, i]
    here = (source[0] - k.start, source[1] - j.start, source[2] - i.start)
    distance = np.full(cost.shape, float(limit_mm))
    distance[k, j, i] = np.minimum(_walked(part, spacing_mm, here, limit_mm), limit_mm)
    return distance


def _walked(
    cost: NDArray[np.floating], spacing_mm: tuple[float, ...], source: Voxel, limit_mm: float
) -> NDArray[np.float64]:
    """As `geodesic_distance`, but infinite where it is longer than `limit_mm`."""
    index = np.arange(cost.size, dtype=np.int32).reshape(cost.shape)
    rows, columns, lengths = [], [], []
    for step in _STEPS:
        here = tuple(slice(max(0, -d), n - max(0, d)) for d, n in zip(step, cost.shape, strict=True))
        there = tuple(slice(max(0, d), n - max(0, -d)) for d, n in zip(step, cost.shape, strict=True))
        length = float(np.sqrt(sum((d * s) ** 2 for d, s in zip(step, spacing_mm, strict=True))))
        rows.append(index[here].ravel())
        columns.append(index[there].ravel())
        lengths.append((0.5 * length * (cost[here] + cost[there])).ravel())
    ends = (np.concatenate(rows), np.concatenate(columns))
    graph = coo_matrix((np.concatenate(lengths), ends), shape=(cost.size, cost.size)).tocsr()
    start = int(np.ravel_multi_index(source, cost.shape))
    return dijkstra(graph, directed=False, indices=start, limit=limit_mm).reshape(cost.shape)


def edge_cost(
    image: NDArray[np.float32],
    spacing_mm: tuple[float, ...],
    nearby: NDArray[np.bool_],
    quantile: float,
    weight: float,
    most: float,
) -> NDArray[np.float64]:
    """Cost of walking 1 mm: 1 in flat tissue, up to `1 + weight * most` on edges.

    An edge counts by how much its gradient exceeds the given quantile of the gradients `nearby`: a measure in
    units of the image's own texture, so that no intensity scale is needed.
    """
    square = np.zeros(image.shape, np.float64)
    for axis, spacing in enumerate(spacing_mm):
        if image.shape[axis] > 1:
            square += (np.gradient(image, axis=axis) / spacing) ** 2
    gradient = np.sqrt(square)
    usual = float(np.quantile(gradient[nearby], quantile))
    if usual <= 0:
        return np.where(gradient > 0, 1 + weight * most, 1.0)
    return 1 + weight * np.clip(gradient / usual - 1, 0, most)
