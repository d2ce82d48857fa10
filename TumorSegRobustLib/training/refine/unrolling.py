"""Reviews played through click by click, with the network as it is now; every click is an example."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.review import Seed, Situation
from TumorSegRobustLib.review.belief import LIMIT, STEPS, levels_of_probability, to_levels
from TumorSegRobustLib.review.geodesic import GeodesicRefiner
from TumorSegRobustLib.review.levels import nothing_known
from TumorSegRobustLib.review.network_input import network_input
from TumorSegRobustLib.review.network_refiner import Run, corrected, is_for_network

from ..synth.draw import Draw
from .clicking import draw_click
from .config import RefineConfig
from .scenes import StartedScene


@dataclass(frozen=True)
class Example:
    """One click. channels (8, n, n, n); base, before, truth (n, n, n): the geodesic operator's log-odds,
    those before the click, and the share of tumour in each voxel of the cube.
    """

    channels: NDArray[np.float32]
    base: NDArray[np.float32]
    before: NDArray[np.float32]
    truth: NDArray[np.float32]


def play(scene: StartedScene, run: Run, config: RefineConfig, draw: Draw) -> Iterator[Example]:
    """Two to `config.clicks` clicks on one scene, fewer where nothing is left to correct."""
    levels = nothing_known(scene.truth.shape)
    if scene.start is not None:
        levels = levels_of_probability(scene.start)
    prior = None if scene.start is None else levels.copy()
    floor = GeodesicRefiner()
    earlier: list[Seed] = []
    for _ in range(2 + draw.integer(max(1, config.clicks - 1))):
        seed = draw_click(
            levels > 0, scene.truth, scene.image.geometry, draw, config.jittered, config.jitter_mm
        )
        if seed is None:
            return
        situation = Situation(scene.image, levels, prior, tuple(earlier), seed)
        proposal = floor.propose(situation)
        earlier = [old for old in earlier if old.voxel != seed.voxel] + [seed]
        if not is_for_network(proposal):
            levels[proposal.region] = to_levels(proposal.log_odds)
        else:
            forget = draw.chance(config.forget)
            given = network_input(situation, proposal, config.side, config.context, forget)
            crop = given.crop
            placed = crop.placed(proposal.log_odds * STEPS, proposal.region, levels)
            base = crop.sample_box(placed) / np.float32(STEPS)
            before = crop.sample(levels) / np.float32(STEPS)
            yield Example(given.channels, base, before, crop.sample(scene.truth))
            residual = crop.restore(run(given.channels[None])[0, 0], proposal.region)
            refined = corrected(situation, proposal, config.strength * residual)
            levels[proposal.region] = to_levels(refined)
        for old in earlier:
            levels[old.voxel] = LIMIT if old.include else -LIMIT
