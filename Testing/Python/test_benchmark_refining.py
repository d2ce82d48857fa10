"""The page about the refining network says what the gate measured, no better and no worse."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from Testing.benchmarks.refining import list_cases, page


def a_curve(site: str, refiner: str, dice: float, **changes: object) -> dict[str, object]:
    values = {
        "case": f"{site}-1", "site": site, "start": "nothing", "refiner": refiner, "reader": "robot",
        "dice": [0.0, *[dice] * 10], "auc_dice": dice, "auc_nsd": dice / 2, "honoured": 1.0,
        "lost_steps": 0.1, "seconds": [0.05] * 10, "clicks_to_85": 11, "clicks_to_90": 11,
        "reached_85": False, "reached_90": False,
    }  # fmt: skip
    return {**values, **changes}


def test_sites_readers_and_refiners_stand_below_each_other() -> None:
    curves = [
        a_curve("ct", "floor", 0.8), a_curve("ct", "network", 0.9, clicks_to_85=1, reached_85=True),
        a_curve("pet", "floor", 0.6), a_curve("pet", "network", 0.7),
    ]  # fmt: skip
    text = page([{"nothing": {"won": True, "cases": 2}, "curves": curves}])
    assert "from nothing: the network **won** over 2 cases" in text
    assert "| ct | exact | floor | 1 | 0.000 | 0.800 | 0.800 | 0.800 | 0.800 | 1.000 | 10.0% |" in text
    assert "| all | exact | network | 2 | 0.000 | 0.800 | 0.800 | 0.800 | 0.800 | 1.000 | 10.0% |" in text
    assert "| exact | network | 0.800 | 0.400 | 6.0 (50%) | 11.0 (100%) | 50 |" in text
    assert "Starting from `brain-mr`" not in text
    assert "After 10 clicks it is lower by more than .01 at: no site." in text


def test_the_sites_at_which_the_network_ends_lower_are_named() -> None:
    curves = [
        a_curve("ct", "floor", 0.8), a_curve("ct", "network", 0.7),
        a_curve("pet", "floor", 0.6), a_curve("pet", "network", 0.9),
    ]  # fmt: skip
    text = page([{"nothing": {"won": True, "cases": 2}, "curves": curves}])
    assert "lower by more than .01 at: ct, exact, from nothing (0.700 against 0.800)." in text


def test_a_network_that_did_not_win_is_told_so() -> None:
    text = page([{"networks": {"won": False, "cases": 3}, "curves": [a_curve("b", "floor", 0.8)]}])
    assert "from networks: the network did **not** win over 3 cases" in text


def test_development_cases_are_listed_with_their_starts(tmp_path: Path) -> None:
    small = sitk.GetImageFromArray(np.ones((2, 3, 4), np.uint8))
    for name, scan in (("iso-1mm-01", "flair"), ("hospital-a-01", "flair"), ("sarcoma-01-ct", "ct")):
        folder = tmp_path / "data/cases" / name
        folder.mkdir(parents=True)
        for file in (scan, "mask"):
            sitk.WriteImage(small, str(folder / f"{file}.nii.gz"))
    manifest = list_cases(tmp_path / "data", tmp_path / "out")
    with manifest.open(encoding="utf-8") as file:
        told = {row["case"]: (row["site"], row["start"]) for row in csv.DictReader(file)}
    assert told == {
        "hospital-a-01": ("hospital-a", "networks"),
        "iso-1mm-01": ("iso-1mm", "both"),
        "sarcoma-01-ct": ("sarcoma-ct", "nothing"),
    }


def test_dicom_cases_bring_their_drawn_contour(shared_data: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/dicom").symlink_to(shared_data / "dicom")
    list_cases(tmp_path / "data", tmp_path / "out")
    mask = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "out/ct-lung.nii.gz")))
    assert mask.shape == (99, 512, 512)
    assert int(mask.sum()) == 23611  # 67.6 ml
