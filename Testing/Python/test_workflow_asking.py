"""What is asked before it is done: replacing a review, accepting nothing; and what is told loudly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fixtures_workflow import OTHER_KJI, TUMOUR_KJI, Desk, a_desk, at, ball

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.workflow.messages import clicked
from TumorSegRobustLib.workflow.reviewing import is_much

Begin = Callable[[Desk], None]
BEGINNINGS: dict[str, Begin] = {
    "segment": lambda desk: desk.workflow.segment(),
    "start_empty": lambda desk: desk.workflow.start_empty(),
    "start_from": lambda desk: desk.workflow.start_from(desk.folder / "saved"),
    "resume": lambda desk: desk.workflow.resume(desk.folder / "absent.jsonl"),
}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """As behind a panel: commands return at once, and somebody is there to be asked."""
    desk = a_desk(tmp_path, background=True).segmented()
    yield desk
    desk.workflow.close()


@pytest.mark.parametrize("begin", BEGINNINGS.values(), ids=BEGINNINGS)
@pytest.mark.parametrize("done", ["clicked", "painted", "accepted"])
def test_a_review_that_was_worked_on_is_not_replaced_without_asking(
    desk: Desk, done: str, begin: Begin
) -> None:
    if done == "clicked":
        desk.does(desk.workflow.click, at(OTHER_KJI), True)
    elif done == "painted":
        desk.does(desk.workflow.paint, ball(TUMOUR_KJI, 3.0))
    else:
        desk.does(desk.workflow.accept, "Dr Ada")
    session, mask = desk.workflow.session, desk.workflow.mask
    desk.does(begin, desk)
    assert desk.state.question is not None
    told = "was accepted by Dr Ada" if done == "accepted" else "has corrections"
    assert desk.state.question.text == (
        f"This contour {told}. It is kept and can be opened again. Begin anew?"
    )
    desk.does(desk.workflow.answer, False)
    assert desk.state.question is None
    assert desk.workflow.session is session
    assert desk.workflow.mask is mask


def test_yes_begins_anew_and_the_review_before_can_be_opened_again(desk: Desk) -> None:
    desk.does(desk.workflow.accept, "Dr Ada")
    accepted = desk.workflow.session.journal_path
    desk.does(desk.workflow.start_empty)
    desk.does(desk.workflow.answer, True)
    assert desk.state.question is None
    assert desk.state.volume_ml == 0.0
    assert [review.path for review in desk.workflow.resumable()] == [accepted]
    desk.does(desk.workflow.resume, accepted)
    assert desk.state.question is None, "nothing was done with the contour from nothing"
    assert desk.state.accepted_by == "Dr Ada"


def test_nothing_is_asked_where_nothing_was_done(desk: Desk) -> None:
    desk.does(desk.workflow.start_empty)
    assert desk.state.question is None
    assert desk.state.volume_ml == 0.0
    desk.does(desk.workflow.click, at(TUMOUR_KJI), True)
    desk.does(desk.workflow.undo)
    desk.does(desk.workflow.segment)
    assert desk.state.volume_ml > 0.0


def test_an_answer_comes_too_late_for_another_scan(desk: Desk) -> None:
    desk.does(desk.workflow.accept, "Dr Ada")
    desk.does(desk.workflow.segment)
    desk.opened()
    assert desk.state.question is None
    desk.does(desk.workflow.answer, True)
    assert desk.state.phase == "ready"


def test_an_empty_contour_is_accepted_only_with_the_statement_that_there_is_no_tumour(desk: Desk) -> None:
    desk.does(desk.workflow.start_empty)
    desk.does(desk.workflow.accept, "Dr Ada", "follow-up")
    assert desk.state.phase == "review"
    assert desk.state.question is not None
    assert "no tumour in this scan?" in desk.state.question.text
    desk.does(desk.workflow.answer, False)
    assert desk.state.accepted_by == ""
    desk.does(desk.workflow.accept, "Dr Ada", "follow-up")
    desk.does(desk.workflow.answer, True)
    assert desk.state.message == "Accepted by Dr Ada: no tumour."
    assert desk.workflow.session.accepted.comment == "No tumour. follow-up"


def test_no_tumour_cannot_be_stated_of_a_contour(desk: Desk) -> None:
    desk.does(desk.workflow.accept, "Dr Ada", "", True)
    assert desk.state.accepted_by == ""
    assert desk.state.error.startswith("There is a contour now")


def test_a_program_must_state_it_too(tmp_path: Path) -> None:
    workflow = a_desk(tmp_path).opened().workflow
    workflow.start_empty()
    with pytest.raises(UnusableInput, match="accept it with the statement that there is no tumour"):
        workflow.accept("Dr Ada")
    workflow.accept("Dr Ada", no_tumour=True)
    assert workflow.session.accepted.comment == "No tumour"


def test_a_program_is_not_asked(tmp_path: Path) -> None:
    desk = a_desk(tmp_path).segmented()
    desk.workflow.accept("Dr Ada")
    desk.workflow.start_empty()
    assert desk.state.question is None
    assert desk.state.volume_ml == 0.0


@pytest.mark.parametrize(
    ("changed_ml", "before_ml", "much"),
    [(416.0, 0.0, True), (150.0, 0.0, False), (31.0, 5.0, True), (29.0, 5.0, False), (80.0, 90.0, False)],
)
def test_what_is_much_for_one_click(changed_ml: float, before_ml: float, much: bool) -> None:
    assert is_much(changed_ml, before_ml) is much


def test_a_click_that_changes_much_is_told_loudly_with_the_way_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("TumorSegRobustLib.workflow.reviewing._MUCH_FROM_NOTHING_ML", 0.1)
    desk.does(desk.workflow.start_empty)
    desk.does(desk.workflow.click, at(TUMOUR_KJI), True)
    assert desk.state.loud
    assert "press Undo (Ctrl+Z)" in desk.state.message
    assert np.count_nonzero(desk.workflow.mask) > 12
    desk.does(desk.workflow.undo)
    assert not desk.state.loud


def test_the_loud_line_names_the_volume() -> None:
    told = clicked(True, True, 416.2, "Tumour of 416.2 ml.", much=True)
    assert told.startswith("This one click changed 416 ml. If that is too much, press Undo (Ctrl+Z)")
