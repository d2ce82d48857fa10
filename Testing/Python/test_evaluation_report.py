"""`evaluate`: every case measured once, nothing left out in silence, the worst site first."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from fixtures_cli import call
from fixtures_inference import tiny_package

from TumorSegRobustLib.errors import Cancelled, UnusableInput
from TumorSegRobustLib.evaluation.evaluating import PICTURES, evaluate_cases, picture_of, worst_cases
from TumorSegRobustLib.evaluation.manifest import ManifestCase
from TumorSegRobustLib.evaluation.records import read_records, write_records
from TumorSegRobustLib.evaluation.report import render
from TumorSegRobustLib.evaluation.summary import summarise, write_summary
from TumorSegRobustLib.image import Geometry, Image, write_image
from TumorSegRobustLib.inference import Prediction
from TumorSegRobustLib.models import ModelPackage
from TumorSegRobustLib.progress import Progress

GRID = Geometry((8, 16, 16), (2.0, 2.0, 3.0))
ABOUT = {"id": "tiny", "version": "0.1.0", "sha256": "ab" * 32, "licence": "Apache-2.0"}


def ball(radius: float) -> np.ndarray:
    k, j, i = np.mgrid[:8, :16, :16]
    return (3 * (k - 4)) ** 2 + (2 * (j - 8)) ** 2 + (2 * (i - 8)) ** 2 < radius**2


@dataclass
class Pretender:
    """Finds what is brighter than 100: the contour of a case is painted into its scan."""

    package: ModelPackage
    asked: list[str] = field(default_factory=list)

    def predict(self, image: Mapping[str, Image], progress: Progress) -> Prediction:
        (scan,) = image.values()
        self.asked.append(scan.name)
        progress.report(0.5, "predicting")
        probability = np.where(scan.voxels > 100, 0.9, 0.1).astype(np.float32)
        probability[:, :3] = 0.0
        return Prediction(
            scan.geometry, probability, np.stack([probability] * 2).astype(np.float16), dict(ABOUT), "cpu",
            "torch", {"total": 1.5}, 100.0,
        )  # fmt: skip


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    return tiny_package(tmp_path_factory.mktemp("model") / "tiny")


def a_case(folder: Path, name: str, drawn: float, true: float, channel: str = "flair") -> ManifestCase:
    noise = np.random.default_rng(len(name)).integers(0, 50, GRID.shape)
    write_image(Image((noise + 100 * ball(drawn) + 1).astype(np.int16), GRID), folder / f"{name}.nii.gz")
    write_image(Image(ball(true), GRID), folder / f"{name}-mask.nii.gz")
    channels = {channel: folder / f"{name}.nii.gz"}
    return ManifestCase(name, name.rsplit("-", 1)[0], channels, folder / f"{name}-mask.nii.gz", name)


@pytest.fixture
def cases(tmp_path: Path) -> list[ManifestCase]:
    folder = tmp_path / "data"
    folder.mkdir()
    return [
        a_case(folder, "east-1", 8, 8),
        a_case(folder, "east-2", 8, 7),
        a_case(folder, "<west>-1", 8, 4),
        a_case(folder, "north-1", 8, 8, channel="t1c"),
    ]


def test_every_case_is_measured_and_the_rest_is_named(
    cases: list[ManifestCase], package: ModelPackage, tmp_path: Path
) -> None:
    records = evaluate_cases(cases, Pretender(package), tmp_path / "out")
    east, second, west, north = records
    assert (east.dice, east.hd95_mm, east.sensitivity, east.precision) == (1.0, 0.0, 1.0, 1.0)
    a, b = ball(8), ball(7)
    assert second.dice == pytest.approx(2 * b.sum() / (a.sum() + b.sum()), abs=1e-5)
    assert second.precision == pytest.approx(b.sum() / a.sum(), abs=1e-5)
    assert second.contour_ml == pytest.approx(a.sum() * 0.012, abs=1e-5)
    assert not north.measured
    assert "takes FLAIR; the case has t1c" in north.status
    summary = summarise(records, ABOUT)
    assert summary["cases"] == 3
    assert summary["not_measured"] == [{"case": "north-1", "why": north.status}]
    assert summary["sites"]["worst_site"] == "<west>"
    assert summary["sites"]["worst_site_dice"]["value"] == pytest.approx(west.dice)
    assert 0 < summary["calibration"]["ece_near_border"] < 1
    json.dumps(summary, allow_nan=False)


def test_a_second_run_measures_only_what_is_new(
    cases: list[ManifestCase], package: ModelPackage, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = evaluate_cases(cases[:2], Pretender(package), out)
    again = Pretender(package)
    records = evaluate_cases(cases, again, out)
    assert [name.split(".")[0] for name in again.asked] == ["<west>-1"]
    assert records[:2] == first
    moved = [replace(cases[0], site="other"), *cases[1:]]  # another line for east-1 in the manifest
    evaluate_cases(moved, again, out)
    assert [name.split(".")[0] for name in again.asked] == ["<west>-1", "east-1"]
    other = Pretender(tiny_package(tmp_path / "another", members=1))
    evaluate_cases(cases, other, out)
    assert len(other.asked) == 3


def test_a_cancelled_run_keeps_what_is_done(
    cases: list[ManifestCase], package: ModelPackage, tmp_path: Path
) -> None:
    progress = Progress(lambda _, message: progress.cancel() if message.startswith("east-2") else None)
    with pytest.raises(Cancelled):
        evaluate_cases(cases, Pretender(package), tmp_path / "out", progress)
    assert [record.case for record in read_records(tmp_path / "out" / "cases.csv")] == ["east-1"]


def test_pictures_of_the_worst_are_kept_and_other_files_left_alone(
    cases: list[ManifestCase], package: ModelPackage, tmp_path: Path
) -> None:
    (tmp_path / "out" / PICTURES).mkdir(parents=True)
    mine = tmp_path / "out" / PICTURES / "holiday.png"
    mine.write_bytes(b"x")
    records = evaluate_cases(cases, Pretender(package), tmp_path / "out", worst=1)
    (worst,) = worst_cases(records, 1)
    assert worst.case == "<west>-1"
    kept = picture_of(worst, tmp_path / "out" / PICTURES)
    assert {path.name for path in kept.parent.iterdir()} == {"holiday.png", kept.name}
    assert kept.read_bytes().startswith(b"\x89PNG")


def test_records_survive_writing_and_reading(
    cases: list[ManifestCase], package: ModelPackage, tmp_path: Path
) -> None:
    records = evaluate_cases(cases[:2], Pretender(package), tmp_path)
    write_records(records, tmp_path / "copy.csv")
    assert read_records(tmp_path / "copy.csv") == records
    assert records[0].core_dice is None
    assert records[0].reliability().count.sum() > 0
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UnusableInput, match="not a table of this program"):
        read_records(tmp_path / "other.csv")
    assert read_records(tmp_path / "absent.csv") == []


def test_without_a_reference_there_is_nothing_to_measure(
    cases: list[ManifestCase], package: ModelPackage, tmp_path: Path
) -> None:
    with pytest.raises(UnusableInput, match="No case has a reference"):
        evaluate_cases([replace(case, reference=None) for case in cases], Pretender(package), tmp_path)


def test_the_report_stands_alone_and_escapes_names(
    cases: list[ManifestCase], package: ModelPackage, tmp_path: Path
) -> None:
    records = evaluate_cases(cases, Pretender(package), tmp_path)
    page = render(records, summarise(records, ABOUT), tmp_path / PICTURES, date(2026, 1, 2))
    assert "2026-01-02" in page
    assert "&lt;west&gt;" in page
    assert "<west>" not in page
    assert not re.findall(r"(?:src|href)=\"(?!data:)", page)
    assert page.count("data:image/png;base64,") == 3
    assert page.index("Site by site") < page.index("Does it know") < page.index("The worst cases")
    assert 'class="worst"><td>&lt;west&gt;' in page
    assert "north-1" in page.split("Not measured")[1]


def test_summary_files_hold_the_table(
    cases: list[ManifestCase], package: ModelPackage, tmp_path: Path
) -> None:
    records = evaluate_cases(cases, Pretender(package), tmp_path)
    write_summary(summarise(records, ABOUT), tmp_path)
    lines = (tmp_path / "sites.csv").read_text().splitlines()
    assert lines[0].startswith("site,cases,mean,sd,median,worst,failed,median_hd95_mm,dice_ci_low")
    assert [line.split(",")[0] for line in lines[1:]] == ["<west>", "east", "all"]
    nothing = summarise([record for record in records if not record.measured], ABOUT)
    write_summary(nothing, tmp_path)
    assert nothing["sites"] is None
    assert "No case could be measured" in render([], nothing, tmp_path)


def test_the_command_writes_all_four_files_and_says_the_worst_site_first(
    cases: list[ManifestCase], package: ModelPackage, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    manifest = tmp_path / "cases.csv"
    manifest.write_text(
        "case,site,image,reference\n"
        "east-1,east,data/east-1.nii.gz,data/east-1-mask.nii.gz\n"
        "east-2,east,data/east-2.nii.gz,data/east-2-mask.nii.gz\n"
    )
    out = tmp_path / "out"
    words = ("evaluate", manifest, "--model", package.folder, "--out", out, "--device", "cpu")
    answer = call(capfd, *words, "--json")
    assert answer.code == 0, answer.err
    assert {"cases.csv", "sites.csv", "summary.json", "report.html"} <= {p.name for p in out.iterdir()}
    assert answer.document["sites"]["worst_site"] == "east"
    assert json.loads((out / "summary.json").read_text()) == answer.document
    plain = call(capfd, *words)
    assert plain.out.splitlines()[0].startswith("worst site")
    assert call(capfd, "evaluate", tmp_path / "absent.csv", "--out", out).code == 2
    assert call(capfd, "evaluate", manifest, "--out", manifest / "x").code == 2
