"""How people click: exactly, with a hand that trembles, beside the error that they mean, or no longer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.evaluation.aiming import Box, Error, Voxel
from TumorSegRobustLib.image import Geometry

STRAY_MM = 6.0
"""How far outside the error that was meant a stray click lands at most."""


@dataclass(frozen=True)
class Habits:
    """A simulated reader.

    jitter_mm: standard deviation of each coordinate of a click. strays: share of the clicks that land outside
    the error that was meant, with the label that was meant; about one in four of people's clicks falls
    outside the truth. satisfied_dice, satisfied_ml: stops at this Dice, or once the largest error is smaller
    than this; None never does.
    """

    name: str
    jitter_mm: float = 0.0
    strays: float = 0.0
    satisfied_dice: float | None = None
    satisfied_ml: float | None = None

    def satisfied(self, dice: float, error_ml: float) -> bool:
        """Whether this reader stops at such a contour, whose largest error has `error_ml`."""
        good = self.satisfied_dice is not None and dice >= self.satisfied_dice
        return good or (self.satisfied_ml is not None and error_ml < self.satisfied_ml)


ROBOT = Habits("robot")
JITTERED = Habits("jittered", jitter_mm=3.0)
SLOPPY = Habits("sloppy", strays=0.25)
LAZY = Habits("lazy", satisfied_dice=0.85, satisfied_ml=0.5)
READERS: Mapping[str, Habits] = MappingProxyType({one.name: one for one in (ROBOT, JITTERED, SLOPPY, LAZY)})


def reader_called(name: str) -> Habits:
    """UnusableInput where there is no reader of this name."""
    if name not in READERS:
        raise UnusableInput(f"There is no reader called {name}: choose {', '.join(READERS)}.")
    return READERS[name]


def aim(
    error: Error,
    truth: NDArray[np.bool_],
    geometry: Geometry,
    habits: Habits,
    generator: np.random.Generator,
) -> tuple[float, float, float]:
    """LPS mm of the click that `habits` makes of an error: always inside the image.

    A stray click lands on a voxel outside the error, at most STRAY_MM from it, where the label that is meant
    is wrong; where there is none (too much tumour, far from any), anywhere outside the error and so near.
    """
    voxel = error.voxel
    if habits.strays > 0 and generator.random() < habits.strays:
        voxel = _beside(error, truth, geometry, generator)
    position = geometry.position_of(voxel)
    if habits.jitter_mm > 0:
        index = geometry.continuous_index(position + generator.normal(0.0, habits.jitter_mm, 3))
        position = geometry.position_of(np.clip(index, 0, np.array(geometry.shape) - 1))
    x, y, z = position.tolist()
    return x, y, z


def _beside(
    error: Error, truth: NDArray[np.bool_], geometry: Geometry, generator: np.random.Generator
) -> Voxel:
    """A voxel beside the error, each as likely; the error's own where it fills the image."""
    box = _grown(error.box, geometry)
    inner = tuple(slice(s.start - b.start, s.stop - b.start) for s, b in zip(error.box, box, strict=True))
    outside = np.ones(truth[box].shape, bool)
    outside[inner] = ~error.region
    distance = distance_transform_edt(outside, sampling=geometry.spacing_mm[::-1])
    near = outside & (distance <= max(STRAY_MM, min(geometry.spacing_mm)))
    wrong = near & (truth[box] != error.include)
    places = np.argwhere(wrong if wrong.any() else near)
    if not len(places):
        return error.voxel
    k, j, i = (int(v) + s.start for v, s in zip(places[generator.integers(len(places))], box, strict=True))
    return k, j, i


def _grown(box: Box, geometry: Geometry) -> Box:
    """The box with STRAY_MM (one voxel at least) added on every side, cut at the image."""
    k, j, i = (
        slice(max(0, side.start - reach), min(size, side.stop + reach))
        for side, size, reach in zip(
            box,
            geometry.shape,
            (max(1, int(STRAY_MM / step)) for step in geometry.spacing_mm[::-1]),
            strict=True,
        )
    )
    return k, j, i
