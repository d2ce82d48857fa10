"""Does a spot look like what the contour holds? Grey values as evidence, whatever the kind of scan."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BINS = 32
_MOST = 2.0  # log-odds: grey values alone never decide
_AIR = 0.1  # of the range of grey values; what lies below is not tissue, and never tumour
_BLUR_MM = 2.0


def looks_of(image: NDArray, contour: NDArray, spacing_mm: NDArray) -> NDArray[np.float32]:
    """Log-odds (k, j, i), -2 to 2, that the grey value of a voxel belongs inside the contour.

    image, contour (bool): one grid of `spacing_mm` (along k, j, i), around the contour. The logarithm of the
    ratio of two histograms, of the contour and of the tissue around it, smoothed by one bin and, in space, by
    2 mm; zeros where there is nothing to compare: an empty contour, no tissue around it, one grey value.
    """
    from scipy.ndimage import gaussian_filter, gaussian_filter1d

    low, high = (float(value) for value in np.percentile(image, (0.5, 99.5)))
    tissue = image > low + _AIR * (high - low)
    around = tissue & ~contour
    if high <= low or not contour.any() or not around.any():
        return np.zeros(image.shape, np.float32)
    bins = np.clip((image - low) / (high - low) * _BINS, 0, _BINS - 1).astype(np.intp)
    shares = []
    for region in (contour, around):
        counts = np.bincount(bins[region], minlength=_BINS) + 1.0  # no grey value is impossible
        shares.append(gaussian_filter1d(counts / counts.sum(), 1.0))
    odds = np.clip(np.log(shares[0] / shares[1]), -_MOST, _MOST)[bins]
    odds[~tissue] = -_MOST
    return np.asarray(gaussian_filter(odds, _BLUR_MM / spacing_mm), dtype=np.float32)
