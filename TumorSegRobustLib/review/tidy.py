"""Crumbs that a click leaves behind: islands and holes of a few voxels that nobody asked for.

What a click adds hangs together with the click or with the contour that was there; what it takes away leaves
no crumbs of it standing, unless they hold a click of their own.
"""

from __future__ import annotations

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from TumorSegRobustLib.review.belief import to_log_odds
from TumorSegRobustLib.review.click import Box, Seed, box_shape, contains, inside, overlap, within
from TumorSegRobustLib.review.refiner import Refinement, Situation

_CRUMB = 0.2
_MOST_ML = 0.1
"""What is left over counts as a crumb up to this share of what the click changed, and up to so much."""
_MARGIN = 4
"""Voxels about what changed in which crumbs are looked for; what reaches beyond is none."""
_SLIGHT = 0.3
"""Log-odds of a crumb that was taken away: it follows its neighbours, and is easily won back."""


def tidied(situation: Situation, refinement: Refinement) -> Refinement:
    """The refinement without crumbs; only voxels of its region change."""
    region, click = refinement.region, situation.click
    after = refinement.log_odds > 0
    if contains(region, click.voxel):
        after[inside(click.voxel, region)] = click.include  # as the session will write it
    changed = np.argwhere(after != (situation.levels[region] > 0))
    if not changed.size:
        return refinement
    low, high = changed.min(axis=0) - _MARGIN, changed.max(axis=0) + 1 + _MARGIN
    k, j, i = (
        slice(max(0, s.start + int(a)), min(n, s.start + int(b)))
        for s, a, b, n in zip(region, low, high, situation.levels.shape, strict=True)
    )
    box: Box = (k, j, i)
    shared = overlap(box, region)
    assert shared is not None
    inner, part = within(shared, box), within(shared, region)
    before = situation.levels[box] > 0
    mask = before.copy()
    mask[inner] = after[part]
    # Told for an include click; for an exclude click tumour and background change places.
    mine, was = (mask, before) if click.include else (~mask, ~before)
    beyond = np.ones(box_shape(box), bool)  # outside the region, or where the box cuts something off
    k, j, i = (
        slice(max(a.start, b.start > 0), min(a.stop, b.stop - b.start - (b.stop < n)))
        for a, b, n in zip(inner, box, situation.levels.shape, strict=True)
    )
    beyond[k, j, i] = False
    seeds = (*situation.earlier, click)
    own = [seed for seed in seeds if seed.include == click.include]
    other = [seed for seed in seeds if seed.include != click.include]
    loose = _loose(mine, was, own, box)
    most = _MOST_ML / situation.image.geometry.voxel_ml
    left = _left_over(~mine | loose, mine & ~was & ~loose, beyond, other, box, most)
    result = np.array(refinement.log_odds, np.float32)
    tidy = np.where(loose[inner], to_log_odds(situation.levels[shared]), result[part])
    tidy[left[inner]] = _SLIGHT if click.include else -_SLIGHT
    result[part] = tidy
    return Refinement(region, result)


def _loose(
    mine: NDArray[np.bool_], was: NDArray[np.bool_], own: list[Seed], box: Box
) -> NDArray[np.bool_]:
    """New islands that hold neither a click nor anything that was there before."""
    labels, count = cc3d.connected_components(mine.astype(np.uint8), connectivity=6, return_N=True)
    rooted = np.zeros(count + 1, bool)
    rooted[0] = True
    rooted[np.unique(labels[was & mine])] = True
    for seed in own:
        if contains(box, seed.voxel):
            rooted[labels[inside(seed.voxel, box)]] = True
    return ~rooted[labels]


def _left_over(
    rest: NDArray[np.bool_],
    changed: NDArray[np.bool_],
    beyond: NDArray[np.bool_],
    other: list[Seed],
    box: Box,
    most: float,
) -> NDArray[np.bool_]:
    """Small pieces (up to `most` voxels) of what the click was against, cut off by what it changed."""
    labels, count = cc3d.connected_components(rest.astype(np.uint8), connectivity=6, return_N=True)
    crumbs = np.zeros(count + 1, bool)
    crumbs[np.unique(labels[binary_dilation(changed)])] = True
    crumbs[np.unique(labels[beyond])] = False
    most = max(1.0, min(most, _CRUMB * np.count_nonzero(changed)))
    crumbs[np.bincount(labels.ravel(), minlength=count + 1) > most] = False
    for seed in other:
        if contains(box, seed.voxel):
            crumbs[labels[inside(seed.voxel, box)]] = False
    crumbs[0] = False
    return crumbs[labels]
