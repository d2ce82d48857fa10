"""The training of stage 1, on toy heads so that no data is needed."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fixtures_training import a_config, network, write_cases, write_label_maps

from TumorSegRobustLib.errors import Cancelled, UnusableInput
from TumorSegRobustLib.models import build_network
from TumorSegRobustLib.progress import Progress
from TumorSegRobustLib.training import stage1, style_bank
from TumorSegRobustLib.training.checkpoints import load_initial
from TumorSegRobustLib.training.config import StageOneConfig, read_config
from TumorSegRobustLib.training.data import Examples, batches, example_order, examples, pipeline
from TumorSegRobustLib.training.monitor import Monitor
from TumorSegRobustLib.training.stage1 import Objective

CONFIGS = Path(__file__).parents[2] / "TumorSegRobustLib/training/configs"
BOTH = ("flair", "t1c")
TUMOUR_AND_BRAIN = ("whole tumour", "tumour core", "brain")


@pytest.fixture(scope="module")
def label_maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_label_maps(tmp_path_factory.mktemp("labels"))


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cases(tmp_path_factory.mktemp("cases"))


def test_training_that_was_interrupted_ends_where_an_uninterrupted_one_does(
    label_maps: Path, tmp_path: Path
) -> None:
    straight = stage1.train(a_config(label_maps), tmp_path / "straight")

    def stop_after_four(fraction: float, message: str) -> None:
        if message.startswith("step 4 "):
            progress.cancel()

    progress = Progress(stop_after_four)
    with pytest.raises(Cancelled):
        stage1.train(a_config(label_maps, checkpoint_minutes=0.0), tmp_path / "resumed", progress=progress)
    assert not (tmp_path / "resumed/weights.pt").exists()
    resumed = stage1.train(a_config(label_maps), tmp_path / "resumed")
    assert straight["steps"] == resumed["steps"] == 6
    assert resumed["loss"] == pytest.approx(straight["loss"], rel=1e-3)
    one, two = (
        torch.load(tmp_path / run / "weights.pt", weights_only=True) for run in ("straight", "resumed")
    )
    assert all(torch.allclose(one[name], two[name], atol=1e-4) for name in one)
    entries = [json.loads(line) for line in (tmp_path / "straight/log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in entries] == [2, 4, 6]


LEARNS = {"steps": 45, "log_every": 15, "learning_rate": 2e-2, "warm_up": 5}


def falls(folder: Path) -> bool:
    """The loss of the last thirty steps is clearly below that of the first fifteen."""
    first, *rest = [json.loads(line)["loss"] for line in (folder / "log.jsonl").read_text().splitlines()]
    return len(rest) == 2 and sum(rest) / 2 < 0.9 * first


def test_training_learns(label_maps: Path, tmp_path: Path) -> None:
    headed = {**network(1, 4), "head": 2}
    summary = stage1.train(a_config(label_maps, network=headed, **LEARNS), tmp_path)
    assert falls(tmp_path)
    assert summary["steps"] == 45


def test_a_loss_that_is_not_finite_stops_loudly(label_maps: Path, tmp_path: Path) -> None:
    with pytest.raises((stage1.NotFiniteError, RuntimeError), match=r"loss is nan|non-finite"):
        stage1.train(a_config(label_maps, learning_rate=1e30, warm_up=0, steps=50), tmp_path)


def test_the_shipped_configurations_are_readable_and_mistakes_are_named(tmp_path: Path) -> None:
    names = {path.stem: read_config(path) for path in CONFIGS.glob("brain-mr-?.yaml")}
    assert len(names) >= 2
    assert len({config.seed for config in names.values()}) == len(names)
    views = {
        (c.anatomies, c.synth.spacing_mm, json.dumps(c.network), repr(c.synth), c.initial, c.ema)
        for c in names.values()
    }
    assert len(views) == len(names), "members differ in more than the seed"
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("name: x\nlabel_maps: y\nnetwork: {}\nstepz: 3\n")
    with pytest.raises(UnusableInput, match="unknown setting stepz"):
        read_config(wrong)
    with pytest.raises(UnusableInput, match="cannot be read"):
        read_config(tmp_path / "absent.yaml")


def test_settings_that_contradict_each_other_are_named(label_maps: Path, tmp_path: Path) -> None:
    wrong: dict[str, dict] = {
        "in_channels is 1, but there are 2": {"channels": BOTH},
        "out_channels is 2, but there are 1": {"outputs": ("whole tumour",)},
        "the first one is always whole tumour": {"outputs": ("brain", "whole tumour")},
        "tumour cores is unknown": {"outputs": ("whole tumour", "tumour cores")},
        "share is 2": {"real": {"manifest": "m.csv", "share": 2.0}},
        "unknown setting sharing": {"real": {"manifest": "m.csv", "sharing": 1.0}},
        "learns nothing without them": {"real": {"manifest": "m.csv", "masks": False}},
        "precision: 'int8'": {"precision": "int8"},
    }
    for message, changes in wrong.items():
        with pytest.raises(UnusableInput, match=message):
            stage1.train(a_config(label_maps, **changes), tmp_path)
    assert not list(tmp_path.iterdir())


def test_numbers_that_yaml_takes_for_text_are_numbers_and_text_is_not(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    text = "name: x\nlabel_maps: y\nlearning_rate: 1e-3\nsynth: {channels: [flair, t1c]}\n"
    text += "network: {name: UNet, args: {}}\n"
    path.write_text(text)
    assert read_config(path).learning_rate == 0.001
    assert read_config(path).channels == read_config(path).heads.channels == BOTH
    for line, message in (
        ("steps: many", "steps is 'many'"),
        ("steps: 1.5", "a whole number"),
        ("anatomies: 3", "it is a list"),
        ("network: [UNet]", "no table of name and args"),
        ("network: {name: Unet, args: {}}", "'Unet' is not one of"),
    ):
        path.write_text(text + line + "\n")
        with pytest.raises(UnusableInput, match=message):
            read_config(path)
    path.write_text("- a list\n")
    with pytest.raises(UnusableInput, match="no table of settings"):
        read_config(path)


def test_an_example_is_real_as_often_as_the_share_says_and_always_the_same() -> None:
    def source(value: int):  # a stand-in whose examples carry their number
        return lambda n: (torch.full((1,), value), torch.full((1,), n))

    mixed = Examples(5, source(0), source(1), share=0.3)
    kinds = [int(mixed[n][0]) for n in range(1000)]
    assert 0.26 < sum(kinds) / 1000 < 0.34
    assert kinds == [int(mixed.is_real(n)) for n in range(1000)]
    assert kinds != [int(Examples(6, source(0), source(1), 0.3)[n][0]) for n in range(1000)]
    assert not any(Examples(5, source(0), None, 0.3).is_real(n) for n in range(50))


def test_batches_come_in_one_order_with_any_number_of_workers_and_ranks_share_it() -> None:
    data = Examples(0, lambda n: (torch.tensor([n]), torch.tensor([n])))
    for workers in (0, 2):
        found = [image.flatten().tolist() for image, _ in itertools.islice(batches(data, 3, workers, 6), 3)]
        assert found == [[6, 7, 8], [9, 10, 11], [12, 13, 14]]
    ranks = [list(itertools.islice(example_order(4, 2, rank, 3), 2)) for rank in range(3)]
    assert ranks == [[[4, 5], [10, 11]], [[6, 7], [12, 13]], [[8, 9], [14, 15]]]


def two_channels(label_maps: Path, manifest: Path, **changes: object) -> StageOneConfig:
    real = {"manifest": str(manifest), "share": 0.5}
    return a_config(
        label_maps, network=network(2, 3), channels=BOTH, outputs=TUMOUR_AND_BRAIN, real=real, **changes
    )


def test_generated_and_real_examples_fit_together(label_maps: Path, manifest: Path) -> None:
    config = two_channels(label_maps, manifest)
    data = examples(config)
    kinds = {data.is_real(n): n for n in range(12)}
    assert set(kinds) == {True, False}
    for is_real, n in kinds.items():
        image, truth = data[n]
        assert image.shape == (2, 16, 16, 16)
        assert truth.shape == (3, 16, 16, 16)
        assert truth.dtype == torch.uint8
        assert bool((truth[2] == 255).all()) == is_real, "only the generator knows the brain"


def test_augmentation_reaches_generated_and_real_heads_and_forgets_the_looks_of_sites_left_out(
    label_maps: Path, manifest: Path, tmp_path: Path
) -> None:
    bank = tmp_path / "looks.npz"
    style_bank.main(manifest, bank, channels=BOTH, spacing_mm=7.0)
    assert style_bank.StyleBank.load(bank).sites == ("brats", "plain")
    built = pipeline("style", str(bank), exclude_sites=("plain", "elsewhere"))
    assert built is not None
    banks = [one.bank for one in built.augmentations if getattr(one, "bank", None)]
    assert banks
    assert {look.site for one in banks for look in one.styles} == {"brats"}
    assert pipeline("none") is None
    with pytest.raises(UnusableInput, match="no augmentation preset stile"):
        pipeline("stile")

    gamma = {"gamma": {"probability": 1.0}}
    real = {"manifest": str(manifest), "share": 0.5, "style_bank": str(bank)}
    plain = examples(two_channels(label_maps, manifest))
    config = replace(two_channels(label_maps, manifest), augment=gamma, real={**real, "augment": gamma})
    changed = examples(config)
    assert {plain.is_real(n) for n in range(12)} == {True, False}
    for n in range(12):
        (before, truth), (after, same) = plain[n], changed[n]
        assert torch.equal(truth, same) or plain.is_real(n)
        assert not torch.equal(before, after)
        assert [bool(c.any()) for c in before] == [bool(c.any()) for c in after] or plain.is_real(n)


def test_training_on_both_kinds_learns(label_maps: Path, manifest: Path, tmp_path: Path) -> None:
    config = two_channels(label_maps, manifest, **LEARNS)
    stage1.train(replace(config, network={**network(2, 4), "head": 3}), tmp_path)
    assert falls(tmp_path)


def test_a_checkpoint_of_another_configuration_is_refused(label_maps: Path, tmp_path: Path) -> None:
    stage1.train(a_config(label_maps, steps=1), tmp_path)
    stage1.train(a_config(label_maps, steps=2, log_every=1, workers=1), tmp_path)
    other = a_config(label_maps, learning_rate=0.1)
    other = replace(other, synth=replace(other.synth, spacing_mm=6.0))
    with pytest.raises(UnusableInput, match=r"another configuration \(learning_rate, synth.spacing_mm\)"):
        stage1.train(other, tmp_path)
    (tmp_path / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(UnusableInput, match="damaged"):
        stage1.train(a_config(label_maps), tmp_path)


def test_pretrained_weights_start_what_they_fit(label_maps: Path, tmp_path: Path) -> None:
    stage1.train(a_config(label_maps, steps=2), tmp_path / "first")
    weights = tmp_path / "first/weights.pt"
    state = torch.load(weights, weights_only=True)
    wider = build_network(network(1, 3))
    loaded, all_of_them = load_initial(wider, weights)
    assert 0 < loaded < all_of_them == len(state)
    same = [name for name, value in wider.state_dict().items() if torch.equal(value, state.get(name, value))]
    assert len(same) >= loaded
    config = a_config(label_maps, steps=1, initial=str(weights), learning_rate=0.0)
    stage1.train(config, tmp_path / "second")
    again = torch.load(tmp_path / "second/weights.pt", weights_only=True)
    assert all(torch.allclose(again[name], state[name]) for name in state)
    first_line = json.loads((tmp_path / "second/log.jsonl").read_text().splitlines()[0])
    assert first_line == {"step": 0, "initial": str(weights), "tensors": len(state), "of": len(state)}
    with pytest.raises(UnusableInput, match="no tensor fits"):
        load_initial(torch.nn.Linear(2, 2), weights)


def test_the_monitor_scores_cases_with_flair_and_mask_and_the_core_where_it_is_known(manifest: Path) -> None:
    class Bright(torch.nn.Module):
        """Tumour where FLAIR is bright; its core where T1c is bright too."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([x[:, :1] - 1.0, x[:, 1:2] - 1.0], 1)

    monitor = Monitor(manifest.parent)
    assert monitor.cases == ("brats-1", "brats-2", "plain-1")
    outputs = ("whole tumour", "tumour core")
    scores = monitor.score(Bright(), 4.0, torch.device("cpu"), channels=BOTH, outputs=outputs)
    assert set(scores["sites"]) == {"brats", "plain"}
    assert min(scores["cases"].values()) > 0.8
    assert set(scores["core"]["cases"]) == {"brats-1", "brats-2"}
    assert all(0.1 < value < scores["cases"][case] for case, value in scores["core"]["cases"].items())
    with pytest.raises(UnusableInput, match="holds no case with flair"):
        Monitor(manifest.parent / "brats-1")
    alone = monitor.score(torch.nn.Identity(), 4.0, torch.device("cpu"))
    assert "core" not in alone


def test_networks_with_several_resolutions_are_supervised_at_each(label_maps: Path, tmp_path: Path) -> None:
    dyn = {
        "name": "DynUNet",
        "args": {
            "spatial_dims": 3, "in_channels": 1, "out_channels": 2, "kernel_size": [3, 3, 3],
            "strides": [1, 2, 2], "upsample_kernel_size": [2, 2], "filters": [4, 8, 8],
            "deep_supervision": True, "deep_supr_num": 1,
        },
    }  # fmt: skip
    config = a_config(label_maps, network=dyn, deep_supervision=(1.0, 0.5), steps=2, precision="fp32")
    summary = stage1.train(config, tmp_path)
    assert summary["steps"] == 2
    with pytest.raises(ValueError, match="2 resolutions, but only 1 factors"):
        stage1.train(replace(config, deep_supervision=(1.0,)), tmp_path / "too few")


def test_the_loss_of_the_old_configurations_is_what_it_was(label_maps: Path) -> None:
    """Dice + cross-entropy of the tumour and brain_weight times that of the brain."""
    from monai.losses import DiceCELoss

    class Still:
        device, progress = torch.device("cpu"), 0.0

        @staticmethod
        def autocast() -> torch.autocast:
            return torch.autocast("cpu", torch.bfloat16, enabled=False)

    logits = torch.randn(2, 2, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    truth = (torch.rand(logits.shape, generator=torch.Generator().manual_seed(1)) > 0.7).to(torch.uint8)
    loss = DiceCELoss(sigmoid=True, smooth_nr=1.0, smooth_dr=1.0)
    expected = loss(logits[:, :1], truth[:, :1].float()) + 0.3 * loss(logits[:, 1:], truth[:, 1:].float())
    found = Objective(a_config(label_maps))(Still(), torch.nn.Identity(), logits, truth)  # type: ignore[arg-type]
    assert float(found) == pytest.approx(float(expected), rel=1e-5)
