"""Pretraining without masks: hidden blocks, views of a scan, and weights that a training starts from."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fixtures_training import a_config, network, write_cases, write_label_maps

from TumorSegRobustLib.errors import Cancelled, UnusableInput
from TumorSegRobustLib.models import build_network
from TumorSegRobustLib.progress import Progress
from TumorSegRobustLib.training import pretrain, stage1
from TumorSegRobustLib.training.pretrain import PretrainConfig
from TumorSegRobustLib.training.pretrain.contrast import Embedder, find_bottleneck, info_nce
from TumorSegRobustLib.training.pretrain.masking import hidden_blocks, reconstruction_error
from TumorSegRobustLib.training.pretrain.pretraining import body_weights, with_outputs
from TumorSegRobustLib.training.pretrain.views import ScanViews
from TumorSegRobustLib.training.synth import Draw, SynthConfig


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cases(tmp_path_factory.mktemp("cases"))


@pytest.fixture(scope="module")
def label_maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_label_maps(tmp_path_factory.mktemp("labels"))


def settings(manifest: Path, **changes: object) -> PretrainConfig:
    """Six steps on real scans in patches of 16^3 voxels of 7 mm."""
    config = PretrainConfig(
        "toy", network(), synth=SynthConfig(patch=(16, 16, 16), spacing_mm=7.0), steps=6, workers=0,
        real={"manifest": str(manifest)}, block=4, queue=8, embedding=8, log_every=2,
    )  # fmt: skip
    return replace(config, **changes)  # type: ignore[arg-type]


def test_hidden_blocks_are_cubes_in_the_number_asked_for() -> None:
    hidden = hidden_blocks((16, 20, 18), 4, 0.5, Draw(1))
    assert hidden.shape == (16, 20, 18)
    blocks = hidden[:, :, :16].view(4, 4, 5, 4, 4, 4).float().mean((1, 3, 5))
    assert set(blocks.unique().tolist()) == {0.0, 1.0}
    whole = hidden_blocks((16, 16, 16), 4, 0.25, Draw(2))
    assert int(whole.sum()) == 16 * 64
    assert torch.equal(whole, hidden_blocks((16, 16, 16), 4, 0.25, Draw(2)))
    assert not torch.equal(whole, hidden_blocks((16, 16, 16), 4, 0.25, Draw(3)))


def test_only_hidden_voxels_of_channels_that_are_there_count() -> None:
    scan = torch.ones(1, 2, 4, 4, 4)
    scan[:, 1] = 0.0
    found = torch.full_like(scan, 3.0)
    hidden = torch.zeros(1, 1, 4, 4, 4, dtype=torch.bool)
    hidden[..., 0] = True
    found[:, 0, ..., 0] = 1.5
    assert float(reconstruction_error(found, scan, hidden)) == pytest.approx(0.5)
    assert float(reconstruction_error(found, scan, torch.zeros_like(hidden))) == 0.0


def test_info_nce_is_what_the_formula_says_and_leaves_out_the_same_scan() -> None:
    code = torch.tensor([[1.0, 0.0]])
    queue = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    told = info_nce(code, code, torch.tensor([5]), queue, torch.tensor([1, 2]), 0.5)
    expected = -math.log(math.exp(2) / (math.exp(2) + math.exp(0) + math.exp(2)))
    assert float(told) == pytest.approx(expected, rel=1e-6)
    without = info_nce(code, code, torch.tensor([2]), queue, torch.tensor([1, 2]), 0.5)
    assert float(without) == pytest.approx(-math.log(math.exp(2) / (math.exp(2) + 1)), rel=1e-6)


def test_the_bottleneck_is_the_deepest_level_and_codes_have_length_one() -> None:
    net = build_network(network(2, 2, channels=[4, 8, 16], strides=[2, 2]))
    name, features = find_bottleneck(net, 2, 16)
    assert features in (8 + 16, 16)
    seen = []
    with net.get_submodule(name).register_forward_hook(lambda _m, _i, output: seen.append(output.shape)):
        net(torch.zeros(1, 2, 16, 16, 16))
    assert tuple(seen[0]) == (1, features, 4, 4, 4)
    embedder = Embedder(net, 2, 16, 8, 5)
    found, codes = embedder(torch.randn(3, 2, 16, 16, 16, generator=torch.Generator().manual_seed(0)))
    assert found.shape == (3, 2, 16, 16, 16)
    assert torch.allclose(codes.norm(dim=1), torch.ones(3), atol=1e-5)
    embedder.remember(codes, torch.tensor([7, 8, 9]))
    assert embedder.scans[-3:].tolist() == [7, 8, 9]
    assert torch.equal(embedder.queue[-3:], codes)
    assert len(embedder.queue) == 5


def test_views_are_two_of_one_scan_and_references_are_not_opened(manifest: Path, label_maps: Path) -> None:
    table = manifest.read_text().splitlines()
    blind = manifest.with_name("blind.csv")
    column = table[0].split(",").index("reference")
    cells = [row.split(",") for row in table[1:]]
    rows = [",".join([*row[:column], "", *row[column + 1 :]]) for row in cells]
    blind.write_text("\n".join([table[0], *rows]) + "\n")
    real = ScanViews(settings(blind))
    assert real.sites == ["brats", "plain"]
    views, number = real[3]
    assert views.shape == (2, 1, 16, 16, 16)
    assert 0 <= int(number) < 4
    assert not torch.equal(views[0], views[1])
    assert torch.equal(views, ScanViews(settings(blind))[3][0])
    assert len({int(real[n][1]) for n in range(30)}) == 4
    half = {"manifest": str(blind), "share": 0.5}
    both = ScanViews(settings(blind, label_maps=str(label_maps), real=half, augment="none"))
    numbers = [int(both[n][1]) for n in range(10)]
    generated = [n for n in range(10) if numbers[n] < 0]
    assert 0 < len(generated) < 10
    assert all(numbers[n] == -1 - n for n in generated)
    first, second = both[generated[0]][0]
    assert torch.equal(first, second.flip(3))


def test_pretraining_learns_resumes_and_starts_a_training(
    manifest: Path, label_maps: Path, tmp_path: Path
) -> None:
    config = settings(manifest, learning_rate=5e-3, warm_up=5, steps=30, log_every=10)
    summary = pretrain.train(config, tmp_path / "straight")
    lines = [json.loads(line) for line in (tmp_path / "straight/log.jsonl").read_text().splitlines()]
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert summary["sites"] == ["brats", "plain"]

    def stop(fraction: float, message: str) -> None:
        if message.startswith("step 11 "):
            progress.cancel()

    progress = Progress(stop)
    with pytest.raises(Cancelled):
        pretrain.train(config, tmp_path / "resumed", progress=progress)
    assert pretrain.train(config, tmp_path / "resumed")["loss"] == pytest.approx(summary["loss"], rel=1e-3)

    weights = tmp_path / "straight/weights.pt"
    begun = a_config(label_maps, steps=1, initial=str(weights), learning_rate=0.0)
    stage1.train(begun, tmp_path / "member")
    first = json.loads((tmp_path / "member/log.jsonl").read_text().splitlines()[0])
    assert 0 < first["tensors"] == summary["tensors"] < first["of"]
    learned = torch.load(weights, weights_only=True)
    member = torch.load(tmp_path / "member/weights.pt", weights_only=True)
    assert all(torch.allclose(member[name], learned[name]) for name in learned)


def test_what_the_last_layer_learned_is_left_behind() -> None:
    headed = {**network(1, 4), "head": 3}
    trained = build_network(with_outputs(headed, 1))
    kept = body_weights(headed, trained)
    names = set(build_network(headed).state_dict())
    assert set(kept) < names
    assert names - set(kept) == {"2.weight", "2.bias"}


def test_the_example_is_readable_and_its_network_can_be_built() -> None:
    config = pretrain.read_pretraining(Path(pretrain.__file__).parents[1] / "configs/pretrain.yaml")
    assert find_bottleneck(build_network(with_outputs(config.network, 2)), 2, 32)[1] >= 128


def test_mistakes_are_named_in_one_line(manifest: Path, tmp_path: Path) -> None:
    wrong: dict[str, dict] = {
        "nothing to learn from": {"real": None},
        "mask_ratio is 1.5": {"mask_ratio": 1.5},
        "both off": {"reconstruction": 0.0, "contrast": 0.0},
        "channels: t9": {"channels": ("t9",)},
    }
    for message, changes in wrong.items():
        with pytest.raises(UnusableInput, match=message):
            pretrain.train(settings(manifest, **changes), tmp_path / "out")
    (tmp_path / "c.yaml").write_text("name: x\nnetwork: {}\nmask_ration: 1\n")
    with pytest.raises(UnusableInput, match="unknown setting mask_ration"):
        pretrain.read_pretraining(tmp_path / "c.yaml")
