"""Training of a click's extent: reviews are played once, the result goes into the package that refines."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from fixtures_cli import call

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.models import ModelPackage
from TumorSegRobustLib.progress import Progress
from TumorSegRobustLib.resources import resource
from TumorSegRobustLib.review.extent import FACTS, judge_of
from TumorSegRobustLib.review.shipped import RefiningNetwork
from TumorSegRobustLib.training.refine.extent import ExtentConfig, attach, fit, main, train

SCENES = {
    "name": "toy", "label_maps": "", "heads": 0.0, "bodies": {"side": 28, "radius": [3.0, 8.0]},
    "network": {"name": "UNet", "args": {"in_channels": 8, "out_channels": 4}, "head": 1},
}  # fmt: skip
SETTINGS = {
    "name": "extent", "scenes": "scenes.yaml", "starts": {"degraded": 1.0}, "heads": 0.0, "rounds": 2,
    "reviews": 2, "clicks": 3, "voxels": 50, "hidden": [6], "batch": 64, "keep": 0.2, "extend": 0.8,
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two configurations and a finished run."""
    folder = tmp_path_factory.mktemp("extent")
    (folder / "scenes.yaml").write_text(yaml.safe_dump(SCENES))
    (folder / "extent.yaml").write_text(yaml.safe_dump(SETTINGS))
    main(folder / "extent.yaml", folder / "run")
    return folder


def test_reviews_are_played_in_rounds_and_not_repeated(trained: Path) -> None:
    chunks = sorted((trained / "run").glob("round-*/*.npz"))
    assert [path.parent.name for path in chunks] == ["round-1", "round-2"]
    for path in chunks:
        with np.load(path) as file:
            assert file["table"].shape == (len(file["truth"]), len(FACTS))
            assert file["counts"].sum() == len(file["truth"]) > 0
    before = [path.stat().st_mtime_ns for path in chunks]
    config = ExtentConfig(**{**SETTINGS, "hidden": (6,)})
    summary = train(config, trained, trained / "run", Progress())
    assert [path.stat().st_mtime_ns for path in chunks] == before
    assert np.isfinite(summary["loss"])


def test_reviews_of_other_settings_are_not_learned_from(trained: Path) -> None:
    other = ExtentConfig(**{**SETTINGS, "hidden": (6,), "clicks": 4})
    with pytest.raises(UnusableInput, match=r"reviews of other settings \(clicks\)"):
        train(other, trained, trained / "run", Progress())


def test_the_package_takes_it_over_and_stays_whole(
    trained: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    package = tmp_path / "refine-any"
    shutil.copytree(resource("Models") / "refine-any", package)
    old = ModelPackage.load(package)
    outcome = call(
        capfd, "train", "extent", trained / "extent.yaml", "--out", trained / "run", "--into", package,
        "--version", "9.9",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    new = ModelPackage.load(package)
    assert new.verify() == []
    assert [member.name for member in new.members] == [old.members[0].name, "extent"]
    assert new.members[0] == old.members[0]
    assert new.version == "9.9"
    assert new.calibration["gate"] == old.calibration["gate"]  # nothing was measured
    refiner = RefiningNetwork(new).refiner(always=True)
    assert refiner.extent is not None
    assert (refiner.extent.keep, refiner.extent.extend) == (0.2, 0.8)
    weights = torch.load(trained / "run" / "weights.pt", weights_only=True)
    table = np.random.default_rng(0).uniform(-1, 1, (9, len(FACTS))).astype(np.float32)
    judge = judge_of({name: value.numpy() for name, value in weights.items()})
    assert refiner.extent.judge(table) == pytest.approx(judge(table), rel=0.01, abs=0.02)


def test_an_extent_of_other_facts_is_refused(trained: Path, tmp_path: Path) -> None:
    package = tmp_path / "refine-any"
    shutil.copytree(resource("Models") / "refine-any", package)
    config = ExtentConfig(**{**SETTINGS, "hidden": (6,)})
    state = {name: value.numpy() for name, value in torch.load(
        trained / "run" / "weights.pt", weights_only=True).items()}  # fmt: skip
    attach(package, config, {"loss": 0.1}, state, {}, None)
    text = (package / "configs" / "package.json").read_text()
    (package / "configs" / "package.json").write_text(
        text.replace(f'"in_channels": {len(FACTS)}', f'"in_channels": {len(FACTS) + 1}')
    )
    with pytest.raises(UnusableInput, match="does not refine with the channels of this version"):
        RefiningNetwork(ModelPackage.load(package))


def test_what_can_be_told_apart_is_learned() -> None:
    random = np.random.default_rng(0)
    rows = []
    for _ in range(20):
        table = random.uniform(-1, 1, (400, len(FACTS))).astype(np.float16)
        rows.append((table, table[:, 2] < -0.2, 0.001))
    network, loss = fit(ExtentConfig("toy", "", epochs=30, batch=256, hidden=(8,)), rows)
    judge = judge_of({name: value.detach().numpy() for name, value in network.state_dict().items()})
    table = random.uniform(-1, 1, (500, len(FACTS))).astype(np.float32)
    assert ((judge(table) > 0) == (table[:, 2] < -0.2)).mean() > 0.9
    assert loss < 0.6


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(UnusableInput, match="keep is the smaller"):
        replace(ExtentConfig("toy", ""), keep=0.9, extend=0.5).check()
    with pytest.raises(UnusableInput, match="at least 1"):
        replace(ExtentConfig("toy", ""), rounds=0).check()
