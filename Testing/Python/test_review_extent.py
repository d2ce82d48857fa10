"""How far a click's answer reaches, and the crumbs that it must not leave."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from fixtures_review import OBLIQUE, a_patient, at, probability_of
from fixtures_review import ball as ball_of
from monai.networks.nets import FullyConnectedNet

from TumorSegRobustLib.image import Image
from TumorSegRobustLib.resources import resource
from TumorSegRobustLib.review import GeodesicRefiner, ReviewSession, Seed, Situation
from TumorSegRobustLib.review.extent import FACTS, REACH_MM, Extent, Facts, facts_of, judge_of
from TumorSegRobustLib.review.network_refiner import NetworkRefiner
from TumorSegRobustLib.review.refiner import Refinement
from TumorSegRobustLib.review.shipped import shipped_network
from TumorSegRobustLib.review.tidy import tidied

SHAPE = (24, 40, 40)


def ball(shape: tuple[int, int, int], centre: tuple[float, ...], radius: float) -> np.ndarray:
    return ball_of(shape, (1.0, 1.0, 1.0), centre, radius)


def a_review(include: bool = True) -> tuple[Situation, np.ndarray]:
    """A contour 3 mm too narrow (or too wide) all round, and a click into the rim that is wrong."""
    image, lesion = a_patient(SHAPE, radius_mm=9.0 if include else 6.0)
    drawn = ball(SHAPE, (12, 20, 20), 6.0 if include else 9.0)
    levels = np.where(drawn, 60, -60).astype(np.int8)
    return Situation(image, levels, levels.copy(), (), Seed((12, 20, 28), include)), lesion


def facts(situation: Situation) -> Facts:
    proposal = GeodesicRefiner().propose(situation)
    found = facts_of(situation, proposal, Refinement(proposal.region, proposal.log_odds))
    assert found is not None
    return found


def column(found: Facts, name: str) -> np.ndarray:
    """In the fact's own unit again."""
    low, high = FACTS[name]
    return (found.table[:, list(FACTS).index(name)] + 1) * (high - low) / 2 + low


@pytest.mark.parametrize("include", [True, False])
def test_the_facts_are_those_of_each_voxel_that_the_click_could_change(include: bool) -> None:
    situation, _ = a_review(include)
    found = facts(situation)
    tumour = situation.levels[found.box] > 0
    assert not (found.open & (tumour == include)).any()
    assert found.click_mm.max() < REACH_MM
    assert np.abs(found.table).max() <= 1
    k, j, i = np.nonzero(found.open)
    places = np.stack([axis + part.start for axis, part in zip((k, j, i), found.box, strict=True)], axis=1)
    away = (places - situation.click.voxel) * situation.image.geometry.spacing_mm[::-1]
    assert column(found, "click_mm") == pytest.approx(np.linalg.norm(away, axis=1), abs=1e-3)
    across = np.hypot(column(found, "across_mm"), column(found, "within_mm"))
    assert across == pytest.approx(found.click_mm, abs=1e-2)
    at_click = np.flatnonzero(found.click_mm == 0)
    assert column(found, "contour_mm")[at_click] == pytest.approx(found.depth_mm, abs=1e-3)
    assert column(found, "unlike")[at_click] == pytest.approx(0, abs=1e-3)
    assert set(column(found, "include")) == {float(include)}


def test_the_facts_speak_of_the_other_clicks() -> None:
    situation, _ = a_review()
    earlier = (Seed((12, 20, 30), True), Seed((12, 20, 10), False))
    found = facts(Situation(situation.image, situation.levels, situation.prior, earlier, situation.click))
    assert column(found, "same_count") == pytest.approx(1, abs=1e-3)
    assert column(found, "other_count") == pytest.approx(1, abs=1e-3)
    nearest = column(found, "same_mm").min()
    assert nearest == pytest.approx(0, abs=1e-3)


def test_the_facts_do_not_depend_on_the_unit_of_the_image() -> None:
    situation, _ = a_review()
    scaled = situation.image.with_voxels(situation.image.voxels * 37.0 - 1000.0)
    other = Situation(scaled, situation.levels, situation.prior, (), situation.click)
    assert facts(other).table == pytest.approx(facts(situation).table, abs=0.02)


def test_the_judge_is_monai_s_network_without_pytorch() -> None:
    torch.manual_seed(1)
    network = FullyConnectedNet(len(FACTS), 1, [7, 5]).eval()
    table = np.random.default_rng(0).uniform(-1, 1, (50, len(FACTS))).astype(np.float32)
    judge = judge_of({name: value.numpy() for name, value in network.state_dict().items()})
    expected = network(torch.from_numpy(table))[:, 0].detach().numpy()
    assert judge(table) == pytest.approx(expected, abs=1e-5)


def answered(situation: Situation) -> tuple[GeodesicRefiner, Refinement, float]:
    floor = GeodesicRefiner()
    proposal = floor.propose(situation)
    answer = Refinement(proposal.region, proposal.log_odds)
    changed = (proposal.log_odds > 0) != (proposal.before > 0)
    return floor, answer, float(changed.sum()) * situation.image.geometry.voxel_ml


def change(situation: Situation, refinement: Refinement) -> int:
    before = situation.levels[refinement.region] > 0
    return int(np.count_nonzero((refinement.log_odds > 0) != before))


@pytest.mark.parametrize("include", [True, False])
def test_a_sure_judge_extends_a_doubtful_one_trims_and_both_know_their_limits(include: bool) -> None:
    situation, _ = a_review(include)
    floor, answer, changed_ml = answered(situation)
    proposal = floor.propose(situation)
    voxel_ml = situation.image.geometry.voxel_ml

    def applied(odds: float, left_ml: float = np.inf) -> Refinement:
        judge = Extent(lambda table: np.full(len(table), odds, np.float32))
        return judge.applied(situation, proposal, answer, changed_ml, left_ml)

    usual = change(situation, answer)
    assert change(situation, applied(0.0)) == usual
    assert usual < change(situation, applied(9.0)) <= 2 * usual + 0.3 / voxel_ml + 1
    assert change(situation, applied(9.0, left_ml=0.05)) <= usual + 0.05 / voxel_ml
    assert change(situation, applied(9.0, left_ml=-1.0)) == usual
    trimmed = applied(-9.0)
    assert 0 < change(situation, trimmed) < usual
    here = tuple(v - s.start for v, s in zip(situation.click.voxel, trimmed.region, strict=True))
    assert (trimmed.log_odds[here] > 0) == include
    for refinement in (applied(9.0), trimmed):  # an include click only adds, an exclude click only takes away
        after, before = refinement.log_odds > 0, situation.levels[refinement.region] > 0
        assert not ((after != before) & (after != include)).any()


def test_nothing_changes_beyond_the_reach_in_an_oblique_anisotropic_scan(tmp_path: Path) -> None:
    image, lesion = a_patient((12, 90, 90), spacing_mm=(0.9, 1.1, 6.0), radius_mm=9.0, direction=OBLIQUE)
    sure = Extent(lambda table: np.full(len(table), 9.0, np.float32))
    silent = lambda channels: np.zeros((1, 1, *channels.shape[2:]), np.float32)  # noqa: E731
    refiner = NetworkRefiner(silent, {"id": "toy"}, side=16, extent=sure)
    with ReviewSession.start(
        image, tmp_path / "j.jsonl", probability=probability_of(lesion), refiner=refiner
    ) as session:
        before = session.mask
        click = at(image, (6, 45, 57))
        assert session.click(click).honoured
        changed = np.argwhere(session.mask != before)
        places = np.array([image.geometry.position_of(tuple(voxel)) for voxel in changed])
        assert np.linalg.norm(places - np.array(click.position_mm), axis=1).max() <= 60.0
        after = session.mask
        session.undo()
        assert np.array_equal(session.mask, before)
        session.redo()
        assert np.array_equal(session.mask, after)


def test_where_nothing_is_won_the_region_stays_the_answer_s_own() -> None:
    situation, _ = a_review(include=False)
    floor, answer, changed_ml = answered(situation)
    proposal = floor.propose(situation)
    doubtful = Extent(lambda table: np.zeros(len(table), np.float32))
    assert doubtful.applied(situation, proposal, answer, changed_ml).region == answer.region


# ------------------------------------------------ crumbs


def a_situation(mask: np.ndarray, click: Seed, *earlier: Seed) -> Situation:
    image = Image(np.zeros(mask.shape, np.float32), a_patient(mask.shape)[0].geometry)
    levels = np.where(mask, 60, -60).astype(np.int8)
    return Situation(image, levels, levels.copy(), earlier, click)


def whole(mask: np.ndarray) -> Refinement:
    k, j, i = (slice(0, n) for n in mask.shape)
    return Refinement((k, j, i), np.where(mask, 2.0, -2.0).astype(np.float32))


def test_an_island_that_an_include_click_adds_goes_unless_it_is_the_click_s_own() -> None:
    before = ball((20, 30, 30), (10, 10, 10), 5.0)
    grown = before | ball((20, 30, 30), (10, 10, 15), 4.0)
    island = ball((20, 30, 30), (10, 25, 25), 2.0)
    situation = a_situation(before, Seed((10, 10, 17), True))
    assert np.array_equal(tidied(situation, whole(grown | island)).log_odds > 0, grown)
    own = a_situation(before, Seed((10, 25, 25), True))
    assert np.array_equal(tidied(own, whole(before | island)).log_odds > 0, before | island)


def test_a_small_hole_is_filled_and_one_that_was_clicked_stays() -> None:
    before = ball((20, 30, 30), (10, 10, 10), 5.0)
    filled = before | ball((20, 30, 30), (10, 10, 16), 5.0)
    holed = filled.copy()
    holed[10, 10, 18] = False
    situation = a_situation(before, Seed((10, 10, 19), True))
    assert np.array_equal(tidied(situation, whole(holed)).log_odds > 0, filled)
    kept = a_situation(before, Seed((10, 10, 19), True), Seed((10, 10, 18), False))
    assert np.array_equal(tidied(kept, whole(holed)).log_odds > 0, holed)


def test_an_exclude_click_leaves_no_crumbs_but_another_lesion_and_clicked_ones() -> None:
    shape = (20, 40, 40)
    main, wrong = ball(shape, (10, 10, 10), 6.0), ball(shape, (10, 25, 25), 5.0)
    other = ball(shape, (10, 35, 8), 1.5)  # small, but nowhere near what is taken away
    crumb = np.zeros(shape, bool)
    crumb[10, 25, 29] = True
    situation = a_situation(main | wrong | other, Seed((10, 25, 25), False))
    assert np.array_equal(tidied(situation, whole(main | other | crumb)).log_odds > 0, main | other)
    clicked = a_situation(main | wrong | other, Seed((10, 25, 25), False), Seed((10, 25, 29), True))
    told = tidied(clicked, whole(main | other | crumb)).log_odds > 0
    assert np.array_equal(told, main | other | crumb)


def test_what_is_no_crumb_stays() -> None:
    """A lesion of its own to which a large leak was joined, and a cavity that an include click encloses."""
    shape = (30, 60, 60)
    leak, lesion = ball(shape, (15, 20, 20), 11.0), ball(shape, (15, 20, 36), 6.0)
    situation = a_situation(leak | lesion, Seed((15, 20, 20), False))
    kept = lesion & ~leak
    assert np.array_equal(tidied(situation, whole(kept)).log_odds > 0, kept)
    ring = ball(shape, (15, 30, 30), 12.0) & ~ball(shape, (15, 30, 30), 5.0)
    enclosing = a_situation(np.zeros(shape, bool), Seed((15, 30, 40), True))
    assert np.array_equal(tidied(enclosing, whole(ring)).log_odds > 0, ring)


def test_what_only_begins_where_something_was_taken_away_stays() -> None:
    """A vessel of a single voxel's width, whose other end lies far off."""
    shape = (20, 60, 60)
    wrong, thread = ball(shape, (10, 15, 15), 8.0), np.zeros(shape, bool)
    thread[10, 15, 15:55] = True
    kept = thread & ~wrong
    situation = a_situation(wrong | thread, Seed((10, 15, 15), False))
    assert np.array_equal(tidied(situation, whole(kept)).log_odds > 0, kept)


def test_the_clicked_voxel_counts_as_what_the_click_says() -> None:
    added = ball((20, 30, 30), (10, 15, 15), 5.0)
    holed = added.copy()
    holed[10, 15, 15] = False
    situation = a_situation(np.zeros_like(added), Seed((10, 15, 15), True))
    told = tidied(situation, whole(holed)).log_odds > 0
    told[10, 15, 15] = True  # by the session
    assert np.array_equal(told, added)


def test_what_an_exclude_click_punches_elsewhere_into_the_contour_is_closed_again() -> None:
    before = ball((20, 30, 30), (10, 14, 14), 9.0)
    cut = before & ~ball((20, 30, 30), (10, 14, 24), 4.0)
    punched = cut.copy()
    punched[10, 14, 10] = False
    situation = a_situation(before, Seed((10, 14, 22), False))
    assert np.array_equal(tidied(situation, whole(punched)).log_odds > 0, cut)


# ------------------------------------------------ what ships


def test_the_shipped_extent_takes_these_facts_and_is_used() -> None:
    network = shipped_network(resource("Models") / "refine-any")
    assert network is not None
    refiner = network.refiner()
    assert refiner.extent is not None
    assert refiner.parameters()["extent"] == refiner.extent.parameters()
    situation, lesion = a_review()
    found = facts(situation)
    truth = lesion[found.box][found.open]
    judged = refiner.extent.judge(found.table)
    assert judged[truth].mean() > judged[~truth].mean() + 1
