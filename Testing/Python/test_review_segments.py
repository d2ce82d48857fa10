"""Several segments in one review: no voxel has two owners, and nobody takes from a locked neighbour."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from fixtures_review import a_patient, a_review, at, ball, probability_of

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Geometry, Image
from TumorSegRobustLib.review import ReviewSession, replay_segments
from TumorSegRobustLib.review.events import mask_fingerprint
from TumorSegRobustLib.review.journal import read_journal

GTVP, GTVN = 1, 2

# ------------------------------------------------ who owns what, on two balls side by side


@pytest.fixture
def two_balls(tmp_path):
    """GTVp is the left ball, as proposed; GTVn, to its right, is empty."""
    shape = (16, 24, 40)
    left, right = (ball(shape, (1, 1, 1), (8, 12, i), 6) for i in (12, 26))
    noise = np.random.default_rng(0).normal(100.0, 5.0, shape)
    image = Image((noise + 60 * (left | right)).astype(np.float32), Geometry(shape))
    session = ReviewSession.start(image, tmp_path / "journal.jsonl", probability=probability_of(left))
    session.add_segment("GTVn")
    return session, left, right


def test_a_new_segment_begins_from_nothing_and_its_click_leaves_the_first_alone(two_balls):
    session, left, right = two_balls
    assert not session.mask_of(GTVN).any()
    assert session.click(at(session.image, (8, 12, 26)), GTVN).honoured
    found = session.mask_of(GTVN)
    assert 2 * (found & right).sum() / (found.sum() + right.sum()) > 0.85
    assert np.array_equal(session.mask, left)
    assert [s.name for s in session.segments] == ["GTVp", "GTVn"]
    assert len({s.colour for s in session.segments}) == 2


def test_a_click_in_a_locked_neighbour_is_refused_in_one_line_and_is_no_event(two_balls):
    session, left, _ = two_balls
    content = session.journal_path.read_bytes()
    with pytest.raises(UnusableInput) as refusal:
        session.click(at(session.image, (8, 12, 12)), GTVN)
    assert str(refusal.value) == (
        "This point belongs to GTVp, which is locked: choose GTVp to correct it there, "
        "or unlock it to give the point to GTVn."
    )
    assert session.journal_path.read_bytes() == content
    assert np.array_equal(session.mask, left)


def test_excluding_where_a_locked_neighbour_is_changes_nothing_of_it(two_balls):
    session, left, _ = two_balls
    assert session.click(at(session.image, (8, 12, 12), False), GTVN).honoured
    assert np.array_equal(session.mask, left)


def test_an_unlocked_neighbour_gives_voxels_up_and_undo_gives_them_back(two_balls):
    session, left, _ = two_balls
    session.lock_segment(GTVP, False)
    session.click(at(session.image, (8, 12, 12)), GTVN)
    assert session.mask_of(GTVN)[8, 12, 12]
    assert not session.mask[8, 12, 12]
    assert not (session.mask & session.mask_of(GTVN)).any()
    session.undo()
    assert np.array_equal(session.mask, left)
    assert not session.mask_of(GTVN).any()


def test_what_was_clicked_or_painted_stays_with_an_unlocked_neighbour(two_balls):
    session, left, _ = two_balls
    session.click(at(session.image, (8, 12, 9)))
    session.paint(session.mask | ball(left.shape, (1, 1, 1), (3, 4, 12), 2))
    painted = session.mask & ~left
    session.lock_segment(GTVP, False)
    session.click(at(session.image, (8, 12, 14)), GTVN)
    assert session.mask_of(GTVN).sum() > 1, "the click may spread"
    assert session.mask[8, 12, 9], "but not over another's click"
    assert session.mask[painted].all()


def test_the_neighbours_clicks_do_not_bring_back_what_it_gave_up(two_balls):
    session, left, _ = two_balls
    session.lock_segment(GTVP, False)
    given_up = left & (np.arange(left.shape[2]) > 12)
    session.paint(given_up, GTVN)
    session.lock_segment(GTVN, False)
    session.click(at(session.image, (8, 12, 8)), GTVP)
    assert np.array_equal(session.mask_of(GTVN), given_up)
    session.remove_segment(GTVN)
    session.click(at(session.image, (8, 12, 7)), GTVP)
    assert not (session.mask & given_up).any(), "it was given up; nobody has said otherwise"
    session.click(at(session.image, (8, 12, 14)), GTVP)
    assert session.mask[8, 12, 14]
    assert (session.mask & given_up).sum() > 1, "now somebody has"


def test_deleting_the_click_that_took_voxels_gives_them_back(two_balls):
    session, left, _ = two_balls
    session.lock_segment(GTVP, False)
    session.click(at(session.image, (8, 12, 12)), GTVN)
    (number,) = session.clicks_of(GTVN)
    session.remove_click(number)
    assert np.array_equal(session.mask, left)
    assert not session.mask_of(GTVN).any()
    session.click(at(session.image, (8, 12, 4)), GTVP)
    assert session.mask[left].all(), "nothing holds the voxels back any more"


def test_painting_stops_at_a_locked_neighbour_and_takes_from_an_unlocked_one(two_balls):
    session, left, right = two_balls
    session.paint(left | right, GTVN)
    assert np.array_equal(session.mask_of(GTVN), right & ~left)
    session.lock_segment(GTVP, False)
    session.paint(left | right, GTVN)
    assert np.array_equal(session.mask_of(GTVN), left | right)
    assert not session.mask.any()


def test_deleting_a_click_beside_a_locked_neighbour_does_not_grow_into_it(two_balls):
    session, left, _ = two_balls
    bite = ball(left.shape, (1, 1, 1), (8, 12, 17), 3)
    session.click(at(session.image, (8, 12, 17), False))
    session.paint(bite & ~session.mask, GTVN)
    theirs = session.mask_of(GTVN)
    assert theirs.any()
    (number,) = session.clicks_of(GTVP)
    session.remove_click(number)
    assert np.array_equal(session.mask_of(GTVN), theirs)
    assert np.array_equal(session.mask, left & ~theirs)


def test_painting_survives_the_deletion_of_a_click(two_balls):
    session, left, right = two_balls
    session.click(at(session.image, (8, 12, 26)))
    bump = ball(left.shape, (1, 1, 1), (2, 4, 4), 1.5)
    session.paint((session.mask | bump) & ~ball(left.shape, (1, 1, 1), (8, 12, 8), 1.5))
    (number,) = session.clicks_of(GTVP)
    session.remove_click(number)
    assert session.mask[bump].all()
    assert not session.mask[8, 12, 8]
    assert not session.mask[right].any()


def test_a_click_is_not_moved_into_a_locked_neighbour_nor_out_of_the_image(two_balls):
    session, _, _ = two_balls
    session.click(at(session.image, (8, 12, 26)), GTVN)
    before = session.mask_of(GTVN)
    (number,) = session.clicks_of(GTVN)
    with pytest.raises(UnusableInput, match="belongs to GTVp, which is locked"):
        session.move_click(number, at(session.image, (8, 12, 12)).position_mm)
    with pytest.raises(UnusableInput, match="outside the image"):
        session.move_click(number, (500.0, 0.0, 0.0))
    assert np.array_equal(session.mask_of(GTVN), before)


# ------------------------------------------------ names, removal, the journal


def test_names_are_one_line_and_all_different(two_balls):
    session, _, _ = two_balls
    assert session.add_segment("  OAR \n left ") == 3
    assert session.segments[-1].name == "OAR left"
    with pytest.raises(UnusableInput, match="a segment called GTVn already: give another name"):
        session.add_segment("gtvN")
    with pytest.raises(UnusableInput, match="needs a name"):
        session.rename_segment(GTVN, "  ")
    session.rename_segment(GTVN, "GTVN")
    session.undo()
    assert session.segments[1].name == "GTVn"


def test_the_first_segment_stays_and_others_can_be_removed_and_brought_back(two_balls):
    session, _, right = two_balls
    session.paint(right, GTVN)
    with pytest.raises(UnusableInput, match="GTVp is what the review began with and stays"):
        session.remove_segment(GTVP)
    session.remove_segment(GTVN)
    assert [s.id for s in session.segments] == [GTVP]
    with pytest.raises(UnusableInput, match=r"There is no segment 2: choose one of 1 \(GTVp\)"):
        session.click(at(session.image, (8, 12, 26)), GTVN)
    session.click(at(session.image, (8, 12, 26)))
    assert session.mask[8, 12, 26], "nobody owns it any more"
    session.undo()
    session.undo()
    assert np.array_equal(session.mask_of(GTVN), right)


def test_a_click_that_is_gone_cannot_be_deleted_again(two_balls):
    session, _, _ = two_balls
    session.click(at(session.image, (8, 12, 26)))
    (number,) = session.clicks_of(GTVP)
    session.remove_click(number)
    with pytest.raises(UnusableInput, match="no click 2 any more: choose one of the list"):
        session.remove_click(number)


def test_what_changes_nothing_is_no_event(two_balls):
    session, _, _ = two_balls
    content = session.journal_path.read_bytes()
    session.rename_segment(GTVN, "GTVn")
    session.lock_segment(GTVN, True)
    session.paint(session.mask_of(GTVN), GTVN)
    assert session.journal_path.read_bytes() == content


def test_an_acceptance_names_every_contour_and_falls_with_any_step(two_balls):
    session, left, right = two_balls
    session.paint(right, GTVN)
    session.accept("Dr. A")
    told = read_journal(session.journal_path)[-1].data["segments"]
    assert [(s["name"], s["volume_ml"]) for s in told] == [
        ("GTVp", pytest.approx(left.sum() / 1000)),
        ("GTVn", pytest.approx(right.sum() / 1000)),
    ]
    session.remove_segment(GTVN)
    assert session.accepted is None


def test_events_about_the_first_segment_look_as_they_always_did(two_balls):
    session, _, _ = two_balls
    session.click(at(session.image, (8, 12, 14)))
    session.click(at(session.image, (8, 12, 26)), GTVN)
    first, second = read_journal(session.journal_path)[-2:]
    keys = {"position_lps_mm", "include", "voxel_kji", "region", "frees_painted", "change"}
    assert set(first.data) == keys
    assert set(second.data) == keys | {"segment"}


def test_the_clicks_of_all_segments_are_told_in_order_of_time(two_balls):
    session, _, _ = two_balls
    places = [((8, 12, 14), GTVP), ((8, 12, 26), GTVN), ((8, 12, 10), GTVP)]
    for voxel, segment in places:
        session.click(at(session.image, voxel), segment)
    assert session.clicks == tuple(at(session.image, voxel) for voxel, _ in places)
    assert list(session.clicks_of(GTVN).values()) == [at(session.image, (8, 12, 26))]


# ------------------------------------------------ the brush


def test_a_stroke_is_balls_of_millimetres_whatever_the_voxels(tmp_path):
    geometry = Geometry((9, 20, 20), (1.0, 2.0, 3.0))
    session = a_review(tmp_path, Image(np.zeros(geometry.shape, np.float32), geometry))
    middle = geometry.position_of((4, 10, 10))
    session.stroke([tuple(middle.tolist())], 4.0, add=True)
    everywhere = geometry.position_of(np.moveaxis(np.indices(geometry.shape), 0, -1))
    distance = np.linalg.norm(everywhere - middle, axis=-1)
    assert np.array_equal(session.mask, distance <= 4.0)
    session.stroke([tuple(middle.tolist())], 0.1, add=False)
    assert session.mask.sum() == (distance <= 4.0).sum() - 1, "never less than the voxel under it"
    session.undo()
    session.undo()
    assert not session.mask.any()


def test_a_stroke_is_one_step_and_stays_off_a_locked_neighbour(two_balls):
    session, left, _ = two_balls
    along = [at(session.image, (8, 12, i)).position_mm for i in (28, 8)]
    session.stroke(along, 3.0, add=True, segment=GTVN)
    drawn = session.mask_of(GTVN)
    assert drawn[8, 12, 20:29].all()
    assert not (drawn & left).any()
    assert np.array_equal(session.mask, left)
    with pytest.raises(UnusableInput, match="belongs to GTVp, which is locked"):
        session.stroke(along[::-1], 3.0, add=True, segment=GTVN)
    session.undo()
    assert not session.mask_of(GTVN).any()


def test_a_stroke_outside_the_image_is_refused(two_balls):
    session, left, _ = two_balls
    with pytest.raises(UnusableInput, match="outside the image"):
        session.stroke([(500.0, 0.0, 0.0)], 3.0, add=True)
    assert np.array_equal(session.mask, left)


# ------------------------------------------------ journals from before there were segments


def test_a_journal_of_version_0_1_gives_the_contour_that_was_accepted(tmp_path):
    written = Path(__file__).with_name("journal_of_one_segment.jsonl")
    accepted = read_journal(written)[-1].data
    (name,) = masks = replay_segments(written)
    assert name == "GTVp"
    assert mask_fingerprint(masks[name].voxels) == accepted["mask_sha256"]
    image, _ = a_patient((6, 8, 9), radius_mm=2.5)
    shutil.copy(written, tmp_path / "journal.jsonl")
    with ReviewSession.resume(image, tmp_path / "journal.jsonl") as session:
        assert np.array_equal(session.mask, masks[name].voxels)
        assert session.accepted is not None
        assert len(session.clicks) == 2
        session.remove_click(list(session.clicks_of(GTVP))[1])
        assert session.mask[1, 6, 7], "painting stays"
