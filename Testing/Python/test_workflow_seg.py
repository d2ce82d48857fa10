"""DICOM SEG through the workflow: every segment in the colours of the panel, and who answers for them."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

import fixtures_app as app
import numpy as np
import pydicom
import pytest
from fixtures_export import dciodvfy_errors, read_frames
from fixtures_workflow import a_desk

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.workflow import Workflow


@pytest.fixture
def series(tmp_path: Path) -> Path:
    return app.write_dicom(app.a_head(), tmp_path / "series")


@pytest.fixture
def workflow(series: Path, tmp_path: Path) -> Iterator[Workflow]:
    """A proposal of the networks on a series, untouched."""
    workflow = Workflow(work_folder=tmp_path / "work", background=False, rooms=app.toy_rooms())
    workflow.open(series)
    workflow.segment()
    yield workflow
    workflow.close()


def test_every_segment_of_the_review_is_one_of_the_seg(
    workflow: Workflow, series: Path, tmp_path: Path
) -> None:
    for name in ("Necrosis", "Empty"):
        workflow.add_segment(name)
    workflow.choose_segment(2)
    workflow.brush(app.SATELLITE_MM, 9.0, True)
    workflow.export_seg(tmp_path / "seg.dcm", "GTV_left")

    frames = read_frames(tmp_path / "seg.dcm", series)
    assert list(frames) == ["GTV_left", "Necrosis"]
    order = slice(None) if np.array_equal(frames["GTV_left"], workflow.masks[1]) else slice(None, None, -1)
    assert np.array_equal(frames["GTV_left"][order], workflow.masks[1])
    assert np.array_equal(frames["Necrosis"][order], workflow.masks[2])
    assert dciodvfy_errors(tmp_path / "seg.dcm", "Segmentation") == []


def test_untouched_it_is_the_networks_and_once_corrected_and_accepted_somebody_answers(
    workflow: Workflow, tmp_path: Path
) -> None:
    workflow.export_seg(tmp_path / "first.dcm")
    workflow.click(app.SATELLITE_MM, True)
    workflow.accept("Dr Ada")
    workflow.export_seg(tmp_path / "second.dcm")
    first, second = (pydicom.dcmread(tmp_path / name) for name in ("first.dcm", "second.dcm"))
    assert first.SegmentSequence[0].SegmentAlgorithmType == "AUTOMATIC"
    assert "ContentCreatorName" not in first or not first.ContentCreatorName
    assert second.SegmentSequence[0].SegmentAlgorithmType == "SEMIAUTOMATIC"
    assert str(second.ContentCreatorName) == "Dr Ada"
    assert "accepted by Dr Ada" in second.SegmentSequence[0].SegmentDescription
    model = workflow.result["model"]
    (algorithm,) = second.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence
    assert algorithm.AlgorithmParameters == f"model={model['id']} {model['version']}"
    assert first.SegmentSequence[0].TrackingUID == second.SegmentSequence[0].TrackingUID


def test_into_a_folder_it_gets_a_name_of_its_own_and_the_journal_knows_it(
    workflow: Workflow, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    workflow.export_seg(folder)
    (written,) = folder.glob("SEG_*.dcm")
    assert workflow.state.message == f"Written: {written}"
    assert workflow.session is not None
    last = json.loads(workflow.session.journal_path.read_text().splitlines()[-1])
    assert (last["event"], last["data"]["kind"], last["data"]["file"]) == ("export", "seg", str(written))


def test_a_scan_that_was_not_dicom_says_what_is_missing(tmp_path: Path) -> None:
    desk = a_desk(tmp_path).segmented()
    with pytest.raises(UnusableInput, match="open the DICOM folder, or save the contour as NIfTI"):
        desk.workflow.export_seg(tmp_path / "out.dcm")


def test_without_highdicom_the_seg_cannot_be_pressed_and_the_rtstruct_can(
    series: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "highdicom" else found(name))
    workflow = Workflow(work_folder=tmp_path / "work", background=False, rooms=app.toy_rooms())
    workflow.open(series)
    workflow.segment()
    assert "export" in workflow.state.can
    assert workflow.state.why_not["export_seg"].startswith("DICOM SEG needs the Python package highdicom")
    with pytest.raises(UnusableInput, match="export RTSTRUCT, or save the contour as NIfTI"):
        workflow.export_seg(tmp_path / "seg.dcm")
    workflow.export_rtstruct(tmp_path / "rt.dcm")
    assert (tmp_path / "rt.dcm").exists()
    workflow.close()
