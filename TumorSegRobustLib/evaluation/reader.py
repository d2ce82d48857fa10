"""A simulated reader: looks at the contour, clicks where it is most wrong, and looks again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.evaluation.metrics import DEFAULT_POLICY, MetricPolicy, dice, hd95_mm
from TumorSegRobustLib.image import Geometry, Image
from TumorSegRobustLib.progress import Progress
from TumorSegRobustLib.review import Click, ClickResult

LOSS = 0.005
"""A click that costs more Dice than this is a lost step."""


class Correctable(Protocol):
    """What the reader needs of a review session."""

    @property
    def mask(self) -> NDArray[np.bool_]: ...

    def click(self, click: Click) -> ClickResult: ...


@dataclass(frozen=True)
class Curve:
    """What the clicks did. `dice` and `hd95_mm` hold one value per click and one before the first.

    `results` and `clicks` hold one entry per click made; fewer than asked for where nothing was left to
    correct (the last values are then repeated). `kept`: share of the clicks whose label still stands after
    the last one.
    """

    dice: tuple[float, ...]
    hd95_mm: tuple[float, ...]
    clicks: tuple[Click, ...]
    results: tuple[ClickResult, ...]
    kept: float
    jitter_mm: float
    seed: int

    @property
    def honoured(self) -> float:
        """Share of the clicks whose voxel had their label right afterwards; 1 where none was needed."""
        return float(np.mean([result.honoured for result in self.results])) if self.results else 1.0

    @property
    def lost_steps(self) -> float:
        """Share of the clicks that cost more than .005 Dice."""
        steps = np.diff(self.dice)[: len(self.results)]
        return float(np.mean(steps < -LOSS)) if len(steps) else 0.0

    def to_json(self) -> dict[str, Any]:
        """The document `curve.json` of the command line."""
        return {
            "dice": list(self.dice),
            "hd95_mm": list(self.hd95_mm),
            "honoured": self.honoured,
            "kept": self.kept,
            "lost_steps": self.lost_steps,
            "seconds": [result.seconds for result in self.results],
            "changed_ml": [result.changed_ml for result in self.results],
            "clicks": [
                {"position_lps_mm": list(click.position_mm), "include": click.include}
                for click in self.clicks
            ],
            "jitter_mm": self.jitter_mm,
            "seed": self.seed,
        }


def simulate(
    image: Image,
    reference: Image,
    session_factory: Callable[[], Correctable],
    clicks: int = 10,
    jitter_mm: float = 0.0,
    seed: int = 0,
    progress: Progress | None = None,
    policy: MetricPolicy = DEFAULT_POLICY,
) -> Curve:
    """Click at the centre of the largest error, `clicks` times, and note what becomes of the contour.

    With `jitter_mm` each coordinate of a click is off by a normal error of that standard deviation, kept
    inside the image. The label stays that of the error aimed at: a person clicks what he means, and
    misses. UnusableInput where image and reference lie on different grids.
    """
    if not image.geometry.matches(reference.geometry):
        raise UnusableInput(
            f"The reference has {reference.geometry.describe()} and the image "
            f"{image.geometry.describe()}, or they lie elsewhere; resample the reference first."
        )
    progress = progress or Progress()
    generator = np.random.default_rng(seed)
    truth = reference.voxels > 0
    session = session_factory()
    scores = [(dice(session.mask, truth, policy), hd95_mm(session.mask, truth, image.geometry, policy))]
    done: list[Click] = []
    results: list[ClickResult] = []
    for number in range(clicks):
        progress.report(number / max(1, clicks), f"Click {number + 1} of {clicks}, Dice {scores[-1][0]:.3f}")
        found = largest_error(session.mask, truth, image.geometry)
        if found is None:
            break
        voxel, include = found
        position = _jittered(image.geometry.position_of(voxel), jitter_mm, image.geometry, generator)
        done.append(Click(position, include))
        results.append(session.click(done[-1]))
        scores.append(
            (dice(session.mask, truth, policy), hd95_mm(session.mask, truth, image.geometry, policy))
        )
    progress.report(1.0, f"Dice {scores[-1][0]:.3f} after {len(done)} clicks")
    scores += [scores[-1]] * (clicks + 1 - len(scores))
    overlap, distance = zip(*scores, strict=True)
    kept = _kept(session.mask, done, image.geometry)
    return Curve(overlap, distance, tuple(done), tuple(results), kept, jitter_mm, seed)


def largest_error(
    mask: NDArray[np.bool_], truth: NDArray[np.bool_], geometry: Geometry
) -> tuple[tuple[int, int, int], bool] | None:
    """The voxel (k, j, i) deepest inside the largest error, and whether it is missing tumour; None where
    all is right.

    Missing and superfluous tumour are separate errors, of face-connected voxels; depth is in mm, from the
    error's own border, and the border of the image counts as one.
    """
    kinds = (truth & ~mask).view(np.uint8) | ((mask & ~truth).view(np.uint8) << 1)
    if not kinds.any():
        return None
    labels, count = cc3d.connected_components(kinds, connectivity=6, return_N=True)
    statistics = cc3d.statistics(labels)
    largest = int(np.argmax(statistics["voxel_counts"][1 : count + 1])) + 1
    k, j, i = statistics["bounding_boxes"][largest]
    error = np.pad(labels[k, j, i] == largest, 1)
    depth = distance_transform_edt(error, sampling=geometry.spacing_mm[::-1])[1:-1, 1:-1, 1:-1]
    deepest = np.unravel_index(int(np.argmax(depth)), depth.shape)
    a, b, c = (int(d) + s.start for d, s in zip(deepest, (k, j, i), strict=True))
    return (a, b, c), bool(truth[a, b, c])


def _jittered(
    position: NDArray[np.float64], jitter_mm: float, geometry: Geometry, generator: np.random.Generator
) -> tuple[float, float, float]:
    if jitter_mm > 0:
        index = geometry.continuous_index(position + generator.normal(0.0, jitter_mm, 3))
        position = geometry.position_of(np.clip(index, 0, np.array(geometry.shape) - 1))
    x, y, z = position.tolist()
    return x, y, z


def _kept(mask: NDArray[np.bool_], clicks: list[Click], geometry: Geometry) -> float:
    wanted = {
        geometry.index_of(click.position_mm): click.include for click in clicks
    }  # the newest word per voxel
    return float(np.mean([bool(mask[voxel]) == label for voxel, label in wanted.items()])) if wanted else 1.0
