"""The page on scans in wrong roles: which roles are tried, and that alarms and misses are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from Testing.benchmarks.strange import flagged, report, roles


def a_case(role: str, concerns: list[str], dice: float | None = 0.5) -> dict[str, Any]:
    return {
        "case": "x-01",
        "role": role,
        "level": "review",
        "shift": "strong" if concerns else "none",
        "concerns": concerns,
        "agreement": 0.9,
        "predicted_dice": 0.36 if concerns else 0.9,
        "dice": dice,
    }


def test_every_file_is_given_in_its_right_role_and_in_wrong_ones(tmp_path: Path):
    folder = tmp_path / "site-02"
    folder.mkdir()
    for name in ("flair", "t1c", "t2", "mask"):
        (folder / f"{name}.nii.gz").touch()
    found = dict(roles(folder))
    assert found["FLAIR and T1c"] == {"flair": "flair", "t1c": "t1c"}
    assert found["T1c and FLAIR swapped"] == {"flair": "t1c", "t1c": "flair"}
    assert found["T2 as FLAIR"] == {"flair": "t2"}
    assert "contour as FLAIR" not in found


def test_a_limb_has_no_right_role(tmp_path: Path):
    folder = tmp_path / "sarcoma-01-pet"
    folder.mkdir()
    (folder / "pet.nii.gz").touch()
    assert list(roles(folder)) == [("PET of a limb as FLAIR", {"flair": "pet"})]


def test_alarms_and_misses_are_counted_and_named():
    page = report(
        [
            a_case("FLAIR", []),
            a_case("FLAIR", ["looks like T1"]),
            a_case("T1c as FLAIR", ["looks like T1"]),
            a_case("T1c as FLAIR", []),
        ],
        "`toy` 1.0",
    )
    assert "| FLAIR | 2 | 1 | 0 | 2 | 0 | 0.90 | 0.63 | 0.50 |" in page
    assert "False alarms: x-01 (FLAIR: review, expected 0.36, true 0.50)." in page
    assert "Not warned of: x-01 (T1c as FLAIR: review, expected 0.90, true 0.50)." in page


def test_a_scan_slightly_out_of_range_is_no_alarm():
    assert not flagged({**a_case("FLAIR", []), "shift": "mild"})
    assert flagged({**a_case("FLAIR", []), "shift": "moderate"})
