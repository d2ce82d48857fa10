"""From the scan to the corrected contour without PyTorch and MONAI: the same contours as with them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from fixtures_without import OPENVINO, TORCH, command_without

from TumorSegRobustLib.models import REFINES, Channel, TrainedMember, build_network, write_package
from TumorSegRobustLib.resources import resource
from TumorSegRobustLib.review.network_input import CHANNELS

pytestmark = pytest.mark.timeout(900)  # PyTorch's own answer, the reference, takes minutes on a busy machine

CLICKS = [
    {"position_lps_mm": [41.0, -16.0, 32.0], "include": True},
    {"position_lps_mm": [39.0, 17.0, 32.0], "include": False},
]


def program(without: Sequence[str], *words: object, models: Path) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "TUMORSEGROBUST_MODELS": str(models), "OMP_NUM_THREADS": "1"}
    command = command_without(without, *words)
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=root, env=environment)


def results(without: Sequence[str], *words: object, out: Path, models: Path) -> Path:
    done = program(without, *words, "--out", out, models=models)
    assert done.returncode == 0, done.stderr
    return out


def mask(folder: Path) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "segmentation.nii.gz"))) > 0


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * float((one & other).sum()) / float(one.sum() + other.sum())


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a network that refines, of random weights, taken wherever a contour began."""
    import torch

    args = {
        "spatial_dims": 3, "in_channels": len(CHANNELS), "out_channels": 4, "channels": [4, 8, 8],
        "strides": [2, 2], "num_res_units": 1, "norm": ["instance", {"affine": True}],
    }  # fmt: skip
    network = {"name": "UNet", "args": args, "head": 1}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state = build_network(network).state_dict()
    folder = tmp_path_factory.mktemp("models")
    write_package(
        folder / "refine-any",
        id="refine-any",
        version="0.0.1",
        title="A random network that refines, for tests",
        members=[TrainedMember("a", network, (1.0, 1.0, 1.0), state)],
        channels=[Channel(name) for name in CHANNELS],
        outputs=["residual"],
        preprocessing={"side": 32, "context": 1.25, "strength": 0.5},
        calibration={"gate": {"networks": {"won": True}, "nothing": {"won": True}}},
        kind=REFINES,
    )
    return folder


@pytest.fixture(scope="module")
def segmented(models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    out, sample = tmp_path_factory.mktemp("segmented"), resource("SampleCase")
    return {
        name: results(without, "segment", sample, out=out / name, models=models)
        for name, without in (("free", TORCH), ("torch", OPENVINO))
    }


@pytest.fixture(scope="module")
def refined(
    segmented: dict[str, Path], models: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Both from the same contour, so that only the clicks and their network are compared."""
    out, sample = tmp_path_factory.mktemp("refined"), resource("SampleCase")
    clicks = out / "clicks.json"
    clicks.write_text(json.dumps(CLICKS), encoding="utf-8")
    words = ("refine", sample, "--from", segmented["free"], "--clicks", clicks)
    return {
        name: results(without, *words, out=out / name, models=models)
        for name, without in (("free", TORCH), ("torch", OPENVINO))
    }


def test_segmenting_gives_the_contour_and_the_trust_of_pytorch(segmented: dict[str, Path]) -> None:
    free, torch = (json.loads((segmented[n] / "result.json").read_text()) for n in ("free", "torch"))
    assert (free["backend"], torch["backend"]) == ("openvino", "torch")
    assert dice(mask(segmented["free"]), mask(segmented["torch"])) > 0.999
    assert free["volume_ml"] == pytest.approx(torch["volume_ml"], rel=1e-3)
    assert free["quality"]["predicted_dice"] == pytest.approx(torch["quality"]["predicted_dice"], abs=1e-3)
    assert free["triage"] == torch["triage"]


def test_clicks_move_the_contour_as_with_pytorch_through_the_refining_network(
    refined: dict[str, Path], segmented: dict[str, Path]
) -> None:
    assert dice(mask(refined["free"]), mask(refined["torch"])) > 0.999
    assert dice(mask(refined["free"]), mask(segmented["free"])) < 0.99
    journals = [(refined[n] / "journal.jsonl").read_text().splitlines() for n in ("free", "torch")]
    refiners = [{json.dumps(_refiner(json.loads(line))) for line in lines} - {"null"} for lines in journals]
    assert refiners[0] == refiners[1]
    assert '"id": "refine-any"' in "".join(refiners[0])


def _refiner(event: dict) -> object:
    return event["data"].get("refiner")


def test_the_whole_story_is_told_without_pytorch(models: Path, tmp_path: Path) -> None:
    out = results(TORCH, "demo", "--no-browser", out=tmp_path / "demo", models=models)
    story = json.loads((out / "story.json").read_text())
    assert story["result"]["backend"] == "openvino"
    assert all(click["honoured"] for click in story["clicks"])
    assert (out / "rtstruct.dcm").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ("train", "stage1", "TumorSegRobustLib/training/configs/brain-mr-b.yaml"),
            "tumorsegrobust: This command needs PyTorch and MONAI, which are not installed; "
            "install torch and monai (segmenting and refining do without).",
        ),
        (
            ("evaluate", "cases.csv", "--adapt"),
            "tumorsegrobust: Adapting to a scan needs PyTorch and MONAI, which are not installed; "
            "install torch and monai, or leave adaptation off.",
        ),
    ],
    ids=["train", "adapt"],
)
def test_what_needs_pytorch_says_so_in_one_line(words, line, models: Path, tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("case,site,image,reference\none,here,scan.nii.gz,mask.nii.gz\n")
    for name in ("scan.nii.gz", "mask.nii.gz"):
        sitk.WriteImage(sitk.Image(8, 8, 8, sitk.sitkUInt8), str(tmp_path / name))
    words = [tmp_path / word if word == "cases.csv" else word for word in words]
    done = program(TORCH, *words, "--out", tmp_path / "out", models=models)
    assert (done.returncode, done.stderr.strip()) == (2, line)
