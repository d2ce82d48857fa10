"""Training reviews on real scans: real borders, where generated scenes have only drawn ones.

A scan needs no mask: what is contoured is then what the first-stage networks find in it, at a level drawn
anew each time, or any region that stands out from its surroundings (`regions.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cc3d
import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.evaluation.manifest import FIRST_CHANNEL, ManifestCase, read_manifest
from TumorSegRobustLib.image import Geometry, Image, read_image, read_mask, read_series

from ..synth.draw import Draw
from .config import ScanConfig
from .drawing import as_drawn
from .regions import stable_region

Predict = Callable[[Image], NDArray]
"""A first-stage prediction: an image -> probability (k, j, i) on its grid."""
_ODDS_SPREAD = 0.8
"""Standard deviation of the level (log-odds) at which the networks' answer is cut."""
_LEAST_ML = 0.3


@dataclass(frozen=True)
class Scan:
    """probability float32, reference bool (k, j, i), each None where there is none."""

    image: Image
    probability: NDArray[np.float16] | None
    reference: NDArray[np.bool_] | None


@dataclass(frozen=True)
class RealScene:
    """`proposed`: what the first-stage networks give here; None where they were not asked."""

    image: Image
    truth: NDArray[np.bool_]
    proposed: NDArray[np.float32] | None


class ScanScenes:
    """Draws scenes from real scans, which stay in memory; the same draw gives the same scene."""

    def __init__(self, config: ScanConfig, predict: Predict | None) -> None:
        self._config = config
        self._scans = list(_scans(config, predict))
        if not self._scans:
            raise UnusableInput(f"{config.manifest}: no scan is left; check the sites and the masks.")

    def sample(self, draw: Draw, drawn: float) -> RealScene:
        """One scene; `drawn`: how often a truth without a reader is made that of one (`drawing`)."""
        for _ in range(100):
            scan = self._scans[draw.integer(len(self._scans))]
            truth = self._truth(scan, draw)
            if truth is None:
                continue
            box = _about(truth, scan.image.geometry, draw)
            image = _part(scan.image, box)
            wanted = truth[box]
            if scan.reference is None and draw.chance(drawn):
                wanted = as_drawn(wanted, image.geometry, draw)
            proposed = None if scan.probability is None else scan.probability[box].astype(np.float32)
            return _turned(RealScene(_repainted(image, draw), wanted, proposed), draw)
        raise UnusableInput(f"{self._config.manifest}: no region to contour was found in the scans.")

    def _truth(self, scan: Scan, draw: Draw) -> NDArray[np.bool_] | None:
        if scan.reference is not None:
            return scan.reference
        if scan.probability is not None and draw.chance(self._config.found):
            level = 1 / (1 + np.exp(-draw.normal(0, _ODDS_SPREAD)))
            return _largest(scan.probability > level, scan.image.geometry)
        return stable_region(scan.image, draw)


def _scans(config: ScanConfig, predict: Predict | None) -> Iterator[Scan]:
    for case in read_manifest(Path(config.manifest)):
        if config.sites and case.site not in config.sites:
            continue
        if config.masks and case.reference is None:
            continue
        yield from _of_case(case, config, predict)


def _of_case(case: ManifestCase, config: ScanConfig, predict: Predict | None) -> Iterator[Scan]:
    for name, path in case.channels.items():
        image = read_series(path)[0] if path.is_dir() else read_image(path)
        reference = None
        if config.masks and case.reference is not None:
            reference = read_mask(case.reference, image.geometry).voxels > 0
        probability = None
        if predict is not None and name == FIRST_CHANNEL:
            probability = np.asarray(predict(image), np.float16)
        yield Scan(image, probability, reference)


def _largest(mask: NDArray[np.bool_], geometry: Geometry) -> NDArray[np.bool_] | None:
    """The largest component and whatever has at least a tenth of its size; None below 0.3 ml."""
    labels, count = cc3d.connected_components(mask.astype(np.uint8), connectivity=6, return_N=True)
    if not count:
        return None
    sizes = cc3d.statistics(labels)["voxel_counts"][1:]
    if sizes.max() * geometry.voxel_ml < _LEAST_ML:
        return None
    kept = np.concatenate([[False], sizes >= 0.1 * sizes.max()])
    found: NDArray[np.bool_] = kept[labels]
    return found


def _about(truth: NDArray[np.bool_], geometry: Geometry, draw: Draw) -> tuple[slice, ...]:
    """A box with a margin, so that a scene is not slower than a generated one."""
    margin = draw.uniform(25.0, 50.0)
    box = []
    for axis, mm in enumerate(geometry.spacing_mm[::-1]):
        at = np.flatnonzero(truth.any(axis=tuple(a for a in range(3) if a != axis)))
        more = int(np.ceil(margin / mm))
        box.append(slice(max(0, int(at[0]) - more), min(truth.shape[axis], int(at[-1]) + 1 + more)))
    return tuple(box)


def _part(image: Image, box: Sequence[slice]) -> Image:
    voxels = np.ascontiguousarray(image.voxels[tuple(box)], np.float32)
    return Image(voxels, Geometry(voxels.shape, image.geometry.spacing_mm))


def _repainted(image: Image, draw: Draw) -> Image:
    """The same borders in another contrast, now and then: intensities are bent, or turned about."""
    if draw.chance(0.6):
        return image
    low, high = np.quantile(image.voxels, (0.001, 0.999))
    at = np.clip((image.voxels - low) / max(1e-6, float(high - low)), 0, 1)
    if draw.chance(0.5):
        bent = at ** draw.log_uniform(0.4, 2.5)
        bent = 1 - bent if draw.chance(0.4) else bent
    else:  # any course, not only up or down
        knots = np.linspace(0, 1, 6)
        bent = np.interp(at, knots, draw.uniforms(len(knots), 0, 1).numpy())
    return replace(image, voxels=bent.astype(np.float32))


def _turned(scene: RealScene, draw: Draw) -> RealScene:
    """Mirrored and with its axes in another order."""
    flips = tuple(axis for axis in range(3) if draw.chance(0.5))
    order = (0, 1, 2) if draw.chance(0.6) else draw.choice(((1, 0, 2), (2, 1, 0), (0, 2, 1), (1, 2, 0)))

    def turn(array: NDArray) -> NDArray:
        return np.ascontiguousarray(np.flip(array, flips).transpose(order))

    mm = scene.image.geometry.spacing_mm[::-1]
    scale = draw.log_uniform(0.85, 1.2)
    k, j, i = (mm[a] * scale for a in order)
    voxels = turn(scene.image.voxels)
    image = Image(voxels, Geometry(voxels.shape, (i, j, k)))
    return RealScene(image, turn(scene.truth), None if scene.proposed is None else turn(scene.proposed))
