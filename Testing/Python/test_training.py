"""The generator and the training of stage 1, on a toy head so that no data is needed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from TumorSegRobustLib.errors import Cancelled, UnusableInput
from TumorSegRobustLib.models import ModelPackage
from TumorSegRobustLib.progress import Progress
from TumorSegRobustLib.training import packaging, stage1
from TumorSegRobustLib.training.config import StageOneConfig, read_config
from TumorSegRobustLib.training.synth import Draw, HeadGenerator, SynthConfig, load_anatomies
from TumorSegRobustLib.training.synth.acquisition import rician, thick_slices
from TumorSegRobustLib.training.synth.anatomy import INDEX, LABELS
from TumorSegRobustLib.training.synth.contrast import draw_contrast
from TumorSegRobustLib.training.synth.fields import blur, lookup, smooth_noise
from TumorSegRobustLib.training.synth.tumour import Seed, mass_effect

CONFIGS = Path(__file__).parents[2] / "TumorSegRobustLib/training/configs"
NETWORK = {
    "name": "UNet",
    "args": {
        "spatial_dims": 3, "in_channels": 1, "out_channels": 2, "channels": [4, 8], "strides": [2],
        "num_res_units": 1, "norm": ["instance", {"affine": True}],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def label_maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two toy heads: skin, bone, grey matter, white matter and a ventricle as nested ellipsoids, 1 mm."""
    folder = tmp_path_factory.mktemp("labels")
    z, y, x = np.mgrid[-64:64, -64:64, -64:64]
    for name, wide in (("toy_1", 1.0), ("toy_2", 0.85)):
        distance = np.sqrt((z / 1.1) ** 2 + y**2 + (x / wide) ** 2)
        labels = np.zeros(distance.shape, np.int32)
        for radius, label in ((56, 511), (53, 515), (48, 24), (46, 3), (40, 2), (10, 4)):
            labels[distance < radius] = label
        image = sitk.GetImageFromArray(labels)
        sitk.WriteImage(image, str(folder / f"{name}.nii.gz"))
    return folder


@pytest.fixture(scope="module")
def generator(label_maps: Path) -> HeadGenerator:
    return HeadGenerator(load_anatomies(label_maps), SynthConfig(patch=(32, 40, 24), spacing_mm=4.0))


def test_same_seed_gives_the_same_head_and_another_seed_another(generator: HeadGenerator) -> None:
    first, again, other = generator.sample(3), generator.sample(3), generator.sample(4)
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.truth, again.truth)
    assert not torch.equal(first.image, other.image)


def test_samples_are_finite_normalised_and_their_tumours_lie_in_the_brain(generator: HeadGenerator) -> None:
    for seed in range(12):
        sample = generator.sample(seed)
        assert sample.image.shape == (1, 32, 40, 24)
        assert sample.truth.shape == (2, 32, 40, 24)
        assert torch.isfinite(sample.image).all()
        assert float(sample.image.min()) >= -4
        assert float(sample.image.max()) <= 6
        assert not (sample.truth[0] & ~sample.truth[1] & 1).any(), "tumour outside the brain"


def test_tumours_are_present_as_often_as_configured(label_maps: Path) -> None:
    config = SynthConfig(patch=(24, 24, 24), spacing_mm=6.0, tumour=0.0)
    none = HeadGenerator(load_anatomies(label_maps), config)
    always = HeadGenerator(load_anatomies(label_maps), replace(config, tumour=1.0, small=0.0, centred=1.0))
    assert not any(none.sample(seed).truth[0].any() for seed in range(6))
    assert sum(bool(always.sample(seed).truth[0].any()) for seed in range(6)) >= 5


def test_brightness_is_ordered_in_flair() -> None:
    for seed in range(20):
        contrast = draw_contrast(Draw(seed), {"flair": 1.0})
        assert contrast.fluid < contrast.white
        assert contrast.fluid < contrast.grey
        assert contrast.mean.shape == (len(LABELS),)


def test_label_maps_are_merged_left_and_right(label_maps: Path, tmp_path: Path) -> None:
    labels = np.zeros((8, 8, 8), np.int32)
    labels[0, 0, 0], labels[0, 0, 1] = 2, 41
    sitk.WriteImage(sitk.GetImageFromArray(labels), str(tmp_path / "a.nii.gz"))
    classes = load_anatomies(tmp_path)[0].classes
    assert classes[0, 0, 0] == classes[0, 0, 1] == INDEX[2]
    with pytest.raises(FileNotFoundError, match="No label maps"):
        load_anatomies(tmp_path / "absent")


def test_lookup_is_nearest_and_zero_outside() -> None:
    volume = torch.arange(8, dtype=torch.uint8).view(2, 2, 2)
    position = torch.tensor([[1.2, 0.0, 9.0], [0.4, 0.6, 0.0], [0.6, 0.0, 0.0]]).view(3, 1, 1, 3)
    assert lookup(volume, position).flatten().tolist() == [5, 2, 0]


def test_blur_keeps_the_mean_and_smooth_noise_its_scale() -> None:
    draw = Draw(0)
    volume = draw.white((20, 20, 20))
    soft = blur(volume, (1.0, 0.0, 2.0))
    assert float(soft.mean()) == pytest.approx(float(volume.mean()), abs=0.05)
    assert float(soft.std()) < 0.5 * float(volume.std())
    rough = smooth_noise((40, 40, 40), 8, draw)[0]
    assert 0.6 < float(rough.std()) < 1.4
    assert float((rough[1:] - rough[:-1]).abs().mean()) < 0.5 * float(rough.std())


def test_mass_effect_pulls_the_look_up_towards_the_tumour_and_spares_the_far_side() -> None:
    seed = Seed(torch.zeros(3), 10.0)
    at = torch.tensor([[10.0, 100.0], [0.0, 0.0], [0.0, 0.0]]).view(3, 1, 1, 2)
    moved = mass_effect(at, seed, 0.5)
    assert 0 < float(moved[0, 0, 0, 0]) < 10
    assert float(moved[0, 0, 0, 1]) == pytest.approx(100.0, abs=1e-4)


def test_thick_slices_vary_less_along_their_axis_and_keep_the_shape() -> None:
    volume = Draw(1).white((30, 10, 10))
    thick = thick_slices(volume, 0, 5.0, Draw(2))
    assert thick.shape == volume.shape
    assert float((thick[1:] - thick[:-1]).abs().mean()) < 0.3 * float((volume[1:] - volume[:-1]).abs().mean())


def test_rician_noise_is_positive_and_lifts_the_background() -> None:
    noisy = rician(torch.zeros(20, 20, 20), 0.1, Draw(3))
    assert float(noisy.min()) >= 0
    assert float(noisy.mean()) == pytest.approx(0.1 * np.sqrt(np.pi / 2), rel=0.05)


def a_config(label_maps: Path, **changes: object) -> StageOneConfig:
    synth = SynthConfig(patch=(16, 16, 16), spacing_mm=7.0, tumour=1.0, small=0.0)
    base = StageOneConfig("toy", str(label_maps), NETWORK, synth=synth, steps=6, workers=0, log_every=2)
    return replace(base, **changes)  # type: ignore[arg-type]


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


def test_training_learns(label_maps: Path, tmp_path: Path) -> None:
    summary = stage1.train(a_config(label_maps, steps=60, log_every=20, learning_rate=5e-3), tmp_path)
    losses = [json.loads(line)["loss"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert losses[-1] < losses[0]
    assert summary["steps"] == 60


def test_a_loss_that_is_not_finite_stops_loudly(label_maps: Path, tmp_path: Path) -> None:
    with pytest.raises((stage1.NotFiniteError, RuntimeError), match=r"loss is nan|non-finite"):
        stage1.train(a_config(label_maps, learning_rate=1e30, warm_up=0, steps=50), tmp_path)


def test_the_shipped_configurations_are_readable_and_mistakes_are_named(tmp_path: Path) -> None:
    names = {path.stem: read_config(path) for path in CONFIGS.glob("brain-mr-?.yaml")}
    assert len(names) >= 3
    assert len({config.seed for config in names.values()}) == len(names)
    assert len({config.anatomies for config in names.values()}) == len(names)
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("name: x\nlabel_maps: y\nnetwork: {}\nstepz: 3\n")
    with pytest.raises(UnusableInput, match="unknown setting stepz"):
        read_config(wrong)
    with pytest.raises(UnusableInput, match="cannot be read"):
        read_config(tmp_path / "absent.yaml")


def test_finished_runs_become_a_package_that_verifies(label_maps: Path, tmp_path: Path) -> None:
    for seed, member in enumerate("ab"):
        stage1.train(a_config(label_maps, name=member, seed=seed, steps=2), tmp_path / "runs" / member)
    out = tmp_path / "toy"
    config = tmp_path / "toy.yaml"
    config.write_text(
        "id: toy\nversion: 0.1.0\ntitle: Toy\nlicence: Apache-2.0\nmembers: [a, b]\n"
        "channels: [{name: flair}]\noutputs: [whole tumour]\ncard: '# Toy'\n"
    )
    summary = packaging.main(config, tmp_path / "runs", out)
    package = ModelPackage.load(out)
    assert package.verify() == []
    assert summary["members"] == len(package.members) == 2
    assert package.fingerprint["training"]["b"]["config"]["seed"] == 1
    config.write_text(config.read_text().replace("[a, b]", "[a, missing]"))
    with pytest.raises(UnusableInput, match="no finished training"):
        packaging.main(config, tmp_path / "runs", out)
