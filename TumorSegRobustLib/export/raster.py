"""Polygons to voxels, exactly: a voxel belongs to the structure if its centre lies inside (even-odd rule)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def fill(polygons: Iterable[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Even-odd fill of all polygons of one plane together.

    polygons: arrays (points, 2) of (column, row) in voxel units, integers being voxel centres, closed
    implicitly. Returns bool (rows, columns). Parts outside the grid are cut off. A centre on an edge counts
    as inside when the edge is a left or upper border (half-open), so that neighbouring polygons share no
    voxel.
    """
    rows, columns = shape
    flips = np.zeros((rows, columns + 1), np.int64)
    for polygon in polygons:
        row, column = _crossings(np.asarray(polygon, dtype=np.float64), rows)
        entered = np.clip(np.ceil(column), 0, columns).astype(np.intp)
        np.add.at(flips, (row, entered), 1)
    return (np.cumsum(flips[:, :columns], axis=1) & 1).astype(bool)


def _crossings(polygon: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the polygon crosses the lines through the voxel centres of the rows: rows, column positions."""
    start, stop = polygon, np.roll(polygon, -1, axis=0)
    upper = np.minimum(start[:, 1], stop[:, 1])
    lower = np.maximum(start[:, 1], stop[:, 1])
    first = np.clip(np.ceil(upper), 0, rows).astype(np.intp)
    last = np.clip(np.ceil(lower), 0, rows).astype(np.intp)  # exclusive
    count = np.maximum(last - first, 0)
    edge = np.repeat(np.arange(len(polygon)), count)
    within = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)
    row = first[edge] + within
    height = stop[edge, 1] - start[edge, 1]
    share = (row - start[edge, 1]) / height
    return row, start[edge, 0] + share * (stop[edge, 0] - start[edge, 0])
