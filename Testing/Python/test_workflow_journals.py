"""The journals that the workflow leaves: never lost, opened again, one for every review."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from fixtures_workflow import (
    OTHER_KJI,
    TUMOUR_KJI,
    Desk,
    a_desk,
    a_scan,
    at,
    ball,
)

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.workflow import default_work_folder


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return a_desk(tmp_path)


def journals(desk: Desk) -> set[Path]:
    return set((desk.workflow.work_folder / "journals").glob("*.jsonl"))


def load(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_review_is_kept_under_the_scan_and_the_time(desk: Desk) -> None:
    desk.segmented()
    (journal,) = journals(desk)
    digest, when = journal.stem.split("-")
    assert len(digest) == 16
    assert when.startswith("20")
    assert desk.workflow.session.journal_path == journal


def test_segmenting_again_keeps_the_journal_of_the_review_before(desk: Desk) -> None:
    desk.segmented().workflow.click(at(OTHER_KJI), True)
    (first,) = journals(desk)
    content = first.read_bytes()
    corrected = desk.workflow.mask
    desk.workflow.segment()
    assert len(journals(desk)) == 2
    assert first.read_bytes() == content
    assert desk.workflow.session.journal_path != first
    np.testing.assert_array_equal(desk.workflow.mask, ball(TUMOUR_KJI))
    assert [review.path for review in desk.workflow.resumable()] == [first]
    desk.workflow.resume(first)
    np.testing.assert_array_equal(desk.workflow.mask, corrected)


def test_a_review_put_aside_gives_its_journal_free(desk: Desk) -> None:
    before = desk.segmented().workflow.session
    desk.workflow.segment()
    with pytest.raises(UnusableInput, match="is closed"):
        before.accept("Dr Ada")


def test_an_unfinished_review_continues_after_a_crash(tmp_path: Path) -> None:
    before = a_desk(tmp_path).segmented()
    before.workflow.click(at(OTHER_KJI), True)
    before.workflow.click(at(TUMOUR_KJI), False)
    mask = before.workflow.mask
    before.workflow.session.close()  # the process is gone, and its lock with it

    after = a_desk(tmp_path).opened()
    (review,) = after.workflow.resumable()
    assert review.edits == 2
    assert "resume" in after.state.can
    assert "2 corrections) can be continued" in after.state.message
    after.workflow.resume(review.path)
    np.testing.assert_array_equal(after.workflow.mask, mask)
    assert after.state.triage_level == "review"
    assert after.state.predicted_dice == 0.87
    assert len(after.state.clicks) == 2
    after.workflow.undo()
    assert after.workflow.mask[TUMOUR_KJI]


def test_a_resumed_review_reports_all_its_clicks(tmp_path: Path) -> None:
    before = a_desk(tmp_path).segmented()
    before.workflow.click(at(OTHER_KJI), True)
    before.workflow.close()
    after = a_desk(tmp_path).opened()
    after.workflow.resume(after.workflow.resumable()[0].path)
    after.workflow.click(at(TUMOUR_KJI), False)
    after.workflow.save(tmp_path / "out")
    old, new = load(tmp_path / "out" / "refine.json")["clicks"]
    assert (old["include"], old["seconds"]) == (True, None)
    assert (new["include"], new["honoured"]) == (False, True)


def test_a_review_in_which_nothing_was_done_is_not_offered_again(tmp_path: Path) -> None:
    desk = a_desk(tmp_path).segmented()
    desk.workflow.segment()
    desk.workflow.close()
    assert len(journals(desk)) == 2
    assert a_desk(tmp_path).opened().workflow.resumable() == ()


def test_an_accepted_review_can_be_opened_again_and_is_accepted_still(tmp_path: Path) -> None:
    desk = a_desk(tmp_path).segmented()
    desk.workflow.click(at(OTHER_KJI), True)
    corrected = desk.workflow.mask
    desk.workflow.accept("Dr Ada")
    desk.workflow.start_empty()
    (review,) = desk.workflow.resumable()
    assert (review.accepted_by, review.edits) == ("Dr Ada", 1)
    assert re.fullmatch(r"accepted (\d\d \w+ \d{4} )?\d\d:\d\d by Dr Ada", str(review))
    desk.workflow.close()

    after = a_desk(tmp_path).opened()
    (review,) = after.workflow.resumable()
    assert after.state.message == f"FLAIR is open. A review was {review}: it can be opened again."
    after.workflow.resume(review.path)
    assert (after.state.phase, after.state.accepted_by) == ("accepted", "Dr Ada")
    np.testing.assert_array_equal(after.workflow.mask, corrected)


def test_the_review_that_was_worked_on_last_is_offered_first(tmp_path: Path) -> None:
    desk = a_desk(tmp_path).segmented()
    desk.workflow.click(at(OTHER_KJI), True)
    older = desk.workflow.session.journal_path
    desk.workflow.start_empty()
    desk.workflow.click(at(TUMOUR_KJI), True)
    newer = desk.workflow.session.journal_path
    desk.workflow.resume(older)
    desk.workflow.accept("Dr Ada")
    desk.workflow.close()
    offered = a_desk(tmp_path).opened().workflow.resumable()
    assert [review.path for review in offered] == [older, newer]
    assert [bool(review.accepted) for review in offered] == [True, False]


def test_reviews_of_other_scans_are_not_offered(tmp_path: Path) -> None:
    desk = a_desk(tmp_path).segmented()
    desk.workflow.click(at(OTHER_KJI), True)
    desk.workflow.close()
    assert a_desk(tmp_path).opened(a_scan(seed=5)).workflow.resumable() == ()


def test_a_damaged_journal_is_passed_over(tmp_path: Path) -> None:
    desk = a_desk(tmp_path).segmented()
    desk.workflow.click(at(OTHER_KJI), True)
    desk.workflow.close()
    (journal,) = journals(desk)
    journal.write_bytes(journal.read_bytes().replace(b'"include":true', b'"include":false'))
    after = a_desk(tmp_path).opened()
    assert after.state.phase == "ready"
    assert after.workflow.resumable() == ()


def test_a_review_in_use_elsewhere_is_not_taken_over(tmp_path: Path) -> None:
    desk = a_desk(tmp_path).segmented()
    desk.workflow.click(at(OTHER_KJI), True)
    after = a_desk(tmp_path).opened()
    with pytest.raises(UnusableInput, match="in use"):
        after.workflow.resume(desk.workflow.session.journal_path)
    assert after.state.phase == "ready"


def test_exports_are_in_the_journal(desk: Desk, tmp_path: Path) -> None:
    desk.segmented().workflow.click(at(OTHER_KJI), True)
    desk.workflow.save(tmp_path / "out")
    last = desk.workflow.session.journal_path.read_text().splitlines()[-1]
    event = json.loads(last)
    assert event["event"] == "export"
    assert event["data"]["file"] == str(tmp_path / "out" / "segmentation.nii.gz")


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [
        ("linux", "XDG_DATA_HOME", "{base}/TumorSegRobust"),
        ("win32", "LOCALAPPDATA", "{base}/TumorSegRobust"),
        ("darwin", "", "{home}/Library/Application Support/TumorSegRobust"),
    ],
)
def test_journals_lie_where_the_platform_keeps_application_data(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: str, variable: str, expected: str
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    if variable:
        monkeypatch.setenv(variable, str(tmp_path))
    assert default_work_folder() == Path(expected.format(base=tmp_path, home=Path.home()))
