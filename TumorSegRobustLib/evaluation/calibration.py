"""Do the probabilities mean what they say, where it matters: near the border of the tumour.

Over a whole scan nearly every voxel is air or healthy with probability 0, and any network looks calibrated.
So only voxels within a band around the contour and the reference count.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from TumorSegRobustLib.image import Geometry

BINS = 10
BAND_MM = 10.0


@dataclass(frozen=True, eq=False)
class Reliability:
    """Per bin of predicted probability (equal widths from 0 to 1): voxels, sum of probability, tumour voxels.

    Additive: the sum of the cases' bins is the bins of all cases.
    """

    count: NDArray[np.int64]
    probability: NDArray[np.float64]
    tumour: NDArray[np.int64]

    def __add__(self, other: Reliability) -> Reliability:
        return Reliability(
            self.count + other.count, self.probability + other.probability, self.tumour + other.tumour
        )

    @property
    def ece(self) -> float:
        """Expected calibration error: the voxel-weighted mean over the bins of |confidence - frequency|.

        Naeini et al. 2015, for one class; 0 without voxels.
        """
        total = int(self.count.sum())
        return float(np.abs(self.probability - self.tumour).sum()) / total if total else 0.0

    def points(self) -> list[tuple[float, float, int]]:
        """(mean predicted probability, share that is tumour, voxels) of the bins that hold any."""
        return [
            (float(p / n), float(t / n), int(n))
            for n, p, t in zip(self.count, self.probability, self.tumour, strict=True)
            if n
        ]


def nothing(bins: int = BINS) -> Reliability:
    return Reliability(np.zeros(bins, np.int64), np.zeros(bins), np.zeros(bins, np.int64))


def pooled(parts: Iterable[Reliability], bins: int = BINS) -> Reliability:
    return sum(parts, nothing(bins))


def reliability_near_border(
    probability: NDArray,
    mask: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    geometry: Geometry,
    band_mm: float = BAND_MM,
    bins: int = BINS,
) -> Reliability:
    """Bins of the voxels within `band_mm` of the border of the contour or of the reference; (k, j, i) each.

    Empty where neither has a voxel. Distances are between voxel centres.
    """
    union = mask | reference
    if not union.any():
        return nothing(bins)
    box = _around(union, geometry, band_mm)
    spacing = geometry.spacing_mm[::-1]
    near = np.zeros(union[box].shape, dtype=bool)
    for one in (mask[box], reference[box]):
        if one.any():
            near |= np.where(one, _distance(one, spacing), _distance(~one, spacing)) <= band_mm
    p = probability[box][near].astype(np.float64)
    t = reference[box][near]
    which = np.minimum((p * bins).astype(np.intp), bins - 1)
    return Reliability(
        np.bincount(which, minlength=bins),
        np.bincount(which, weights=p, minlength=bins).astype(np.float64),
        np.bincount(which[t], minlength=bins),
    )


def _distance(inside: NDArray[np.bool_], spacing: tuple[float, ...]) -> NDArray[np.float64]:
    """mm from each voxel of `inside` to the nearest voxel that is not; infinite where there is none."""
    if inside.all():
        return np.full(inside.shape, np.inf)
    return distance_transform_edt(inside, sampling=spacing)


def _around(mask: NDArray[np.bool_], geometry: Geometry, margin_mm: float) -> tuple[slice, slice, slice]:
    parts = []
    for axis, step in enumerate(reversed(geometry.spacing_mm)):
        line = np.flatnonzero(mask.any(axis=tuple(n for n in range(3) if n != axis)))
        reach = int(np.ceil(margin_mm / step)) + 1
        parts.append(slice(max(0, int(line[0]) - reach), min(mask.shape[axis], int(line[-1]) + reach + 1)))
    return parts[0], parts[1], parts[2]
