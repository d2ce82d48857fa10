"""Finished trainings become a package: what it records, what must fit together, and that it predicts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from fixtures_inference import a_head
from fixtures_training import a_config, network, write_label_maps

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.inference import Ensemble
from TumorSegRobustLib.models import ModelPackage
from TumorSegRobustLib.training import packaging, stage1
from TumorSegRobustLib.training.config import identity, without_places

BOTH = ("flair", "t1c")
OUTPUTS = ("whole tumour", "tumour core", "brain")
PACKAGE = {
    "id": "toy", "version": "0.1.0", "title": "Toy", "licence": "Apache-2.0", "members": ["a", "b"],
    "channels": [{"name": "flair"}, {"name": "t1c", "required": False}], "card": "# Toy",
}  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Members a and b (two channels, three outputs) and old (as before there was a choice)."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "labels").mkdir()
    labels = write_label_maps(folder / "labels")
    for seed, member in enumerate("ab"):
        given = {"name": member, "seed": seed, "steps": 1, "channels": BOTH, "outputs": OUTPUTS}
        stage1.train(a_config(labels, network=network(2, 3), **given), folder / member)
    stage1.train(a_config(labels, name="old", steps=1), folder / "old")
    summary = folder / "old/summary.json"
    data = json.loads(summary.read_text())
    for new in ("channels", "outputs"):
        del data["config"][new]
    summary.write_text(json.dumps(data))
    return folder


def written(tmp_path: Path, **changes: object) -> Path:
    config = tmp_path / "toy.yaml"
    config.write_text(yaml.safe_dump({**PACKAGE, **changes}))
    return config


def test_finished_runs_become_a_package_that_verifies_and_predicts(runs: Path, tmp_path: Path) -> None:
    summary = packaging.main(written(tmp_path, weights={"b": 3.0}), runs, tmp_path / "toy")
    package = ModelPackage.load(tmp_path / "toy")
    assert package.verify() == []
    assert summary["members"] == len(package.members) == 2
    assert package.outputs == OUTPUTS
    assert [member.weight for member in package.members] == [1.0, 3.0]
    assert package.preprocessing["multiple"] == 16
    recorded = package.fingerprint["training"]["b"]
    assert (recorded["config"]["seed"], recorded["steps"]) == (1, 1)
    assert recorded["config"]["label_maps"] == "labels"
    assert str(runs) not in (tmp_path / "toy/configs/package.json").read_text()
    found = Ensemble(package, "cpu", "torch", "f32").predict({"flair": a_head()})
    assert np.isfinite(found.probability).all()
    assert found.probability.shape == a_head().voxels.shape


def test_runs_of_old_configurations_still_pack(runs: Path, tmp_path: Path) -> None:
    config = written(tmp_path, members=["old"], channels=[{"name": "FLAIR"}])
    packaging.main(config, runs, tmp_path / "old")
    assert ModelPackage.load(tmp_path / "old").outputs == ("whole tumour", "brain")


def test_members_that_do_not_fit_are_named(runs: Path, tmp_path: Path) -> None:
    wrong: dict[str, dict] = {
        "no finished training": {"members": ["a", "missing"]},
        "outputs: member old has whole tumour, brain": {"members": ["a", "old"]},
        "outputs: member a has": {"outputs": ["whole tumour", "brain"]},
        "channels: member a has flair, t1c, but flair is wanted": {"channels": [{"name": "flair"}]},
        "weights: c is no member": {"weights": {"c": 1.0}},
        "unknown setting member": {"member": "a"},
    }
    for message, changes in wrong.items():
        with pytest.raises(UnusableInput, match=message):
            packaging.main(written(tmp_path, **changes), runs, tmp_path / "no")
    (tmp_path / "bare.yaml").write_text("id: x\n")
    with pytest.raises(UnusableInput, match="lacks version, title"):
        packaging.main(tmp_path / "bare.yaml", runs, tmp_path / "no")
    assert not (tmp_path / "no").exists()


def test_a_training_stays_the_same_when_its_data_move_but_not_when_they_change() -> None:
    def of(**changes: object) -> dict:
        real = {"manifest": "/here/cases.csv", "share": 0.5}
        return identity({"label_maps": "/a", "steps": 5, "workers": 1, "seed": 1, "real": real, **changes})

    moved = {"manifest": "/there/cases.csv", "share": 0.5}
    assert of() == of(label_maps="/b", steps=9, workers=3, real=moved)
    assert of() != of(seed=2)
    assert of() != of(real={**moved, "share": 0.4})
    assert of() != of(real={**moved, "manifest": "/here/others.csv"})


def test_places_are_cut_to_their_last_part_wherever_they_stand() -> None:
    settings = {
        "label_maps": "/data/maps", "initial": None, "steps": 5, "anatomies": ["a/b"],
        "real": {"manifest": "../x/cases.csv", "style_bank": "/y/looks.npz"},
    }  # fmt: skip
    assert without_places(settings) == {
        "label_maps": "maps", "initial": None, "steps": 5, "anatomies": ["a/b"],
        "real": {"manifest": "cases.csv", "style_bank": "looks.npz"},
    }  # fmt: skip
