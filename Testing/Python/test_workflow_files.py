"""What the workflow leaves on the disk: journals that are never lost, results that are whole or not there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from fixtures_workflow import (
    DISAGREE,
    GEOMETRY,
    OTHER_KJI,
    TUMOUR_KJI,
    Desk,
    a_desk,
    a_scan,
    at,
    ball,
)

from TumorSegRobustLib.errors import Cancelled, UnusableInput
from TumorSegRobustLib.image import read_mask
from TumorSegRobustLib.review import replay_journal, verify_journal
from TumorSegRobustLib.workflow import default_work_folder, saving

OF_SEGMENT = {"segmentation.nii.gz", "probability.nii.gz", "uncertainty.nii.gz", "result.json"}
OF_REFINE = OF_SEGMENT | {"refine.json", "journal.jsonl"}
RESULT_KEYS = {
    "model",
    "volume_ml",
    "lesions",
    "quality",
    "triage",
    "shift",
    "adaptation",
    "device",
    "seconds",
}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return a_desk(tmp_path)


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir() if file.suffix != ".prior"}


def journals(desk: Desk) -> set[Path]:
    return set((desk.workflow.work_folder / "journals").glob("*.jsonl"))


def load(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


# Saving


def test_saves_the_files_of_segment(desk: Desk, tmp_path: Path) -> None:
    desk.segmented().workflow.save(tmp_path / "out")
    assert {file.name for file in (tmp_path / "out").iterdir()} == OF_SEGMENT
    saved = read_mask(tmp_path / "out" / "segmentation.nii.gz", GEOMETRY)
    np.testing.assert_array_equal(saved.voxels, ball(TUMOUR_KJI))
    assert desk.state.message == f"Written: {tmp_path / 'out'}"


def test_the_core_is_saved_stays_inside_the_contour_and_survives_a_second_review(
    desk: Desk, tmp_path: Path
) -> None:
    desk.networks.core = np.where(ball(TUMOUR_KJI, 2.0) | ball(OTHER_KJI, 2.0), 0.9, 0.1).astype(np.float32)
    desk.segmented().workflow.save(tmp_path / "first")
    inside = ball(TUMOUR_KJI, 2.0)
    core = read_mask(tmp_path / "first" / saving.CORE, GEOMETRY).voxels
    np.testing.assert_array_equal(core, inside)
    volume = load(tmp_path / "first" / "result.json")["tumour_core"]["volume_ml"]
    assert volume == pytest.approx(inside.sum() * GEOMETRY.voxel_ml)
    desk.workflow.start_from(tmp_path / "first")
    desk.workflow.save(tmp_path / "second")
    np.testing.assert_array_equal(read_mask(tmp_path / "second" / saving.CORE, GEOMETRY).voxels, inside)
    (tmp_path / "first" / saving.CORE).unlink()
    desk.workflow.start_from(tmp_path / "first")
    desk.workflow.save(tmp_path / "second")
    assert not (tmp_path / "second" / saving.CORE).exists()
    assert load(tmp_path / "second" / "result.json")["tumour_core"] is None


def test_result_json_is_as_the_command_line_promises(desk: Desk, tmp_path: Path) -> None:
    desk.segmented().workflow.save(tmp_path / "out")
    result = load(tmp_path / "out" / "result.json")
    assert set(result) >= RESULT_KEYS | {"peak_memory_mb"}
    assert result["model"] == {
        "id": "toy",
        "version": "1.2.3",
        "sha256": "0" * 64,
        "licence": "Apache-2.0",
    }
    assert result["quality"] == {"predicted_dice": 0.87, "interval": [0.78, 0.93]}
    assert result["triage"] == {"level": "review", "reasons": [DISAGREE]}
    assert result["shift"] == {"score": 0.1, "level": "low", "factors": []}
    assert result["adaptation"] == {"tried": False, "accepted": False, "why": "not asked for"}
    volume_ml = ball(TUMOUR_KJI).sum() * 0.008
    assert result["volume_ml"] == pytest.approx(volume_ml)
    assert result["lesions"] == [
        {"volume_ml": pytest.approx(volume_ml), "centre_lps_mm": pytest.approx(list(at(TUMOUR_KJI)))}
    ]
    assert {"networks", "assess", "total"} <= set(result["seconds"])
    assert result == desk.workflow.result


def test_a_review_adds_its_clicks_and_its_journal(desk: Desk, tmp_path: Path) -> None:
    desk.segmented().workflow.click(at(OTHER_KJI), True)
    desk.workflow.accept("Dr Ada", "second lesion added")
    desk.workflow.save(tmp_path / "out")
    folder = tmp_path / "out"
    assert names(folder) == OF_REFINE
    refine = load(folder / "refine.json")
    (click,) = refine["clicks"]
    assert click["position_lps_mm"] == list(at(OTHER_KJI))
    assert (click["include"], click["honoured"]) == (True, True)
    assert click["changed_ml"] > 0
    assert click["seconds"] > 0
    assert refine["volume_ml"] == pytest.approx(desk.state.volume_ml)
    assert (refine["accepted"]["name"], refine["started_from"]) == ("Dr Ada", "networks")
    assert verify_journal(folder / "journal.jsonl").ok
    again = replay_journal(folder / "journal.jsonl", a_scan())
    np.testing.assert_array_equal(again.voxels, desk.workflow.mask)


def test_volume_and_lesions_of_a_result_are_those_of_the_corrected_contour(
    desk: Desk, tmp_path: Path
) -> None:
    desk.segmented().workflow.paint(ball(TUMOUR_KJI) | ball(OTHER_KJI, 3.0))
    desk.workflow.save(tmp_path / "out")
    result = load(tmp_path / "out" / "result.json")
    assert result["volume_ml"] == pytest.approx(desk.state.volume_ml)
    assert len(result["lesions"]) == 2
    assert result["lesions"][0]["volume_ml"] > result["lesions"][1]["volume_ml"]
    assert sum(lesion["volume_ml"] for lesion in result["lesions"]) == pytest.approx(result["volume_ml"])
    assert result["quality"]["predicted_dice"] == 0.87, "quality stays that of the networks' proposal"


def test_clicks_taken_back_are_not_reported(desk: Desk, tmp_path: Path) -> None:
    desk.segmented()
    for kji in (OTHER_KJI, (3, 3, 3), (16, 20, 24)):
        desk.workflow.click(at(kji), True)
    desk.workflow.undo()
    desk.workflow.undo()
    desk.workflow.redo()
    desk.workflow.save(tmp_path / "out")
    told = [click["position_lps_mm"] for click in load(tmp_path / "out" / "refine.json")["clicks"]]
    assert told == [list(at(OTHER_KJI)), list(at((3, 3, 3)))]


def test_a_contour_made_by_hand_has_the_same_keys_and_no_model(desk: Desk, tmp_path: Path) -> None:
    desk.opened().workflow.start_empty()
    desk.workflow.click(at(TUMOUR_KJI), True)
    desk.workflow.save(tmp_path / "out")
    result = load(tmp_path / "out" / "result.json")
    assert set(result) >= RESULT_KEYS
    assert result["model"] is None
    assert result["volume_ml"] == pytest.approx(desk.state.volume_ml)


def test_saving_again_replaces_our_files_and_leaves_others(desk: Desk, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    desk.segmented().workflow.click(at(OTHER_KJI), True)
    desk.workflow.save(out)
    desk.workflow.segment()
    desk.workflow.save(out)
    assert {file.name for file in out.iterdir()} == OF_SEGMENT | {"notes.txt"}
    np.testing.assert_array_equal(read_mask(out / "segmentation.nii.gz").voxels, ball(TUMOUR_KJI))


@pytest.mark.parametrize("already_there", [False, True])
def test_cancelled_saving_leaves_nothing(tmp_path: Path, already_there: bool) -> None:
    desk = a_desk(tmp_path)
    out = tmp_path / "results" / "out"
    if already_there:
        out.mkdir(parents=True)
        (out / "result.json").write_text("{}")
    desk.segmented().workflow.changed.connect(
        lambda state: desk.workflow.cancel() if state.message == "Saving." and state.progress else None
    )
    with pytest.raises(Cancelled):
        desk.workflow.save(out)
    assert desk.state.phase == "review"
    left = {str(file.relative_to(tmp_path / "results")) for file in (tmp_path / "results").rglob("*")}
    assert left == ({"out", "out/result.json"} if already_there else set())


def test_a_place_that_cannot_be_written_is_refused_with_the_way_out(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    desk.segmented()
    with pytest.raises(UnusableInput, match="is a file: give a folder"):
        desk.workflow.save(tmp_path / "file")
    with pytest.raises(UnusableInput, match=r"cannot be written: .*; choose another folder"):
        desk.workflow.save(tmp_path / "file" / "below")


def test_staged_files_that_cannot_be_moved_disappear(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.txt").mkdir()  # a folder where a file should go
    with pytest.raises(UnusableInput), saving.staging(tmp_path / "out") as stage:
        (stage / "a.txt").write_text("a")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["a.txt"]


def test_a_folder_that_could_not_be_filled_has_no_result(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.segmented().workflow.save(tmp_path / "out")
    move = saving.os.replace

    def moves_no_volume(source: Path, target: Path) -> None:
        if target == tmp_path / "out" / "uncertainty.nii.gz":
            raise OSError(5, "Input/output error")
        move(source, target)

    monkeypatch.setattr(saving.os, "replace", moves_no_volume)
    with pytest.raises(UnusableInput, match="Input/output error"):
        desk.workflow.save(tmp_path / "out")
    assert not (tmp_path / "out" / "result.json").exists(), "who finds one may trust the rest"


# Starting from saved results


def test_starts_from_saved_results(desk: Desk, tmp_path: Path) -> None:
    desk.segmented().workflow.save(tmp_path / "first")
    other = a_desk(tmp_path)
    other.opened().workflow.start_from(tmp_path / "first")
    np.testing.assert_array_equal(other.workflow.mask, ball(TUMOUR_KJI))
    assert other.state.triage_level == "review"
    assert other.state.predicted_dice == 0.87
    other.workflow.click(at(OTHER_KJI), True)
    other.workflow.save(tmp_path / "second")
    assert names(tmp_path / "second") == OF_REFINE
    assert load(tmp_path / "second" / "refine.json")["started_from"] == "results"
    assert load(tmp_path / "second" / "result.json")["model"]["id"] == "toy"


def test_results_of_nothing_can_be_started_from(desk: Desk, tmp_path: Path) -> None:
    desk.opened().workflow.start_empty()
    desk.workflow.save(tmp_path / "first")
    desk.workflow.start_from(tmp_path / "first")
    assert desk.state.volume_ml == 0.0


def test_results_of_another_scan_with_the_same_grid_are_refused(desk: Desk, tmp_path: Path) -> None:
    desk.segmented().workflow.save(tmp_path / "first")
    desk.workflow.open_image(a_scan(seed=7))
    with pytest.raises(UnusableInput, match=r"first holds results of another scan \(FLAIR\): open that scan"):
        desk.workflow.start_from(tmp_path / "first")
    assert desk.state.phase == "ready"


def test_results_may_be_corrected_on_any_channel_that_they_were_made_from(desk: Desk, tmp_path: Path) -> None:
    desk.opened().workflow.open_image(a_scan(seed=7), channel="t1c")
    desk.workflow.segment()
    desk.workflow.save(tmp_path / "first")
    assert [one["channel"] for one in load(tmp_path / "first" / "result.json")["scan"]] == ["", "t1c"]
    desk.workflow.open_image(a_scan(seed=7))
    desk.workflow.start_from(tmp_path / "first")
    np.testing.assert_array_equal(desk.workflow.mask, ball(TUMOUR_KJI))


def test_older_results_that_do_not_name_their_scan_are_taken_with_a_notice(
    desk: Desk, tmp_path: Path
) -> None:
    desk.segmented().workflow.save(tmp_path / "first")
    document = load(tmp_path / "first" / "result.json")
    del document["scan"]
    (tmp_path / "first" / "result.json").write_text(json.dumps(document))
    desk.workflow.start_from(tmp_path / "first")
    assert "does not tell which scan its results are of" in desk.state.notices[-1]
    desk.workflow.save(tmp_path / "second")
    assert load(tmp_path / "second" / "result.json")["scan"][0]["name"] == "FLAIR"


def test_results_on_another_grid_are_refused(desk: Desk, tmp_path: Path) -> None:
    desk.segmented().workflow.save(tmp_path / "first")
    scan = a_scan()
    cut = GEOMETRY.with_spacing((2.0, 2.0, 4.0))
    desk.workflow.open_image(type(scan)(np.resize(scan.voxels, cut.shape), cut, "other"))
    with pytest.raises(UnusableInput, match="lies on another grid"):
        desk.workflow.start_from(tmp_path / "first")
    assert desk.state.phase == "ready"


@pytest.mark.parametrize("content", [None, "not json", "[]", '{"volume_ml": 1}'])
def test_a_folder_without_results_is_refused(desk: Desk, tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "result.json").write_text(content)
    desk.opened()
    with pytest.raises(UnusableInput, match=r"result\.json"):
        desk.workflow.start_from(tmp_path)


# Journals


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
