"""A review session: state is the replay of its events."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fixtures_review import a_patient, a_review, at, ball, probability_of
from hypothesis import given, settings
from hypothesis import strategies as st

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import read_image, write_image
from TumorSegRobustLib.review import Click, ReviewSession, replay_journal, verify_journal
from TumorSegRobustLib.review.journal import read_journal

SHAPE = (8, 10, 12)

clicks = st.tuples(st.just("click"), st.tuples(*(st.integers(0, n - 1) for n in SHAPE)), st.booleans())
strokes = st.tuples(st.just("paint"), st.tuples(*(st.integers(0, n - 1) for n in SHAPE)), st.booleans())
steps = st.one_of(clicks, clicks, strokes, st.just(("undo",)), st.just(("redo",)))


def perform(session: ReviewSession, step: tuple) -> None:
    if step[0] == "click":
        session.click(at(session.image, step[1], step[2]))
    elif step[0] == "paint":
        stroke = ball(SHAPE, (1, 1, 1), step[1], 2.0)
        session.paint(session.mask | stroke if step[2] else session.mask & ~stroke)
    else:
        getattr(session, step[0])()


@given(story=st.lists(steps, max_size=8), start=st.booleans())
@settings(max_examples=40)
def test_any_story_replays_bit_for_bit(tmp_path_factory, story, start):
    image, lesion = a_patient(SHAPE, radius_mm=3)
    session = a_review(tmp_path_factory.mktemp("story"), image, probability_of(lesion) if start else None)
    for step in story:
        perform(session, step)
    session.close()

    assert np.array_equal(replay_journal(session.journal_path, image).voxels, session.mask)
    with ReviewSession.resume(image, session.journal_path) as again:
        assert np.array_equal(again.mask, session.mask)
        assert np.array_equal(again.probability, session.probability)
        assert again.clicks == session.clicks
        assert (again.can_undo, again.can_redo) == (session.can_undo, session.can_redo)
        assert again.notices == ()


@given(story=st.lists(st.one_of(clicks, strokes), min_size=1, max_size=6), back=st.integers(1, 6))
@settings(max_examples=30)
def test_undo_and_redo_walk_the_same_states_also_after_a_resume(tmp_path_factory, story, back):
    image, lesion = a_patient(SHAPE, radius_mm=3)
    session = a_review(tmp_path_factory.mktemp("undo"), image, probability_of(lesion))
    states = [(session.mask, session.probability)]
    for step in story:
        before = session.can_undo, len(read_journal(session.journal_path))
        perform(session, step)
        if len(read_journal(session.journal_path)) > before[1]:
            states.append((session.mask, session.probability))
    back = min(back, len(states) - 1)
    for expected in reversed(states[-1 - back : -1]):
        assert session.undo()
        assert np.array_equal(session.mask, expected[0])
        assert np.array_equal(session.probability, expected[1])
    session.close()
    with ReviewSession.resume(image, session.journal_path) as again:
        for expected in states[len(states) - back :]:
            assert again.redo()
            assert np.array_equal(again.mask, expected[0])
            assert np.array_equal(again.probability, expected[1])
        assert not again.redo()


def test_a_new_click_forgets_what_was_taken_back(tmp_path):
    image, _ = a_patient()
    session = a_review(tmp_path, image)
    session.click(at(image, (8, 12, 14)))
    session.undo()
    session.click(at(image, (2, 3, 4)))

    assert not session.can_redo
    assert session.redo() is False
    assert session.clicks == (at(image, (2, 3, 4)),)


def test_nothing_to_undo_is_not_an_event(tmp_path):
    image, _ = a_patient()
    session = a_review(tmp_path, image)

    assert session.undo() is False
    assert [record.event for record in read_journal(session.journal_path)] == ["started"]


def test_replay_is_the_same_in_another_process(tmp_path):
    image, lesion = a_patient()
    write_image(image, tmp_path / "image.nii.gz")
    image = read_image(tmp_path / "image.nii.gz")
    with a_review(tmp_path, image, probability_of(np.roll(lesion, 4, axis=2))) as session:
        for voxel, include in (((8, 12, 10), True), ((8, 12, 21), False), ((7, 12, 14), True)):
            session.click(at(image, voxel, include))
    script = (
        "import sys, hashlib; from pathlib import Path; from TumorSegRobustLib.image import read_image; "
        "from TumorSegRobustLib.review import ReviewSession; folder = Path(sys.argv[1]); "
        "s = ReviewSession.resume(read_image(folder / 'image.nii.gz'), folder / 'journal.jsonl'); "
        "print(hashlib.sha256(s.mask.tobytes() + s.probability.tobytes()).hexdigest(), len(s.notices))"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        "PYTHONHASHSEED": "7",
    }
    told = subprocess.run(
        [sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True, env=environment
    )

    import hashlib

    expected = hashlib.sha256(session.mask.tobytes() + session.probability.tobytes()).hexdigest()
    assert told.stdout.split() == [expected, "0"]


def test_the_session_starts_at_the_prediction_and_at_nothing(tmp_path):
    image, lesion = a_patient()
    with a_review(tmp_path / "a", image, probability_of(lesion)) as predicted:
        assert np.array_equal(predicted.mask, lesion)
        assert np.allclose(predicted.probability[lesion], 0.9, atol=0.01)
    with a_review(tmp_path / "b", image) as empty:
        assert not empty.mask.any()
        assert empty.probability.max() == 0.0


def test_a_threshold_other_than_one_half_moves_the_contour_and_is_kept_by_a_replay(tmp_path):
    image, lesion = a_patient()
    probability = probability_of(lesion, inside=0.35)
    session = ReviewSession.start(image, tmp_path / "journal.jsonl", probability=probability, threshold=0.35)
    session.close()

    assert np.array_equal(session.mask, lesion)
    assert np.array_equal(session.probability > 0.5, lesion)
    assert np.array_equal(replay_journal(session.journal_path).voxels, lesion)


def test_mask_and_probability_never_disagree(tmp_path):
    image, lesion = a_patient()
    session = a_review(tmp_path, image, probability_of(lesion))
    session.click(at(image, (8, 12, 20)))
    session.paint(session.mask & (np.arange(28) > 12))

    assert np.array_equal(session.probability > 0.5, session.mask)


def test_a_click_outside_the_image_changes_nothing(tmp_path):
    image, _ = a_patient()
    session = a_review(tmp_path, image)
    content = session.journal_path.read_bytes()

    for position in ((500.0, 0.0, 0.0), (float("nan"), 0.0, 0.0)):
        with pytest.raises(UnusableInput, match="outside the image") as refusal:
            session.click(Click(position, True))
        assert "\n" not in str(refusal.value)
    assert session.journal_path.read_bytes() == content
    assert not session.mask.any()


def test_the_mask_of_now_cannot_be_written_to_and_later_events_do_not_change_it(tmp_path):
    image, _ = a_patient()
    session = a_review(tmp_path, image)
    before = session.mask
    session.click(at(image, (8, 12, 14)))

    assert not before.any()
    with pytest.raises(ValueError, match="read-only"):
        session.mask[0, 0, 0] = True


def test_an_acceptance_stands_until_something_changes(tmp_path):
    image, lesion = a_patient()
    session = a_review(tmp_path, image, probability_of(lesion))
    with pytest.raises(UnusableInput, match="needs the name"):
        session.accept("  ")
    session.accept("Dr. A", "margins as agreed")
    session.exported(tmp_path / "absent.dcm", "rtstruct")
    assert session.accepted is not None
    assert (session.accepted.name, session.accepted.comment) == ("Dr. A", "margins as agreed")
    session.close()
    with ReviewSession.resume(image, session.journal_path) as again:
        assert again.accepted == session.accepted
        again.click(at(image, (8, 12, 25)))
        assert again.accepted is None
    *_, accept, export, _ = read_journal(session.journal_path)
    assert accept.data["volume_ml"] == pytest.approx(lesion.sum() / 1000)
    assert (export.data["kind"], export.data["file_sha256"]) == ("rtstruct", None)


def test_a_copy_of_the_journal_can_be_replayed_elsewhere(tmp_path):
    image, lesion = a_patient()
    with a_review(tmp_path / "work", image, probability_of(lesion)) as session:
        session.click(at(image, (8, 12, 25)))
        copy = session.copy_to(tmp_path / "saved")

    assert np.array_equal(replay_journal(copy).voxels, session.mask)
    assert verify_journal(copy, session.head).ok


def test_a_prediction_of_another_size_is_refused(tmp_path):
    image, _ = a_patient()
    with pytest.raises(UnusableInput, match="resample it first"):
        a_review(tmp_path, image, np.zeros((2, 2, 2), np.float32))
