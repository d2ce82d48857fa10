"""What tumour looks like here, and what does not: two histograms, learned from one image around one click."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SMOOTHING = np.exp(-0.5 * (np.arange(-6, 7) / 1.5) ** 2)
"""Neighbouring bins share their counts: a Gaussian of 1.5 bins."""


@dataclass(frozen=True)
class Palette:
    """Intensities as ranks: `bin` (k, j, i) says into which of `bins` equally full classes a voxel falls.

    Ranks need no unit, no window and no assumption about the modality; where most of the intensities are one
    value
    (air) there are fewer bins.
    """

    bin: NDArray[np.intp]
    bins: int

    @classmethod
    def of(cls, image: NDArray[np.float32], inside: NDArray[np.bool_], bins: int) -> Palette:
        edges = np.unique(np.quantile(image[inside], np.linspace(0, 1, bins + 1)[1:-1]))
        return cls(np.searchsorted(edges, image, side="right").astype(np.intp), bins)

    def histogram(self, weight: NDArray) -> NDArray[np.float64] | None:
        """Smoothed share of every bin among voxels of the given weights; None where they weigh nothing."""
        whole = weight.dtype == bool
        bins, weights = (self.bin[weight], None) if whole else (self.bin.ravel(), weight.ravel())
        counts = np.bincount(bins, weights, minlength=self.bins).astype(np.float64)
        if counts.sum() <= 0:
            return None
        reach = len(_SMOOTHING) // 2
        smooth = np.convolve(np.pad(counts, reach, mode="reflect"), _SMOOTHING, "valid")
        return smooth / smooth.sum()

    def likelihood(
        self, tumour: NDArray[np.float64], other: NDArray[np.float64], doubt: float, most: float
    ) -> NDArray[np.float64]:
        """Log-odds (k, j, i) that a voxel is tumour by its intensity alone, within +-`most`.

        `doubt` is mixed into both histograms as an even spread, so that a bin hardly seen decides nothing.
        Where the
        two look alike the log-odds are near 0, and the place alone decides.
        """
        odds = np.log((tumour + doubt / self.bins) / (other + doubt / self.bins))
        return np.clip(odds, -most, most)[self.bin]


def mixed(
    parts: Sequence[NDArray[np.float64] | None], shares: Sequence[float] | None = None
) -> NDArray[np.float64] | None:
    """Weighted mean of histograms; those that are None leave their share to the others."""
    weights = shares if shares is not None else [1.0] * len(parts)
    present = [(part, share) for part, share in zip(parts, weights, strict=True) if part is not None]
    if not present:
        return None
    return np.average([part for part, _ in present], axis=0, weights=[share for _, share in present])
