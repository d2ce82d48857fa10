"""How a reader would have drawn a lesion: not quite where the image has its border, each in his own way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from TumorSegRobustLib.image import Geometry

from ..synth.draw import Draw
from ..synth.fields import smooth_noise


def as_drawn(truth: NDArray[np.bool_], geometry: Geometry, draw: Draw) -> NDArray[np.bool_]:
    """The truth (k, j, i) of one reader: wider or tighter throughout, wavering, slice by slice, with whims.

    Without it a network learns that the border of the image is the border wanted, everywhere at once, and
    undoes what a reader has drawn. But for the whims, the deviations are some per cent of the lesion's radius
    and up to about a millimetre or two, as between readers.
    """
    spacing = geometry.spacing_mm[::-1]
    radius = max(1.0, (3 * truth.sum() * geometry.voxel_ml * 1000 / (4 * np.pi)) ** (1 / 3))
    distance = signed_mm(truth, spacing)
    size = min(2.0, 0.1 * radius)
    shift = draw.normal(0, 0.8) * size
    waver = draw.uniform(0, 1.2) * size * smooth(truth.shape, draw.uniform(0.3, 1.2) * radius, spacing, draw)
    axis = int(np.argmax(spacing))
    slices = draw.white((truth.shape[axis],)).numpy() * draw.uniform(0, 0.5) * size
    view = [1, 1, 1]
    view[axis] = -1
    distance = distance + shift + waver + slices.reshape(view)
    if draw.chance(0.4):
        distance = _whim(distance, radius, spacing, draw)
    drawn = distance > 0
    return drawn if drawn.any() else truth


def _whim(
    distance: NDArray[np.float32], radius: float, spacing: tuple[float, ...], draw: Draw
) -> NDArray[np.float32]:
    """A notch left out, or a lobe taken in, for reasons that this image does not show."""
    border = np.argwhere(np.abs(distance) < 0.3 * radius)
    if not len(border):
        return distance
    for _ in range(1 + draw.integer(3)):
        middle = border[draw.integer(len(border))]
        own = radius * draw.uniform(0.15, 0.5)
        axes = np.ogrid[tuple(slice(0, n) for n in distance.shape)]
        away = np.sqrt(sum(((a - c) * s) ** 2 for a, c, s in zip(axes, middle, spacing, strict=True)))
        away = away + 0.3 * own * smooth(distance.shape, own, spacing, draw)
        out = draw.chance(0.65)
        distance = np.minimum(distance, away - own) if out else np.maximum(distance, own - away)
    return distance.astype(np.float32)


def signed_mm(mask: NDArray[np.bool_], spacing: tuple[float, ...]) -> NDArray[np.float32]:
    """Distance (mm) to the border, positive inside; -100 everywhere where there is no mask."""
    if not mask.any():
        return np.full(mask.shape, -100.0, np.float32)
    inside = distance_transform_edt(mask, sampling=spacing)
    return (inside - distance_transform_edt(~mask, sampling=spacing)).astype(np.float32)


def smooth(
    shape: tuple[int, ...], scale_mm: float, spacing: tuple[float, ...], draw: Draw
) -> NDArray[np.float32]:
    """Smooth noise of unit SD with features of about `scale_mm` (the same number of voxels on all axes)."""
    mean = float(np.prod(spacing)) ** (1 / 3)
    return smooth_noise(shape, max(1.5, scale_mm / mean), draw)[0].numpy()
