"""Resampling between two grids whose axes are parallel, axis by axis and without whole-volume temporaries.

A member's grid and the scan's own grid cover the same box along the same axes, so trilinear interpolation is
three small matrices. That costs one array per axis instead of a general resampler's coordinate look-ups, and
the anti-aliasing Gaussian folds into the same matrices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from TumorSegRobustLib.image import Geometry

_GAUSSIAN_REACH = 4.0  # standard deviations; what lies beyond weighs < 1e-4
_PARALLEL = 3e-3  # largest deviation of the axes' cosines from 0 or 1


def linear_taps(source_size: int, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(below, above, fraction): linear interpolation at `positions` is below + fraction * (above - below).

    Positions are in source voxels; those outside the first and last voxel centre take the edge value.
    """
    clamped = np.clip(np.asarray(positions, dtype=np.float64), 0.0, source_size - 1.0)
    below = np.minimum(np.floor(clamped).astype(int), max(source_size - 2, 0))
    above = np.minimum(below + 1, source_size - 1)
    return below, above, (clamped - below).astype(np.float32)


def linear_weights(source_size: int, positions: np.ndarray) -> np.ndarray:
    """`linear_taps` as a matrix (positions, source_size), float32."""
    below, above, fraction = linear_taps(source_size, positions)
    weights = np.zeros((len(below), source_size), dtype=np.float32)
    rows = np.arange(len(below))
    np.add.at(weights, (rows, below), 1.0 - fraction)
    np.add.at(weights, (rows, above), fraction)
    return weights


def gaussian_weights(size: int, sigma_voxels: float) -> np.ndarray:
    """Matrix (size, size), float32, that smooths with a Gaussian; the edge voxels are repeated outwards."""
    if sigma_voxels <= 0 or size < 2:
        return np.eye(size, dtype=np.float32)
    reach = max(1, int(np.ceil(_GAUSSIAN_REACH * sigma_voxels)))
    offsets = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (offsets / sigma_voxels) ** 2)
    kernel /= kernel.sum()
    weights = np.zeros((size, size), dtype=np.float64)
    rows = np.repeat(np.arange(size), len(offsets))
    columns = np.clip(rows + np.tile(offsets, size), 0, size - 1)
    np.add.at(weights, (rows, columns), np.tile(kernel, size))
    return weights.astype(np.float32)


def apply_along(weights: np.ndarray, array: np.ndarray, axis: int) -> np.ndarray:
    """`weights` (n, array.shape[axis]) applied along one axis of a (k, j, i) float32 array."""
    if axis == 0:
        return (weights @ array.reshape(array.shape[0], -1)).reshape(len(weights), *array.shape[1:])
    if axis == 1:
        return np.matmul(weights, array)
    return np.matmul(array, weights.T)


def axes_between(source: Geometry, target: Geometry) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """How to turn an array on `source` so that its axes follow `target`: (np.transpose order, axes to flip).

    Both in (k, j, i). Raises ValueError when the axes are not parallel.
    """
    cosines = np.reshape(target.direction, (3, 3)).T @ np.reshape(source.direction, (3, 3))
    nearest = np.abs(cosines).argmax(axis=1)
    ideal = np.zeros((3, 3))
    ideal[np.arange(3), nearest] = np.sign(cosines[np.arange(3), nearest])
    if sorted(nearest) != [0, 1, 2] or np.abs(cosines - ideal).max() > _PARALLEL:
        raise ValueError("The two grids' axes are not parallel.")
    order = tuple(int(2 - nearest[2 - axis]) for axis in range(3))
    flip = tuple(bool(cosines[2 - axis, nearest[2 - axis]] < 0) for axis in range(3))
    return order, flip  # type: ignore[return-value]


def turn(array: np.ndarray, order: tuple[int, int, int], flip: tuple[bool, bool, bool]) -> np.ndarray:
    """A view of `array` with its axes ordered and flipped as `axes_between` says."""
    turned = np.transpose(array, order)
    return turned[tuple(slice(None, None, -1) if reverse else slice(None) for reverse in flip)]


def axis_positions(source: Geometry, target: Geometry) -> list[np.ndarray]:
    """For every array axis of `target`: where its voxels lie, in voxels of `source` turned to its axes."""
    order, flip = axes_between(source, target)
    first = np.asarray(source.continuous_index(target.position_of((0, 0, 0))), dtype=np.float64)
    positions = []
    for axis in range(3):
        source_axis = order[axis]
        step = target.spacing_mm[2 - axis] / source.spacing_mm[2 - source_axis]
        start = first[source_axis]
        if flip[axis]:
            start = source.shape[source_axis] - 1 - start
        positions.append(start + step * np.arange(target.shape[axis]))
    return positions


def resample_parallel(
    array: np.ndarray, source: Geometry, target: Geometry, *, antialias: float = 0.0
) -> np.ndarray:
    """Trilinear resampling of a (k, j, i) array from `source` to `target`, float32; axes must be parallel.

    `antialias`: along every axis on which the source is finer, smooth first with a Gaussian whose standard
    deviation is this fraction of the target's spacing.
    """
    order, flip = axes_between(source, target)
    positions = axis_positions(source, target)
    # Contiguous, or numpy's matrix product falls back to slow loops.
    result = np.ascontiguousarray(turn(array, order, flip), dtype=np.float32)
    # The axis that shrinks most goes first: the arrays in between stay small.
    for axis in sorted(range(3), key=lambda a: target.shape[a] / result.shape[a]):
        size = result.shape[axis]
        weights = linear_weights(size, positions[axis])
        fine_mm, coarse_mm = source.spacing_mm[2 - order[axis]], target.spacing_mm[2 - axis]
        if antialias > 0 and fine_mm < coarse_mm * (1 - 1e-6):
            weights = weights @ gaussian_weights(size, antialias * coarse_mm / fine_mm)
        result = apply_along(weights, result, axis)
    return np.ascontiguousarray(result)
