"""Several segments in one review: no voxel has two owners, and nobody takes from a locked neighbour."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from fixtures_review import a_patient, a_review, at, ball, probability_of
from hypothesis import given, settings
from hypothesis import strategies as st

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Geometry, Image
from TumorSegRobustLib.review import ReviewSession, replay_segments, verify_journal
from TumorSegRobustLib.review.events import mask_fingerprint
from TumorSegRobustLib.review.journal import read_journal

SHAPE = (8, 10, 12)
GTVP, GTVN = 1, 2

voxels = st.tuples(*(st.integers(0, n - 1) for n in SHAPE))
which = st.integers(0, 3)
steps = st.one_of(
    st.tuples(st.just("click"), which, voxels, st.booleans()),
    st.tuples(st.just("click"), which, voxels, st.just(True)),
    st.tuples(st.just("paint"), which, voxels, st.booleans()),
    st.tuples(st.just("delete"), which),
    st.tuples(st.just("move"), which, voxels),
    st.just(("add",)),
    st.tuples(st.just("lock"), which, st.booleans()),
    st.tuples(st.just("remove"), which),
    st.just(("undo",)),
    st.just(("redo",)),
)


def perform(session: ReviewSession, step: tuple) -> int | None:
    """Do a step, as far as it is allowed; the id of the segment that it is about."""
    word, *rest = step
    if word in ("undo", "redo"):
        getattr(session, word)()
        return None
    if word == "add":
        return session.add_segment(f"GTV{len(read_journal(session.journal_path))}")
    segment = session.segments[rest[0] % len(session.segments)].id
    if word == "paint":
        stroke = ball(SHAPE, (1, 1, 1), rest[1], 2.0)
        before = session.mask_of(segment)
        session.paint(before | stroke if rest[2] else before & ~stroke, segment)
    elif word == "lock":
        session.lock_segment(segment, rest[1])
    elif word in ("delete", "move"):
        numbers = [n for s in session.segments for n in session.clicks_of(s.id)]
        if not numbers:
            return None
        number = numbers[rest[0] % len(numbers)]
        segment = next(s.id for s in session.segments if number in session.clicks_of(s.id))
        act_on_click(session, number, rest[1:])
    elif word == "remove":
        try:
            session.remove_segment(segment)
        except UnusableInput:
            assert segment == GTVP
    else:
        with perhaps_locked():
            session.click(at(session.image, rest[1], rest[2]), segment)
    return segment


def act_on_click(session: ReviewSession, number: int, place: list) -> None:
    if not place:
        session.remove_click(number)
        return
    x, y, z = session.image.geometry.position_of(place[0]).tolist()
    with perhaps_locked():
        session.move_click(number, (x, y, z))


@contextmanager
def perhaps_locked() -> Iterator[None]:
    """A story may run into a locked neighbour, and into nothing else."""
    try:
        yield
    except UnusableInput as refusal:
        if "which is locked" not in str(refusal):
            raise


def picture(session: ReviewSession) -> dict:
    """Everything that can be seen of a review."""
    return {
        s.id: (
            s.name,
            s.locked,
            session.mask_of(s.id).tobytes(),
            session.probability_of(s.id).tobytes(),
            tuple(session.clicks_of(s.id).items()),
        )
        for s in session.segments
    }


def a_session(folder, start: bool = True) -> ReviewSession:
    image, lesion = a_patient(SHAPE, radius_mm=3)
    session = a_review(folder, image, probability_of(lesion) if start else None)
    session.add_segment("GTVn")
    return session


# ------------------------------------------------ properties


@given(story=st.lists(steps, max_size=10))
@settings(max_examples=60)
def test_no_voxel_has_two_owners_and_locked_neighbours_stay_as_they_are(tmp_path_factory, story):
    session = a_session(tmp_path_factory.mktemp("owners"))
    for step in story:
        before = {s.id: (s.locked, session.mask_of(s.id)) for s in session.segments}
        about = perform(session, step)
        owners = sum(session.mask_of(s.id).astype(int) for s in session.segments)
        assert owners.max(initial=0) <= 1
        if about is None:
            continue
        for s in session.segments:
            assert np.array_equal(session.probability_of(s.id) > 0.5, session.mask_of(s.id))
            if s.id != about and s.id in before and before[s.id][0]:
                assert np.array_equal(session.mask_of(s.id), before[s.id][1])


@given(story=st.lists(steps, max_size=9))
@settings(max_examples=50)
def test_any_story_over_several_segments_replays_bit_for_bit(tmp_path_factory, story):
    session = a_session(tmp_path_factory.mktemp("story"))
    for step in story:
        perform(session, step)
    session.close()

    again = replay_segments(session.journal_path, session.image)
    assert list(again) == [s.name for s in session.segments]
    for s in session.segments:
        assert np.array_equal(again[s.name].voxels, session.mask_of(s.id))
    with ReviewSession.resume(session.image, session.journal_path) as resumed:
        assert picture(resumed) == picture(session)
        assert resumed.clicks == session.clicks
        assert (resumed.can_undo, resumed.can_redo) == (session.can_undo, session.can_redo)
        assert resumed.notices == ()
    assert verify_journal(session.journal_path).ok


@given(story=st.lists(steps.filter(lambda s: s[0] not in ("undo", "redo")), min_size=1, max_size=8))
@settings(max_examples=40)
def test_undo_and_redo_walk_over_all_segments_also_after_a_resume(tmp_path_factory, story):
    session = a_session(tmp_path_factory.mktemp("undo"))
    states = [picture(session)]
    for step in story:
        before = len(read_journal(session.journal_path))
        perform(session, step)
        if len(read_journal(session.journal_path)) > before:
            states.append(picture(session))
    for expected in reversed(states[:-1]):
        assert session.undo()
        assert picture(session) == expected
    session.close()
    with ReviewSession.resume(session.image, session.journal_path) as again:
        for expected in states[1:]:
            assert again.redo()
            assert picture(again) == expected
        assert not again.redo()


@given(story=st.lists(steps.filter(lambda s: s[0] != "paint"), min_size=2, max_size=10), gone=which)
@settings(max_examples=50)
def test_deleting_a_click_breaks_no_promise_of_another_in_any_segment(tmp_path_factory, story, gone):
    session = a_session(tmp_path_factory.mktemp("promise"))
    for step in story:
        perform(session, step)
    numbers = list(session.clicks_of())
    if not numbers:
        return
    gone = numbers[gone % len(numbers)]
    kept = [click for click in honoured(session) if click[1] != gone]
    session.remove_click(gone)
    assert set(kept) <= set(honoured(session))


def honoured(session: ReviewSession) -> list[tuple[int, int]]:
    """(segment, number) of the clicks whose voxel has the label that it was clicked with."""
    return [
        (s.id, number)
        for s in session.segments
        for number, click in session.clicks_of(s.id).items()
        if session.mask_of(s.id)[session.image.geometry.index_of(click.position_mm)] == click.include
    ]


@given(
    clicks=st.lists(st.tuples(voxels, st.booleans()), min_size=2, max_size=5, unique_by=lambda c: c[0]),
    gone=st.integers(0, 4),
)
@settings(max_examples=40)
def test_without_a_click_the_contour_is_as_if_it_had_never_been_made(tmp_path_factory, clicks, gone):
    image, lesion = a_patient(SHAPE, radius_mm=3)
    gone %= len(clicks)
    folder = tmp_path_factory.mktemp("delete")
    session = a_review(folder / "with", image, probability_of(lesion))
    never = a_review(folder / "never", image, probability_of(lesion))
    for n, (voxel, include) in enumerate(clicks):
        session.click(at(image, voxel, include))
        if n != gone:
            never.click(at(image, voxel, include))
    result = session.remove_click(list(session.clicks_of(GTVP))[gone])

    assert result.honoured
    assert session.clicks == never.clicks
    assert np.array_equal(session.mask, never.mask)
    assert np.array_equal(session.probability, never.probability)
    for voxel, include in [c for n, c in enumerate(clicks) if n != gone]:
        assert session.mask[voxel] == include


@given(
    clicks=st.lists(st.tuples(voxels, st.booleans()), min_size=1, max_size=4, unique_by=lambda c: c[0]),
    moved=st.integers(0, 3),
    to=voxels,
)
@settings(max_examples=40)
def test_a_moved_click_is_as_if_it_had_been_made_last_and_there(tmp_path_factory, clicks, moved, to):
    image, lesion = a_patient(SHAPE, radius_mm=3)
    moved %= len(clicks)
    folder = tmp_path_factory.mktemp("move")
    session = a_review(folder / "moved", image, probability_of(lesion))
    made = a_review(folder / "made", image, probability_of(lesion))
    for voxel, include in clicks:
        session.click(at(image, voxel, include))
    for voxel, include in [c for n, c in enumerate(clicks) if n != moved] + [(to, clicks[moved][1])]:
        made.click(at(image, voxel, include))
    number = list(session.clicks_of(GTVP))[moved]
    result = session.move_click(number, at(image, to).position_mm)

    assert result.honoured
    assert session.mask[to] == clicks[moved][1]
    assert session.clicks == made.clicks
    assert list(session.clicks_of(GTVP))[-1] == number
    assert np.array_equal(session.mask, made.mask)
    assert np.array_equal(session.probability, made.probability)


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
