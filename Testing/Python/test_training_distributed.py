"""Two processes train as one with the same examples does: torchrun, gloo, the loopback device."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from fixtures_training import a_config, network, write_label_maps

from TumorSegRobustLib.training import stage1
from TumorSegRobustLib.training.config import read_config
from TumorSegRobustLib.training.distributed import World, world_of_this_process

RANK = """
import os, sys
from pathlib import Path
import torch
from TumorSegRobustLib.training import running, stage1

kept, save = [], running.Run.save
running.Run.save = lambda run: (kept.append(run.network.state_dict()), save(run))
stage1.main(Path(sys.argv[1]), Path(sys.argv[2]))
torch.save(kept[-1], Path(sys.argv[2]) / f"rank{os.environ['RANK']}.pt")
"""


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder: config.yaml (batch 1, 3 steps), and in `out` what two processes made of it."""
    folder = tmp_path_factory.mktemp("ranks")
    (folder / "labels").mkdir()
    labels = write_label_maps(folder / "labels")
    config = a_config(labels, network=network(norm=None), steps=3, precision="fp32", log_every=1, warm_up=0)
    settings = json.loads(json.dumps(config.to_json()))
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    (folder / "rank.py").write_text(RANK)
    repository = Path(__file__).parents[2]
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        str(folder / "rank.py"), str(folder / "config.yaml"), str(folder / "out"),
    ]  # fmt: skip
    loopback = {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
    environment = {**os.environ, "PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1", **loopback}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def test_both_ranks_end_with_the_same_weights(two_ranks: Path) -> None:
    first, second = (torch.load(two_ranks / f"out/rank{n}.pt", weights_only=True) for n in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_they_are_those_of_one_process_with_both_examples_in_a_batch(two_ranks: Path, tmp_path: Path) -> None:
    config = read_config(two_ranks / "config.yaml")
    together = torch.load(two_ranks / "out/rank0.pt", weights_only=True)
    stage1.train(replace(config, batch=2), tmp_path)
    alone = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["network"]
    assert all(torch.allclose(alone[name], together[name], rtol=0, atol=1e-5) for name in together)
    stage1.train(config, tmp_path / "one example")
    other = torch.load(tmp_path / "one example/checkpoint.pt", weights_only=True)["network"]
    assert max(float((alone[name] - other[name]).abs().max()) for name in alone) > 1e-4, "the test can fail"


def test_only_the_first_rank_writes_and_the_examples_of_both_are_counted(two_ranks: Path) -> None:
    state = torch.load(two_ranks / "out/checkpoint.pt", weights_only=True)
    assert (state["step"], state["examples"]) == (3, 6)
    lines = [json.loads(line)["step"] for line in (two_ranks / "out/log.jsonl").read_text().splitlines()]
    assert lines == [1, 2, 3]
    assert json.loads((two_ranks / "out/summary.json").read_text())["processes"] == 2


def test_a_process_alone_is_the_world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with world_of_this_process() as world:
        assert world == World(rank=0, size=1)
        assert world.leads
        assert world.mean(3.5) == 3.5
    assert not World(rank=1, size=2).leads
