"""From the places of the slices to one regular grid: sort, find gaps and repeats, straighten skews."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image.checks import SMALLEST_SIDE
from TumorSegRobustLib.image.dicom_headers import Slice
from TumorSegRobustLib.image.geometry import Geometry

SAME_PLACE_MM = 0.01
PARALLEL = 1e-3  # largest difference between direction cosines of parallel slices
EVEN = 0.02  # of the slice distance: a slice this near to its place on an even grid counts as on it
DRIFT_MM = 0.1  # sideways; less is rounding in the header
HOLE = 1.75  # times the usual distance: a slice is missing there
STEEPEST_TILT_DEGREES = 45.0


@dataclass(frozen=True, eq=False)
class Stack:
    """Parallel slices in order along their normal, and the regular grid that holds them.

    depth_mm is each slice's distance from the first; drift is its sideways shift from the first in pixels
    (i, j). Where `regular` is true, slice n is plane n of the grid; otherwise `straighten` puts it there.
    """

    slices: tuple[Slice, ...]
    geometry: Geometry
    depth_mm: NDArray[np.float64]
    drift: NDArray[np.float64]
    regular: bool
    notices: tuple[str, ...] = ()

    def straighten(self, voxels: NDArray) -> NDArray:
        """The voxels of the slices (n, j, i) on the grid (k, j, i): unchanged where regular, else float32.

        Each slice is shifted in its own plane to where it was taken, then planes are interpolated linearly
        between their two neighbours. What no slice covers gets the lowest value of the volume.
        """
        if self.regular:
            return voxels
        first_j, first_i = np.floor(self.drift.min(axis=0) + 1e-6)[::-1]
        shape = self.geometry.shape[1:]
        lowest = float(voxels.min())
        planes = np.stack(
            [
                _shifted(plane.astype(np.float32), (j - first_j, i - first_i), shape, lowest)
                for plane, (i, j) in zip(voxels, self.drift, strict=True)
            ]
        )
        wanted = np.arange(self.geometry.shape[0]) * self.geometry.spacing_mm[2]
        upper = np.clip(np.searchsorted(self.depth_mm, wanted), 1, len(planes) - 1)
        below, above = self.depth_mm[upper - 1], self.depth_mm[upper]
        weight = np.clip((wanted - below) / (above - below), 0, 1).astype(np.float32)[:, None, None]
        return planes[upper - 1] * (1 - weight) + planes[upper] * weight


def stack_slices(slices: Sequence[Slice], name: str) -> Stack:
    """Sort the slices and lay a grid through them. Raises UnusableInput when they do not form one volume."""
    if len(slices) < SMALLEST_SIDE:
        raise UnusableInput(
            f"{name} has {len(slices)} image{'s' * (len(slices) != 1)}: a volume of at least "
            f"{SMALLEST_SIDE} slices is needed; choose the whole series"
        )
    first = slices[0]
    _check_alike(slices, first, name)
    normal = np.cross(first.row, first.column)
    slices = sorted(slices, key=lambda one: float(one.position_mm @ normal))
    first = slices[0]
    offsets = np.array([one.position_mm - first.position_mm for one in slices])
    depth = offsets @ normal
    drift = offsets @ np.column_stack([first.row, first.column]) / first.spacing_mm
    _check_each_place_once(slices, depth, name)
    _check_no_hole(slices, depth, name)

    notices = []
    sideways = float(np.linalg.norm(drift * first.spacing_mm, axis=1).max())
    skewed = sideways > DRIFT_MM
    if skewed:
        notices.append(_tilt_notice(depth, drift, first, name))
    else:
        drift = np.zeros_like(drift)
    gaps = np.diff(depth)
    even_step = float(depth[-1] / (len(slices) - 1))
    uneven = float(np.abs(depth - np.arange(len(slices)) * even_step).max()) > EVEN * even_step
    count = len(slices)
    if uneven:
        count = round(depth[-1] / max(float(gaps.min()), float(np.median(gaps)) / 2)) + 1
        notices.append(
            f"{name}: the slices are unevenly spaced ({gaps.min():.3g} to {gaps.max():.3g} mm); "
            f"interpolated to {depth[-1] / (count - 1):.3g} mm"
        )
    geometry = _grid(first, normal, drift, count, float(depth[-1]))
    return Stack(tuple(slices), geometry, depth, drift, not (skewed or uneven), tuple(notices))


def _grid(first: Slice, normal: NDArray, drift: NDArray, count: int, length_mm: float) -> Geometry:
    """The orthogonal grid around all slices: that of the first, widened by the drift."""
    low, high = np.floor(drift.min(axis=0) + 1e-6), np.ceil(drift.max(axis=0) - 1e-6)
    columns, rows = (int(side + up - down) for side, down, up in zip(first.size, low, high, strict=True))
    step_i, step_j = first.spacing_mm
    origin = first.position_mm + low[0] * step_i * first.row + low[1] * step_j * first.column
    return Geometry(
        (count, rows, columns),
        (step_i, step_j, length_mm / (count - 1)),
        tuple(origin.tolist()),
        tuple(np.column_stack([first.row, first.column, normal]).ravel().tolist()),
    )


def _shifted(plane: NDArray, shift: tuple[float, float], shape: Sequence[int], fill: float) -> NDArray:
    """A plane (j, i) moved by a fraction of pixels >= 0 into a larger one, linearly interpolated."""
    result = np.full(shape, fill, dtype=np.float32)
    whole = [math.floor(value + 1e-6) for value in shift]
    padded = np.full([side + 1 for side in plane.shape], fill, dtype=np.float32)
    padded[:-1, :-1] = plane
    for axis, (value, steps) in enumerate(zip(shift, whole, strict=True)):
        part = np.float32(max(0.0, value - steps))
        padded = (1 - part) * padded + part * np.roll(padded, 1, axis)  # the spare row holds the fill
    limits = zip(padded.shape, shape, whole, strict=True)
    rows, columns = (min(side, room - step) for side, room, step in limits)
    result[whole[0] : whole[0] + rows, whole[1] : whole[1] + columns] = padded[:rows, :columns]
    return result


def _check_alike(slices: Sequence[Slice], first: Slice, name: str) -> None:
    for one in slices[1:]:
        if one.size != first.size:
            raise UnusableInput(
                f"{name} mixes image sizes ({first.path.name} "
                f"{first.size[0]}x{first.size[1]}, "
                f"{one.path.name} {one.size[0]}x{one.size[1]}); separate them into folders"
            )
        if not np.allclose(one.spacing_mm, first.spacing_mm, rtol=1e-3):
            raise UnusableInput(
                f"{name} mixes pixel spacings ({first.path.name} {first.spacing_mm[0]:g} mm, "
                f"{one.path.name} {one.spacing_mm[0]:g} mm); separate them into folders"
            )
        if max(np.abs(one.row - first.row).max(), np.abs(one.column - first.column).max()) > PARALLEL:
            raise UnusableInput(
                f"{name} holds slices that are not parallel ({first.path.name} and "
                f"{one.path.name}), as in a localizer; choose a series of parallel slices"
            )


def _check_each_place_once(slices: Sequence[Slice], depth: NDArray, name: str) -> None:
    twice = np.flatnonzero(np.diff(depth) < SAME_PLACE_MM)
    if twice.size:
        one, other = slices[twice[0]], slices[twice[0] + 1]
        raise UnusableInput(
            f"{name} holds several images at the same position: {one.path.name} and "
            f"{other.path.name} "
            f"at {_place(one.position_mm)}, {twice.size} in all (copies, echoes or time "
            "points); keep one volume in the folder"
        )


def _check_no_hole(slices: Sequence[Slice], depth: NDArray, name: str) -> None:
    gaps = np.diff(depth)
    usual = float(np.median(gaps))
    holes = np.flatnonzero(gaps > HOLE * usual)
    if not holes.size:
        return
    missing = []
    for hole in holes.tolist():
        count = max(1, round(gaps[hole] / usual) - 1)
        start, stop = slices[hole].position_mm, slices[hole + 1].position_mm
        missing += [_place(start + (stop - start) * step / (count + 1)) for step in range(1, count + 1)]
    listed = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
    raise UnusableInput(
        f"{name} lacks {len(missing)} slice{'s' * (len(missing) != 1)} at {listed}: the gap "
        "after "
        f"{slices[holes[0]].path.name} is {gaps[holes[0]]:.3g} mm where slices are "
        f"{usual:.3g} mm apart; export the complete series"
    )


def _tilt_notice(depth: NDArray, drift: NDArray, first: Slice, name: str) -> str:
    shift = drift[-1] * first.spacing_mm
    angle = math.degrees(math.atan2(float(np.linalg.norm(shift)), float(depth[-1])))
    if angle > STEEPEST_TILT_DEGREES:
        raise UnusableInput(
            f"{name} has slices shifted sideways by {np.linalg.norm(shift):.0f} mm over "
            f"{depth[-1]:.0f} mm (tilt {angle:.0f} degrees); its positions are not credible, "
            "export it again"
        )
    return f"{name}: the slices are sheared (gantry tilt {angle:.1f} degrees); resampled to a straight grid"


def _place(position: NDArray) -> str:
    return f"({', '.join(f'{value:.1f}' for value in position)}) mm"
