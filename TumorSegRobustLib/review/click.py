"""The values a review speaks in: a click, a box of voxels, and what a click did."""

from __future__ import annotations

from dataclasses import dataclass

Voxel = tuple[int, int, int]
"""An index in (k, j, i) order."""

Box = tuple[slice, slice, slice]
"""A box of voxels in (k, j, i) order; starts and stops are always plain integers inside the image."""


@dataclass(frozen=True)
class Click:
    """The reader's word about one point: tumour (`include`) or not.

    `position_mm` is LPS (x, y, z) in mm.
    """

    position_mm: tuple[float, float, float]
    include: bool


@dataclass(frozen=True)
class Seed:
    """A click as the grid sees it: the voxel that it names and the label that it gives."""

    voxel: Voxel
    include: bool


@dataclass(frozen=True)
class ClickResult:
    """What one click did.

    `honoured`: the clicked voxel now has the clicked label (measured on the new mask).
    `changed_ml`: volume of all voxels whose label changed.
    `box`: the smallest box around them (the clicked voxel alone where none changed).
    `region`: the region of influence; nothing outside it can have changed.
    """

    honoured: bool
    changed_ml: float
    box: Box
    seconds: float
    region: Box


def box_around(voxel: Voxel, half: tuple[int, int, int], shape: Voxel) -> Box:
    """The box of `2 * half + 1` voxels around `voxel`, cut at the borders of an image of `shape`."""
    k, j, i = (slice(max(0, v - h), min(n, v + h + 1)) for v, h, n in zip(voxel, half, shape, strict=True))
    return k, j, i


def box_shape(box: Box) -> Voxel:
    k, j, i = (s.stop - s.start for s in box)
    return k, j, i


def overlap(a: Box, b: Box) -> Box | None:
    """The voxels that two boxes share; None where they share none."""
    k, j, i = (slice(max(p.start, q.start), min(p.stop, q.stop)) for p, q in zip(a, b, strict=True))
    return (k, j, i) if all(s.start < s.stop for s in (k, j, i)) else None


def around_both(a: Box, b: Box) -> Box:
    """The smallest box that holds two boxes."""
    k, j, i = (slice(min(p.start, q.start), max(p.stop, q.stop)) for p, q in zip(a, b, strict=True))
    return k, j, i


def within(inner: Box, outer: Box) -> Box:
    """`inner`, given in the image's indices, in the indices of an array cut out at `outer`."""
    k, j, i = (slice(p.start - q.start, p.stop - q.start) for p, q in zip(inner, outer, strict=True))
    return k, j, i


def inside(voxel: Voxel, box: Box) -> Voxel:
    """`voxel`, given in the image's indices, in the indices of an array cut out at `box`."""
    k, j, i = (v - s.start for v, s in zip(voxel, box, strict=True))
    return k, j, i


def contains(box: Box, voxel: Voxel) -> bool:
    return all(s.start <= v < s.stop for s, v in zip(box, voxel, strict=True))
