"""A truth made worse as networks fail: too wide, too tight, smeared, parts missing, parts invented."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from TumorSegRobustLib.image import Image

from ..synth.draw import Draw
from ..synth.fields import blur
from .drawing import signed_mm, smooth


def degraded(truth: NDArray[np.bool_], image: Image, draw: Draw) -> NDArray[np.float32]:
    """A probability (k, j, i) as an unsure network might give it.

    The signed distance to the border is bent by smooth noise and shifted, by a share of the lesion's own
    radius; spots of the brightness of the lesion are added elsewhere.
    """
    spacing = image.geometry.spacing_mm[::-1]
    distance = signed_mm(truth, spacing)
    radius = max(2.0, (3 * truth.sum() * float(np.prod(spacing)) / (4 * np.pi)) ** (1 / 3))
    scale = draw.uniform(0.4, 1.5) * radius
    bent = smooth(truth.shape, scale, spacing, draw) * draw.uniform(0.05, 0.45) * radius
    distance = distance + bent + draw.normal(0, 0.15) * radius
    if draw.chance(0.35):  # a part is not found
        gone = smooth(truth.shape, draw.uniform(0.8, 2.0) * radius, spacing, draw)
        distance = distance - np.clip(gone - draw.uniform(-0.3, 0.8), 0, None) * 2.0 * radius
    if draw.chance(0.35) and truth.any():  # something else looks like it
        voxels = image.voxels.astype(np.float32)
        level, spread = np.median(voxels[truth]), np.std(voxels[truth]) + 1e-6
        alike = np.exp(-(((voxels - level) / (1.5 * spread)) ** 2))
        alike = blur(torch.from_numpy(alike), [1.5 / min(s, 3.0) + 0.3 for s in spacing]).numpy()
        where = smooth(truth.shape, draw.uniform(0.5, 1.5) * radius, spacing, draw) - draw.uniform(0.3, 1.5)
        added = np.minimum(alike - 0.5, 0.5 * where) * radius
        distance = np.maximum(distance, added)
    softness = draw.log_uniform(0.06, 0.5) * radius
    odds = np.clip(distance / softness * draw.uniform(0.5, 1.5), -6, 6)
    return (1 / (1 + np.exp(-odds))).astype(np.float32)
