"""`compare`: the figures and errors of two masks as a table and as JSON; unusable ones end in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fixtures_cli import blob, call, head, save

BLOB, SHIFTED = blob(), np.roll(blob(), 2, 2)


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    return save(tmp_path / "scan.nii.gz", head())


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    return save(tmp_path / "truth.nii.gz", BLOB.astype(np.uint8))


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    return save(tmp_path / "drawn.nii.gz", SHIFTED.astype(np.uint8))


def test_json_holds_figures_and_typed_errors(
    scan: Path, truth: Path, drawn: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = call(capfd, "compare", scan, "--reference", truth, "--segmentation", drawn, "--json")
    assert answer.code == 0
    told = answer.document
    shared = (BLOB & SHIFTED).sum()
    assert told["dice"] == pytest.approx(2 * shared / (BLOB.sum() + SHIFTED.sum()))
    assert told["reference"] == "truth.nii.gz"
    assert told["difference_ml"] == pytest.approx(0.0)
    assert {error["kind"] for error in told["errors"]} == {"border too tight", "border too wide"}
    missed = sum(error["size_ml"] for error in told["errors"] if error["kind"] == "border too tight")
    assert missed / told["reference_ml"] == pytest.approx((BLOB & ~SHIFTED).sum() / BLOB.sum())


def test_a_person_gets_a_table(
    scan: Path, truth: Path, drawn: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = call(capfd, "compare", scan, "--reference", truth, "--segmentation", drawn)
    assert answer.code == 0
    for words in ("overlap (dice)", "surface within 1 mm", "distance (hd95)", "border too tight"):
        assert words in answer.out


def test_a_mask_of_another_place_ends_in_one_line(
    scan: Path, truth: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    far = save(tmp_path / "far.nii.gz", BLOB.astype(np.uint8), origin=(900, 0, 0))
    answer = call(capfd, "compare", scan, "--reference", far, "--segmentation", truth, "--json")
    assert answer.code == 2
    assert answer.out == ""
    (line,) = answer.err.strip().splitlines()
    assert "far.nii.gz does not overlap the image" in line


def test_a_reference_that_is_not_there_ends_in_one_line(
    scan: Path, truth: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone.nii.gz"
    answer = call(capfd, "compare", scan, "--reference", gone, "--segmentation", truth)
    assert answer.code == 2
    assert "gone.nii.gz does not exist: give a mask file, or one RTSTRUCT file" in answer.err
