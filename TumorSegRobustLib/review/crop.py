"""A cube of equal voxels around a click: what a refining network sees, whatever the image's own grid is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.image import Geometry
from TumorSegRobustLib.review.click import Box, Voxel, within

Matrices = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True)
class Crop:
    """`side`^3 voxels of `spacing_mm` along the image's own axes, the clicked voxel at index `side // 2`.

    box: the native voxels that take part. The cube may reach beyond the image, where the border goes on.
    """

    side: int
    spacing_mm: float
    box: Box
    click: Voxel
    native_mm: tuple[float, float, float]
    _into: Matrices

    @classmethod
    def around(cls, click: Voxel, geometry: Geometry, half_mm: float, side: int) -> Crop:
        """A cube that reaches `half_mm` to either side of the click."""
        native = geometry.spacing_mm[::-1]
        spacing = 2 * half_mm / side
        slices, matrices = [], []
        for at, size, step in zip(click, geometry.shape, native, strict=True):
            places = at + (np.arange(side) - side // 2) * (spacing / step)
            width = max(1.0, spacing / step)
            start = int(np.clip(np.floor(places[0] - width), 0, at))
            stop = int(np.clip(np.ceil(places[-1] + width) + 1, at + 1, size))
            slices.append(slice(start, stop))
            matrices.append(_weights(np.clip(places, 0, size - 1) - start, stop - start, width))
        k, j, i = slices
        a, b, c = matrices
        return cls(side, spacing, (k, j, i), click, native, (a, b, c))

    def sample(self, volume: NDArray) -> NDArray[np.float32]:
        """Values of a whole-image array on the cube: means over its voxels, linear where they are finer."""
        return self.sample_box(volume[self.box])

    def sample_box(self, part: NDArray) -> NDArray[np.float32]:
        """As `sample`, of an array that was cut out at `box` already."""
        return _apply(self._into, np.asarray(part, np.float32))

    def restore(self, values: NDArray[np.float32], region: Box) -> NDArray[np.float32]:
        """Linear interpolation of the cube's values (side, side, side) to the native voxels of `region`.

        Beyond the cube its border goes on.
        """
        matrices = []
        for part, at, step in zip(region, self.click, self.native_mm, strict=True):
            places = (np.arange(part.start, part.stop) - at) * (step / self.spacing_mm) + self.side // 2
            matrices.append(_weights(np.clip(places, 0, self.side - 1), self.side, 1.0))
        a, b, c = matrices
        return _apply((a, b, c), np.asarray(values, np.float32))

    def distance_mm(self, voxel: Voxel) -> NDArray[np.float32]:
        """Straight distance of the cube's voxels from a voxel of the image."""
        square = np.zeros((self.side,) * 3, np.float32)
        for axis, at in enumerate(voxel):
            shape = [1, 1, 1]
            shape[axis] = -1
            square += (self._line_mm(axis, at) ** 2).astype(np.float32).reshape(shape)
        return np.sqrt(square)

    def ball(self, voxel: Voxel, deviation_mm: float) -> NDArray[np.float32]:
        """A Gaussian about a voxel of the image, 1 at its middle."""
        lines = [
            np.exp(-0.5 * (self._line_mm(axis, at) / deviation_mm) ** 2).astype(np.float32)
            for axis, at in enumerate(voxel)
        ]
        return lines[0][:, None, None] * lines[1][:, None] * lines[2]

    def _line_mm(self, axis: int, at: int) -> NDArray[np.floating]:
        """Signed distance of the cube's planes across an axis from a voxel of the image."""
        away = (at - self.click[axis]) * self.native_mm[axis]
        return (np.arange(self.side) - self.side // 2) * self.spacing_mm - away

    def placed(self, values: NDArray, region: Box, beyond: NDArray) -> NDArray[np.float32]:
        """`beyond` (a whole-image array) cut out at `box`, with `values` written over its part `region`."""
        part = np.array(beyond[self.box], np.float32)
        shared = tuple(
            slice(max(r.start, b.start), min(r.stop, b.stop)) for r, b in zip(region, self.box, strict=True)
        )
        k, j, i = shared
        part[within((k, j, i), self.box)] = values[within((k, j, i), region)]
        return part


def _weights(places: NDArray[np.floating], size: int, width: float) -> NDArray[np.float32]:
    """(places, size) triangular weights of half-width `width` about each place; rows sum to one."""
    weights = np.maximum(0.0, 1.0 - np.abs(np.arange(size) - places[:, None]) / width)
    total = weights.sum(1, keepdims=True)
    return (weights / np.maximum(total, 1e-6)).astype(np.float32)


def _apply(matrices: Matrices, volume: NDArray[np.float32]) -> NDArray[np.float32]:
    """One matrix (out, in) along each axis of (k, j, i); the axis that shrinks most goes first."""
    order = sorted(range(3), key=lambda axis: matrices[axis].shape[0] / matrices[axis].shape[1])
    for axis in order:
        volume = _along(axis, matrices[axis], np.ascontiguousarray(volume))
    return volume


def _along(axis: int, matrix: NDArray[np.float32], volume: NDArray[np.float32]) -> NDArray[np.float32]:
    """`matrix` (out, in) along one axis of a contiguous (k, j, i); nothing is copied or turned for it."""
    if axis == 0:
        planes, *plane = volume.shape
        return (matrix @ volume.reshape(planes, -1)).reshape(-1, *plane)
    return matrix @ volume if axis == 1 else volume @ matrix.T
