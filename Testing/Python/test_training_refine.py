"""Training of the refining network: scenes, reviews played through, the gate, the package."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from fixtures_cli import call
from fixtures_review import a_patient, ball, probability_of
from fixtures_training import write_label_maps

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.evaluation import Curve
from TumorSegRobustLib.image import Geometry
from TumorSegRobustLib.models import REFINES, build_network, find_package, list_packages
from TumorSegRobustLib.review import ClickResult
from TumorSegRobustLib.review.network_input import CHANNELS
from TumorSegRobustLib.review.shipped import RefiningNetwork
from TumorSegRobustLib.training.refine import RefineConfig, read_refine_config, train
from TumorSegRobustLib.training.refine.clicking import draw_click
from TumorSegRobustLib.training.refine.degrade import degraded
from TumorSegRobustLib.training.refine.drawing import as_drawn, signed_mm
from TumorSegRobustLib.training.refine.gate import Read, verdict
from TumorSegRobustLib.training.refine.scenes import SceneGenerator, StartedScene
from TumorSegRobustLib.training.refine.training import loss_of, predictor, start_at_zero
from TumorSegRobustLib.training.refine.unrolling import play
from TumorSegRobustLib.training.running import Run
from TumorSegRobustLib.training.synth import Draw
from TumorSegRobustLib.training.synth.bodies import BodyConfig, BodyGenerator

SMALL = BodyConfig(side=28, radius=(3.0, 8.0))


def a_network(**changes) -> dict:
    arguments = {
        "spatial_dims": 3, "in_channels": len(CHANNELS), "out_channels": 4, "channels": [4, 8],
        "strides": [2], "num_res_units": 1, "norm": ["instance", {"affine": True}],
    }  # fmt: skip
    return {"name": "UNet", "args": {**arguments, **changes}, "head": 1}


def a_config(**changes) -> RefineConfig:
    settings = {
        "name": "toy", "label_maps": "", "network": a_network(), "heads": 0.0, "bodies": SMALL, "side": 16,
        "clicks": 2, "steps": 3, "batch": 2, "pool": 4, "warm_up": 1, "ema": 0.5, "log_every": 1,
    }  # fmt: skip
    return RefineConfig(**{**settings, **changes})


@pytest.mark.parametrize("kind", ["mr", "ct", "pet"])
def test_a_body_of_every_modality_is_finite_has_a_lesion_and_comes_back_from_its_seed(kind: str) -> None:
    generator = BodyGenerator(replace(SMALL, kinds={kind: 1.0}))
    for seed in range(3):
        scene, again = generator.sample(seed), generator.sample(seed)
        assert scene.kind == kind
        assert torch.isfinite(scene.image).all()
        assert 10 < int(scene.truth.sum()) < scene.truth.numel()
        assert torch.equal(scene.image, again.image)
        assert torch.equal(scene.truth, again.truth)
    assert not torch.equal(generator.sample(0).image, generator.sample(1).image)


def test_units_are_those_of_the_modality() -> None:
    ct = BodyGenerator(replace(SMALL, kinds={"ct": 1.0})).sample(4).image
    assert float(ct.min()) >= -1024
    assert float(ct.max()) <= 3071
    assert torch.equal(ct, ct.round())
    assert float(BodyGenerator(replace(SMALL, kinds={"pet": 1.0})).sample(4).image.min()) >= 0


def test_scenes_lie_on_the_grids_of_scanners() -> None:
    scenes = SceneGenerator(a_config(), None)
    grids = [scenes.sample(seed) for seed in range(12)]
    ratios = [max(s.image.geometry.spacing_mm) / min(s.image.geometry.spacing_mm) for s in grids]
    assert max(ratios) >= 2
    assert min(ratios) == 1
    assert all(s.image.voxels.shape == s.truth.shape for s in grids)
    assert {s.start is None for s in grids} == {True, False}


def test_heads_take_part_and_begin_with_what_the_first_stage_says(tmp_path: Path) -> None:
    config = a_config(
        label_maps=str(write_label_maps(tmp_path)), heads=1.0, head_side=24, head_spacings_mm=(5.0,),
        starts={"networks": 1.0},
    )  # fmt: skip
    scene = SceneGenerator(config, lambda image: np.full(image.voxels.shape, 0.25)).sample(1)
    assert scene.start is not None
    assert float(scene.start.min()) == float(scene.start.max()) == 0.25


def test_a_degraded_truth_is_a_probability_that_is_wrong_in_places() -> None:
    image, lesion = a_patient((24, 30, 30), radius_mm=8.0)
    dice = []
    for seed in range(8):
        p = degraded(lesion, image, Draw(seed))
        assert p.dtype == np.float32
        assert 0 <= p.min() <= p.max() <= 1
        dice.append(2 * ((p > 0.5) & lesion).sum() / ((p > 0.5).sum() + lesion.sum()))
    assert 0.3 < np.mean(dice) < 0.97
    assert degraded(np.zeros_like(lesion), image, Draw(0)).max() < 0.5


def test_a_reader_draws_near_the_border_and_never_nothing() -> None:
    lesion = ball((20, 40, 40), (3.0, 1.0, 1.0), (10, 20, 20), 12.0)
    geometry = Geometry((20, 40, 40), (1.0, 1.0, 3.0))
    far = np.abs(signed_mm(lesion, (3.0, 1.0, 1.0))) > 11.5  # what no whim reaches
    drawn = [as_drawn(lesion, geometry, Draw(seed)) for seed in range(8)]
    assert all(np.array_equal(one[far], lesion[far]) for one in drawn)
    assert len({int(one.sum()) for one in drawn}) == 8
    overlap = [2 * (one & lesion).sum() / (one.sum() + lesion.sum()) for one in drawn]
    assert 0.75 < min(overlap) < max(overlap) < 1
    speck = ball((20, 40, 40), (3.0, 1.0, 1.0), (10, 20, 20), 1.0)
    assert all(as_drawn(speck, geometry, Draw(seed)).any() for seed in range(8))


def test_a_click_corrects_an_error_and_a_missed_one_keeps_its_label() -> None:
    truth = ball((20, 20, 20), (1, 1, 1), (10, 10, 10), 5)
    mask = ball((20, 20, 20), (1, 1, 1), (10, 10, 4), 3) & ~truth
    geometry = Geometry((20, 20, 20))
    for seed in range(10):
        click = draw_click(mask, truth, geometry, Draw(seed), 0.0, 3.0)
        assert click is not None
        assert click.include == bool(truth[click.voxel]) != bool(mask[click.voxel])
    missed = [draw_click(mask, truth, geometry, Draw(seed), 1.0, 3.0) for seed in range(20)]
    assert any(bool(truth[c.voxel]) != c.include for c in missed if c)
    assert draw_click(truth, truth, geometry, Draw(0), 0.0, 3.0) is None


def test_the_first_loss_is_that_of_the_geodesic_operator_and_training_lowers_it(tmp_path: Path) -> None:
    image, lesion = a_patient((24, 24, 24), radius_mm=7.0)
    config = a_config(learning_rate=0.01, steps=100)
    network = build_network(config.network)
    start_at_zero(network)
    run = Run(network, config, tmp_path, identity={})
    smaller = ball((24, 24, 24), (1, 1, 1), (11.5, 11.5, 11.5), 4)
    scene = StartedScene(image, lesion, probability_of(smaller))
    example = next(play(scene, predictor(run.average, run.device), config, Draw(1)))
    assert example.channels.shape == (len(CHANNELS), 16, 16, 16)
    parts = (example.channels, example.base, example.before, example.truth)
    batch = tuple(torch.from_numpy(part[None]) for part in parts)
    kept = example.before > 0
    assert kept.any(), "what is tumour before an include click stays tumour"
    cross = float(loss_of(run.model, batch, replace(config, dice_weight=0.0), run).detach())
    whole = float(loss_of(run.model, batch, replace(config, dice_weight=1.0), run).detach())
    chance = np.where(kept, 1.0, 1 / (1 + np.exp(-example.base)))
    both = float((chance * example.truth).sum())
    dice = 1 - (2 * both + 10) / (float(chance.sum()) + float(example.truth.sum()) + 10)
    assert whole - cross == pytest.approx(dice, abs=1e-3)
    assert not predictor(run.average, run.device)(example.channels[None]).any()
    losses = [run.advance(lambda model: loss_of(model, batch, config, run)) for _ in range(40)]
    assert losses[-1] < 0.95 * losses[0]


def test_training_goes_on_from_its_checkpoint_and_refuses_another_network(tmp_path: Path) -> None:
    summary = train(a_config(), tmp_path)
    assert summary["steps"] == 3
    assert (tmp_path / "weights.pt").is_file()
    longer = train(a_config(steps=4), tmp_path)
    assert longer["steps"] == 4
    log = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in log] == [1, 2, 3, 4]
    with pytest.raises(UnusableInput, match="another configuration"):
        train(a_config(side=24), tmp_path)


def test_settings_that_do_not_fit_are_told_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "refine.yaml"
    file.write_text(yaml.safe_dump({"name": "x", "label_maps": "", "network": a_network(in_channels=3)}))
    with pytest.raises(UnusableInput, match="in_channels and head are"):
        read_refine_config(file)
    file.write_text(
        yaml.safe_dump({"name": "x", "label_maps": "", "network": a_network(), "starts": {"zero": 1.0}})
    )
    with pytest.raises(UnusableInput, match="zero is unknown"):
        read_refine_config(file)


def reads(refiner: str, dice: float, lost: int = 0, start: str = "nothing") -> list[Read]:
    """Ten clicks at an even Dice, of which the last `lost` lose."""
    values = [dice] * (11 - lost) + [dice - 0.01 * (n + 1) for n in range(lost)]
    somewhere = (slice(0, 1), slice(0, 1), slice(0, 1))
    made = (ClickResult(True, 0.1, somewhere, 0.1, somewhere),) * 10
    curve = Curve(tuple(values), (0.0,) * 11, (0.0,) * 11, (), made, 1.0, 0.0, 0)
    return [
        Read("case", "site", start, refiner, replace(curve, reader=name)) for name in ("robot", "jittered")
    ]


def test_the_gate_opens_only_for_a_network_that_is_nowhere_worse_and_loses_no_more() -> None:
    def won(network: list[Read]) -> bool:
        return verdict([*reads("floor", 0.8), *network])["nothing"]["won"]

    assert won(reads("network", 0.81))
    assert not won(reads("network", 0.8))
    assert not won(reads("network", 0.79))
    assert not won([*reads("network", 0.81)[:1], *reads("network", 0.79)[1:]])
    assert won(reads("network", 0.9, lost=1)), "one step in ten is chance"
    assert not won(reads("network", 0.9, lost=5))
    assert "networks" not in verdict([*reads("floor", 0.8), *reads("network", 0.81)])


def test_train_refine_with_a_gate_and_train_package_make_a_package_that_refines(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import SimpleITK as sitk

    image, lesion = a_patient((12, 20, 20), radius_mm=5.0)
    for name, array in (("ct", image.voxels), ("mask", lesion.astype(np.uint8))):
        sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / f"{name}.nii.gz"))
    cases = tmp_path / "cases.csv"
    cases.write_text("case,site,image,reference,start\none,here,ct.nii.gz,mask.nii.gz,nothing\n")
    settings = {
        "name": "a", "label_maps": "", "network": a_network(), "heads": 0.0, "side": 16, "clicks": 2,
        "steps": 1, "batch": 1, "pool": 2, "bodies": {"side": 28, "radius": [3.0, 8.0]},
    }  # fmt: skip
    config = tmp_path / "a.yaml"
    config.write_text(yaml.safe_dump(settings))
    run = tmp_path / "runs" / "a"
    describes = {
        "id": "refine-toy", "version": "1.0", "title": "Toy", "licence": "Apache-2.0", "kind": REFINES,
        "members": ["a"], "card": "# toy",
    }  # fmt: skip
    (tmp_path / "package.yaml").write_text(yaml.safe_dump(describes))
    command = ("train", "package", tmp_path / "package.yaml", "--runs", tmp_path / "runs", "--out")

    answer = call(capfd, "train", "refine", config, "--out", run)
    assert answer.code == 0
    answer = call(capfd, *command, tmp_path / "toy")
    assert answer.code == 2
    assert "gate" in answer.err
    answer = call(capfd, "train", "refine", config, "--out", run, "--gate", cases, "--json")
    assert answer.code == 0
    gate = json.loads((run / "gate.json").read_text())
    assert {curve["refiner"] for curve in gate["curves"]} == {"floor", "network"}
    assert answer.document["won from nothing"] == str(gate["nothing"]["won"])
    assert call(capfd, *command, tmp_path / "toy").code == 0

    package = find_package(tmp_path / "toy", kind=REFINES)
    assert package.verify() == []
    assert package.calibration["gate"]["nothing"] == gate["nothing"]
    assert "refine-toy" not in [p.id for p in list_packages([tmp_path / "toy"])]
    network = RefiningNetwork(package, "cpu")
    network.warm_up()
    assert network.refiner().where == (("nothing",) if gate["nothing"]["won"] else ())
    assert network.refiner(always=True).side == 16
    with pytest.raises(UnusableInput, match="refines scans"):
        find_package(tmp_path / "toy")
