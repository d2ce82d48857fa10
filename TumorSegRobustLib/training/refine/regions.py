"""Regions of any scan that stand out from their surroundings: something with a real border to contour.

After the maximally stable extremal regions of Matas et al. (2002): about a voxel, the region of like
intensity is grown level by level, and the level is kept at which its border is the steepest.
"""

from __future__ import annotations

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from TumorSegRobustLib.image import Image

from ..synth.draw import Draw

_HALF_MM = 45.0
_COARSE_MM = 2.0
_LEVELS = 14
_ML = (0.3, 90.0)
_TRIES = 60
_LEAST_FILL = 0.18
"""Least share of its bounding box that a region fills: sheets and nets are no lesions (a ball fills .52)."""
_LEAST_STEEPNESS = 2.0
"""How much steeper the border must be than the inside of the region."""
_SIZE = 0.25
"""How much a larger region is preferred to a steeper one: the exponent of its volume."""
_LEAST_CONTRAST = 2.0
"""How far the surroundings must differ, in standard deviations of the region."""
_AIR = 0.12
"""Below this share of the bright end of a scan whose lowest value is its commonest there is only air."""


def stable_region(image: Image, draw: Draw) -> NDArray[np.bool_] | None:
    """A region (k, j, i) of 0.3 to 90 ml, or None where a few dozen attempts find none."""
    spacing = image.geometry.spacing_mm[::-1]
    step = tuple(slice(None, None, max(1, round(_COARSE_MM / mm))) for mm in spacing)
    coarse = np.asarray(image.voxels[step], np.float32)
    coarse_mm = tuple(mm * part.step for mm, part in zip(spacing, step, strict=True))
    low, high = np.quantile(coarse, (0.01, 0.995))
    ground = np.flatnonzero(coarse > low + _AIR * (high - low))
    if not len(ground):
        return None
    voxel_ml = float(np.prod(coarse_mm)) / 1000
    for _ in range(_TRIES):
        at = [int(v) for v in np.unravel_index(ground[draw.integer(len(ground))], coarse.shape)]
        half = [round(_HALF_MM / mm) for mm in coarse_mm]
        box = tuple(slice(max(0, v - h), v + h + 1) for v, h in zip(at, half, strict=True))
        start = tuple(v - part.start for v, part in zip(at, box, strict=True))
        found = _grown(coarse[box], start, coarse_mm, voxel_ml, draw)
        if found is not None:
            soft = np.zeros(coarse.shape, np.float32)
            soft[box] = found
            return _finer(soft, image.voxels.shape)
    return None


def _finer(soft: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    zoom = [n / c for n, c in zip(shape, soft.shape, strict=True)]
    fine = ndimage.zoom(soft, zoom, order=1, grid_mode=True, mode="nearest") if max(zoom) > 1 else soft
    return np.asarray(fine > 0.5)


def _grown(
    part: NDArray[np.float32],
    start: tuple[int, ...],
    spacing: tuple[float, ...],
    voxel_ml: float,
    draw: Draw,
) -> NDArray[np.bool_] | None:
    even = ndimage.gaussian_filter(part, [draw.uniform(0.5, 1.8) / mm for mm in spacing])
    steep = np.sqrt(sum(g**2 for g in np.gradient(even, *spacing)))
    away = even - even[start]
    way = draw.choice(("alike", "brighter", "darker"), (0.4, 0.4, 0.2))
    unlike = np.abs(away) if way == "alike" else -away if way == "brighter" else away
    best: NDArray[np.bool_] | None = None
    most = 0.0
    for level in np.quantile(unlike[unlike > 0], np.linspace(0.005, 0.6, _LEVELS)):
        labels = cc3d.connected_components((unlike <= level).astype(np.uint8), connectivity=6)
        region = labels == labels[start]
        ml = region.sum() * voxel_ml
        if ml > 2 * _ML[1]:
            break
        if ml < _ML[0]:
            continue
        shell = region & ~ndimage.binary_erosion(region)
        inside = steep[region & ~shell]
        steeper = float(steep[shell].mean() / (inside.mean() + 1e-6)) if inside.size else 0.0
        worth = steeper * ml**_SIZE
        if steeper > _LEAST_STEEPNESS and worth > most:
            best, most = region, worth
    if best is None:
        return None
    region = _rounded(best, start, spacing, draw.uniform(0.0, 2.5))
    return region if _stands_out(region, part, spacing, voxel_ml) else None


def _stands_out(
    region: NDArray[np.bool_], part: NDArray[np.float32], spacing: tuple[float, ...], voxel_ml: float
) -> bool:
    """Of a lesion's size and compactness, wholly within the part, and unlike what surrounds it."""
    if not _ML[0] <= region.sum() * voxel_ml <= _ML[1]:
        return False
    (box,) = ndimage.find_objects(region.astype(np.uint8))
    if any(s.start == 0 or s.stop == n for s, n in zip(box, region.shape, strict=True)):
        return False
    if region.sum() < _LEAST_FILL * region[box].size:
        return False
    ring = (ndimage.distance_transform_edt(~region, sampling=spacing) <= 4.0) & ~region
    own, about = part[region], part[ring]
    return bool(about.size and abs(own.mean() - about.mean()) > _LEAST_CONTRAST * own.std())


def _rounded(
    region: NDArray[np.bool_], start: tuple[int, ...], spacing: tuple[float, ...], open_mm: float
) -> NDArray[np.bool_]:
    """Without the threads by which it leaks into others, and without holes in its slices."""
    core = ndimage.distance_transform_edt(region, sampling=spacing) > open_mm
    labels = cc3d.connected_components(core.astype(np.uint8), connectivity=6)
    if not labels.any():
        return np.zeros_like(region)
    own = labels[start] or int(np.argmax(np.bincount(labels.ravel())[1:])) + 1
    opened = region & (ndimage.distance_transform_edt(labels != own, sampling=spacing) <= open_mm)
    axis = int(np.argmax(spacing))
    filled = np.moveaxis(opened, axis, 0).copy()
    for plane in filled:
        plane[:] = ndimage.binary_fill_holes(plane)
    return np.ascontiguousarray(np.moveaxis(filled, 0, axis))
