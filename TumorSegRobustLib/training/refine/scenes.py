"""Where a training review takes place: a scan, its truth, and the contour that it begins with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from TumorSegRobustLib.image import Geometry, Image

from ..synth import Draw, HeadGenerator, SynthConfig, load_anatomies
from ..synth.bodies import BodyGenerator
from .config import RefineConfig
from .degrade import degraded
from .drawing import as_drawn

Predict = Callable[[Image], NDArray]
"""A first-stage prediction: an image -> probability (k, j, i) on its grid."""


@dataclass(frozen=True)
class StartedScene:
    """`truth` bool (k, j, i); `start`: a probability to begin with, None from nothing."""

    image: Image
    truth: NDArray[np.bool_]
    start: NDArray[np.float32] | None


class SceneGenerator:
    """Draws scenes; the same seed gives the same scene (with the same first-stage package)."""

    def __init__(self, config: RefineConfig, predict: Predict | None) -> None:
        self._config, self._predict = config, predict
        self._bodies = BodyGenerator(config.bodies)
        self._heads: list[HeadGenerator] = []
        if config.heads > 0:
            anatomies = load_anatomies(Path(config.label_maps))
            for spacing in config.head_spacings_mm:
                synth = SynthConfig(
                    patch=(config.head_side,) * 3,
                    spacing_mm=spacing,
                    kinds={"flair": 0.6, "t2": 0.1, "t1": 0.08, "t1c": 0.12, "random": 0.1},
                    tumour=1.0,
                    centred=0.9,
                )
                self._heads.append(HeadGenerator(anatomies, synth))

    def sample(self, seed: int) -> StartedScene:
        draw = Draw(seed)
        c = self._config
        in_head = draw.chance(c.heads)
        if in_head:
            heads = self._heads[draw.integer(len(self._heads))]
            sample = heads.sample(draw.integer(2**31 - 1))
            voxels, truth, spacing = sample.raw[0], sample.truth[0] > 0, heads.config.spacing_mm
        else:
            scene = self._bodies.sample(draw.integer(2**31 - 1))
            voxels, truth, spacing = scene.image, scene.truth, scene.spacing_mm
        image, seen = _slices(voxels, truth, spacing, draw, c.thick)
        wanted = as_drawn(seen, image.geometry, draw) if draw.chance(c.drawn) else seen
        return StartedScene(image, wanted, self._start(image, wanted, in_head, draw))

    def _start(
        self, image: Image, truth: NDArray[np.bool_], in_head: bool, draw: Draw
    ) -> NDArray[np.float32] | None:
        starts = self._config.starts
        start = draw.choice(list(starts), list(starts.values()))
        if start == "nothing":
            return None
        if start == "networks" and in_head and self._predict is not None:
            return np.asarray(self._predict(image), np.float32)
        return degraded(truth, image, draw)


def _slices(
    voxels: torch.Tensor, truth: torch.Tensor, spacing: float, draw: Draw, thick: int
) -> tuple[Image, NDArray[np.bool_]]:
    """The scene as a scanner's grid: of every few planes along one axis one is kept; axes in any order."""
    step = 1 if draw.chance(0.4) else 1 + draw.integer(thick)
    axis = 0 if draw.chance(0.7) else draw.integer(3)
    keep: list[slice] = [slice(None)] * 3
    keep[axis] = slice(draw.integer(step), None, step)
    spacings = [spacing] * 3
    spacings[axis] *= step
    order = (0, 1, 2) if draw.chance(0.5) else draw.choice(((1, 0, 2), (2, 1, 0), (0, 2, 1), (1, 2, 0)))
    array = np.ascontiguousarray(voxels[tuple(keep)].permute(*order).numpy())
    mask = np.ascontiguousarray(truth[tuple(keep)].permute(*order).numpy())
    k, j, i = (spacings[a] for a in order)
    return Image(array, Geometry(array.shape, (i, j, k))), mask
