"""`assess`: how far a prediction can be trusted, as maps, as figures, and as a level with reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from TumorSegRobustLib.image import Geometry, Image
from TumorSegRobustLib.inference import Prediction, bounding_box
from TumorSegRobustLib.progress import Progress

from .agreement import expected_dice, pairwise_dice
from .lesions import Lesion, find_lesions
from .quality import Quality, on_strange_scan, predict_quality
from .scan import judge_scan
from .triage import DEFAULT_TRIAGE, Evidence, triage
from .uncertainty import uncertainty_maps

# Names of the two ends of an axis that points left, posterior or superior (LPS).
_SIDES = (("right", "left"), ("front", "back"), ("bottom", "top"))
_SURELY_BACKGROUND = 0.05


@dataclass(frozen=True, eq=False)
class Assessment:
    """entropy, mutual_information (bits), disagreement (standard deviation): (k, j, i) float32, native grid.

    predicted_dice with interval (low, high); `calibrated` False means both are guesses from the agreement.
    level: "accept", "review" or "reject", with reasons in plain words. agreement: mean pairwise Dice of the
    members, None for one member. doubt: entropy in and around the contour, bits per voxel of contour.
    """

    entropy: np.ndarray
    mutual_information: np.ndarray
    disagreement: np.ndarray
    predicted_dice: float
    interval: tuple[float, float]
    calibrated: bool
    agreement: float | None
    doubt: float
    level: str
    reasons: tuple[str, ...]
    shift: dict[str, Any]
    volume_ml: float
    lesions: tuple[Lesion, ...]

    @property
    def uncertainty(self) -> np.ndarray:
        """The map to show: entropy in bits."""
        return self.entropy

    def to_json(self) -> dict[str, Any]:
        """The part of `result.json` that this room owns."""
        return {
            "volume_ml": self.volume_ml,
            "lesions": [lesion.to_json() for lesion in self.lesions],
            "quality": {
                "predicted_dice": self.predicted_dice,
                "interval": list(self.interval),
                "calibrated": self.calibrated,
                "agreement": self.agreement,
                "doubt_bits": self.doubt,
            },
            "triage": {"level": self.level, "reasons": list(self.reasons)},
            "shift": self.shift,
        }


def assess(prediction: Prediction, image: Image, progress: Progress | None = None) -> Assessment:
    """Judge a prediction on the scan it was made from (first channel; the others come with the prediction).

    Thresholds come with the package.

    Raises Cancelled when `progress` is cancelled.
    """
    progress = progress or Progress()
    limits = {**DEFAULT_TRIAGE, **prediction.triage}
    mask = prediction.mask
    maps = uncertainty_maps(prediction.probability, prediction.members, progress.part(0.0, 0.6))
    progress.report(0.6, "Comparing the models")
    pairs = pairwise_dice(prediction.members, prediction.threshold)
    agreement = float(np.mean(pairs)) if pairs else None
    lesions = find_lesions(mask, prediction.geometry, float(limits["min_lesion_ml"]))
    volume_ml = prediction.volume_ml
    progress.report(0.8, "Comparing with the training scans")
    shift = judge_scan(prediction, image)
    doubt = _doubt(maps.entropy, prediction, mask, float(limits["band_mm"]))
    quality = _quality(prediction, mask, agreement)
    level, reasons = triage(
        Evidence(
            volume_ml=volume_ml,
            quality=quality,
            agreement=agreement,
            doubt_bits=doubt,
            lesions=len(lesions),
            edges=touched_edges(mask, prediction.geometry),
            shift=shift,
        ),
        limits,
    )
    quality = on_strange_scan(quality, shift.kept)
    progress.report(1.0, "Assessed")
    return Assessment(
        entropy=maps.entropy,
        mutual_information=maps.mutual_information,
        disagreement=maps.disagreement,
        predicted_dice=quality.predicted_dice,
        interval=quality.interval,
        calibrated=quality.calibrated,
        agreement=None if agreement is None else round(agreement, 4),
        doubt=round(doubt, 4),
        level=level,
        reasons=reasons,
        shift=shift.to_json(),
        volume_ml=round(volume_ml, 4),
        lesions=lesions,
    )


def touched_edges(mask: np.ndarray, geometry: Geometry) -> tuple[str, ...]:
    """The sides of the field of view ("left", "top", ...) whose outermost voxels the mask reaches."""
    touched = []
    for column, (axis, sign) in enumerate(geometry.nearest_axes()):
        first, last = (np.take(mask, end, axis=2 - column).any() for end in (0, -1))
        low, high = _SIDES[axis] if sign > 0 else _SIDES[axis][::-1]
        touched += [low] if first else []
        touched += [high] if last else []
    return tuple(touched)


def _quality(prediction: Prediction, mask: np.ndarray, agreement: float | None) -> Quality:
    if not mask.any():
        # Members that agree on "nothing" have Dice 1, or 0 if they all missed it: nothing is known.
        return Quality(0.0, (0.0, 1.0), calibrated=False)
    if agreement is None:
        return predict_quality(expected_dice(prediction.probability, mask), {})
    return predict_quality(agreement, prediction.calibration)


def _doubt(entropy: np.ndarray, prediction: Prediction, mask: np.ndarray, band_mm: float) -> float:
    """Entropy inside the mask and within `band_mm` of it along the axes, in bits per voxel of the mask.

    0 for an empty mask. Never over the whole scan: background would hide any doubt; inside the band what is
    all but certainly background does not count either, so that small contours are not blamed for their
    surroundings.
    """
    size = int(np.count_nonzero(mask))
    if not size:
        return 0.0
    from scipy.ndimage import maximum_filter1d

    reach = [max(1, round(band_mm / step)) for step in reversed(prediction.geometry.spacing_mm)]
    box = bounding_box(mask, max(reach))
    region = mask[box].view(np.uint8)
    for axis, voxels in enumerate(reach):
        region = maximum_filter1d(region, 2 * voxels + 1, axis=axis, mode="constant")
    counted = region.astype(bool) & (prediction.probability[box] > _SURELY_BACKGROUND)
    return float(entropy[box][counted].sum(dtype=np.float64)) / size
