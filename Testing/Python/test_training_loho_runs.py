"""The runner with a pretended trainer: what is finished is skipped, leaks end it, the tables add up."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from fixtures_inference import a_head, tiny_network
from fixtures_loho import TRAIN, a_config, listed

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.evaluation.manifest import ManifestCase, read_manifest
from TumorSegRobustLib.evaluation.records import MEASURED, CaseRecord
from TumorSegRobustLib.image import Geometry, Image, write_image
from TumorSegRobustLib.models import build_network
from TumorSegRobustLib.progress import Progress
from TumorSegRobustLib.training.loho.config import read_loho
from TumorSegRobustLib.training.loho.measuring import as_package, measure_run
from TumorSegRobustLib.training.loho.runner import read_results, run_all
from TumorSegRobustLib.training.loho.tables import all_tables

IMPROVEMENT = {"baseline": 0.5, "conventional": 0.6, "style": 0.5}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = ["case,site,image,reference"]
    for n, case in enumerate(listed()):
        voxels = np.arange(27, dtype=np.int16).reshape(3, 3, 3) + n
        write_image(Image(voxels, Geometry((3, 3, 3))), tmp_path / f"{case.case}.nii.gz")
        lines.append(f"{case.case},{case.site},{case.case}.nii.gz,{case.case}.nii.gz")
    (tmp_path / "cases.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


class Pretender:
    """Trains at once; measures what `IMPROVEMENT` says for the arm, lower with every case."""

    def __init__(self) -> None:
        self.trained: list[Path] = []
        self.measured: list[str] = []

    def train(self, config: Path, out: Path, progress: Progress) -> None:
        self.trained.append(config)
        (out / "weights.pt").write_text("w")
        (out / "summary.json").write_text("{}")

    def measure(
        self, trained: Path, settings: Mapping[str, Any], cases: Sequence[ManifestCase], out: Path, *rest: Any
    ) -> list[CaseRecord]:
        assert (trained / "weights.pt").is_file()
        self.measured.append(out.name)
        arm = out.name.split("-")[1]
        return [
            CaseRecord(c.case, c.site, c.group, MEASURED, "m", "i", hd95_mm=10.0,
                       dice=IMPROVEMENT.get(arm, 0.5) - 0.01 * n)
            for n, c in enumerate(sorted(cases, key=lambda c: c.case))
        ]  # fmt: skip


def go(folder: Path, **changes: Any) -> tuple[dict[str, Any], Pretender]:
    pretender = Pretender()
    results = run_all(
        read_loho(a_config(folder, **changes)),
        folder / "out",
        trainer=pretender.train,
        measurer=pretender.measure,
        styles=lambda run, path, transductive: path.write_text("looks"),
    )
    return results, pretender


def test_a_finished_training_is_skipped_and_results_grow(folder: Path) -> None:
    results, first = go(folder)
    assert len(first.trained) == len(results["runs"]) == results["planned"] == 6
    assert read_results(folder / "out") == json.loads(json.dumps(results))
    _, again = go(folder)
    assert again.trained == []
    _, longer = go(folder, train={**TRAIN, "steps": 20})
    assert len(longer.trained) == 6  # other settings are other trainings
    with pytest.raises(UnusableInput, match=r"holds no results\.json"):
        read_results(folder)


def test_each_training_gets_a_manifest_without_the_site_left_out(folder: Path) -> None:
    _, pretender = go(folder)
    for path in pretender.trained:
        settings = yaml.safe_load(path.read_text())
        cases = read_manifest(Path(settings["real"]["manifest"]))
        assert len({case.site for case in cases}) == 1
        assert "north" not in {case.site for case in cases}
        assert all(case.channels["flair"].is_file() for case in cases)
        assert settings["name"] == path.parent.name
        bank = settings["real"].get("style_bank")
        assert (bank is not None) == (settings["real"]["augment"] == "style")
        assert bank is None or Path(bank).read_text() == "looks"


def test_what_cannot_be_done_is_left_out_with_a_sentence(folder: Path) -> None:
    results, pretender = go(folder, arms=["baseline", "pretraining", "full"], pretrained="none/{held_out}.pt")
    assert {run["setting"] for run in results["runs"]} == {"baseline"}
    assert len(pretender.trained) == 2
    assert len(results["left_out"]) == 4
    assert (
        "The arm full was left out for east: this version has no test-time adaptation." in results["left_out"]
    )
    assert any("none/east.pt do not exist; run train pretrain" in line for line in results["left_out"])
    with pytest.raises(UnusableInput, match="No run is possible"):
        go(folder, arms=["full"])


def test_a_leak_ends_it_before_any_training(folder: Path) -> None:
    (folder / "west-0.nii.gz").write_bytes((folder / "east-0.nii.gz").read_bytes())
    pretender = Pretender()
    with pytest.raises(UnusableInput, match="show the same image"):
        run_all(
            read_loho(a_config(folder)), folder / "out", trainer=pretender.train, measurer=pretender.measure
        )
    assert pretender.trained == []


def test_pretraining_that_saw_the_site_left_out_is_a_leak(folder: Path) -> None:
    for site, other in (("east", "west"), ("west", "east")):
        weights = folder / "w" / site / "weights.pt"
        weights.parent.mkdir(parents=True)
        weights.write_text("w")
        (weights.parent / "summary.json").write_text(json.dumps({"sites": [other]}))
    asked = {"arms": ["pretraining"], "pretrained": str(folder / "w" / "{held_out}" / "weights.pt")}
    assert len(go(folder, **asked)[0]["runs"]) == 2
    (folder / "w" / "west" / "summary.json").write_text(json.dumps({"sites": ["east", "west"]}))
    with pytest.raises(UnusableInput, match="was pretrained on scans of west, which is left out"):
        go(folder, **asked)
    assert len(go(folder, **asked, transductive=True)[0]["runs"]) == 2


def test_tables_have_every_site_and_arm_and_the_tests_between_them(folder: Path) -> None:
    results, _ = go(folder)
    table = all_tables(results)["ablation"]
    assert [row["arm"] for row in table["arms"]] == ["baseline", "conventional", "style"]
    base, conventional, style = table["arms"]
    east, west = base["sites"]
    assert (east["site"], east["cases"], west["cases"]) == ("east", 6, 4)
    # sorted by name: east-0..5, north-0, in-domain west-x: the Dice falls by .01 from case to case
    assert east["mean"] == pytest.approx(0.5 - 0.01 * 2.5)
    assert conventional["mean_of_cases"] - base["mean_of_cases"] == pytest.approx(0.1)
    assert base["gap"] == pytest.approx(base["in_domain"] - base["mean_of_cases"])
    assert [site["site"] for site in base["further"]] == ["north"]
    better, same = table["comparisons"]["dice"]
    assert (better["verdict"], better["cases"]) == ("better", 10)
    assert better["difference"] == pytest.approx([0.1] * 3)
    # ten equal differences: ties, so the normal approximation; two arms: Holm doubles the smaller p
    assert better["p_holm"] == pytest.approx(2 * better["p"])
    assert (same["verdict"], same["p_holm"]) == ("no difference shown", 1.0)
    assert style["worst_site"] == base["worst_site"]


def test_curves_and_the_two_by_two_come_from_the_runs(folder: Path) -> None:
    pair = {"source": "east", "target": "west"}
    results, _ = go(
        folder,
        sites=None,
        arms=None,
        two_by_two=pair,
        mixing={**pair, "fractions": [0.5]},
        noise={**pair, "alphas": [2]},
    )
    tables = all_tables(results)
    assert tables["ablation"] is None
    assert [(row["trained_on"], row["different_site"]) for row in tables["two_by_two"]] == [
        ("east", "west"),
        ("west", "east"),
    ]
    for row in tables["two_by_two"]:
        assert row["delta"] == pytest.approx(row["different"]["dice"] - row["same"]["dice"])
        assert row["same"]["sd"] == 0.0
    assert [row["value"] for row in tables["mixing"]] == [0.0, 0.5]
    assert tables["mixing"][1]["difference"] == pytest.approx([0.0] * 3)
    assert [row["value"] for row in tables["noise"]] == [0.0, 2.0]


def test_weights_are_measured_as_a_package_in_native_geometry(tmp_path: Path) -> None:
    image = a_head((16, 20, 22))
    write_image(image, tmp_path / "x.nii.gz")
    write_image(image.with_voxels(image.voxels > 500), tmp_path / "x-mask.nii.gz")
    case = ManifestCase("x-1", "x", {"flair": tmp_path / "x.nii.gz"}, tmp_path / "x-mask.nii.gz", "x-1")
    settings = {
        "seed": 3,
        "network": tiny_network(),
        "channels": ["flair"],
        "outputs": ["whole tumour", "brain"],
        "synth": {"spacing_mm": 4.0},
    }
    trained = tmp_path / "model"
    trained.mkdir()
    torch.save(build_network(settings["network"]).state_dict(), trained / "weights.pt")
    (record,) = measure_run(trained, settings, [case], tmp_path / "test", Progress())
    assert (record.case, record.status) == ("x-1", MEASURED)
    assert 0 <= record.dice <= 1
    package = as_package(trained, settings, {})
    assert record.model == package.sha256
    assert package.members[0].spacing_mm == (4.0, 4.0, 4.0)
    assert package.licence == "not for distribution"
