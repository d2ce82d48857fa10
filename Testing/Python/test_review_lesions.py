"""A second lesion, clicked far from the first: it stays a lesion, and the first stays as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from TumorSegRobustLib.image import Geometry, Image
from TumorSegRobustLib.review import Click, ReviewSession

GEOMETRY = Geometry((60, 90, 110), (1.0, 1.0, 1.5))
FIRST, SECOND = (30, 45, 30), (30, 45, 75)


def ball(centre: tuple[int, int, int], radius_mm: float) -> np.ndarray:
    k, j, i = np.indices(GEOMETRY.shape)
    return 2.25 * (k - centre[0]) ** 2 + (j - centre[1]) ** 2 + (i - centre[2]) ** 2 < radius_mm**2


def a_scan(radius_mm: float) -> Image:
    noise = np.random.default_rng(0).normal(0, 10, GEOMETRY.shape)
    head = 100.0 * ball((30, 45, 55), 52)
    bright = 80.0 * (ball(FIRST, 12) | ball(SECOND, radius_mm))
    return Image((head + bright + noise).astype(np.float32), GEOMETRY)


@pytest.mark.parametrize("radius_mm", [4.0, 6.0, 10.0])
def test_a_click_on_a_small_far_lesion_does_not_flood_the_brain(radius_mm: float, tmp_path: Path) -> None:
    first = ball(FIRST, 12)
    probability = np.where(first, 0.95, 0.02).astype(np.float32)
    session = ReviewSession.start(a_scan(radius_mm), tmp_path / "journal.jsonl", probability=probability)
    session.click(Click(tuple(GEOMETRY.position_of(SECOND)), True))
    added = session.mask & ~first
    lesion = ball(SECOND, radius_mm)
    assert added[SECOND]
    assert (added & lesion).sum() > 0.6 * lesion.sum()
    assert added.sum() * GEOMETRY.voxel_ml < lesion.sum() * GEOMETRY.voxel_ml + 6.0
    assert session.mask[first].all()
