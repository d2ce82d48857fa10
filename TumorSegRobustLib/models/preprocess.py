"""From a scan to a network's input; training and inference share these functions, so they cannot drift apart.

Plain numpy: the parameters are data, stored in each package (`preprocessing` in `configs/package.json`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .separable import resample_parallel

if TYPE_CHECKING:
    from TumorSegRobustLib.image import Geometry, Image

DEFAULT_PREPROCESSING: Mapping[str, Any] = {
    "orientation": "LPS",
    # Gaussian before downsampling, standard deviation as a fraction of the member's spacing.
    "antialias": 0.4,
    # A scan is background-stripped when more than this fraction of it is (nearly) its minimum ...
    "stripped_fraction": 0.6,
    # ... "nearly": within this fraction of the range from the minimum to the 99.5th percentile.
    "stripped_tiny": 0.002,
    # Otherwise the foreground is brighter than this fraction of the range from the 1st to the 99.5th
    # percentile: a threshold that, unlike a percentile, does not depend on how much air the view holds.
    "foreground_fraction": 0.15,
    "clip_percentiles": [0.5, 99.5],
    # ... and at this multiple of the foreground's median (which is brain): fat of the scalp, up to four times
    # as bright as brain, would otherwise press all contrast inside the brain into a tenth of the range.
    "tissue_clip": 2.2,
    "z_clip": [-4, 6],
    # Network input: sides are a multiple of this, and at least the minimum (instance norm needs > 1 voxel).
    "multiple": 16,
    "minimum_side": 32,
    # A stripped scan is cut to its foreground and this margin (voxels) before the network sees it: instance
    # norms then meet about as much background as in training, and less is computed.
    "crop_stripped": True,
    "crop_margin": 8,
    # Largest input (k, j, i) in one pass; None: the whole volume if memory allows.
    "window": None,
}
_FEWEST_FOREGROUND_VOXELS = 50


@dataclass(frozen=True)
class Prepared:
    """One channel on a member's grid: z-scored float32 (k, j, i) in LPS order, and what was foreground."""

    array: np.ndarray
    geometry: Geometry
    foreground: np.ndarray
    stripped: bool


def prepare(
    image: Image, spacing_mm: tuple[float, float, float], parameters: Mapping[str, Any] | None = None
) -> Prepared:
    """Orient, resample to `spacing_mm` (i, j, k) and normalise one scan."""
    from TumorSegRobustLib.image import orient

    p = {**DEFAULT_PREPROCESSING, **(parameters or {})}
    oriented = orient(image, p["orientation"])
    geometry = oriented.geometry.with_spacing(spacing_mm)
    array = resample_parallel(
        oriented.voxels, oriented.geometry, geometry, antialias=float(p["antialias"])
    )
    foreground, stripped = find_foreground(array, p)
    if stripped:  # upstream z-scoring can leave the background in the middle of the range
        array = np.where(foreground, array, array[foreground].min())
    return Prepared(normalise(array, foreground, p), geometry, foreground, stripped)


def find_foreground(
    array: np.ndarray, parameters: Mapping[str, Any] | None = None
) -> tuple[np.ndarray, bool]:
    """(foreground mask, was the background stripped?) of raw intensities.

    Stripped scans (most voxels at one value): all voxels but that value; others: all above a threshold.
    """
    p = {**DEFAULT_PREPROCESSING, **(parameters or {})}
    lowest, top = float(array.min()), float(np.percentile(array, 99.5))
    background = float(np.median(array)) if p["stripped_fraction"] >= 0.5 else lowest
    other = np.abs(array - background) > float(p["stripped_tiny"]) * (top - lowest)
    stripped = bool(1.0 - other.mean() > float(p["stripped_fraction"]))
    if stripped:
        foreground = other
    else:
        low = float(np.percentile(array, 1.0))
        foreground = array > low + float(p["foreground_fraction"]) * (top - low)
    if np.count_nonzero(foreground) < _FEWEST_FOREGROUND_VOXELS:
        foreground = np.ones(array.shape, dtype=bool)
    return foreground, stripped


def normalise(
    array: np.ndarray, foreground: np.ndarray, parameters: Mapping[str, Any] | None = None
) -> np.ndarray:
    """Clip to percentiles of the foreground, z-score on the foreground, clip again; float32, same shape.

    A foreground without contrast gives zeros.
    """
    p = {**DEFAULT_PREPROCESSING, **(parameters or {})}
    values = array[foreground]
    low, high = np.percentile(values, p["clip_percentiles"])
    if p["tissue_clip"]:
        air = float(np.percentile(array, 1.0))
        high = min(high, air + float(p["tissue_clip"]) * (float(np.median(values)) - air))
    clipped = np.clip(array, np.float32(low), np.float32(high)).astype(np.float32, copy=False)
    inside = clipped[foreground]
    mean, deviation = float(inside.mean(dtype=np.float64)), float(inside.std(dtype=np.float64))
    if deviation <= 1e-6 * max(1.0, abs(mean)):
        return np.zeros(array.shape, dtype=np.float32)
    scaled = (clipped - np.float32(mean)) / np.float32(deviation)
    low, high = p["z_clip"]
    return np.clip(scaled, np.float32(low), np.float32(high))


def padded_shape(
    shape: tuple[int, ...], parameters: Mapping[str, Any] | None = None
) -> tuple[int, ...]:
    """The sides a network gets for an array of `shape`: rounded up to the multiple, at least the minimum."""
    p = {**DEFAULT_PREPROCESSING, **(parameters or {})}
    multiple, least = int(p["multiple"]), int(p["minimum_side"])
    return tuple(-(-max(side, least) // multiple) * multiple for side in shape)


def pad(array: np.ndarray, parameters: Mapping[str, Any] | None = None) -> np.ndarray:
    """`array` (k, j, i) enlarged at the far ends to `padded_shape`, filled with its minimum."""
    wanted = padded_shape(array.shape, parameters)
    widths = [(0, want - side) for want, side in zip(wanted, array.shape, strict=True)]
    if not any(after for _, after in widths):
        return array
    return np.pad(array, widths, constant_values=array.min())
