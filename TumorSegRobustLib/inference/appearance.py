"""Fitting a contour to how the tumour looks in this very scan, whatever the scanner.

Networks find a tumour on strange scans better than its border: their probabilities are shifted there. But the
scan itself shows the border. So two things are changed where the networks are not sure:

* the level: of the contours at several log-odds, the one across which grey values differ most;
* the look: two histograms, inside and around the contour, tell for every grey value whether it rather belongs
  inside; that evidence is added to the networks', and the histograms are taken anew, a few times.

Neither needs training, a unit, or to know the modality.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.errors import UnusableInput

from .boxes import bounding_box

_SMALLEST = 1e-3
"""Probabilities are taken to lie between this and its complement."""
_SMOOTH = 1.5
"""Neighbouring bins share their counts (standard deviation, bins)."""
_POSSIBLE = 0.03
"""Below this probability nothing is looked at."""


@dataclass(frozen=True)
class AppearanceSettings:
    """Lengths are mm, strengths log-odds. Chosen on head MR of three hospitals, in a flat optimum.

    weight: how far the look counts, beside the networks. most_level: how far the level may be from the
    networks' own. temperature: by which the fitted log-odds are divided: neighbouring voxels tell the same
    again, and the uncertainty must stay honest.
    """

    weight: float = 2.0
    most_level: float = 1.5
    level_step: float = 0.5
    level_cost: float = 0.003
    """What a level costs, times its square, against the contrast across the contour (standard deviations)."""
    band_mm: float = 3.0
    """The contrast is that between so much inside and so much outside the contour."""
    around_mm: float = 15.0
    """How far from the contour the look is learned."""
    rounds: int = 3
    distinct: float = 0.1
    """Where inside and around look less unlike than this (Jensen-Shannon divergence, bits), both changes
    shrink in proportion: in mere noise nothing may be found."""
    most_look: float = 2.0
    bins: int = 48
    doubt: float = 0.2
    """Share of an even spread in both histograms: a grey value hardly seen decides nothing."""
    denoise_mm: float = 0.7
    blur_mm: float = 1.0
    temperature: float = 2.0

    @classmethod
    def of(cls, calibration: Mapping[str, Any]) -> AppearanceSettings | None:
        """Those under `appearance` of a package's calibration; None where it has none. UnusableInput for a
        name that this version does not know.
        """
        told = calibration.get("appearance")
        if told is None:
            return None
        unknown = set(told) - {one.name for one in fields(cls)}
        if unknown:
            raise UnusableInput(
                f"The model's calibration.appearance has the unknown entry {min(unknown)}; "
                "restore the package."
            )
        return cls(**told)


def fit_to_scan(
    probability: NDArray[np.float32],
    voxels: NDArray,
    spacing_mm: tuple[float, float, float],
    settings: AppearanceSettings,
    threshold: float = 0.5,
) -> None:
    """Change `probability` (k, j, i) in place; `voxels`: the scan, on the same grid; spacing_mm: (i, j, k).

    No voxel changes whose probability is below .03, and none at all where no voxel reaches the threshold: a
    lesion that the networks did not see stays unseen.
    """
    from scipy.ndimage import gaussian_filter

    if not (probability >= threshold).any():
        return
    step = np.array(spacing_mm[::-1])
    margin = int(np.ceil(settings.around_mm / step.min()))
    box = bounding_box(probability >= _POSSIBLE, margin)
    before = np.clip(probability[box], _SMALLEST, 1 - _SMALLEST)
    middle = np.float32(np.log(threshold / (1 - threshold)))
    odds = np.log(before / (1 - before)) - middle
    scan = gaussian_filter(voxels[box].astype(np.float32), np.minimum(settings.denoise_mm / step, 1.5))
    look = _Look(scan, _grown(odds >= 0, settings.around_mm, step), step, settings)
    trust = np.float32(min(1.0, look.distinctness(odds) / settings.distinct))
    odds -= trust * _level(odds, scan, step, settings)
    now = odds
    for _ in range(settings.rounds):
        now = odds + trust * np.float32(settings.weight) * look.of(now)
    odds = now
    after = 1 / (1 + np.exp(-(odds / np.float32(settings.temperature) + middle)))
    below = np.nextafter(np.float32(threshold), np.float32(0))
    after = np.where(odds >= 0, np.maximum(after, threshold), np.minimum(after, below))
    probability[box] = np.where(probability[box] >= _POSSIBLE, after, probability[box])


def _level(odds: NDArray, scan: NDArray, step: NDArray, settings: AppearanceSettings) -> np.float32:
    """The log-odds whose contour lies where grey values change most; 0 where nothing tells."""
    count = int(settings.most_level / settings.level_step)
    best, most = 0.0, -np.inf
    for level in sorted(np.arange(-count, count + 1) * settings.level_step, key=abs):
        worth = _contrast(odds >= level, scan, step, settings.band_mm) - settings.level_cost * level**2
        if worth > most:
            best, most = float(level), worth
    return np.float32(best)


def _contrast(inside: NDArray, scan: NDArray, step: NDArray, band_mm: float) -> float:
    """Difference of the means just inside and just outside a contour, in standard deviations."""
    inner = scan[inside & _grown(~inside, band_mm, step)]
    outer = scan[~inside & _grown(inside, band_mm, step)]
    if not len(inner) or not len(outer):
        return -np.inf
    spread = float(np.sqrt(inner.var() + outer.var()))
    return abs(float(inner.mean()) - float(outer.mean())) / spread if spread > 0 else 0.0


class _Look:
    """Evidence from grey values, learned inside and around a contour that is sure to some degree."""

    def __init__(self, scan: NDArray, near: NDArray, step: NDArray, settings: AppearanceSettings) -> None:
        low, high = (float(v) for v in np.percentile(scan, (0.5, 99.5)))
        share = (scan - low) / max(high - low, 1e-6) * settings.bins
        self._bin = np.clip(share, 0, settings.bins - 1).astype(np.intp)
        self._near, self._step, self._settings = near, step, settings

    def distinctness(self, odds: NDArray) -> float:
        """How unlike the two sides of a contour look: 0 (the same) to 1 bit (no grey value in common)."""
        from scipy.spatial.distance import jensenshannon

        return float(jensenshannon(*self._shares(odds), base=2)) ** 2

    def of(self, odds: NDArray) -> NDArray:
        """Log-odds (k, j, i) that a grey value belongs inside."""
        from scipy.ndimage import gaussian_filter

        settings = self._settings
        even = settings.doubt / settings.bins
        inside, outside = (share + even for share in self._shares(odds))
        worth = np.clip(np.log(inside / outside), -settings.most_look, settings.most_look)
        return gaussian_filter(worth.astype(np.float32)[self._bin], settings.blur_mm / self._step)

    def _shares(self, odds: NDArray) -> tuple[NDArray, NDArray]:
        """Of every grey value among what lies inside and around, each voxel as sure as it is."""
        from scipy.ndimage import gaussian_filter1d

        chance = (1 / (1 + np.exp(-odds)))[self._near]
        bins = self._bin[self._near]
        inside, outside = (
            gaussian_filter1d(np.bincount(bins, weight, self._settings.bins), _SMOOTH)
            for weight in (np.where(chance >= 0.5, chance, 0), np.where(chance < 0.5, 1 - chance, 0))
        )
        return inside / max(inside.sum(), 1e-6), outside / max(outside.sum(), 1e-6)


def _grown(mask: NDArray, length_mm: float, step: NDArray) -> NDArray[np.bool_]:
    """The mask and what lies within `length_mm` of it along each axis (one voxel at least)."""
    from scipy.ndimage import maximum_filter1d

    grown = mask.view(np.uint8)
    for axis, size in enumerate(step):
        reach = max(1, round(length_mm / size))
        grown = maximum_filter1d(grown, 2 * reach + 1, axis=axis, mode="constant")
    return grown.astype(bool)
