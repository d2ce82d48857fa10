"""A mask from any grid onto the planes of a DICOM series."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.export.stack import Stack
from TumorSegRobustLib.image import Geometry, Image

# Headers and NIfTI affines round: a voxel that is off by less than this fraction of its size is the same one.
SAME_VOXEL = 0.1


@dataclass(frozen=True)
class Placed:
    """A mask on a stack: bool (planes, rows, columns), and one line for each thing that could not be kept."""

    voxels: np.ndarray
    notices: tuple[str, ...] = ()


def place(mask: Image, stack: Stack, name: str) -> Placed:
    """Each voxel of the stack takes the mask's voxel nearest to its centre.

    Where both are one grid (any order or direction of the axes, cropped or padded), that is exact and silent.
    Otherwise a notice says what changed. Raises UnusableInput for a mask that is empty, not binary, or
    outside.
    """
    source = _foreground(mask, name)
    if not source.any():
        raise UnusableInput(
            f"The mask of {name} is empty, so there is no contour to write; segment something first"
        )
    low, high = _box(source)
    source_ml = np.count_nonzero(source) * mask.geometry.voxel_ml
    outside_ml = 0.0
    if not _within(mask.geometry.position_of(_corners(low, high)), stack).all():
        outside = ~_within(mask.geometry.position_of(np.argwhere(source)), stack)
        outside_ml = np.count_nonzero(outside) * mask.geometry.voxel_ml
    if outside_ml >= source_ml:
        raise UnusableInput(
            f"The mask of {name} does not overlap the DICOM series; "
            "give the series it was drawn on, or register it first"
        )
    steps = _unit_steps(mask.geometry, stack)
    if steps is not None:
        voxels = _reordered(source, *steps, stack.shape)
    else:
        voxels = _nearest(
            source, mask.geometry, stack, mask.geometry.position_of(_corners(low - 0.5, high + 0.5))
        )
    placed_ml = np.count_nonzero(voxels) * stack.voxel_ml
    notices = []
    if steps is None:
        if not placed_ml:
            raise UnusableInput(
                f"The mask of {name} ({source_ml:.3g} ml) falls between the voxels of the DICOM series; "
                "draw it on the series itself"
            )
        notices.append(
            f"{name} lies on another grid than the DICOM series ({mask.geometry.describe_spacing()}); "
            f"resampled to the nearest voxel, {source_ml:.3g} -> {placed_ml:.3g} ml"
        )
    if outside_ml > 0:
        notices.append(
            f"{outside_ml:.3g} of {source_ml:.3g} ml of {name} lie outside the DICOM series and are left out"
        )
    return Placed(voxels, tuple(notices))


def _foreground(mask: Image, name: str) -> np.ndarray:
    voxels = np.asarray(mask.voxels)
    if voxels.dtype == bool:
        return voxels
    foreground = voxels > 0
    if voxels.dtype.kind == "f" and not np.array_equal(voxels, foreground):
        raise UnusableInput(
            f"The mask of {name} holds values between 0 and 1 or is not finite; threshold it first"
        )
    return foreground


def _reordered(
    source: np.ndarray, first: np.ndarray, axes: np.ndarray, shape: tuple[int, int, int]
) -> np.ndarray:
    """The mask's voxels in the order of the stack, no value changed.

    first: index (k, j, i) in the mask of the stack's first voxel. axes: its rows are the steps in the mask
    for one plane, row and column of the stack, each a unit vector.
    """
    order = np.abs(axes).argmax(axis=1)
    turned = source.transpose(order)
    here, there = [], []
    for n, axis in enumerate(order):
        start, length = int(first[axis]), turned.shape[n]
        if axes[n, axis] < 0:
            turned, start = np.flip(turned, n), length - 1 - start
        low, high = max(0, -start), max(0, min(shape[n], length - start))
        here.append(slice(low, high))
        there.append(slice(start + low, start + high))
    voxels = np.zeros(shape, bool)
    voxels[tuple(here)] = turned[tuple(there)]
    return voxels


def _nearest(source: np.ndarray, grid: Geometry, stack: Stack, box_mm: np.ndarray) -> np.ndarray:
    """The mask's voxel nearest to each of the stack; box_mm: the corners of the box around its foreground."""
    voxels = np.zeros(stack.shape, bool)
    for plane in range(stack.shape[0]):
        along = box_mm @ stack.normal - stack.distance_mm[plane]
        window = stack.column_row(plane, box_mm)
        first = np.maximum(np.floor(window.min(axis=0)).astype(int), 0)
        last = np.minimum(np.ceil(window.max(axis=0)).astype(int) + 1, (stack.shape[2], stack.shape[1]))
        if np.any(last <= first) or along.min() > 0 or along.max() < 0:
            continue
        base, per_row, per_column = _index_steps(grid, stack, plane)
        rows, columns = np.arange(first[1], last[1]), np.arange(first[0], last[0])
        index = base + rows[:, None, None] * per_row + columns[None, :, None] * per_column
        nearest = np.floor(index + 0.5).astype(np.intp)
        valid = ((nearest >= 0) & (nearest < source.shape)).all(axis=-1)
        k, j, i = nearest[valid].T
        voxels[plane, first[1] : last[1], first[0] : last[0]][valid] = source[k, j, i]
    return voxels


def _index_steps(grid: Geometry, stack: Stack, plane: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(k, j, i) in the mask of the plane's first voxel, and its change per row and per column."""
    origin = stack.origins_mm[plane]
    base, down, right = grid.continuous_index(
        np.stack([origin, origin + stack.column_axis_mm, origin + stack.row_axis_mm])
    )
    return base, down - base, right - base


def _unit_steps(grid: Geometry, stack: Stack) -> tuple[np.ndarray, np.ndarray] | None:
    """Where the stack starts and how it runs in the mask (see _reordered) if both are on one grid, else None.

    One grid: every voxel centre of the stack is a voxel centre of the mask, which may be cropped or padded.
    """
    steps = [_index_steps(grid, stack, plane) for plane in range(stack.shape[0])]
    bases = np.array([base for base, _, _ in steps])
    _, per_row, per_column = steps[0]
    along_planes = np.rint(np.diff(bases, axis=0))
    axes = np.rint(np.stack([*along_planes[:1], per_row, per_column]))
    if axes.shape != (3, 3) or not np.array_equal(np.abs(axes) @ np.abs(axes).T, np.eye(3)):
        return None
    if (along_planes != axes[0]).any():
        return None
    drift = (stack.shape[1] - 1) * np.abs(per_row - axes[1]) + (stack.shape[2] - 1) * np.abs(
        per_column - axes[2]
    )
    if (np.abs(bases - np.rint(bases)) + drift).max() > SAME_VOXEL:
        return None
    return np.rint(bases[0]).astype(int), axes.astype(int)


def _within(position_mm: np.ndarray, stack: Stack) -> np.ndarray:
    """Per LPS position (n, 3), whether it lies in the box of whole voxels of the stack."""
    along, distance = position_mm @ stack.normal, stack.distance_mm
    gap = np.diff(distance) if len(distance) > 1 else np.array([np.inf])
    column_row = stack.column_row(stack.nearest_plane(along), position_mm)
    last = np.array([stack.shape[2], stack.shape[1]]) - 1
    slack = 0.5 + SAME_VOXEL
    beside = ((column_row < -slack) | (column_row > last + slack)).any(axis=1)
    return ~beside & (along >= distance[0] - slack * gap[0]) & (along <= distance[-1] + slack * gap[-1])


def _box(source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last index of the foreground along each axis."""
    k = np.flatnonzero(source.any(axis=(1, 2)))
    slab = np.any(source[k[0] : k[-1] + 1], axis=0)
    j, i = np.flatnonzero(np.any(slab, axis=1)), np.flatnonzero(np.any(slab, axis=0))
    return np.array([k[0], j[0], i[0]]), np.array([k[-1], j[-1], i[-1]])


def _corners(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The eight corners (k, j, i) of a box."""
    ends = np.stack([low, high])
    return np.array([[ends[a, 0], ends[b, 1], ends[c, 2]] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
