"""A network on top of the geodesic operator: what it is told, and the promises that it cannot break."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from fixtures_inference import tiny_package
from fixtures_review import OBLIQUE, a_patient, at, probability_of
from hypothesis import given, settings
from hypothesis import strategies as st
from test_review_promise import situations

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Geometry, Image
from TumorSegRobustLib.resources import resource
from TumorSegRobustLib.review import GeodesicRefiner, ReviewSession, Seed, Situation, shipped
from TumorSegRobustLib.review.crop import Crop
from TumorSegRobustLib.review.levels import nothing_known
from TumorSegRobustLib.review.network_input import CHANNELS, network_input
from TumorSegRobustLib.review.network_refiner import NetworkRefiner
from TumorSegRobustLib.review.shipped import default_refiner, shipped_network

SIDE = 16


def a_slope(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> Image:
    """Voxels whose value is 1 k + 2 j + 3 i in millimetres."""
    k, j, i = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    x, y, z = spacing_mm
    return Image((1.0 * k * z + 2.0 * j * y + 3.0 * i * x).astype(np.float32), Geometry(shape, spacing_mm))


def says(value: float | np.ndarray):
    """A network that answers the same whatever it is told."""
    return lambda channels: np.broadcast_to(np.float32(value), (1, 1, *channels.shape[2:])).copy()


def noise(seed: int):
    return lambda channels: (
        5 * np.random.default_rng(seed).standard_normal((1, 1, *channels.shape[2:])).astype(np.float32)
    )


def refiner(run, **changes) -> NetworkRefiner:
    return NetworkRefiner(run, {"id": "toy"}, side=SIDE, **changes)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.8, 1.1, 4.0)])
def test_the_cube_samples_and_restores_a_slope_to_a_tenth_of_a_millimetre(spacing) -> None:
    image = a_slope((20, 40, 48), spacing)
    click = (10, 20, 24)
    crop = Crop.around(click, image.geometry, 12.0, SIDE)
    cube = crop.sample(image.voxels)
    middle = SIDE // 2
    assert crop.spacing_mm == pytest.approx(1.5)
    assert cube[middle, middle, middle] == pytest.approx(image.voxels[click], abs=1e-3)
    # 3 per mm along i; whole voxels are weighted, so that a step may be some hundredths of a millimetre off
    assert np.diff(cube, axis=2)[4:12, 4:12, 4:12] == pytest.approx(4.5, abs=0.15)
    region = (slice(9, 12), slice(17, 24), slice(21, 28))
    assert crop.restore(cube, region) == pytest.approx(image.voxels[region], abs=0.3)


def test_beyond_the_image_its_border_goes_on() -> None:
    image = a_slope((6, 6, 6), (1.0, 1.0, 1.0))
    crop = Crop.around((0, 0, 0), image.geometry, 8.0, SIDE)
    assert crop.sample(image.voxels)[0, 0, 0] == pytest.approx(image.voxels[0, 0, 0])
    assert crop.box == (slice(0, 6), slice(0, 6), slice(0, 6))


def test_the_channels_tell_where_the_clicks_are_and_how_far_the_network_may_go() -> None:
    image, lesion = a_patient((24, 24, 24), radius_mm=6.0)
    first, second = Seed((12, 12, 12), True), Seed((12, 12, 20), False)
    levels = np.where(lesion, 100, -100).astype(np.int8)
    situation = Situation(image, levels, levels, (first,), second)
    proposal = GeodesicRefiner().propose(situation)
    # the click lies outside the contour already: it only holds, and there is nothing to refine
    assert proposal.influence_mm == 0
    third = Seed((12, 12, 19), True)
    situation = Situation(image, levels, levels, (first, second), third)
    proposal = GeodesicRefiner().propose(situation)
    given_ = network_input(situation, proposal, SIDE, 1.25)
    told = dict(zip(CHANNELS, given_.channels, strict=True))
    middle = (SIDE // 2,) * 3
    assert told["include"][middle] == pytest.approx(1.0)
    assert told["newest"][middle] == pytest.approx(1.0)
    assert told["exclude"][middle] < told["include"][middle]
    assert told["gate"][middle] == 1
    far = given_.crop.distance_mm(third.voxel) >= proposal.influence_mm
    assert far.any()
    assert not told["gate"][far].any()
    assert np.abs(given_.channels).max() <= 1.0
    hidden = network_input(situation, proposal, SIDE, 1.25, forget=True)
    assert not hidden.channels[CHANNELS.index("before")].any()


def test_ranks_and_focus_do_not_depend_on_the_unit_of_the_image() -> None:
    image, _ = a_patient((20, 20, 20))
    scaled = image.with_voxels(image.voxels * 37.0 - 1000.0)
    told = []
    for scan in (image, scaled):
        situation = Situation(scan, nothing_known((20, 20, 20)), None, (), Seed((10, 10, 10), True))
        told.append(network_input(situation, GeodesicRefiner().propose(situation), SIDE, 1.25).channels)
    assert told[0][:2] == pytest.approx(told[1][:2], abs=0.02)


def test_a_silent_network_is_the_geodesic_operator(tmp_path: Path) -> None:
    image, lesion = a_patient(spacing_mm=(1.0, 1.0, 3.0), direction=OBLIQUE)
    masks = []
    for name, chosen in (("floor", GeodesicRefiner()), ("network", refiner(says(0.0)))):
        with ReviewSession.start(
            image, tmp_path / name / "j.jsonl", probability=probability_of(lesion), refiner=chosen
        ) as session:
            session.click(at(image, (8, 12, 2)))
            session.click(at(image, (8, 4, 14), include=False))
            masks.append(session.mask)
    assert np.array_equal(*masks)


def test_where_the_network_did_not_win_the_operator_answers_alone(tmp_path: Path) -> None:
    image, _ = a_patient()
    only_networks = refiner(says(9.0), where=("networks",))
    masks = {}
    for name, chosen in (("won elsewhere", only_networks), ("floor", None), ("won", refiner(says(9.0)))):
        with ReviewSession.start(image, tmp_path / name / "j.jsonl", refiner=chosen) as session:
            session.click(at(image, (8, 12, 14)))
            session.click(at(image, (8, 12, 24)))
            masks[name] = session.mask
    assert np.array_equal(masks["won elsewhere"], masks["floor"])
    assert not np.array_equal(masks["won"], masks["floor"])


def test_a_click_that_begins_a_lesion_is_answered_by_the_operator_and_the_next_one_by_the_network(
    tmp_path: Path,
) -> None:
    image, _ = a_patient((24, 32, 32), radius_mm=8.0)
    masks = {}
    for name, chosen in (("floor", GeodesicRefiner()), ("network", refiner(says(9.0)))):
        with ReviewSession.start(image, tmp_path / name / "j.jsonl", refiner=chosen) as session:
            session.click(at(image, (12, 16, 16)))
            first = session.mask
            session.click(at(image, (12, 16, 27)))
            masks[name] = (first, session.mask)
    assert np.array_equal(masks["floor"][0], masks["network"][0])
    assert masks["network"][1].sum() > masks["floor"][1].sum()


@settings(max_examples=40)
@given(situations(), st.integers(0, 5))
def test_whatever_the_network_says_every_click_is_honoured_and_nothing_far_away_changes(
    tmp_path_factory, situation, seed
) -> None:
    image, clicks, start = situation
    folder = tmp_path_factory.mktemp("network")
    wanted = {}
    with ReviewSession.start(
        image, folder / "j.jsonl", probability=start, refiner=refiner(noise(seed))
    ) as session:
        for voxel, include in clicks:
            before = session.mask
            result = session.click(at(image, voxel, include))
            wanted[voxel] = include
            assert result.honoured
            assert all(session.mask[other] == label for other, label in wanted.items())
            outside = np.ones(before.shape, bool)
            outside[result.region] = False
            assert np.array_equal(session.mask[outside], before[outside])
        last = session.mask
        while session.undo():
            pass
        while session.redo():
            pass
        assert np.array_equal(session.mask, last)
    with ReviewSession.resume(image, folder / "j.jsonl", refiner(noise(seed))) as again:
        assert np.array_equal(again.mask, last)
        assert not again.notices


def test_another_network_than_the_recorded_one_keeps_the_recorded_contour_and_says_so(tmp_path: Path) -> None:
    image, _ = a_patient()
    with ReviewSession.start(image, tmp_path / "j.jsonl", refiner=refiner(says(0.0))) as session:
        session.click(at(image, (8, 12, 14)))
        session.click(at(image, (8, 12, 24)))
        recorded = session.mask
    with ReviewSession.resume(image, tmp_path / "j.jsonl", refiner(says(9.0))) as again:
        assert np.array_equal(again.mask, recorded)
        assert "another contour with this version" in again.notices[0]


def test_a_damaged_refining_package_leaves_the_clicks_to_the_operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(resource("Models") / "refine-any", tmp_path / "refine-any")
    weights = next((tmp_path / "refine-any/models").iterdir())
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(UnusableInput, match="does not match its sha256"):
        shipped_network(tmp_path / "refine-any")
    monkeypatch.setenv("TUMORSEGROBUST_MODELS", str(tmp_path))
    monkeypatch.setattr(shipped, "_shared", {})
    assert isinstance(default_refiner(), GeodesicRefiner)


def test_a_package_that_contours_scans_is_no_refining_network(tmp_path: Path) -> None:
    package = tiny_package(tmp_path / "tiny")
    with pytest.raises(UnusableInput, match="segments scans"):
        shipped_network(package.folder)
