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
    inside = np.argwhere(source)
    if not len(inside):
        raise UnusableInput(
            f"The mask of {name} is empty, so there is no contour to write; segment something first"
        )
    low, high = inside.min(axis=0), inside.max(axis=0)
    outside_ml = _outside(mask.geometry, inside, stack) * mask.geometry.voxel_ml
    source_ml = len(inside) * mask.geometry.voxel_ml
    if outside_ml >= source_ml:
        raise UnusableInput(
            f"The mask of {name} does not overlap the DICOM series; "
            "give the series it was drawn on, or register it first"
        )
    voxels = np.zeros(stack.shape, bool)
    box_mm = mask.geometry.position_of(_box_corners(low, high))
    for plane in range(stack.shape[0]):
        _fill_plane(voxels[plane], source, mask.geometry, stack, plane, box_mm)
    placed_ml = float(voxels.sum()) * stack.voxel_ml
    notices = []
    if not _is_same_grid(mask.geometry, stack):
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


def _fill_plane(
    plane_voxels: np.ndarray, source: np.ndarray, grid: Geometry, stack: Stack, plane: int, box_mm: np.ndarray
) -> None:
    window = stack.column_row(plane, box_mm)
    first = np.maximum(np.floor(window.min(axis=0)).astype(int), 0)
    last = np.minimum(np.ceil(window.max(axis=0)).astype(int) + 1, (stack.shape[2], stack.shape[1]))
    along = box_mm @ stack.normal - stack.distance_mm[plane]
    if (last <= first).any() or along.min() > 0 or along.max() < 0:
        return
    base, per_row, per_column = _index_steps(grid, stack, plane)
    rows, columns = np.arange(first[1], last[1]), np.arange(first[0], last[0])
    index = base + rows[:, None, None] * per_row + columns[None, :, None] * per_column
    nearest = np.floor(index + 0.5).astype(np.intp)
    valid = ((nearest >= 0) & (nearest < source.shape)).all(axis=-1)
    k, j, i = nearest[valid].T
    plane_voxels[first[1] : last[1], first[0] : last[0]][valid] = source[k, j, i]


def _index_steps(grid: Geometry, stack: Stack, plane: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(k, j, i) in the mask of the plane's first voxel, and its change per row and per column."""
    origin = stack.origins_mm[plane]
    base, down, right = grid.continuous_index(
        np.stack([origin, origin + stack.column_axis_mm, origin + stack.row_axis_mm])
    )
    return base, down - base, right - base


def _is_same_grid(grid: Geometry, stack: Stack) -> bool:
    """Whether every voxel centre of the stack is a voxel centre of the (continued) mask grid, one to one."""
    steps = [_index_steps(grid, stack, plane) for plane in range(stack.shape[0])]
    bases = np.array([base for base, _, _ in steps])
    _, per_row, per_column = steps[0]
    axes = [np.rint(per_row), np.rint(per_column), *np.rint(np.diff(bases, axis=0))]
    if any(np.abs(axis).sum() != 1 for axis in axes):
        return False
    if len(axes) > 2 and (
        abs(np.linalg.det(np.stack(axes[:3]))) != 1 or any((axis != axes[2]).any() for axis in axes[2:])
    ):
        return False
    far_row, far_column = stack.shape[1] - 1, stack.shape[2] - 1
    drift = far_row * np.abs(per_row - axes[0]) + far_column * np.abs(per_column - axes[1])
    return bool((np.abs(bases - np.rint(bases)) + drift).max() <= SAME_VOXEL)


def _outside(grid: Geometry, inside: np.ndarray, stack: Stack) -> int:
    """How many of the mask's foreground voxels (n, 3) have their centre outside the stack."""
    position = grid.position_of(inside)
    along, distance = position @ stack.normal, stack.distance_mm
    gap = np.diff(distance) if len(distance) > 1 else np.array([np.inf])
    column_row = stack.column_row(stack.nearest_plane(along), position)
    last = np.array([stack.shape[2], stack.shape[1]]) - 1
    slack = 0.5 + SAME_VOXEL
    within = (along >= distance[0] - slack * gap[0]) & (along <= distance[-1] + slack * gap[-1])
    within &= ((column_row >= -slack) & (column_row <= last + slack)).all(axis=1)
    return int((~within).sum())


def _box_corners(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The eight corners of whole voxels low..high, as (k, j, i)."""
    ends = np.stack([low - 0.5, high + 0.5])
    return np.array([[ends[a, 0], ends[b, 1], ends[c, 2]] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
