"""Pseudo-labels: which cases the members' agreement lets through, and what is written of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures_inference import tiny_package
from fixtures_training import write_cases

from TumorSegRobustLib.errors import Cancelled, UnusableInput
from TumorSegRobustLib.evaluation.manifest import read_manifest
from TumorSegRobustLib.image import Image, read_image, read_labels
from TumorSegRobustLib.inference import Prediction
from TumorSegRobustLib.models import ModelPackage
from TumorSegRobustLib.progress import Progress
from TumorSegRobustLib.training import self_training
from TumorSegRobustLib.training.config import filled, read_yaml
from TumorSegRobustLib.training.self_training import PseudoConfig, label, pseudo_mask


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cases(tmp_path_factory.mktemp("cases"))


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    return tiny_package(tmp_path_factory.mktemp("models") / "tiny")


class Brightness:
    """Members that call everything bright tumour, one of them by a threshold that differs with the case."""

    def __init__(self, package: ModelPackage, quarrel: str = "") -> None:
        self.package, self.quarrel, self.seen = package, quarrel, 0

    def predict(self, image: Mapping[str, Image], progress: Progress) -> Prediction:
        assert set(image) == {"flair"}, "only what the package knows"
        self.seen += 1
        scan = image["flair"].voxels.astype(np.float32)
        one = np.clip((scan - 500) / 150, 0, 1)
        other = np.roll(one, 8, axis=2) if self.quarrel and self._odd(scan) else one
        members = np.stack([one, other]).astype(np.float16)
        return Prediction(
            geometry=image["flair"].geometry, probability=(one + other) / 2, members=members, package={},
            device="cpu", backend="none", seconds={}, peak_memory_mb=0.0,
        )  # fmt: skip

    def _odd(self, scan: np.ndarray) -> bool:
        return self.quarrel == f"{float(scan.sum()):.0f}"


def settings(manifest: Path) -> PseudoConfig:
    return PseudoConfig(str(manifest), "tiny")


def test_voxels_are_known_where_the_probability_is_clear() -> None:
    probability = np.array([0.0, 0.2, 0.21, 0.5, 0.79, 0.8, 1.0])
    assert pseudo_mask(probability, 0.8, 0.2).tolist() == [0, 0, 255, 255, 255, 1, 1]


def test_cases_the_members_quarrel_about_are_left_out(
    manifest: Path, package: ModelPackage, tmp_path: Path
) -> None:
    scan = read_image(manifest.parent / "brats-2/flair.nii.gz").voxels.astype(np.float32)
    doubtful = f"{float(scan.sum()):.0f}"
    summary = label(settings(manifest), Brightness(package, doubtful), tmp_path)
    assert (summary["cases"], summary["kept"]) == (4, 3)
    assert summary["sites"] == ["brats", "plain"]
    listed = {case.case: case for case in read_manifest(tmp_path / "manifest.csv")}
    assert set(listed) == {"brats-1", "plain-1", "plain-2"}
    records = json.loads((tmp_path / "pseudo.json").read_text())
    assert records["sites"] == ["brats", "plain"]
    assert records["cases"]["brats-2"]["agreement"] < 0.8
    assert "agree by" in records["cases"]["brats-2"]["why"]
    assert records["cases"]["brats-1"]["agreement"] == 1.0
    case = listed["brats-1"]
    assert case.reference == tmp_path / "masks/brats-1.nii.gz"
    assert case.channels["flair"] == manifest.parent / "brats-1/flair.nii.gz"
    mask = read_labels(case.reference).voxels
    assert set(np.unique(mask)) == {0, 1, 255}
    truth = read_labels(manifest.parent / "brats-1/mask.nii.gz").voxels > 0
    assert np.count_nonzero((mask == 1) & truth) > 0.8 * np.count_nonzero(mask == 1) > 0


def test_it_goes_on_where_it_was_stopped_and_refuses_other_settings(
    manifest: Path, package: ModelPackage, tmp_path: Path
) -> None:
    def stop(fraction: float, message: str) -> None:
        if "(3 of 4)" in message:
            progress.cancel()

    progress = Progress(stop)
    with pytest.raises(Cancelled):
        label(settings(manifest), Brightness(package), tmp_path, progress)
    assert not (tmp_path / "manifest.csv").exists()
    second = Brightness(package)
    assert label(settings(manifest), second, tmp_path)["kept"] == 4
    assert second.seen == 2
    with pytest.raises(UnusableInput, match=r"another configuration \(gate\)"):
        label(replace(settings(manifest), gate=0.5), second, tmp_path)


def test_sites_can_be_left_out_and_empty_agreement_does_not_count(
    manifest: Path, package: ModelPackage, tmp_path: Path
) -> None:
    config = replace(settings(manifest), exclude_sites=("brats",), least_ml=1e6)
    summary = label(config, Brightness(package), tmp_path)
    assert (summary["cases"], summary["kept"], summary["manifest"]) == (2, 0, None)
    why = json.loads((tmp_path / "pseudo.json").read_text())["cases"]["plain-1"]["why"]
    assert why.endswith("ml of certain tumour only")
    with pytest.raises(UnusableInput, match="no site plane"):
        label(replace(config, exclude_sites=("plane",)), Brightness(package), tmp_path / "a")


def test_the_example_is_readable() -> None:
    path = Path(self_training.__file__).parent / "configs/pseudo.yaml"
    config = filled(PseudoConfig, read_yaml(path), path)
    config.check()
    assert config.model == "brain-mr"


def test_one_member_cannot_tell_how_sure_it_is(manifest: Path, tmp_path: Path) -> None:
    alone = tiny_package(tmp_path / "alone", members=1)
    with pytest.raises(UnusableInput, match="has one member"):
        label(settings(manifest), Brightness(alone), tmp_path / "out")


def test_a_package_labels_from_a_file_of_settings(manifest: Path, tmp_path: Path) -> None:
    agreed = tiny_package(tmp_path / "agreed", answers=[[4.0, 4.0], [4.0, 4.0]])
    config = tmp_path / "pseudo.yaml"
    config.write_text(f"manifest: {manifest}\nmodel: {agreed.folder}\nsites: [plain]\ndevice: cpu\n")
    summary = self_training.main(config, tmp_path / "out")
    assert (summary["cases"], summary["kept"], summary["sites"]) == (2, 2, ["plain"])
    assert (read_labels(tmp_path / "out/masks/plain-2.nii.gz").voxels == 1).all()
    for line, message in (("gates: 1", "unknown setting gates"), ("healthy_below: 0.9", "is the smaller")):
        config.write_text(f"manifest: {manifest}\nmodel: {agreed.folder}\n{line}\n")
        with pytest.raises(UnusableInput, match=message):
            self_training.main(config, tmp_path / "out")
