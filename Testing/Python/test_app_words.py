"""What the page says, what the file picker lists, and what happens when a port is taken."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import fixtures_app as head
import numpy as np
import pytest

from TumorSegRobustLib.app import actions as app_actions
from TumorSegRobustLib.app import serve
from TumorSegRobustLib.app.browse import list_folder
from TumorSegRobustLib.app.scan_actions import ScanActions
from TumorSegRobustLib.app.words import describe
from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Geometry, Image, write_image
from TumorSegRobustLib.workflow import COMMANDS, State, Workflow, factors_of

PATIENCE_S = 30.0


@pytest.fixture
def workflow(tmp_path: Path) -> Iterator[Workflow]:
    flow = Workflow(work_folder=tmp_path / "work", background=False, rooms=head.toy_rooms())
    yield flow
    flow.close()


# ------------------------------------------------ words


def test_everything_on_the_page_is_plain(workflow: Workflow) -> None:
    workflow.open_image(head.a_head())
    workflow.segment()
    workflow.click(head.SATELLITE_MM, True)
    told = describe(workflow)
    assert json.loads(json.dumps(told)) == told


def test_the_empty_page_says_what_to_do(workflow: Workflow) -> None:
    told = describe(workflow)
    assert told["message"] == "Open a scan to begin."
    assert told["can"] == {command: command == "open" for command in COMMANDS}
    assert told["why"]["segment"] == "Open a scan first."
    assert told["scan"] == {"name": "", "detail": ""}
    assert told["volume"] == ""


def test_an_open_scan_is_named_and_measured(workflow: Workflow) -> None:
    workflow.open_image(head.a_head())
    assert describe(workflow)["scan"] == {"name": "head", "detail": "64×64×40 · 3×3×3 mm · not DICOM"}


def test_a_dicom_scan_says_so(workflow: Workflow, tmp_path: Path) -> None:
    workflow.open(head.write_dicom(head.a_head(), tmp_path / "series"))
    told = describe(workflow)
    assert told["scan"]["detail"].endswith("DICOM MR")
    workflow.segment()
    assert describe(workflow)["can"]["export"]


def test_rtstruct_is_refused_with_the_reason_without_dicom(workflow: Workflow) -> None:
    workflow.open_image(head.a_head())
    workflow.segment()
    told = describe(workflow)
    assert not told["can"]["export"]
    assert "need the DICOM series" in told["why"]["export"]
    assert told["can"]["save"]


def test_trust_is_told_with_figures_and_reasons(workflow: Workflow) -> None:
    workflow.open_image(head.a_head())
    workflow.segment()
    told = describe(workflow)
    assert told["trust"]["word"] == "Review"
    assert told["trust"]["dice"] == "0.87"
    assert told["trust"]["interval"] == "0.78 to 0.93"
    assert told["trust"]["reasons"] == ["The members disagree at the back of the tumour"]
    assert told["trust"]["factors"] == ["Slices of 6 mm"]
    assert re.fullmatch(r"\d+\.\d ml", told["volume"])
    assert float(told["volume"].removesuffix(" ml")) == pytest.approx(
        np.count_nonzero(workflow.mask) * head.GEOMETRY.voxel_ml, abs=0.05
    )


def test_a_factor_that_is_a_reason_already_is_not_repeated() -> None:
    assessment: Any = SimpleNamespace(
        shift={"factors": [{"text": "slices of 6 mm"}, {"text": "unusual contrast"}]}
    )
    reasons = ["The scan is unlike the others: slices of 6 mm."]
    assert factors_of(assessment, reasons) == ["unusual contrast"]
    assert factors_of(None, reasons) == []


def test_nothing_is_claimed_about_a_contour_that_no_network_made(workflow: Workflow) -> None:
    workflow.open_image(head.a_head())
    workflow.start_empty()
    trust = describe(workflow)["trust"]
    assert trust["dice"] == trust["interval"] == ""
    assert trust["level"] != "accept"
    assert len(trust["reasons"]) == 1
    assert trust["factors"] == []


def test_clicks_are_listed_in_patient_directions(workflow: Workflow) -> None:
    workflow.open_image(head.a_head())
    workflow.segment()
    workflow.click((33.0, -21.0, 12.0), True)
    workflow.click((-36.0, 30.0, -12.0), False)
    told = describe(workflow)
    assert [click["place"] for click in told["clicks"]] == ["L33 A21 S12", "R36 P30 I12"]
    assert [click["include"] for click in told["clicks"]] == [True, False]
    assert told["click_count"] == "2 clicks"
    workflow.undo()
    assert describe(workflow)["click_count"] == "1 click"


@pytest.mark.parametrize("tool", ["none", "include", "exclude", "paint", "erase"])
def test_every_tool_has_a_hint(workflow: Workflow, tool: str) -> None:
    workflow.set_tool(tool)
    assert describe(workflow)["tool_hint"].endswith(".")


def test_an_unfinished_review_is_offered(workflow: Workflow, tmp_path: Path) -> None:
    workflow.open_image(head.a_head())
    workflow.segment()
    workflow.click(head.SATELLITE_MM, True)
    workflow.close()
    again = Workflow(work_folder=tmp_path / "work", background=False, rooms=head.toy_rooms())
    again.open_image(head.a_head())
    (offered,) = describe(again)["resumable"]
    assert "1 correction" in offered["text"]
    again.resume(offered["path"])
    assert describe(again)["click_count"] == "1 click"
    assert offered["newest"]
    again.accept("Dr Ada")
    again.start_empty()
    (accepted,) = describe(again)["resumable"]
    assert accepted["offer"] == "Open the review again"
    assert accepted["text"].endswith("by Dr Ada")
    assert not accepted["newest"]
    again.close()


def test_a_question_is_on_the_page_until_it_is_answered(tmp_path: Path) -> None:
    workflow = Workflow(work_folder=tmp_path / "work", rooms=head.toy_rooms())
    workflow.open_image(head.a_head())
    assert workflow.wait(PATIENCE_S)
    workflow.start_empty()
    assert workflow.wait(PATIENCE_S)
    assert describe(workflow)["question"] is None
    workflow.accept("Dr Ada")
    asked = describe(workflow)["question"]
    assert asked["yes"] == "Accept: no tumour"
    assert json.loads(json.dumps(asked)) == asked
    workflow.answer(True)
    assert workflow.wait(PATIENCE_S)
    told = describe(workflow)
    assert (told["question"], told["accepted_by"]) == (None, "Dr Ada")
    assert told["message"] == "Accepted by Dr Ada: no tumour."
    workflow.close()


# ------------------------------------------------ the file picker


def test_picker_shows_folders_and_scans_only(tmp_path: Path) -> None:
    write_image(Image(np.ones((4, 4, 4), np.float32), Geometry((4, 4, 4))), tmp_path / "b.nii.gz")
    for name in ("a.NRRD", "notes.txt", ".hidden.nii"):
        (tmp_path / name).write_text("x")
    (tmp_path / "Study").mkdir()
    (tmp_path / ".cache").mkdir()
    listing = list_folder(tmp_path)
    assert [(entry.name, entry.kind) for entry in listing.entries] == [
        ("Study", "folder"),
        ("a.NRRD", "scan"),
        ("b.nii.gz", "scan"),
    ]
    assert listing.parent == str(tmp_path.parent)
    assert not listing.holds_dicom


def test_picker_recognises_a_dicom_folder(tmp_path: Path) -> None:
    assert list_folder(head.write_dicom(head.a_head(), tmp_path / "series")).holds_dicom


def test_picker_starts_in_the_folder_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.nii").write_text("x")
    assert list_folder(tmp_path / "a.nii").folder == str(tmp_path)


def test_picker_says_when_a_folder_cannot_be_shown(tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match=r"nowhere cannot be shown \(No such file.*choose another"):
        list_folder(tmp_path / "nowhere")


def test_picker_passes_over_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    os.symlink(tmp_path / "gone", tmp_path / "link.nii")
    assert list_folder(tmp_path).entries == ()


def test_picker_shortens_an_endless_list(tmp_path: Path) -> None:
    for number in range(501):
        (tmp_path / f"{number:03d}").mkdir()
    listing = list_folder(tmp_path)
    assert listing.shortened
    assert len(listing.entries) == 500


# ------------------------------------------------ the server


def test_a_taken_port_is_told_in_one_line() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UnusableInput, match=f"Port {port} cannot be used .*choose another"):
            serve(port=port, open_browser=False)


# ------------------------------------------------ segments


def test_segments_are_listed_with_colour_and_volume(workflow: Workflow) -> None:
    assert describe(workflow)["segments"] == []
    workflow.open_image(head.a_head())
    workflow.segment()
    workflow.add_segment("GTVn")
    first, second = describe(workflow)["segments"]
    assert (first["name"], first["locked"]) == ("GTVp", True)
    assert (first["active"], first["removable"]) == (False, False)
    assert first["volume"] == f"{workflow.state.segments[0].volume_ml:.1f} ml"
    assert second == {
        "id": 2,
        "name": "GTVn",
        "colour": "rgb(255, 176, 0)",
        "volume": "0.0 ml",
        "locked": True,
        "active": True,
        "removable": True,
    }


def test_a_listed_click_says_by_which_number_it_is_deleted(workflow: Workflow) -> None:
    workflow.open_image(head.a_head())
    workflow.segment()
    workflow.click(head.SATELLITE_MM, True)
    workflow.click((0.0, 0.0, 0.0), False)
    first, second = describe(workflow)["clicks"]
    workflow.remove_click(first["event"])
    (left,) = describe(workflow)["clicks"]
    assert (left["number"], left["event"], left["include"]) == (1, second["event"], False)


@pytest.mark.parametrize(("tool", "brushing"), [("none", False), ("include", False), ("paint", True)])
def test_the_radius_is_shown_while_a_brush_is_in_hand(workflow: Workflow, tool: str, brushing: bool) -> None:
    workflow.set_tool(tool)
    assert describe(workflow)["brushing"] is brushing


# ------------------------------------------------ where to look next


def test_places_are_listed_in_words_and_the_one_on_show_is_marked(workflow: Workflow) -> None:
    workflow.open_image(head.a_head())
    workflow.segment()
    told = describe(workflow)["places"]
    assert [place["number"] for place in told] == list(range(1, len(workflow.state.places) + 1))
    assert re.fullmatch(r"(May be|The (tumour|contour)) .* \(\d+\.\d ml in doubt\)", told[0]["text"])
    assert not any(place["shown"] for place in told)
    workflow.next_place()
    assert [place["number"] for place in describe(workflow)["places"] if place["shown"]] == [1]


def test_the_overlap_by_now_is_told_once_corrections_moved_it(workflow: Workflow) -> None:
    workflow.open_image(head.a_head())
    workflow.segment()
    assert describe(workflow)["trust"]["live"] == ""
    workflow.click(head.SATELLITE_MM, True)
    told = describe(workflow)["trust"]
    assert re.fullmatch(r"now about 0\.\d\d", told["live"])
    assert re.fullmatch(r"A guess from how much was corrected: 0\.\d\d to 0\.\d\d\.", told["about_live"])
    assert float(told["live"].split()[2]) != float(told["dice"])
    workflow.undo()
    assert describe(workflow)["trust"]["live"] == ""


# ------------------------------------------------ what there is to choose


def test_the_kind_of_uncertainty_is_told_with_what_it_shows(workflow: Workflow) -> None:
    workflow.open_image(head.a_head())
    workflow.segment()
    told = describe(workflow, "mutual_information")["overlay"]
    assert (told["shown"], told["usable"]) == ("mutual_information", True)
    assert told["about"].startswith("Mutual information: ")
    assert describe(workflow)["overlay"]["shown"] == "entropy"
    workflow.start_empty()
    told = describe(workflow, "mutual_information")["overlay"]
    assert (told["shown"], told["usable"]) == ("entropy", False)


def test_a_guessed_overlap_is_called_so(workflow: Workflow, monkeypatch: pytest.MonkeyPatch) -> None:
    workflow.open_image(head.a_head())
    workflow.segment()
    assert describe(workflow)["trust"]["guess"] == ""
    quality = {"predicted_dice": 0.87, "interval": [0.78, 0.93], "calibrated": False}
    monkeypatch.setattr(head.ToyAssessment, "to_json", lambda _self: {"lesions": [], "quality": quality})
    workflow.segment()
    assert describe(workflow)["trust"]["guess"] == "not calibrated"
    assert describe(workflow)["message"] == (
        f"Tumour of {describe(workflow)['volume']}. Please check it: "
        "the members disagree at the back of the tumour."
    )


@pytest.mark.parametrize(
    ("found", "chosen", "device"),
    [
        (("cuda", ""), "cuda", "cuda"),
        (("cuda", ""), "cpu", "cpu"),
        (("cuda", "no PyTorch"), "cuda", "auto"),
        (("cuda", ""), "tpu", "auto"),
        (("", ""), "cpu", "auto"),
    ],
)
def test_the_page_chooses_a_device_that_is_on_offer(
    tmp_path: Path, found: tuple[str, str], chosen: str, device: str
) -> None:
    rooms = replace(head.toy_rooms(), find_gpu=lambda: found)
    workflow = Workflow(work_folder=tmp_path, rooms=rooms)
    workflow.open_image(head.a_head())
    assert workflow.wait(PATIENCE_S)
    told = describe(workflow)
    assert [one["value"] for one in told["devices"]] == (["auto", "cpu", "cuda"] if found[0] else [])
    assert found[1] in told["about_device"]
    actions = ScanActions(MagicMock(), workflow, MagicMock(), MagicMock(), MagicMock())
    actions.choose_device(chosen)
    assert workflow.wait(PATIENCE_S)
    assert describe(workflow)["device"] == device
    workflow.wait_until_warm(PATIENCE_S)
    workflow.close()


def test_an_rtstruct_that_takes_too_long_to_download_says_where_it_will_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_actions, "_PATIENCE_S", 0.01)
    workflow = MagicMock(work_folder=tmp_path, state=State(phase="running"))
    server = SimpleNamespace(state=SimpleNamespace(panel={"error": ""}))
    actions = app_actions.Actions(server, workflow, MagicMock(), MagicMock(), MagicMock())
    assert asyncio.run(actions.download_rtstruct("GTVp")) == b""
    assert str(tmp_path / "exports") in server.state.panel["error"]
