"""The simulated reader: clicks where the contour is most wrong, exactly or with a hand that trembles."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fixtures_review import a_patient, a_review, ball, probability_of

from TumorSegRobustLib.errors import Cancelled, UnusableInput
from TumorSegRobustLib.evaluation import (
    READERS,
    Habits,
    largest_error,
    reader_called,
    simulate,
    surface_distances,
)
from TumorSegRobustLib.evaluation.habits import STRAY_MM
from TumorSegRobustLib.image import Geometry, Image, read_image, read_mask
from TumorSegRobustLib.progress import Progress
from TumorSegRobustLib.review import Click, ClickResult, ReviewSession

SHAPE = (9, 11, 13)


class Deaf:
    """A session that notes the clicks and changes nothing."""

    def __init__(self, mask: np.ndarray) -> None:
        self.mask = mask
        self.clicks: list[Click] = []

    def click(self, click: Click) -> ClickResult:
        self.clicks.append(click)
        nothing = (slice(0, 0),) * 3
        return ClickResult(False, 0.0, nothing, 0.0, nothing)


def test_the_largest_error_is_aimed_at_in_its_deepest_voxel():
    truth = ball(SHAPE, (1, 1, 1), (4, 5, 4), 3) | ball(SHAPE, (1, 1, 1), (4, 5, 11), 1)
    nothing = np.zeros(SHAPE, bool)

    assert largest_error(nothing, truth, Geometry(SHAPE)) == ((4, 5, 4), True)
    assert largest_error(truth, nothing, Geometry(SHAPE)) == ((4, 5, 4), False)
    assert largest_error(truth, truth, Geometry(SHAPE)) is None


def test_missing_and_superfluous_voxels_are_different_errors():
    truth, mask = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    truth[4, 5, 0:5] = True
    mask[4, 5, 5:9] = True

    assert largest_error(mask, truth, Geometry(SHAPE)) == ((4, 5, 0), True)


def test_depth_is_measured_in_mm():
    truth = np.zeros((5, 9, 9), bool)
    truth[2, 1:8, 1:8] = True  # one thick slice
    truth[1:4, 4, 1] = True

    voxel, _ = largest_error(np.zeros_like(truth), truth, Geometry(truth.shape, (1.0, 1.0, 9.0)))

    assert voxel == (2, 4, 4)


def test_exact_clicks_lie_on_voxel_centres_and_tell_the_truth():
    image, lesion = a_patient(SHAPE, (1.0, 1.5, 2.0), radius_mm=5)
    session = Deaf(np.zeros(SHAPE, bool))
    curve = simulate(image, image.with_voxels(lesion), lambda: session, clicks=3)

    assert [lesion[image.geometry.index_of(c.position_mm)] for c in session.clicks] == [True] * 3
    assert curve.dice == (0.0, 0.0, 0.0, 0.0)
    assert (curve.honoured, curve.kept, curve.lost_steps) == (0.0, 0.0, 0.0)


def test_a_trembling_hand_misses_within_the_image_and_the_same_seed_misses_alike():
    image, lesion = a_patient(SHAPE, radius_mm=3)
    reference = image.with_voxels(lesion)
    sessions = [Deaf(np.zeros(SHAPE, bool)) for _ in range(3)]
    for session, seed in zip(sessions, (1, 1, 2), strict=True):
        simulate(image, reference, lambda s=session: s, clicks=30, jitter_mm=6.0, seed=seed)
    first, again, other = (session.clicks for session in sessions)

    assert first == again != other
    assert all(image.geometry.contains(click.position_mm) for click in first)
    assert all(click.include for click in first)
    assert len({click.position_mm for click in first}) > 20


def test_a_reader_corrects_a_wrong_prediction(tmp_path):
    image, lesion = a_patient((20, 36, 36), radius_mm=8)
    wrong = probability_of(np.roll(lesion, 7, axis=2))
    curve = simulate(image, image.with_voxels(lesion), lambda: a_review(tmp_path, image, wrong), clicks=6)
    document = json.loads(json.dumps(curve.to_json()))

    assert document["dice"][0] < 0.5 < 0.85 < document["dice"][-1]
    assert len(document["dice"]) == len(document["hd95_mm"]) == 7
    assert document["hd95_mm"][-1] < document["hd95_mm"][0]
    assert document["honoured"] == document["kept"] == 1.0
    assert len(document["seconds"]) == len(document["clicks"]) <= 6


def test_a_perfect_contour_needs_no_click(tmp_path):
    image, lesion = a_patient()
    curve = simulate(
        image, image.with_voxels(lesion), lambda: a_review(tmp_path, image, probability_of(lesion)), clicks=4
    )

    assert curve.dice == (1.0,) * 5
    assert curve.clicks == ()
    assert (curve.honoured, curve.lost_steps) == (1.0, 0.0)


def test_a_reference_on_another_grid_is_refused():
    image, lesion = a_patient()
    reference = Image(lesion, Geometry(lesion.shape, (2.0, 1.0, 1.0)))
    with pytest.raises(UnusableInput, match="resample the reference first"):
        simulate(image, reference, lambda: Deaf(lesion))


def test_the_reader_can_be_stopped():
    image, lesion = a_patient()
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        simulate(image, image.with_voxels(lesion), lambda: Deaf(~lesion), progress=progress)


def test_distances_overlap_and_surface_are_told_for_every_click(tmp_path):
    image, lesion = a_patient((20, 36, 36), radius_mm=8)
    session = a_review(tmp_path, image, probability_of(np.roll(lesion, 7, axis=2)))
    before = surface_distances(session.mask, lesion, image.geometry)
    curve = simulate(image, image.with_voxels(lesion), lambda: session, clicks=3)
    after = surface_distances(session.mask, lesion, image.geometry)

    assert len(curve.dice) == len(curve.hd95_mm) == len(curve.nsd) == 4
    assert (curve.hd95_mm[0], curve.nsd[0]) == (before.hd95_mm, before.surface_dice(1.0))
    assert (curve.hd95_mm[-1], curve.nsd[-1]) == (after.hd95_mm, after.surface_dice(1.0))


# ------------------------------------------------ habits


def test_a_jittered_reader_is_a_robot_with_a_jitter_of_three_mm():
    image, lesion = a_patient(SHAPE, radius_mm=3)
    reference = image.with_voxels(lesion)
    by_habit, by_hand = (Deaf(np.zeros(SHAPE, bool)) for _ in range(2))
    one = simulate(image, reference, lambda: by_habit, reader=READERS["jittered"], seed=4)
    two = simulate(image, reference, lambda: by_hand, jitter_mm=3.0, seed=4)

    assert by_habit.clicks == by_hand.clicks
    assert (one.reader, one.jitter_mm) == (two.reader, two.jitter_mm) == ("jittered", 3.0)


def test_a_jitter_given_replaces_the_readers_own():
    image, lesion = a_patient(SHAPE, radius_mm=3)
    sessions = [Deaf(np.zeros(SHAPE, bool)) for _ in range(2)]
    simulate(image, image.with_voxels(lesion), lambda: sessions[0], reader=READERS["jittered"], jitter_mm=0.0)
    simulate(image, image.with_voxels(lesion), lambda: sessions[1])

    assert sessions[0].clicks == sessions[1].clicks


@pytest.mark.parametrize("include", [True, False])
def test_one_click_in_four_of_a_sloppy_reader_is_outside_the_error_with_the_label_that_was_meant(include):
    image, _ = a_patient()
    error = ball(image.geometry.shape, (1.0, 1.0, 1.0), (8, 12, 14), 4)
    nothing = np.zeros_like(error)
    truth = error if include else nothing
    session = Deaf(nothing if include else error)
    curve = simulate(image, image.with_voxels(truth), lambda: session, clicks=400, reader=READERS["sloppy"])
    voxels = [image.geometry.index_of(click.position_mm) for click in session.clicks]
    hits = np.array([bool(error[voxel]) for voxel in voxels])
    middle = np.array([8.0, 12.0, 14.0])
    strays = [float(np.linalg.norm(v - middle)) for v, hit in zip(voxels, hits, strict=True) if not hit]

    assert 0.20 < 1 - hits.mean() < 0.30
    assert {click.include for click in session.clicks} == {include}
    assert {voxel for voxel, hit in zip(voxels, hits, strict=True) if hit} == {(8, 12, 14)}
    assert 4 < min(strays) <= max(strays) <= 4 + STRAY_MM
    assert curve.reader == "sloppy"


def test_a_stray_exclude_click_hits_tumour_where_some_is_near():
    image, _ = a_patient()
    truth, mask = np.zeros((2, *image.geometry.shape), bool)
    truth[8, 12, 4:10] = True
    mask[8, 12, 4:16] = True
    session = Deaf(mask)
    simulate(image, image.with_voxels(truth), lambda: session, clicks=50, reader=Habits("all", strays=1.0))

    assert all(truth[image.geometry.index_of(click.position_mm)] for click in session.clicks)
    assert not any(click.include for click in session.clicks)


def test_a_lazy_reader_stops_when_the_contour_is_good_enough(tmp_path):
    image, lesion = a_patient((30, 48, 48), radius_mm=12)
    wrong = probability_of(np.roll(lesion, 10, axis=2))
    curve = simulate(
        image, image.with_voxels(lesion), lambda: a_review(tmp_path, image, wrong), reader=READERS["lazy"]
    )
    made = len(curve.clicks)

    assert 0 < made < 10
    assert curve.dice[made] >= 0.85 > curve.dice[made - 1]
    assert set(curve.dice[made:]) == {curve.dice[made]}


def test_a_lazy_reader_overlooks_small_errors():
    image, lesion = a_patient(radius_mm=4)  # 257 voxels of 1 mm: 0.26 ml
    session = Deaf(np.zeros_like(lesion))
    curve = simulate(image, image.with_voxels(lesion), lambda: session, reader=READERS["lazy"])

    assert session.clicks == []
    assert curve.dice == (0.0,) * 11


def test_an_unknown_reader_is_refused_with_those_that_there_are():
    with pytest.raises(UnusableInput, match="no reader called saint: choose robot, jittered, sloppy, lazy"):
        reader_called("saint")


@pytest.mark.parametrize(
    ("case", "least"), [("sarcoma-01-ct", 0.75), ("sarcoma-02-pet", 0.7), ("sarcoma-01-t1", 0.75)]
)
def test_ten_clicks_from_nothing_on_real_tumours(shared_data, tmp_path, case, least):
    folder = shared_data / "cases" / case
    image = read_image(folder / f"{case.rsplit('-', 1)[1]}.nii.gz")
    reference = read_mask(folder / "mask.nii.gz", image.geometry)
    curve = simulate(
        image, reference, lambda: ReviewSession.start(image, tmp_path / "journal.jsonl"), clicks=10
    )

    assert curve.dice[10] > least
    assert curve.honoured == curve.kept == 1.0
    assert curve.lost_steps <= 0.1
