"""The results that the workflow writes and begins from: whole, or not there."""

from __future__ import annotations

import json
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
from TumorSegRobustLib.workflow import saving

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
