"""Members that are means of snapshots, and where the weights come from that the configurations begin with."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import torch
from fixtures_cli import call

from TumorSegRobustLib.models import build_network
from TumorSegRobustLib.training.checkpoints import load_initial
from TumorSegRobustLib.training.config import read_yaml

CONFIGS = Path(__file__).parents[2] / "TumorSegRobustLib/training/configs"


def test_the_mean_of_weights_is_theirs_tensor_by_tensor(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    one = {"w": torch.tensor([1.0, 5.0]), "n": torch.tensor(3)}
    other = {"w": torch.tensor([2.0, -5.0]), "n": torch.tensor(7)}
    torch.save(one, tmp_path / "weights.pt")
    checkpoint = {"network": {}, "average": other, "optimiser": {}, "step": 9}
    torch.save(checkpoint, tmp_path / "checkpoint.pt")
    out = tmp_path / "d" / "weights.pt"
    words = (tmp_path / "weights.pt", tmp_path / "checkpoint.pt", "--out", out)
    answer = call(capfd, "train", "mean", *words, "--json")
    assert answer.document == {"snapshots": 2, "tensors": 2}
    mean = torch.load(out, weights_only=True)
    assert mean["w"].tolist() == [1.5, 0.0]
    assert mean["n"].item() == 7


def test_weights_of_another_network_are_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    torch.save({"w": torch.zeros(2)}, tmp_path / "a.pt")
    torch.save({"w": torch.zeros(3)}, tmp_path / "b.pt")
    words = (tmp_path / "a.pt", tmp_path / "b.pt", "--out", tmp_path / "mean.pt")
    answer = call(capfd, "train", "mean", *words)
    assert answer.code == 2
    assert "is of another network" in answer.err
    assert not (tmp_path / "mean.pt").exists()


def initials() -> dict[str, str]:
    """Configuration -> the weights that it begins with."""
    found = {}
    for path in sorted(CONFIGS.glob("*.yaml")):
        data = read_yaml(path)
        initial = data.get("initial") or (data.get("train") or {}).get("initial")
        if initial:
            found[path.name] = initial
    return found


@pytest.mark.parametrize(("name", "initial"), initials().items())
def test_every_configuration_begins_with_weights_that_are_there_or_that_its_head_tells_how_to_get(
    name: str, initial: str, repository: Path, tmp_path: Path
) -> None:
    text, data = (CONFIGS / name).read_text(), read_yaml(CONFIGS / name)
    weights = repository / initial
    if not initial.startswith("Resources/"):
        told = re.search(rf"git show (\w+):(\S+) > {re.escape(initial)}$", text, re.MULTILINE)
        assert told, f"{name} begins with {initial}, and does not say where that comes from"
        weights = tmp_path / Path(initial).name
        commit = f"{told.group(1)}:{told.group(2)}"
        shown = subprocess.run(["git", "show", commit], cwd=repository, capture_output=True, check=False)
        if shown.returncode != 0:
            pytest.skip("the history is not in this clone")
        weights.write_bytes(shown.stdout)
    network = build_network(data.get("network") or data["train"]["network"])
    fitting, of = load_initial(network, weights)
    assert fitting == of
