"""Random stories over several segments: owners, locks, undo, replay, and clicks deleted or moved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from fixtures_review import a_patient, a_review, at, ball, probability_of
from hypothesis import given, settings
from hypothesis import strategies as st

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.review import ReviewSession, replay_segments, verify_journal
from TumorSegRobustLib.review.journal import read_journal

SHAPE = (8, 10, 12)
GTVP = 1

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


def beyond(box: tuple[slice, ...] | None, values: np.ndarray) -> np.ndarray:
    """The values outside a box; all of them where there is none."""
    outside = np.ones(values.shape, bool)
    if box is not None:
        outside[box] = False
    return values[outside]


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
            assert beyond(session.open_box(s.id), session.probability_of(s.id)).max(initial=0) == 0
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
