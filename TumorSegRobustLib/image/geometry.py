"""Where the voxels of a volume lie in the patient: size, spacing, origin and direction in LPS millimetres."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from TumorSegRobustLib.errors import UnusableInput

# Largest departure of a direction matrix from a rotation (or rotation with a flip) that counts as rounding:
# 1e-3 is 0.25 mm over a 250 mm field of view, and headers written with four digits stay below it.
ORTHOGONALITY_TOLERANCE = 1e-3
_LETTERS = ("LR", "PA", "SI")  # towards +x / -x, +y / -y, +z / -z in LPS


@dataclass(frozen=True)
class Geometry:
    """A regular, orthogonal grid of voxels.

    shape is in array order (k, j, i); spacing_mm in (i, j, k) order as in ITK; origin_mm is the LPS position
    of the centre of voxel (0, 0, 0); direction holds nine numbers, row by row, whose columns are the unit
    vectors of i, j, k. Left-handed (flipped) directions are allowed. Raises UnusableInput when the numbers do
    not describe such a grid.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)
    origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

    def __post_init__(self) -> None:
        for name, length, kind in (
            ("shape", 3, int),
            ("spacing_mm", 3, float),
            ("origin_mm", 3, float),
            ("direction", 9, float),
        ):
            values = tuple(kind(value) for value in np.asarray(getattr(self, name)).ravel().tolist())
            if len(values) != length:
                raise UnusableInput(f"Geometry needs {length} numbers for its {name}, got {len(values)}")
            object.__setattr__(self, name, values)
        reason = _fault_of(self)
        if reason:
            raise UnusableInput(reason)

    @cached_property
    def affine(self) -> NDArray[np.float64]:
        """4x4 matrix from (i, j, k, 1) to LPS mm."""
        matrix = np.eye(4)
        matrix[:3, :3] = np.reshape(self.direction, (3, 3)) * self.spacing_mm
        matrix[:3, 3] = self.origin_mm
        matrix.flags.writeable = False
        return matrix

    @cached_property
    def inverse_affine(self) -> NDArray[np.float64]:
        """4x4 matrix from LPS mm to (i, j, k, 1)."""
        matrix = np.linalg.inv(self.affine).astype(np.float64)
        matrix.flags.writeable = False
        return matrix

    @property
    def size(self) -> tuple[int, int, int]:
        """Number of voxels along (i, j, k), as in ITK."""
        return self.shape[2], self.shape[1], self.shape[0]

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return math.prod(self.spacing_mm) / 1000.0

    @property
    def extent_mm(self) -> tuple[float, float, float]:
        """Length of the box of whole voxels along (i, j, k)."""
        i, j, k = (count * step for count, step in zip(self.size, self.spacing_mm, strict=True))
        return i, j, k

    @property
    def centre_mm(self) -> tuple[float, float, float]:
        """LPS position of the middle of the box."""
        x, y, z = self.position_of((np.asarray(self.shape) - 1) / 2).tolist()
        return x, y, z

    @property
    def orientation(self) -> str:
        """Three letters: where i, j and k point, to the nearest patient axis; "LPS" for an unrotated grid."""
        return "".join(_LETTERS[axis][0 if sign > 0 else 1] for axis, sign in self.nearest_axes())

    def nearest_axes(self) -> tuple[tuple[int, int], ...]:
        """For i, j and k the nearest patient axis (0 x, 1 y, 2 z) and the sign along it; each occurs once."""
        cosines = np.reshape(self.direction, (3, 3))
        best = max(
            itertools.permutations(range(3)),
            key=lambda axes: sum(abs(cosines[axis, column]) for column, axis in enumerate(axes)),
        )
        return tuple((axis, 1 if cosines[axis, column] > 0 else -1) for column, axis in enumerate(best))

    def position_of(self, index_kji: ArrayLike) -> NDArray[np.float64]:
        """LPS mm of voxel indices (k, j, i), whole or fractional; shape (..., 3) in and out."""
        ijk = np.asarray(index_kji, dtype=np.float64)[..., ::-1]
        return ijk @ self.affine[:3, :3].T + self.affine[:3, 3]

    def continuous_index(self, position_mm: ArrayLike) -> NDArray[np.float64]:
        """Fractional voxel indices (k, j, i) of LPS positions; shape (..., 3) in and out."""
        position = np.asarray(position_mm, dtype=np.float64)
        return (position @ self.inverse_affine[:3, :3].T + self.inverse_affine[:3, 3])[..., ::-1]

    def index_of(self, position_mm: ArrayLike) -> tuple[int, int, int]:
        """The voxel (k, j, i) that holds an LPS position. Raises UnusableInput when there is none."""
        if not self.contains(position_mm):
            place = ", ".join(f"{value:.1f}" for value in np.asarray(position_mm, dtype=np.float64).ravel())
            low, high = self.bounds_mm()
            box = " x ".join(f"{a:.0f}..{b:.0f}" for a, b in zip(low, high, strict=True))
            raise UnusableInput(
                f"Position ({place}) mm lies outside the image, which spans {box} mm (LPS); "
                "give a position inside it"
            )
        nearest = np.floor(self.continuous_index(position_mm) + 0.5).astype(int)
        k, j, i = np.clip(nearest, 0, np.asarray(self.shape) - 1).tolist()
        return k, j, i

    def contains(self, position_mm: ArrayLike) -> bool:
        """Whether one LPS position lies within the box of whole voxels (edges included)."""
        position = np.asarray(position_mm, dtype=np.float64)
        if position.shape != (3,) or not np.isfinite(position).all():
            return False
        index = self.continuous_index(position)
        slack = 0.5 + 1e-9
        return bool(((index >= -slack) & (index <= np.asarray(self.shape) - 1 + slack)).all())

    def corners_mm(self) -> NDArray[np.float64]:
        """(8, 3) LPS positions of the corners of the box of whole voxels."""
        ends = [(-0.5, count - 0.5) for count in self.shape]
        return self.position_of(np.array(list(itertools.product(*ends))))

    def bounds_mm(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lowest and highest LPS coordinates of the box."""
        corners = self.corners_mm()
        return corners.min(axis=0), corners.max(axis=0)

    def matches(self, other: Geometry, tolerance_mm: float = 1e-3) -> bool:
        """Same number of voxels, and no voxel further than tolerance_mm from its counterpart."""
        if self.shape != other.shape:
            return False
        # The difference of two affine maps is affine, so it is largest at a corner.
        return bool(np.linalg.norm(self.corners_mm() - other.corners_mm(), axis=1).max() <= tolerance_mm)

    def with_spacing(self, spacing_mm: Sequence[float]) -> Geometry:
        """The same box with another voxel size (i, j, k); the grid is centred on the box.

        The number of voxels is rounded, so the new box differs from the old by at most half a voxel in all.
        """
        spacing = tuple(float(step) for step in spacing_mm)
        if len(spacing) != 3 or not all(math.isfinite(step) and step > 0 for step in spacing):
            raise UnusableInput(f"Spacing must be three positive numbers in mm, got {tuple(spacing_mm)}")
        size = [max(1, round(length / step)) for length, step in zip(self.extent_mm, spacing, strict=True)]
        first_ijk = [
            (old - 1) / 2 - (new - 1) / 2 * step / old_step
            for old, new, step, old_step in zip(self.size, size, spacing, self.spacing_mm, strict=True)
        ]
        origin = self.position_of(first_ijk[::-1])
        return Geometry((size[2], size[1], size[0]), spacing, tuple(origin.tolist()), self.direction)

    def cut(self, box: tuple[slice, slice, slice]) -> Geometry:
        """The grid of the voxels (k, j, i) in `box`, which has a start and a stop along each axis."""
        origin = self.position_of([side.start for side in box])
        k, j, i = (side.stop - side.start for side in box)
        return Geometry((k, j, i), self.spacing_mm, tuple(origin.tolist()), self.direction)

    def overlaps(self, other: Geometry) -> bool:
        """Whether the two boxes share any volume (separating axes; Gottschalk, SIGGRAPH 1996)."""
        mine, theirs = (np.reshape(grid.direction, (3, 3)).T for grid in (self, other))
        crossed = np.cross(mine[:, None, :], theirs[None, :, :]).reshape(-1, 3)
        axes = np.concatenate([mine, theirs, crossed[np.linalg.norm(crossed, axis=1) > 1e-6]])
        one, two = self.corners_mm() @ axes.T, other.corners_mm() @ axes.T
        apart = (one.max(axis=0) <= two.min(axis=0) + 1e-9) | (two.max(axis=0) <= one.min(axis=0) + 1e-9)
        return not bool(apart.any())

    def covered_by(self, other: Geometry) -> float:
        """Fraction (0..1) of this grid that another covers, from at most 16 samples along each axis."""
        samples = [np.linspace(0, count - 1, min(count, 16)) for count in self.shape]
        index = np.stack(np.meshgrid(*samples, indexing="ij"), axis=-1).reshape(-1, 3)
        inside = other.continuous_index(self.position_of(index))
        slack = 0.5 + 1e-6
        covered = ((inside >= -slack) & (inside <= np.asarray(other.shape) - 1 + slack)).all(axis=1)
        return float(covered.mean())

    def describe(self) -> str:
        """For messages: "256x256x40 voxels of 0.95x0.95x4 mm"."""
        return f"{'x'.join(map(str, self.size))} voxels of {self.describe_spacing()}"

    def describe_spacing(self) -> str:
        """For messages: "0.95x0.95x4 mm"."""
        return "x".join(f"{step:.3g}" for step in self.spacing_mm) + " mm"

    def to_json(self) -> dict[str, list[float]]:
        """Plain lists, exact: from_json gives an equal Geometry."""
        return {name: list(getattr(self, name)) for name in ("shape", "spacing_mm", "origin_mm", "direction")}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Geometry:
        """The inverse of to_json. Raises UnusableInput when a field is missing or wrong."""
        try:
            return cls(*(tuple(data[name]) for name in ("shape", "spacing_mm", "origin_mm", "direction")))
        except (KeyError, TypeError) as error:
            raise UnusableInput(f"Geometry lacks the field {error}") from error


def _fault_of(geometry: Geometry) -> str | None:
    size = "x".join(map(str, geometry.size))
    if min(geometry.shape) < 1:
        return f"The grid is empty ({size} voxels)"
    if not np.isfinite([*geometry.spacing_mm, *geometry.origin_mm, *geometry.direction]).all():
        return "The spacing, origin or direction holds values that are not finite; repair the header"
    if min(geometry.spacing_mm) <= 0:
        return f"The spacing must be positive, got {geometry.describe_spacing()}; repair the header"
    return fault_of_direction(np.reshape(geometry.direction, (3, 3)))


def fault_of_direction(matrix: NDArray[np.float64]) -> str | None:
    """Why a 3x3 matrix is not a direction matrix (singular or sheared), or None when it is one."""
    if abs(np.linalg.det(matrix)) < 1e-6:
        return "The direction matrix is singular (its determinant is zero); repair the header"
    departure = np.abs(matrix.T @ matrix - np.eye(3)).max()
    if departure > ORTHOGONALITY_TOLERANCE:
        return (
            f"The axes are not perpendicular (sheared by {departure:.3g}); "
            "resample the image to an orthogonal grid first"
        )
    return None
