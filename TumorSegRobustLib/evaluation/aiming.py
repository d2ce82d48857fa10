"""Where a contour is wrong, and the voxel that a reader who sees it would click."""

from __future__ import annotations

from dataclasses import dataclass

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from TumorSegRobustLib.image import Geometry

Voxel = tuple[int, int, int]
Box = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class Error:
    """One face-connected part of a contour that is wrong.

    voxel: (k, j, i) deepest inside it. include: whether tumour is missing here (else there is too much).
    region: bool array, the error inside `box`. voxels: how many it has.
    """

    voxel: Voxel
    include: bool
    box: Box
    region: NDArray[np.bool_]

    @property
    def voxels(self) -> int:
        return int(np.count_nonzero(self.region))


def largest_error(
    mask: NDArray[np.bool_], truth: NDArray[np.bool_], geometry: Geometry
) -> tuple[Voxel, bool] | None:
    """The voxel (k, j, i) deepest inside the largest error, and whether it is missing tumour; None where
    all is right.
    """
    error = find_largest_error(mask, truth, geometry)
    return None if error is None else (error.voxel, error.include)


def find_largest_error(
    mask: NDArray[np.bool_], truth: NDArray[np.bool_], geometry: Geometry
) -> Error | None:
    """The error with the most voxels; None where mask and truth (k, j, i) are equal.

    Missing and superfluous tumour are separate errors, of face-connected voxels; depth is in mm, from the
    error's own border, and the border of the arrays counts as one.
    """
    kinds = (truth & ~mask).view(np.uint8) | ((mask & ~truth).view(np.uint8) << 1)
    if not kinds.any():
        return None
    labels, count = cc3d.connected_components(kinds, connectivity=6, return_N=True)
    statistics = cc3d.statistics(labels)
    largest = int(np.argmax(statistics["voxel_counts"][1 : count + 1])) + 1
    k, j, i = statistics["bounding_boxes"][largest]
    region = labels[k, j, i] == largest
    depth = distance_transform_edt(np.pad(region, 1), sampling=geometry.spacing_mm[::-1])[1:-1, 1:-1, 1:-1]
    deepest = np.unravel_index(int(np.argmax(depth)), depth.shape)
    a, b, c = (int(d) + s.start for d, s in zip(deepest, (k, j, i), strict=True))
    return Error((a, b, c), bool(truth[a, b, c]), (k, j, i), region)
