"""A box of a scan in blocks of voxels: at 1 mm, maps of doubt would keep a click waiting."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from TumorSegRobustLib.image import Geometry

Box = tuple[slice, slice, slice]
Position = tuple[float, float, float]


class Field:
    """Blocks of at most `grid_mm` along each axis, whole voxels; slices thicker than that stay single.

    Arrays below have one value per block, (k, j, i). A block at the far end of the box may be cut.
    """

    def __init__(self, geometry: Geometry, box: Box, grid_mm: float) -> None:
        self.geometry = geometry
        self._box = box
        self._start = np.array([side.start for side in box])
        self._size = np.array([side.stop - side.start for side in box])
        spacing = np.array(geometry.spacing_mm[::-1])
        self._factor = np.clip(np.floor(grid_mm / spacing).astype(int), 1, self._size)
        self.spacing_mm = spacing * self._factor
        self.shape = tuple(int(n) for n in -(-self._size // self._factor))

    @property
    def block_ml(self) -> float:
        """Volume of a whole block."""
        return float(np.prod(self.spacing_mm)) / 1000.0

    def means(self, volume: NDArray) -> NDArray[np.float32]:
        """Means over the blocks, of a (k, j, i) array of the whole scan."""
        means = volume[self._box].astype(np.float32)
        for axis, factor in enumerate(self._factor.tolist()):
            if factor > 1:
                means = np.moveaxis(_means_of_lines(np.moveaxis(means, axis, 0), factor), 0, axis)
        return means

    def blurred(self, values: NDArray, sigma_mm: float) -> NDArray:
        """Gaussian; beyond the box there is nothing."""
        from scipy.ndimage import gaussian_filter

        return np.asarray(gaussian_filter(values, sigma_mm / self.spacing_mm, mode="constant", truncate=2.5))

    def position(self, block: ArrayLike) -> Position:
        """LPS mm of the voxel in the middle of a block."""
        first = np.asarray(block) * self._factor
        middle = np.minimum(first + self._factor // 2, self._size - 1)
        x, y, z = self.geometry.position_of(middle + self._start).tolist()
        return x, y, z

    def block_of(self, position_mm: Sequence[float]) -> NDArray[np.float64]:
        """Fractional index of an LPS position; it may lie outside."""
        voxel = self.geometry.continuous_index(position_mm) - self._start
        return np.asarray((voxel + 0.5) / self._factor - 0.5)

    def ball(self, centre: NDArray, radius_mm: float) -> tuple[Box, NDArray[np.bool_]]:
        """The box of blocks around a ball, and the ball in it; empty where it lies outside."""
        reach = radius_mm / self.spacing_mm
        low = np.clip(np.floor(centre - reach), 0, self.shape).astype(int)
        high = np.clip(np.ceil(centre + reach) + 1, low, self.shape).astype(int)
        k, j, i = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        steps = np.ogrid[k, j, i]
        square = sum(
            ((step - c) * mm) ** 2 for step, c, mm in zip(steps, centre, self.spacing_mm, strict=True)
        )
        return (k, j, i), np.asarray(square <= radius_mm**2)

    def voxel_box(self, blocks: Box) -> Box:
        """A box of blocks as voxels of the scan."""
        k, j, i = (
            slice(int(side.start * f + start), int(min(side.stop * f, size) + start))
            for side, f, start, size in zip(blocks, self._factor, self._start, self._size, strict=True)
        )
        return k, j, i


def _means_of_lines(lines: NDArray, count: int) -> NDArray:
    """Means of every `count` entries along the first axis, the last of fewer; by strides, as `reduceat` takes
    ten times as long.
    """
    whole = len(lines) // count * count
    means = lines[0:whole:count].copy()
    for first in range(1, count):
        means += lines[first:whole:count]
    means /= count
    if whole < len(lines):
        means = np.concatenate([means, lines[whole:].mean(axis=0, keepdims=True)])
    return means
