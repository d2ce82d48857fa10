"""Does this scan look like what the networks were trained on? A fingerprint of a few plain features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from TumorSegRobustLib.image import Image
from TumorSegRobustLib.models import find_foreground

from .concerns import KEPT_NOTHING, Concern

_MOST_VOXELS = 2_000_000
_CT_AIR_HU, _CT_BONE_HU = -500.0, 100.0
_WORDS = {
    "slice_thickness_mm": ("slice thickness", "mm"),
    "in_plane_spacing_mm": ("voxel size", "mm"),
    "longest_extent_mm": ("field of view", "mm"),
    "shortest_extent_mm": ("covered length", "mm"),
    "background_fraction": ("share of background", ""),
    "low_tail": ("darkest tissue", ""),
    "high_tail": ("brightest tissue", ""),
    "skewness": ("balance of dark and bright", ""),
}


@dataclass(frozen=True)
class Factor:
    """One feature outside its range in training; score 1 is a factor of two, or one whole range, outside."""

    name: str
    value: float
    range: tuple[float, float]
    score: float
    text: str


@dataclass(frozen=True)
class Shift:
    """score: the worst factor or concern. level: none, mild, moderate, strong, or "unknown" without a
    fingerprint.

    modality: "CT" where Hounsfield units were recognised, else ""; foreign: that is not the package's.
    concerns: what else speaks against the scan, the gravest first (see `scan.judge_scan`).
    """

    score: float
    level: str
    factors: tuple[Factor, ...]
    modality: str = ""
    foreign: bool = False
    concerns: tuple[Concern, ...] = ()

    @property
    def kept(self) -> float:
        """The share of the expected Dice that what is known of the scan leaves, 0..1."""
        return min([1.0, *(one.kept for one in self.concerns), *([KEPT_NOTHING] if self.foreign else [])])

    @property
    def unlike(self) -> float:
        """The score of the factors alone."""
        return max((one.score for one in self.factors), default=0.0) if self.concerns else self.score

    def to_json(self) -> dict[str, Any]:
        return {
            "score": self.score,
            "level": self.level,
            "factors": [asdict(one) for one in self.factors],
            "concerns": [one.text for one in self.concerns],
        }


def image_fingerprint(image: Image) -> dict[str, float]:
    """The features of one scan. Intensities are z-scored on the foreground, so that units do not matter."""
    voxels = _thinned(image.voxels)
    foreground, _ = find_foreground(voxels)
    inside = voxels[foreground].astype(np.float64)
    lowest = float(voxels.min())
    tiny = lowest + 0.002 * (float(np.percentile(voxels, 99.5)) - lowest)
    deviation = float(inside.std()) or 1.0
    z = np.clip((inside - inside.mean()) / deviation, -6, 6)
    extents = image.geometry.extent_mm
    return {
        "slice_thickness_mm": max(image.geometry.spacing_mm),
        "in_plane_spacing_mm": min(image.geometry.spacing_mm),
        "longest_extent_mm": max(extents),
        "shortest_extent_mm": min(extents),
        "background_fraction": float((voxels <= tiny).mean()),
        "low_tail": float(np.percentile(z, 2)),
        "high_tail": float(np.percentile(z, 98)),
        "skewness": float((z**3).mean()),
    }


def fingerprint_ranges(
    fingerprints: Sequence[Mapping[str, float]], percentiles: tuple[float, float] = (1, 99)
) -> dict[str, list[float]]:
    """{feature: [low, high]} over training scans, for a package's `fingerprint["ranges"]`."""
    return {
        name: [float(bound) for bound in np.percentile([one[name] for one in fingerprints], percentiles)]
        for name in fingerprints[0]
    }


def looks_like_ct(image: Image) -> bool:
    """Hounsfield units: much air far below zero, and tissue around or above it."""
    low, high = np.percentile(_thinned(image.voxels), [5, 99.5])
    return bool(low < _CT_AIR_HU and high > _CT_BONE_HU)


def measure_shift(image: Image, fingerprint: Mapping[str, Any]) -> Shift:
    """Compare a scan with a package's `fingerprint`, all of whose keys are optional.

    "modality"; and the [low, high] in training of features of `image_fingerprint`, directly or in "ranges".
    """
    modality = "CT" if looks_like_ct(image) else ""
    expected = str(fingerprint.get("modality", ""))
    foreign = bool(expected) and (modality == "CT") != (expected == "CT")
    ranges = {**fingerprint, **(fingerprint.get("ranges") or {})}
    features = image_fingerprint(image)
    known = {name: value for name, value in features.items() if name in ranges}
    found = [_factor(name, value, *ranges[name]) for name, value in known.items()]
    factors = sorted((one for one in found if one is not None), key=lambda one: -one.score)
    score = round(max([one.score for one in factors] + [2.0 if foreign else 0.0]), 3)
    if not known and not foreign:
        return Shift(0.0, "unknown", (), modality, foreign)
    return Shift(score, level_of(score), tuple(factors), modality, foreign)


def _thinned(voxels: np.ndarray) -> np.ndarray:
    """Every n-th voxel along each axis: enough for statistics."""
    step = 1
    while voxels.size / step**3 > _MOST_VOXELS:
        step += 1
    return voxels[tuple(slice(None, None, min(step, max(1, side // 8))) for side in voxels.shape)]


def _factor(name: str, value: float, low: float, high: float) -> Factor | None:
    if low <= value <= high:
        return None
    if name.endswith("_mm") and value > 0 and low > 0:
        score = float(np.log2(value / high if value > high else low / value))
    else:
        score = (value - high if value > high else low - value) / max(high - low, 1e-6)
    word, unit = _WORDS.get(name, (name, ""))
    unit = f" {unit}" if unit else ""
    text = f"{word} {value:.3g}{unit} (trained on {low:.3g} to {high:.3g}{unit})"
    return Factor(name, round(value, 4), (low, high), round(score, 3), text)


def level_of(score: float) -> str:
    """The score in a word."""
    return "none" if score <= 0 else "mild" if score < 0.5 else "moderate" if score < 1.0 else "strong"
