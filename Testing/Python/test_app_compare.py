"""What the page says about a reference, and which files the picker offers for one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import fixtures_app as head
import numpy as np
import pytest

from TumorSegRobustLib.app.browse import list_folder
from TumorSegRobustLib.app.words import describe
from TumorSegRobustLib.image import write_image
from TumorSegRobustLib.workflow import Workflow


@pytest.fixture
def workflow(tmp_path: Path) -> Iterator[Workflow]:
    flow = Workflow(work_folder=tmp_path / "work", background=False, rooms=head.toy_rooms())
    flow.open_image(head.a_head())
    flow.segment()
    yield flow
    flow.close()


def test_before_there_is_a_reference_it_says_what_to_do(workflow: Workflow) -> None:
    assert describe(workflow)["compare"] == {
        "hint": "Choose a reference: a mask file on this scan, or an RTSTRUCT of its series.",
        "reference": "",
        "rows": [],
        "errors": [],
        "others": "",
    }


def test_a_reference_gives_a_table_and_errors_in_words(workflow: Workflow, tmp_path: Path) -> None:
    image, mask = workflow.image, workflow.mask
    assert image is not None
    assert mask is not None
    smaller = mask & np.roll(mask, 2, 2)
    write_image(image.with_voxels(smaller.astype(np.uint8)), tmp_path / "truth.nii.gz")
    workflow.compare(tmp_path / "truth.nii.gz")
    workflow.next_error()
    told = describe(workflow)["compare"]
    assert json.loads(json.dumps(told)) == told
    assert told["reference"] == "truth.nii.gz"
    assert [row["name"] for row in told["rows"]][:3] == [
        "Overlap (Dice)",
        "Surface within 1 mm",
        "Distance (HD95)",
    ]
    first = told["errors"][0]
    assert first["text"].startswith("Border too wide, ")
    assert (first["number"], first["missed"], first["shown"]) == (1, False, True)


def test_the_picker_offers_rtstruct_files_for_a_reference_only(tmp_path: Path) -> None:
    for name in ("mask.nii.gz", "plan.dcm", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [entry.name for entry in list_folder(tmp_path).entries] == ["mask.nii.gz"]
    assert [entry.name for entry in list_folder(tmp_path, (".dcm",)).entries] == ["mask.nii.gz", "plan.dcm"]
