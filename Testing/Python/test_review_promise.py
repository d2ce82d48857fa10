"""A click is a promise: honoured on the native grid, newest wins, nothing changes outside its region."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from TumorSegRobustLib.image import Geometry, Image
from TumorSegRobustLib.review import Click, ReviewSession

AXES = [
    np.array(columns).T * signs
    for columns in itertools.permutations(np.eye(3).tolist())
    for signs in itertools.product((1.0, -1.0), repeat=3)
]
SHAPE = (9, 16, 13)
voxels = st.tuples(*(st.integers(0, n - 1) for n in SHAPE))
stories = st.lists(st.tuples(voxels, st.booleans()), min_size=1, max_size=6)
spacings = st.sampled_from([(1.0, 1.0, 1.0), (0.9, 0.9, 6.0), (0.5, 0.5, 5.0), (3.0, 0.8, 0.8)])
tilts = st.sampled_from([(0.0, 0.0, 0.0), (15.0, -8.0, 10.0), (40.0, 20.0, -30.0)])
quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def a_scan(axes: np.ndarray, spacing: tuple[float, ...], tilt: tuple[float, ...], seed: int) -> Image:
    direction = Rotation.from_euler("xyz", tilt, degrees=True).as_matrix() @ axes
    geometry = Geometry(SHAPE, spacing, (-30.0, 12.0, 100.0), tuple(direction.ravel()))
    generator = np.random.default_rng(seed)
    blob = np.indices(SHAPE)[1] > 7
    return Image((50 * blob + generator.normal(0, 5, SHAPE)).astype(np.float32), geometry)


def begin(image: Image, folder: Path, start: str) -> ReviewSession:
    for old in folder.iterdir():
        old.unlink()
    probability: Any = None
    if start != "nothing":
        confident = {"full": np.ones(SHAPE), "half": np.indices(SHAPE)[2] > 6, "empty": np.zeros(SHAPE)}
        probability = confident[start].astype(np.float32)
    return ReviewSession.start(image, folder / "journal.jsonl", probability=probability)


@quick
@given(
    stories, st.sampled_from(AXES), spacings, tilts, st.sampled_from(["nothing", "empty", "half", "full"]),
    st.integers(0, 5),
)  # fmt: skip
def test_every_click_is_honoured_and_stays_so_until_a_newer_one_says_otherwise(
    tmp_path: Path,
    story: list[tuple[tuple[int, int, int], bool]],
    axes: np.ndarray,
    spacing: tuple[float, ...],
    tilt: tuple[float, ...],
    start: str,
    seed: int,
) -> None:
    image = a_scan(axes, spacing, tilt, seed)
    with begin(image, tmp_path, start) as session:
        promised: dict[tuple[int, int, int], bool] = {}
        for voxel, include in story:
            before = session.mask.copy()
            result = session.click(Click(tuple(image.geometry.position_of(voxel)), include))
            promised[voxel] = include
            assert result.honoured
            assert all(session.mask[v] == label for v, label in promised.items())
            outside = np.ones(SHAPE, bool)
            outside[result.box] = False
            assert np.array_equal(session.mask[outside], before[outside])
            changed = np.count_nonzero(session.mask != before) * image.geometry.voxel_ml
            assert result.changed_ml == pytest.approx(changed)


@quick
@given(stories, spacings, tilts)
def test_undo_takes_every_click_back_and_redo_brings_it_again(
    tmp_path: Path,
    story: list[tuple[tuple[int, int, int], bool]],
    spacing: tuple[float, ...],
    tilt: tuple[float, ...],
) -> None:
    image = a_scan(AXES[0], spacing, tilt, 0)
    with begin(image, tmp_path, "half") as session:
        states = [session.mask.copy()]
        for voxel, include in story:
            session.click(Click(tuple(image.geometry.position_of(voxel)), include))
            states.append(session.mask.copy())
        for state in reversed(states[:-1]):
            assert session.undo()
            assert np.array_equal(session.mask, state)
        for state in states[1:]:
            assert session.redo()
            assert np.array_equal(session.mask, state)


def test_a_click_far_from_another_leaves_its_surroundings_alone(tmp_path: Path) -> None:
    geometry = Geometry((20, 40, 400), (1.0, 1.0, 1.0))
    noise = np.random.default_rng(1).normal(0, 5, geometry.shape)
    image = Image((100 + noise).astype(np.float32), geometry)
    with ReviewSession.start(image, tmp_path / "journal.jsonl") as session:
        session.click(Click(tuple(geometry.position_of((10, 20, 20))), True))
        before = session.mask.copy()
        session.click(Click(tuple(geometry.position_of((10, 20, 380))), True))
        assert np.array_equal(session.mask[..., :250], before[..., :250])
        assert session.mask[10, 20, 380]
