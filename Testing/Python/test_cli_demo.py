"""`demo --no-browser`: the story of the product, on the sample and the model that ship with it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from fixtures_cli import call, files_below

from TumorSegRobustLib.resources import resource


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from TumorSegRobustLib.cli import run

    out = tmp_path_factory.mktemp("demo") / "out"
    assert run(["demo", "--no-browser", "--out", str(out)]) == 0
    return out


def test_the_story_is_complete(told: Path) -> None:
    assert {
        "segment/segmentation.nii.gz",
        "segment/probability.nii.gz",
        "segment/uncertainty.nii.gz",
        "segment/result.json",
        "refine/segmentation.nii.gz",
        "refine/refine.json",
        "refine/journal.jsonl",
        "pictures/1-scan.png",
        "pictures/2-contour.png",
        "pictures/3-uncertainty.png",
        "rtstruct.dcm",
        "story.json",
    } <= files_below(told)


def test_the_clicks_are_honoured_and_do_not_make_the_contour_worse(told: Path) -> None:
    story = json.loads((told / "story.json").read_text())
    assert 1 <= len(story["clicks"]) <= 2
    assert all(click["honoured"] for click in story["clicks"])
    before, after = story["dice"]
    assert before > 0.5
    assert after >= before
    truth = sitk.GetArrayFromImage(sitk.ReadImage(str(resource("SampleCase", "truth.nii.gz")))) > 0
    mask = sitk.GetArrayFromImage(sitk.ReadImage(str(told / "refine" / "segmentation.nii.gz"))) > 0
    assert 2 * np.count_nonzero(mask & truth) / (mask.sum() + truth.sum()) == pytest.approx(after)


def test_the_structure_set_lies_on_the_sample_series(told: Path) -> None:
    structures = pydicom.dcmread(told / "rtstruct.dcm")
    image = pydicom.dcmread(resource("SampleCase", "slice-01.dcm"))
    assert structures.Modality == "RTSTRUCT"
    assert structures.StudyInstanceUID == image.StudyInstanceUID
    assert structures.ROIContourSequence[0].ContourSequence


def test_the_journal_is_whole_and_names_the_files_where_they_lie(
    told: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    journal = told / "refine" / "journal.jsonl"
    assert call(capfd, "journal", "verify", journal).code == 0
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    exports = [Path(event["data"]["file"]) for event in events if event["event"] == "export"]
    assert exports == [told / "segment" / "segmentation.nii.gz", told / "rtstruct.dcm"]
