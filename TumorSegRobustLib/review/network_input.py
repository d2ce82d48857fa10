"""What a refining network is told about a click, as eight channels on a cube.

The previous *probability* (not a mask) is the memory between clicks (2S-ICR); the geodesic operator's answer
is the starting point, the network corrects it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.review.belief import STEPS
from TumorSegRobustLib.review.click import Seed
from TumorSegRobustLib.review.crop import Crop
from TumorSegRobustLib.review.geodesic import Proposal
from TumorSegRobustLib.review.refiner import Situation

CHANNELS = (
    "ranks",  # intensity ranks within the cube, -1 .. 1
    "focus",  # intensity about that of the clicked spot, in a window of its surroundings' contrast, -1 .. 1
    "before",  # log-odds before the click, / 4
    "floor",  # log-odds by the geodesic operator's place and look, / 4
    "include",  # balls about the include clicks, 0 .. 1
    "exclude",
    "newest",  # a wider ball about the newest click, negative where it excludes
    "gate",  # how far the network may change anything, 0 .. 1
)

_BALL = 1.5
"""Standard deviation (voxels of the cube) of a click's ball."""
SCALE = 4.0
"""Log-odds are told to the network, and told by it, in this unit."""
_RANKS = 32


@dataclass(frozen=True)
class NetworkInput:
    """One click as a network sees it. `channels` (8, side, side, side) float32, in the order of CHANNELS."""

    crop: Crop
    channels: NDArray[np.float32]


def network_input(
    situation: Situation, proposal: Proposal, side: int, context: float, forget: bool = False
) -> NetworkInput:
    """The channels about a click whose `proposal` has an influence.

    context: how far the cube reaches, per millimetre of influence. forget: tell nothing of what stood before
    the click (training shows this now and then, so that a wrong start weighs less).
    """
    click = situation.click
    crop = Crop.around(click.voxel, situation.image.geometry, context * proposal.influence_mm, side)
    image = crop.sample(situation.image.voxels)
    distance = crop.distance_mm(click.voxel)
    before = crop.sample(situation.levels) / (STEPS * SCALE)
    floor = crop.sample_box(
        crop.placed(proposal.odds * STEPS, proposal.region, situation.levels)
    ) / np.float32(STEPS * SCALE)
    seeds = (*situation.earlier, click)
    channels = np.stack(
        [
            _ranks(image),
            _focus(image, distance, proposal.influence_mm, crop.spacing_mm),
            np.zeros_like(before) if forget else before,
            np.clip(floor, -1, 1),
            _balls(crop, [seed for seed in seeds if seed.include]),
            _balls(crop, [seed for seed in seeds if not seed.include]),
            crop.ball(click.voxel, 2 * _BALL * crop.spacing_mm) * (1 if click.include else -1),
            gate_of(distance, proposal.influence_mm),
        ]
    )
    return NetworkInput(crop, channels.astype(np.float32))


def gate_of(distance_mm: NDArray[np.floating], influence_mm: float) -> NDArray[np.float32]:
    """How far a change is let through at a distance from the click: 1 near it, falling to 0 at the influence.
    """
    return np.clip((influence_mm - distance_mm) / (0.25 * influence_mm), 0, 1).astype(np.float32)


def _ranks(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Ranks need no unit and no window; where many voxels share a value (air) there are fewer of them."""
    grades = np.linspace(-1, 1, _RANKS + 1)
    edges, first = np.unique(np.quantile(image[::2, ::2, ::2], (grades + 1) / 2), return_index=True)
    return np.interp(image, edges, grades[first]).astype(np.float32)


def _focus(
    image: NDArray[np.float32], distance: NDArray[np.float32], influence_mm: float, spacing_mm: float
) -> NDArray[np.float32]:
    spot = image[distance <= max(3.0, 1.5 * spacing_mm)]
    around = image[distance <= 0.6 * influence_mm]
    low, high = np.quantile(around, (0.16, 0.84))
    spread = max(float(high - low) / 2, 1e-6 + 1e-3 * float(np.ptp(image)))
    return np.tanh((image - np.median(spot)) / (1.5 * spread))


def _balls(crop: Crop, seeds: list[Seed]) -> NDArray[np.float32]:
    result = np.zeros((crop.side,) * 3, np.float32)
    for seed in seeds:
        np.maximum(result, crop.ball(seed.voxel, _BALL * crop.spacing_mm), out=result)
    return result
