"""How well a contour fits a reference. Masks are boolean (k, j, i) arrays on one grid; distances are mm.

Every figure that an empty mask would leave undefined follows `MetricPolicy`, so that a missed tumour never
vanishes from a mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from TumorSegRobustLib.image import Geometry

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class MetricPolicy:
    """What an empty mask gives.

    Both empty: overlap `both_empty_overlap`, distance 0. One empty: overlap 0 and, for distances, the
    diagonal of the image (`one_empty_distance_mm` None) or a fixed number: large, finite, and never better
    than a poor contour.
    """

    both_empty_overlap: float = 1.0
    one_empty_distance_mm: float | None = None

    def distance_mm(self, geometry: Geometry) -> float:
        """Distance that stands for "one of the two is missing"."""
        if self.one_empty_distance_mm is not None:
            return self.one_empty_distance_mm
        return float(np.linalg.norm(geometry.extent_mm))


DEFAULT_POLICY = MetricPolicy()


def dice(prediction: Mask, reference: Mask, policy: MetricPolicy = DEFAULT_POLICY) -> float:
    """2 |A and B| / (|A| + |B|), in [0, 1]. ValueError where the shapes differ."""
    shared, total = _counts(prediction, reference)
    return 2 * shared / total if total else policy.both_empty_overlap


def iou(prediction: Mask, reference: Mask, policy: MetricPolicy = DEFAULT_POLICY) -> float:
    """|A and B| / |A or B| (Jaccard), in [0, 1]; never above Dice. ValueError where the shapes differ."""
    shared, total = _counts(prediction, reference)
    return shared / (total - shared) if total else policy.both_empty_overlap


def volume_error_ml(prediction: Mask, reference: Mask, geometry: Geometry) -> float:
    """Volume of the prediction minus that of the reference: positive where too much was drawn."""
    _same_shape(prediction, reference)
    return (int(np.count_nonzero(prediction)) - int(np.count_nonzero(reference))) * geometry.voxel_ml


def hd95_mm(
    prediction: Mask, reference: Mask, geometry: Geometry, policy: MetricPolicy = DEFAULT_POLICY
) -> float:
    """`SurfaceDistances.hd95_mm` of two masks; compute `surface_distances` once where several figures are
    wanted.
    """
    return surface_distances(prediction, reference, geometry, policy).hd95_mm


@dataclass(frozen=True)
class SurfaceDistances:
    """Distances (mm) between voxel centres: from each surface voxel of one mask to the nearest of the other.

    A surface voxel is a mask voxel with one of its six neighbours outside the mask; what lies beyond the
    image counts as outside (surface by erosion). Both arrays are empty where both masks are; where only
    one mask is empty, each holds the policy's distance once.
    """

    to_reference: NDArray[np.float64]
    to_prediction: NDArray[np.float64]

    @property
    def hd95_mm(self) -> float:
        """The larger of the two directed 95th percentiles (linear interpolation, surface voxels counted
        equally).

        The definition of MONAI's `HausdorffDistanceMetric(percentile=95)` and, but for its weighting by
        surface area, of DeepMind's `surface-distance`. Pooling both directions first, as others do, gives
        a smaller number.
        """
        return self._larger(95)

    @property
    def hausdorff_mm(self) -> float:
        """The largest distance in either direction."""
        return self._larger(100)

    @property
    def average_mm(self) -> float:
        """Average symmetric surface distance: the mean over the surface voxels of both masks."""
        both = np.concatenate([self.to_reference, self.to_prediction])
        return float(both.mean()) if both.size else 0.0

    def surface_dice(self, tolerance_mm: float = 1.0) -> float:
        """Share of both surfaces that lies within the tolerance of the other one; 1 where both masks are
        empty.
        """
        both = np.concatenate([self.to_reference, self.to_prediction])
        return float((both <= tolerance_mm).mean()) if both.size else 1.0

    def _larger(self, percentile: float) -> float:
        sides = (self.to_reference, self.to_prediction)
        return max((float(np.percentile(side, percentile)) for side in sides if side.size), default=0.0)


def surface_distances(
    prediction: Mask, reference: Mask, geometry: Geometry, policy: MetricPolicy = DEFAULT_POLICY
) -> SurfaceDistances:
    """All distances between two surfaces, for any spacing; ValueError where the shapes differ."""
    _same_shape(prediction, reference)
    spacing = np.array(geometry.spacing_mm[::-1])
    ours, theirs = surface(prediction) * spacing, surface(reference) * spacing
    if not len(ours) and not len(theirs):
        return SurfaceDistances(np.empty(0), np.empty(0))
    if not len(ours) or not len(theirs):
        missing = np.array([policy.distance_mm(geometry)])
        return SurfaceDistances(missing, missing)
    return SurfaceDistances(cKDTree(theirs).query(ours)[0], cKDTree(ours).query(theirs)[0])


def surface(mask: Mask) -> NDArray[np.intp]:
    """Indices (n, 3), in (k, j, i) order, of the surface voxels; see `SurfaceDistances`."""
    lines = [np.flatnonzero(np.any(mask, axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    if not lines[0].size:
        return np.empty((0, 3), np.intp)
    k, j, i = (slice(int(line[0]), int(line[-1]) + 1) for line in lines)
    return _surface_of_box(mask[k, j, i]) + np.array([line[0] for line in lines])


def _surface_of_box(mask: Mask) -> NDArray[np.intp]:
    padded = np.pad(mask, 1)
    core = (slice(1, -1),) * 3
    inner = padded[core].copy()
    for axis in range(3):
        for start, stop in ((0, -2), (2, None)):
            neighbour = list(core)
            neighbour[axis] = slice(start, stop)
            inner &= padded[tuple(neighbour)]
    return np.argwhere(mask & ~inner)


def _counts(prediction: Mask, reference: Mask) -> tuple[int, int]:
    _same_shape(prediction, reference)
    shared = int(np.count_nonzero(prediction & reference))
    return shared, int(np.count_nonzero(prediction)) + int(np.count_nonzero(reference))


def _same_shape(prediction: Mask, reference: Mask) -> None:
    if prediction.shape != reference.shape:
        raise ValueError(f"The masks have different shapes: {prediction.shape} and {reference.shape}")
