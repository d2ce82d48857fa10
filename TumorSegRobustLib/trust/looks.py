"""Which sequence a scan of the head looks like: how bright brain is from its surface to its depth.

In T1 white matter is brighter than cortex, in FLAIR it is not, in T2 fluid is brightest: told from where the
networks see the brain, the tumour they propose left out. A table in the package, fitted to generated heads
(see `training.looks`), turns the figures into how likely each sequence is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from TumorSegRobustLib.inference.boxes import bounding_box

_SHELLS_MM = (0.0, 3.0, 6.0, 10.0, 15.0, 22.0, 1000.0)
_PERCENTILES = (2, 10, 25, 75, 90, 98)
_AROUND = 4  # voxels about the brain that belong to the look: vessels, skull and fat, or nothing
_FEWEST_VOXELS = 500
FEATURES = (
    *(f"depth_{edge:g}_mm" for edge in _SHELLS_MM[:-1]),
    *(f"percentile_{p}" for p in _PERCENTILES),
    "skewness",
    "brighter_with_depth",
    "around",
    "brightest_around",
)


def head_features(
    normalised: np.ndarray, brain: np.ndarray, tumour: np.ndarray, spacing_mm: Sequence[float]
) -> dict[str, float] | None:
    """FEATURES of one channel (k, j, i) as networks get it, relative to the median of the brain.

    brain, tumour: probabilities on the same grid (spacing i, j, k). None where there is hardly any brain.
    """
    from scipy.ndimage import binary_dilation, distance_transform_edt

    inside = brain >= 0.5
    if np.count_nonzero(inside) < _FEWEST_VOXELS:
        return None
    box = bounding_box(inside, _AROUND)
    inside, values = inside[box], normalised[box].astype(np.float32)
    near_tumour = binary_dilation(tumour[box] >= 0.5, iterations=2)
    healthy = inside & ~near_tumour
    if np.count_nonzero(healthy) < _FEWEST_VOXELS:
        healthy = inside
    depth = distance_transform_edt(np.pad(inside, 1), sampling=tuple(reversed(spacing_mm)))[1:-1, 1:-1, 1:-1]
    shown, deep = values[healthy], depth[healthy]
    median = float(np.median(shown))
    deviation = float(shown.std()) or 1.0
    found = []
    for low, high in pairwise(_SHELLS_MM):
        shell = shown[(deep > low) & (deep <= high)]
        found.append(float(np.median(shell)) - median if len(shell) > 30 else 0.0)
    found += [float(value) - median for value in np.percentile(shown, _PERCENTILES)]
    z = (shown - shown.mean()) / deviation
    found.append(float((z**3).mean()))
    found.append(float((z * (deep - deep.mean())).mean() / (float(deep.std()) or 1.0)))
    around = values[binary_dilation(inside, iterations=_AROUND) & ~binary_dilation(inside)]
    ends_around = (around.mean(), np.percentile(around, 90)) if len(around) else (median, median)
    found += [float(value) - median for value in ends_around]
    return dict(zip(FEATURES, found, strict=True))


def likely_sequences(features: Mapping[str, float], table: Mapping[str, Any]) -> dict[str, float]:
    """{sequence: probability} by the package's table: multinomial logistic regression on scaled features.

    table: {"features": names, "mean", "scale": per feature, "sequences": names, "weights": a row per
    sequence, "bias": per sequence}.
    """
    x = np.array([features[name] for name in table["features"]])
    x = np.clip((x - np.array(table["mean"])) / np.array(table["scale"]), -4.0, 4.0)
    scores = np.array(table["weights"]) @ x + np.array(table["bias"])
    shares = np.exp(scores - scores.max())
    return {name: float(p) for name, p in zip(table["sequences"], shares / shares.sum(), strict=True)}
