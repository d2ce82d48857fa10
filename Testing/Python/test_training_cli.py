"""The commands of `train` that learn from real scans: files, one JSON document, one-line errors."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from fixtures_cli import call
from fixtures_inference import tiny_package
from fixtures_training import network, write_cases

from TumorSegRobustLib.training.config import read_config
from TumorSegRobustLib.training.style_bank import StyleBank


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cases(tmp_path_factory.mktemp("cases"))


@pytest.mark.parametrize("command", ["plan", "pretrain", "pseudo", "style", "stage1", "package"])
def test_every_command_has_help_with_an_example(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    answer = call(capfd, "train", command, "--help")
    assert answer.code == 0
    assert f"tumorsegrobust train {command}" in answer.out


def test_plan_writes_a_configuration(
    manifest: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "plan.yaml"
    answer = call(capfd, "train", "plan", manifest, "--out", out, "--memory-gb", 2, "--json")
    assert answer.code == 0
    assert answer.document["memory_mb"] <= 2000
    assert list(read_config(out).synth.patch) == answer.document["patch"]
    wrong = call(capfd, "train", "plan", manifest, "--out", tmp_path / "no.yaml", "--memory-gb", 0.7)
    assert wrong.code == 2
    assert not (tmp_path / "no.yaml").exists()


def test_pretrain_writes_weights_and_names_the_sites(
    manifest: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = {
        "name": "toy", "network": network(), "synth": {"patch": [16, 16, 16], "spacing_mm": 7.0},
        "real": {"manifest": str(manifest), "sites": ["plain"]}, "steps": 2, "workers": 0, "block": 4,
    }  # fmt: skip
    config = tmp_path / "pretrain.yaml"
    config.write_text(yaml.safe_dump(settings))
    answer = call(capfd, "train", "pretrain", config, "--out", tmp_path / "out", "--json")
    assert answer.code == 0
    assert answer.document["sites"] == ["plain"]
    assert (tmp_path / "out/weights.pt").is_file()


def test_pseudo_writes_masks_and_a_manifest(
    manifest: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    agreed = tiny_package(tmp_path / "agreed", answers=[[4.0, 4.0], [4.0, 4.0]])
    config = tmp_path / "pseudo.yaml"
    config.write_text(f"manifest: {manifest}\nmodel: {agreed.folder}\nsites: [plain]\ndevice: cpu\n")
    answer = call(capfd, "train", "pseudo", config, "--out", tmp_path / "out", "--json")
    assert answer.code == 0
    assert answer.document["kept"] == 2
    assert sorted(path.name for path in (tmp_path / "out/masks").iterdir()) == [
        "plain-1.nii.gz",
        "plain-2.nii.gz",
    ]


def test_style_measures_the_sites_that_are_not_left_out(
    manifest: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "style.npz"
    words = ("--exclude-site", "plain", "--channel", "flair", "--spacing-mm", 4, "--json")
    answer = call(capfd, "train", "style", manifest, "--out", out, *words)
    assert answer.code == 0
    assert answer.document["sites"] == ["brats"]
    assert StyleBank.load(out).sites == ("brats",)


@pytest.mark.parametrize("command", ["stage1", "pretrain", "pseudo"])
def test_mistakes_in_a_configuration_are_one_line(
    command: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mistakes = {"{a: [1": "is not YAML", "nonsense: 1": "unknown setting nonsense", "3": "no table"}
    for text, message in mistakes.items():
        config = tmp_path / "c.yaml"
        config.write_text(text)
        answer = call(capfd, "train", command, config, "--out", tmp_path / "out")
        assert answer.code == 2
        assert len(answer.lines) == 1
        assert message in answer.err
    assert call(capfd, "train", command, tmp_path / "absent.yaml", "--out", tmp_path / "out").code == 2


def test_only_the_first_of_several_processes_speaks(
    manifest: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    answer = call(capfd, "train", "plan", manifest, "--out", tmp_path / "plan.yaml", "--json")
    assert (answer.code, answer.out) == (0, "")
