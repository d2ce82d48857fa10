"""A click is a promise: honoured, newest wins, nothing changes outside its region; on every kind of grid."""

from __future__ import annotations

import numpy as np
import pytest
from fixtures_review import OBLIQUE, a_patient, a_review, all_orientations, at, ball, probability_of
from hypothesis import given, settings
from hypothesis import strategies as st

from TumorSegRobustLib.evaluation import dice
from TumorSegRobustLib.image import Geometry, Image
from TumorSegRobustLib.review import GeodesicRefiner, Refinement, ReviewSession, Situation
from TumorSegRobustLib.review.settings import GeodesicSettings

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

spacings = st.sampled_from(
    [(1.0, 1.0, 1.0), (0.7, 0.7, 7.0), (4.0, 0.5, 1.0), (5.5, 5.5, 3.3), (0.2, 0.2, 0.2)]
)
directions = st.sampled_from([IDENTITY, OBLIQUE, (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)])
shapes = st.tuples(st.integers(2, 9), st.integers(3, 14), st.integers(3, 14))


@st.composite
def situations(draw):
    """An image of any grid, a start, and up to six clicks anywhere, some of them on one voxel."""
    shape = draw(shapes)
    image, lesion = a_patient(
        shape, draw(spacings), draw(directions), radius_mm=draw(st.sampled_from([1.5, 4.0, 12.0])),
        contrast=draw(st.sampled_from([-3.0, 0.0, 5.0])), seed=draw(st.integers(0, 9)),
    )  # fmt: skip
    voxel = st.tuples(*(st.integers(0, n - 1) for n in shape))
    few = draw(st.lists(voxel, min_size=1, max_size=4))
    clicks = draw(st.lists(st.tuples(st.sampled_from(few), st.booleans()), min_size=1, max_size=6))
    start = draw(st.sampled_from(["nothing", "prediction", "wrong", "all", "none"]))
    return image, clicks, a_start(start, lesion)


def a_start(start: str, lesion: np.ndarray) -> np.ndarray | None:
    return {
        "nothing": None,
        "prediction": probability_of(lesion),
        "wrong": probability_of(~lesion, inside=0.9999, outside=0.0001),
        "all": np.ones(lesion.shape, np.float32),
        "none": np.zeros(lesion.shape, np.float32),
    }[start]


@settings(max_examples=120)
@given(situations())
def test_every_click_is_honoured_and_stays_so_until_the_same_voxel_is_clicked_again(
    tmp_path_factory, situation
):
    image, clicks, start = situation
    with a_review(tmp_path_factory.mktemp("promise"), image, start) as session:
        wanted = {}
        for voxel, include in clicks:
            before = session.mask
            result = session.click(at(image, voxel, include))
            wanted[voxel] = include

            assert result.honoured
            assert all(session.mask[v] == label for v, label in wanted.items())
            outside = np.ones(before.shape, bool)
            outside[result.region] = False
            assert np.array_equal(session.mask[outside], before[outside])
            changed = session.mask != before
            assert result.changed_ml == pytest.approx(changed.sum() * image.geometry.voxel_ml)
            assert not changed.any() or changed[result.box].sum() == changed.sum()
            assert np.array_equal(session.probability > 0.5, session.mask)


@settings(max_examples=60)
@given(situations())
def test_an_include_click_never_removes_and_an_exclude_click_never_adds(tmp_path_factory, situation):
    image, clicks, start = situation
    with a_review(tmp_path_factory.mktemp("one way"), image, start) as session:
        for number, (voxel, include) in enumerate(clicks):
            if voxel in [v for v, _ in clicks[:number]]:
                continue  # a click taken back by a newer one on its voxel may change both ways around it
            before = session.mask
            session.click(at(image, voxel, include))
            lost = before & ~session.mask if include else session.mask & ~before
            assert not lost.any()


@pytest.mark.parametrize(("away_mm", "careful"), [(8.0, {"most_change": 0.5}), (14.0, {})])
def test_a_click_near_a_contour_makes_no_flood(tmp_path, away_mm, careful):
    """Much of the image looks like the lesion. 8 mm beside it a click corrects, at 14 mm it begins one."""
    lesion = ball((60, 60, 60), (2.0, 2.0, 2.0), (30, 30, 20), 16.0)
    bright = np.broadcast_to(np.arange(60)[:, None] > 15, lesion.shape)
    noise = np.random.default_rng(0).normal(0, 3, lesion.shape)
    image = Image((90.0 * bright + noise).astype(np.float32), Geometry(lesion.shape, (2.0, 2.0, 2.0)))

    def changed_ml(name: str, settings: GeodesicSettings) -> float:
        journal, refiner = tmp_path / name, GeodesicRefiner(settings)
        with ReviewSession.start(
            image, journal, probability=probability_of(lesion, 0.99, 0.01), refiner=refiner
        ) as session:
            return session.click(at(image, (30, 30, 28 + round(away_mm / 2)))).changed_ml

    changed = changed_ml("careful", GeodesicSettings(**careful))
    ball_ml = 4 / 3 * np.pi * (1.4 * away_mm) ** 3 / 1000
    balls = careful.get("most_change", GeodesicSettings().first_most_change)
    assert 0.1 * ball_ml < changed <= 1.02 * balls * ball_ml
    eager = changed_ml("eager", GeodesicSettings(most_change=1e6, first_most_change=1e6))
    assert eager > 1.3 * changed, "else there was no flood to hold back"


def test_the_session_keeps_the_promise_whatever_a_refiner_returns(tmp_path):
    class Contrary:
        name, version = "contrary", "1"

        def parameters(self):
            return {}

        def refine(self, situation: Situation) -> Refinement:
            k, j, i = (slice(0, n) for n in situation.image.geometry.shape)
            return Refinement(
                (k, j, i), np.full(situation.levels.shape, -9.0 if situation.click.include else 9.0)
            )

    image, _ = a_patient()
    session = ReviewSession.start(image, tmp_path / "journal.jsonl", refiner=Contrary())
    for voxel, include in (((1, 2, 3), True), ((4, 5, 6), False), ((7, 8, 9), True)):
        assert session.click(at(image, voxel, include)).honoured
    assert [bool(session.mask[v]) for v in ((1, 2, 3), (4, 5, 6), (7, 8, 9))] == [True, False, True]


def test_one_click_finds_a_plain_lesion_and_one_takes_a_false_one_away(tmp_path):
    image, lesion = a_patient((24, 40, 40), radius_mm=9)
    with a_review(tmp_path / "found", image) as session:
        session.click(at(image, (12, 20, 20)))
        assert dice(session.mask, lesion) > 0.85
    elsewhere = ball((24, 40, 40), (1, 1, 1), (12, 20, 34), 4)
    with a_review(tmp_path / "removed", image, probability_of(lesion | elsewhere)) as session:
        session.click(at(image, (12, 20, 36), include=False))
        assert not session.mask[elsewhere & ~lesion].any()
        assert dice(session.mask, lesion) > 0.95


def test_a_confident_wrong_network_gives_way_to_one_click(tmp_path):
    image, lesion = a_patient((24, 40, 40), radius_mm=9)
    wrong = np.where(ball((24, 40, 40), (1, 1, 1), (12, 20, 8), 6), 1.0, 0.0).astype(np.float32)
    with a_review(tmp_path, image, wrong) as session:
        session.click(at(image, (12, 20, 20)))
        session.click(at(image, (12, 20, 7), include=False))
        assert dice(session.mask, lesion) > 0.8


@pytest.mark.parametrize("direction", [IDENTITY, OBLIQUE, *all_orientations()[5::9]])
def test_how_the_grid_lies_in_the_patient_does_not_matter(tmp_path, direction):
    plain, _ = a_patient((12, 20, 22), (1.0, 1.2, 2.0))
    turned, _ = a_patient((12, 20, 22), (1.0, 1.2, 2.0), direction)
    masks = []
    for folder, image in (("plain", plain), ("turned", turned)):
        with a_review(tmp_path / folder, image) as session:
            session.click(at(image, (6, 10, 11)))
            session.click(at(image, (6, 2, 3), include=False))
            masks.append(session.mask)

    assert np.array_equal(*masks)


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (0, 2, 1)])
@pytest.mark.parametrize("flip", [(), (0,), (1, 2)])
def test_how_the_scan_is_stored_hardly_matters(tmp_path, axes, flip):
    image, _ = a_patient((13, 21, 25), (1.0, 1.0, 2.0), radius_mm=7)
    spacing = image.geometry.spacing_mm[::-1]
    k, j, i = (spacing[a] for a in axes)
    voxels = np.flip(image.voxels.transpose(axes), flip)
    stored = Image(voxels, Geometry(voxels.shape, (i, j, k)))
    masks = []
    for folder, patient, back in (("image", image, False), ("stored", stored, True)):
        centre = tuple(n // 2 for n in patient.geometry.shape)
        with a_review(tmp_path / folder, patient) as session:
            session.click(at(patient, centre))
            mask = session.mask
        masks.append(np.flip(mask, flip).transpose(np.argsort(axes)) if back else mask)

    assert dice(*masks) > 0.98


def test_the_intensity_scale_does_not_matter(tmp_path):
    image, _ = a_patient((16, 28, 28), radius_mm=7)
    masks = []
    for name, voxels in (("as is", image.voxels), ("scaled", image.voxels * 4 - 1000)):
        with a_review(tmp_path / name, image.with_voxels(voxels)) as session:
            session.click(at(image, (8, 14, 14)))
            masks.append(session.mask)

    assert dice(*masks) > 0.99


def test_painted_voxels_survive_later_clicks_near_them(tmp_path):
    image, lesion = a_patient((16, 28, 28), radius_mm=7)
    with a_review(tmp_path, image, probability_of(lesion)) as session:
        bite = lesion & ball((16, 28, 28), (1, 1, 1), (8, 14, 19), 3)
        bump = ball((16, 28, 28), (1, 1, 1), (8, 14, 4), 3)
        session.paint((session.mask & ~bite) | bump)
        session.click(at(image, (8, 19, 14)))
        session.click(at(image, (8, 3, 14)))
        session.click(at(image, (8, 25, 4), include=False))

        assert not session.mask[bite].any()
        assert session.mask[bump].all()


def test_a_click_against_painted_voxels_frees_them_and_earlier_clicks_stand(tmp_path):
    image, lesion = a_patient((16, 28, 28), radius_mm=7)
    with a_review(tmp_path, image, probability_of(lesion)) as session:
        session.click(at(image, (8, 14, 13)))
        wrong = ball((16, 28, 28), (1, 1, 1), (8, 14, 25), 3) & ~lesion
        session.paint(session.mask | wrong)
        session.click(at(image, (8, 14, 26), include=False))

        assert session.mask[8, 14, 13]
        assert session.mask[wrong].mean() < 0.2


def test_painting_over_a_click_is_the_newer_word(tmp_path):
    image, lesion = a_patient()
    with a_review(tmp_path, image, probability_of(lesion)) as session:
        session.click(at(image, (8, 12, 20)))
        session.paint(session.mask & (np.arange(28) < 19))
        session.click(at(image, (2, 2, 20), include=False))

        assert not session.mask[8, 12, 20]


@pytest.mark.parametrize(
    "voxels", [np.zeros((6, 9, 9)), np.full((6, 9, 9), -1000), np.eye(9)[None].repeat(6, 0)]
)
def test_images_with_hardly_any_intensities_are_no_problem(tmp_path, voxels):
    image = Image(voxels.astype(np.int16), Geometry((6, 9, 9)))
    with a_review(tmp_path, image) as session:
        assert session.click(at(image, (3, 4, 4))).honoured
        assert session.click(at(image, (3, 4, 8), include=False)).honoured


def test_the_refiner_of_a_journal_is_made_again_from_its_parameters():
    refiner = GeodesicRefiner()
    described = {"name": refiner.name, "version": refiner.version, "parameters": refiner.parameters()}

    assert GeodesicRefiner.recorded(described) == refiner
    assert GeodesicRefiner.recorded({**described, "version": "0"}) is None
