"""`Prediction`: what the models say about one scan, on the scan's own grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from TumorSegRobustLib.image import Geometry

from .seen import Seen


@dataclass(frozen=True, eq=False)
class Prediction:
    """The ensemble's answer and what it takes to judge it.

    probability: (k, j, i) float32 in 0..1. members: (m, k, j, i) float16, each member's own probability (with
    flip averaging, of each view of each member). package: {id, version, sha256, licence}. seconds: time per
    stage. peak_memory_mb: the process's highest resident memory so far, or on CUDA the highest memory
    allocated on the device. core: probability of the tumour core, like `probability`; None where the package
    or the scan does not tell. triage, calibration, fingerprint: as in the package, for the assessment.
    adaptation: {tried, accepted, why} of test-time adaptation; None where it was not asked for. seen: what
    the networks were shown, for the assessment; None where nobody kept it.
    """

    geometry: Geometry
    probability: np.ndarray
    members: np.ndarray
    package: dict[str, Any]
    device: str
    backend: str
    seconds: dict[str, float]
    peak_memory_mb: float
    notices: tuple[str, ...] = ()
    threshold: float = 0.5
    triage: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    core: np.ndarray | None = None
    adaptation: Mapping[str, Any] | None = None
    seen: Seen | None = None

    @property
    def mask(self) -> np.ndarray:
        """The contour: bool (k, j, i), where the probability reaches the threshold."""
        return self.probability >= self.threshold

    @property
    def volume_ml(self) -> float:
        """Volume of the mask."""
        return float(np.count_nonzero(self.mask)) * self.geometry.voxel_ml

    @property
    def core_mask(self) -> np.ndarray | None:
        """The tumour core: bool (k, j, i) inside `mask`; None where there is none to tell."""
        return None if self.core is None else (self.core >= 0.5) & self.mask
