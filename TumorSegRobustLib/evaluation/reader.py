"""A simulated reader: looks at the contour, clicks where it is most wrong, and looks again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.evaluation.aiming import find_largest_error
from TumorSegRobustLib.evaluation.curve import Curve
from TumorSegRobustLib.evaluation.habits import JITTERED, ROBOT, Habits, aim
from TumorSegRobustLib.evaluation.metrics import DEFAULT_POLICY, MetricPolicy, dice, surface_distances
from TumorSegRobustLib.image import Geometry, Image
from TumorSegRobustLib.progress import Progress
from TumorSegRobustLib.review import Click, ClickResult

NSD_MM = 1.0
"""Tolerance of the surface Dice."""


class Correctable(Protocol):
    """What the reader needs of a review session."""

    @property
    def mask(self) -> NDArray[np.bool_]: ...

    def click(self, click: Click) -> ClickResult: ...


def simulate(
    image: Image,
    reference: Image,
    session_factory: Callable[[], Correctable],
    clicks: int = 10,
    jitter_mm: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    policy: MetricPolicy = DEFAULT_POLICY,
    reader: Habits = ROBOT,
) -> Curve:
    """Click at the largest error as `reader` does, at most `clicks` times, and note what becomes of the
    contour.

    With `jitter_mm` (None: the reader's own) each coordinate of a click is off by a normal error of that
    standard deviation, kept inside the image. The label stays that of the error aimed at: a person clicks
    what he means, and misses. `seed`: of jitter and stray clicks. UnusableInput where image and reference
    lie on different grids.
    """
    if not image.geometry.matches(reference.geometry):
        raise UnusableInput(
            f"The reference has {reference.geometry.describe()} and the image "
            f"{image.geometry.describe()}, or they lie elsewhere; resample the reference first."
        )
    habits = _with_jitter(reader, jitter_mm)
    progress = progress or Progress()
    generator = np.random.default_rng(seed)
    truth = reference.voxels > 0
    session = session_factory()
    scores = [_scores(session.mask, truth, image.geometry, policy)]
    done: list[Click] = []
    results: list[ClickResult] = []
    for number in range(clicks):
        progress.report(number / max(1, clicks), f"Click {number + 1} of {clicks}, Dice {scores[-1][0]:.3f}")
        error = find_largest_error(session.mask, truth, image.geometry)
        if error is None or habits.satisfied(scores[-1][0], error.voxels * image.geometry.voxel_ml):
            break
        done.append(Click(aim(error, truth, image.geometry, habits, generator), error.include))
        results.append(session.click(done[-1]))
        scores.append(_scores(session.mask, truth, image.geometry, policy))
    progress.report(1.0, f"Dice {scores[-1][0]:.3f} after {len(done)} clicks")
    scores += [scores[-1]] * (clicks + 1 - len(scores))
    overlap, distance, surface = zip(*scores, strict=True)
    return Curve(
        dice=overlap,
        hd95_mm=distance,
        nsd=surface,
        clicks=tuple(done),
        results=tuple(results),
        kept=_kept(session.mask, done, image.geometry),
        jitter_mm=habits.jitter_mm,
        seed=seed,
        reader=habits.name,
    )


def _with_jitter(reader: Habits, jitter_mm: float | None) -> Habits:
    """The reader with another jitter; a robot whose hand trembles is called what it is."""
    if jitter_mm is None:
        return reader
    name = JITTERED.name if reader.name == ROBOT.name and jitter_mm > 0 else reader.name
    return replace(reader, name=name, jitter_mm=jitter_mm)


def _scores(
    mask: NDArray[np.bool_], truth: NDArray[np.bool_], geometry: Geometry, policy: MetricPolicy
) -> tuple[float, float, float]:
    """Dice, HD95 and surface Dice; the distances, which cost the most, are measured once."""
    distances = surface_distances(mask, truth, geometry, policy)
    return dice(mask, truth, policy), distances.hd95_mm, distances.surface_dice(NSD_MM)


def _kept(mask: NDArray[np.bool_], clicks: list[Click], geometry: Geometry) -> float:
    wanted = {
        geometry.index_of(click.position_mm): click.include for click in clicks
    }  # the newest word per voxel
    return float(np.mean([bool(mask[voxel]) == label for voxel, label in wanted.items()])) if wanted else 1.0
