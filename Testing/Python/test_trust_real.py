"""Real scans given in wrong roles look doubtful with the shipped package; in their right ones they do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from TumorSegRobustLib.image import read_image
from TumorSegRobustLib.inference import Ensemble
from TumorSegRobustLib.models import find_package
from TumorSegRobustLib.trust import Assessment, assess


@pytest.fixture(scope="module")
def ensemble() -> Ensemble:
    return Ensemble(find_package("brain-mr"))


def assessed(ensemble: Ensemble, cases: Path, case: str, **files: str) -> Assessment:
    scans = {channel: read_image(cases / case / f"{file}.nii.gz") for channel, file in files.items()}
    return assess(ensemble.predict(scans), next(iter(scans.values())))


@pytest.mark.parametrize(
    ("case", "files", "level", "words", "most_dice"),
    [
        ("iso-1mm-01", {"flair": "mask"}, "reject", "grey values: it looks like a contour", 0.2),
        ("iso-1mm-01", {"flair": "t1c"}, "review", "The scan looks like T1, but", 0.4),
        ("iso-1mm-01", {"flair": "flair", "t1c": "flair"}, "review", "the same scan, given twice", 0.8),
        ("iso-1mm-01", {"flair": "t1c", "t1c": "flair"}, "review", "given as FLAIR looks like T1", 0.4),
        ("native-01", {"flair": "t2"}, "review", "The scan looks like T2, but", 0.4),
        ("sarcoma-01-t1", {"flair": "t1"}, "reject", "Hardly any brain is seen", 0.2),
        ("sarcoma-01-pet", {"flair": "pet"}, "reject", "Hardly any brain is seen", 0.2),
    ],
)
def test_a_wrong_scan_looks_doubtful(ensemble, shared_data, case, files, level, words, most_dice):
    result = assessed(ensemble, shared_data / "cases", case, **files)
    grades = ("accept", "review", "reject")
    assert grades.index(result.level) >= grades.index(level)
    assert any(words in reason for reason in result.reasons)
    assert result.predicted_dice <= most_dice
    assert result.interval[0] == 0.0
    assert not result.calibrated


NEAREST = ["hospital-a-12", "hospital-b-16", "hospital-c-01", "iso-1mm-01", "native-01"]


@pytest.mark.parametrize("case", NEAREST)
def test_a_real_flair_is_none_of_them(ensemble, shared_data, case):
    """Those that came nearest to a false alarm: a weak contrast, bright cortex, a large brain."""
    result = assessed(ensemble, shared_data / "cases", case, flair="flair")
    assert result.shift["concerns"] == []
    assert result.predicted_dice == pytest.approx(result.agreement, abs=1e-3)
