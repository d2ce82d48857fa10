"""Several segments on the command line: named in the file of clicks, each with its own volume."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from fixtures_cli import call, head, position_of, save

INSIDE, ELSEWHERE = (13, 11, 19), (13, 24, 8)


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    return save(tmp_path / "scan.nii.gz", head())


def clicks_of(path: Path, *clicks: tuple[tuple[int, int, int], str]) -> Path:
    told = [
        {"position_lps_mm": position_of(*voxel), "include": True, **({"segment": name} if name else {})}
        for voxel, name in clicks
    ]
    path.write_text(json.dumps(told))
    return path


def mask_in(path: Path) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path))) > 0


def test_clicks_go_into_the_segments_that_they_name(
    scan: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    clicks = clicks_of(tmp_path / "c.json", (INSIDE, ""), (ELSEWHERE, "GTVn"), (INSIDE, "gtvp"))
    out = tmp_path / "out"
    answer = call(capfd, "refine", scan, "--empty", "--clicks", clicks, "--out", out, "--json")
    assert (answer.code, answer.err) == (0, "")
    assert [click["segment"] for click in answer.document["clicks"]] == ["GTVp", "GTVn", "GTVp"]
    assert all(click["honoured"] for click in answer.document["clicks"])
    first, second = mask_in(out / "segmentation.nii.gz"), mask_in(out / "segmentation-GTVn.nii.gz")
    assert first[INSIDE]
    assert second[ELSEWHERE]
    assert not (first & second).any()
    told = answer.document["segments"]
    assert [s["name"] for s in told] == ["GTVp", "GTVn"]
    assert told[0]["volume_ml"] == answer.document["volume_ml"]


def test_a_replay_writes_every_segment_again(
    scan: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    clicks = clicks_of(tmp_path / "c.json", (INSIDE, ""), (ELSEWHERE, "GTVn"))
    out, again = tmp_path / "out", tmp_path / "again"
    call(capfd, "refine", scan, "--empty", "--clicks", clicks, "--out", out)
    answer = call(capfd, "journal", "replay", out / "journal.jsonl", "--out", again, "--json")
    assert [s["file"] for s in answer.document["segments"]] == [
        "segmentation.nii.gz",
        "segmentation-GTVn.nii.gz",
    ]
    for name in ("segmentation.nii.gz", "segmentation-GTVn.nii.gz"):
        assert np.array_equal(mask_in(again / name), mask_in(out / name))


def test_a_click_in_a_neighbour_stops_the_run_in_one_line_and_nothing_is_written(
    scan: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    clicks = clicks_of(tmp_path / "c.json", (INSIDE, ""), (INSIDE, "GTVn"))
    answer = call(capfd, "refine", scan, "--empty", "--clicks", clicks, "--out", tmp_path / "out")
    assert answer.code == 2
    assert "belongs to GTVp, which is locked" in answer.err
    assert not (tmp_path / "out").exists()


def test_segments_of_an_earlier_run_do_not_stay(
    scan: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    for names in (("", "GTVn"), ("", "")):
        clicks = clicks_of(tmp_path / "c.json", (INSIDE, names[0]), (ELSEWHERE, names[1]))
        call(capfd, "refine", scan, "--empty", "--clicks", clicks, "--out", out)
    assert list(out.glob("segmentation-*")) == []
