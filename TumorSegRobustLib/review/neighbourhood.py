"""The surroundings of a click on a coarser grid: what a refiner computes on, whatever the image's own grid
is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.image import Geometry
from TumorSegRobustLib.review.click import Box, Voxel, box_around, box_shape, within

_CORE = 0.4
"""Half the side, in strides, of the cube whose mean gives a coarse voxel its intensity."""


@dataclass(frozen=True)
class Neighbourhood:
    """Every `stride`-th voxel of `box`, so placed that the clicked voxel is one of them.

    Whole voxels are skipped, never split: a coarse voxel is at least `stride * spacing` apart from the next,
    and
    thick slices are all kept. Distances are in the image's own millimetres, along its own axes; the direction
    of
    the grid does not matter to them.
    """

    box: Box
    stride: tuple[int, int, int]
    first: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    native_mm: tuple[float, float, float]
    centre: Voxel

    @classmethod
    def around(cls, voxel: Voxel, geometry: Geometry, half_mm: float, most_voxels: int) -> Neighbourhood:
        """A cube of `half_mm` on either side, thinned to about `most_voxels` voxels of much the same side."""
        native = geometry.spacing_mm[::-1]
        box = box_around(voxel, whole_voxels(half_mm, geometry), geometry.shape)
        side = (np.prod(box_shape(box)) * np.prod(native) / most_voxels) ** (1 / 3)
        stride = _triple([max(1, round(float(side) / s)) for s in native])
        local = [v - s.start for v, s in zip(voxel, box, strict=True)]
        first = _triple([c % t for c, t in zip(local, stride, strict=True)])
        centre = _triple([c // t for c, t in zip(local, stride, strict=True)])
        k, j, i = (t * s for t, s in zip(stride, native, strict=True))
        return cls(box, stride, first, (k, j, i), native, centre)

    @cached_property
    def shape(self) -> Voxel:
        return _triple(
            [
                len(range(f, n, t))
                for f, n, t in zip(self.first, box_shape(self.box), self.stride, strict=True)
            ]
        )

    def sample(self, volume: NDArray) -> NDArray:
        """The voxels of a whole-image array that the coarse grid keeps."""
        k, j, i = (
            slice(s.start + f, s.stop, t) for s, f, t in zip(self.box, self.first, self.stride, strict=True)
        )
        return volume[k, j, i]

    def average(self, volume: NDArray) -> NDArray[np.float32]:
        """As `sample`, but each value is the mean over the voxels around it, so that noise falls with the
        stride.
        """
        result = np.asarray(volume[self.box], dtype=np.float32)
        for axis, (first, stride) in enumerate(zip(self.first, self.stride, strict=True)):
            result = _mean_along(result, axis, first, stride)
        return result

    def refine_to(self, values: NDArray[np.floating], region: Box) -> NDArray[np.float32]:
        """Linear interpolation of coarse values to every voxel of `region`, which lies in `box`."""
        result = np.asarray(values, dtype=np.float32)
        for axis, part in enumerate(within(region, self.box)):
            place = (np.arange(part.start, part.stop) - self.first[axis]) / self.stride[axis]
            place = np.clip(place, 0, result.shape[axis] - 1)
            low = np.minimum(place.astype(np.intp), max(0, result.shape[axis] - 2))
            high = np.minimum(low + 1, result.shape[axis] - 1)
            share = _along(axis, (place - low).astype(np.float32))
            below = result.take(low, axis)
            result = below + (result.take(high, axis) - below) * share
        return result

    def place(self, voxel: Voxel) -> tuple[float, float, float]:
        """Where an image voxel lies on the coarse grid (fractional indices, maybe outside)."""
        k, j, i = (
            (v - s.start - f) / t for v, s, f, t in zip(voxel, self.box, self.first, self.stride, strict=True)
        )
        return k, j, i

    def distance_mm(self, voxel: Voxel) -> NDArray[np.float32]:
        """Straight distance of every coarse voxel from an image voxel."""
        return straight_distance(self.shape, self.place(voxel), self.spacing_mm)


def straight_distance(
    shape: Voxel, centre: tuple[float, ...], spacing_mm: tuple[float, ...]
) -> NDArray[np.float32]:
    """Distance (mm) of every voxel of an array from `centre` (fractional indices)."""
    square = np.zeros(shape, np.float32)
    for axis, (n, c, s) in enumerate(zip(shape, centre, spacing_mm, strict=True)):
        square += _along(axis, (((np.arange(n) - c) * s) ** 2).astype(np.float32))
    return np.sqrt(square)


def whole_voxels(length_mm: float, geometry: Geometry) -> Voxel:
    """Number of voxels (k, j, i) that reach at least `length_mm`."""
    return _triple([int(np.ceil(length_mm / s)) for s in geometry.spacing_mm[::-1]])


def _mean_along(values: NDArray[np.float32], axis: int, first: int, stride: int) -> NDArray[np.float32]:
    """Every `stride`-th value from `first` on, each the mean of itself and its nearer neighbours."""
    places = np.arange(first, values.shape[axis], stride)
    reach = int(_CORE * stride + 0.5) if stride > 1 else 0
    total = np.zeros_like(values.take(places, axis))
    for step in range(-reach, reach + 1):
        total += values.take(np.clip(places + step, 0, values.shape[axis] - 1), axis)
    return total / np.float32(2 * reach + 1)


def _along(axis: int, line: NDArray) -> NDArray:
    shape = [1, 1, 1]
    shape[axis] = -1
    return line.reshape(shape)


def _triple(values: list[int]) -> Voxel:
    k, j, i = values
    return k, j, i
