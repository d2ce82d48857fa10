"""Two contours side by side: how well they agree, and each place where they do not, named by what is wrong.

Types after the way readers speak of a contour. A lesion is a component of voxels that touch at least by a
corner. One that the other contour does not meet at all is missed or false; every other difference lies at the
border of a lesion that both know, where the contour is too tight or too wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, maximum_position

from TumorSegRobustLib.evaluation.metrics import Mask, dice, surface_distances
from TumorSegRobustLib.image import Geometry

Kind = Literal["missed lesion", "false lesion", "border too tight", "border too wide"]
KINDS: tuple[Kind, ...] = ("missed lesion", "false lesion", "border too tight", "border too wide")
MISSED, SUPERFLUOUS = 1, 2
"""Values of `error_map`: tissue that only the reference has, and that only the contour has."""
TOLERANCE_MM = 1.0


@dataclass(frozen=True)
class ContourError:
    """One connected place where contour and reference differ.

    position_mm: LPS of a voxel in the middle of it (the farthest from its own border).
    off_mm: how far, at most, its voxels lie from the contour that leaves them out (between voxel centres);
    None where that contour is empty.
    """

    kind: Kind
    size_ml: float
    position_mm: tuple[float, float, float]
    off_mm: float | None

    @property
    def missed(self) -> bool:
        """Whether tissue is missing here (else there is too much)."""
        return self.kind in ("missed lesion", "border too tight")

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "size_ml": self.size_ml,
            "position_lps_mm": list(self.position_mm),
            "off_mm": self.off_mm,
        }


@dataclass(frozen=True)
class Comparison:
    """A contour against a reference. dice, surface_dice (within 1 mm): 0..1, 1 where both are empty.

    hd95_mm: see `SurfaceDistances`; None where just one of the two is empty, since then there is no distance.
    errors: the largest first.
    """

    dice: float
    surface_dice: float
    hd95_mm: float | None
    volume_ml: float
    reference_ml: float
    errors: tuple[ContourError, ...]

    @property
    def difference_ml(self) -> float:
        """Positive where too much was drawn."""
        return self.volume_ml - self.reference_ml

    def to_json(self) -> dict[str, Any]:
        return {
            "dice": self.dice,
            "surface_dice_1mm": self.surface_dice,
            "hd95_mm": self.hd95_mm,
            "volume_ml": self.volume_ml,
            "reference_ml": self.reference_ml,
            "difference_ml": self.difference_ml,
            "errors": [error.to_json() for error in self.errors],
        }


def compare(contour: Mask, reference: Mask, geometry: Geometry) -> Comparison:
    """Compare two masks, bool (k, j, i), on one grid; ValueError where the shapes differ."""
    overlap = dice(contour, reference)
    box = _box_around(contour | reference)
    if box is None:
        return Comparison(overlap, 1.0, 0.0, 0.0, 0.0, ())
    ours, theirs = contour[box], reference[box]
    distances = surface_distances(ours, theirs, geometry)
    start = np.array([side.start for side in box])
    errors = [
        *_errors(theirs, ours, geometry, start, "missed lesion", "border too tight"),
        *_errors(ours, theirs, geometry, start, "false lesion", "border too wide"),
    ]
    return Comparison(
        overlap,
        distances.surface_dice(TOLERANCE_MM),
        distances.hd95_mm if ours.any() and theirs.any() else None,
        int(np.count_nonzero(ours)) * geometry.voxel_ml,
        int(np.count_nonzero(theirs)) * geometry.voxel_ml,
        tuple(sorted(errors, key=lambda error: -error.size_ml)),
    )


def error_map(contour: Mask, reference: Mask) -> NDArray[np.uint8]:
    """uint8 (k, j, i): MISSED, SUPERFLUOUS, and 0 where both agree."""
    return (reference & ~contour) * np.uint8(MISSED) + (contour & ~reference) * np.uint8(SUPERFLUOUS)


def _errors(
    mask: Mask, other: Mask, geometry: Geometry, start: NDArray[np.intp], lesion: Kind, border: Kind
) -> list[ContourError]:
    """The places of `mask` that `other` leaves out; start: index (k, j, i) of the first voxel of both."""
    left_out = mask & ~other
    if not left_out.any():
        return []
    spacing = geometry.spacing_mm[::-1]
    lesions = _components(mask)[0]
    met = np.zeros(int(lesions.max()) + 1, bool)
    met[np.unique(lesions[other])] = True
    places, count = _components(left_out)
    numbers = np.arange(1, count + 1)
    depth = distance_transform_edt(np.pad(left_out, 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
    middles = np.array(maximum_position(depth, places, numbers)).astype(np.intp)
    voxels = np.bincount(places.ravel())[1:]
    off: NDArray[np.float64] | None = None
    if other.any():
        off = np.zeros(count + 1)
        away = distance_transform_edt(~other, sampling=spacing)
        np.maximum.at(off, places[left_out], away[left_out])
    found = []
    for number, middle, size in zip(numbers.tolist(), middles, voxels.tolist(), strict=True):
        x, y, z = geometry.position_of(middle + start).tolist()
        kind = border if met[lesions[tuple(middle)]] else lesion
        distance = None if off is None else float(off[number])
        found.append(ContourError(kind, size * geometry.voxel_ml, (x, y, z), distance))
    return found


def _components(mask: Mask) -> tuple[NDArray[Any], int]:
    """Labels from 1 of voxels that touch at least by a corner, and their number."""
    labels, count = cc3d.connected_components(mask.astype(np.uint8), connectivity=26, return_N=True)
    return labels, int(count)


def _box_around(mask: Mask) -> tuple[slice, slice, slice] | None:
    """The smallest box with a voxel to spare, so that what lies beyond the scan is outside as ever."""
    lines = [np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    if not lines[0].size:
        return None
    k, j, i = (slice(max(int(line[0]) - 1, 0), int(line[-1]) + 2) for line in lines)
    return k, j, i
