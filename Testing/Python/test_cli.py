"""The command line from outside: what a user types, what comes back, what lies in the folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from fixtures_cli import Answer, blob, call, files_below, head, position_of, save, write_clicks
from fixtures_export import Grid, read_frames, write_series
from fixtures_inference import tiny_package

from TumorSegRobustLib.cli import program, run
from TumorSegRobustLib.review import GeodesicRefiner

COMMANDS = [
    ["demo"],
    ["segment"],
    ["refine"],
    ["simulate"],
    ["evaluate"],
    ["compare"],
    ["app"],
    ["models", "list"],
    ["models", "info"],
    ["models", "verify"],
    ["export", "rtstruct"],
    ["export", "seg"],
    ["journal", "verify"],
    ["journal", "replay"],
    ["train", "synth"],
    ["train", "stage1"],
    ["train", "loho"],
    ["train", "weights"],
    ["train", "mean"],
    ["models", "install"],
]


@dataclass(frozen=True)
class Desk:
    """A scan, its truth and a tiny model."""

    scan: Path
    truth: Path
    model: Path


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = tmp_path_factory.mktemp("desk")
    scan = save(folder / "scan.nii.gz", head())
    truth = save(folder / "truth.nii.gz", blob().astype(np.uint8))
    tiny_package(folder / "tiny")
    return Desk(scan, truth, folder / "tiny")


@pytest.fixture
def segmented(desk: Desk, tmp_path: Path) -> Path:
    out = tmp_path / "segmented"
    assert run(["segment", str(desk.scan), "--model", str(desk.model), "--out", str(out)]) == 0
    return out


# ------------------------------------------------ help


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(
    command: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    answer = call(capfd, *command, "--help")
    assert answer.code == 0
    assert f"Example: tumorsegrobust {' '.join(command)}" in " ".join(answer.out.split())


def test_help_needs_neither_torch_nor_a_toolkit() -> None:
    code = (
        "import sys\nfrom TumorSegRobustLib.cli import run\nrun(['--help'])\n"
        "heavy = {'torch', 'numpy', 'SimpleITK', 'openvino', 'monai', 'matplotlib', 'vtk', 'trame'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    answer = call(capfd, "--version")
    assert (answer.code, answer.out) == (0, "tumorsegrobust 0.1.0\n")


# ------------------------------------------------ the way from scan to RTSTRUCT


def test_segment_writes_its_files_on_the_grid_of_the_scan(
    desk: Desk, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results" / "one"
    answer = call(capfd, "segment", desk.scan, "--model", desk.model, "--out", out, "--json")
    assert (answer.code, answer.err) == (0, "")
    assert files_below(out) == {
        "segmentation.nii.gz",
        "probability.nii.gz",
        "uncertainty.nii.gz",
        "result.json",
    }
    assert answer.document == json.loads((out / "result.json").read_text())
    assert {
        "model",
        "volume_ml",
        "lesions",
        "quality",
        "triage",
        "shift",
        "device",
        "seconds",
    } <= answer.document.keys()
    scan = sitk.ReadImage(str(desk.scan))
    for name in ("segmentation", "probability", "uncertainty"):
        volume = sitk.ReadImage(str(out / f"{name}.nii.gz"))
        assert volume.GetSize() == scan.GetSize()
        assert volume.GetOrigin() == pytest.approx(scan.GetOrigin(), abs=1e-4)


def test_segment_without_json_tells_a_person(
    desk: Desk, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = call(capfd, "segment", desk.scan, "--model", desk.model, "--out", tmp_path / "out")
    assert answer.code == 0
    assert "triage" in answer.out
    assert "ml in" in answer.out


def test_refine_honours_the_clicks_and_keeps_a_journal(
    desk: Desk, segmented: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    inside, outside = (13, 11, 19), (4, 24, 4)
    clicks = write_clicks(tmp_path / "c.json", [(position_of(*inside), True), (position_of(*outside), False)])
    out = tmp_path / "refined"
    answer = call(capfd, "refine", desk.scan, "--from", segmented, "--clicks", clicks, "--out", out, "--json")
    assert (answer.code, answer.err) == (0, "")
    assert [click["honoured"] for click in answer.document["clicks"]] == [True, True]
    mask = sitk.GetArrayFromImage(sitk.ReadImage(str(out / "segmentation.nii.gz")))
    assert mask[inside] == 1
    assert mask[outside] == 0
    assert call(capfd, "journal", "verify", out / "journal.jsonl").code == 0
    replayed = call(capfd, "journal", "replay", out / "journal.jsonl", "--out", tmp_path / "again", "--json")
    again = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "again" / "segmentation.nii.gz")))
    assert np.array_equal(again, mask)
    assert replayed.document["volume_ml"] == pytest.approx(answer.document["volume_ml"])


def test_refine_takes_markups_of_slicer_in_either_axes(
    desk: Desk, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    x, y, z = position_of(13, 11, 19)
    masks = []
    for axes, place in (("LPS", [x, y, z]), ("RAS", [-x, -y, z])):
        point = {"position": place, "positionStatus": "defined"}
        for name, points in (("in", [point]), ("ex", [{**point, "position": [place[0], place[1], z + 12]}])):
            markup = {"type": "Fiducial", "coordinateSystem": axes, "controlPoints": points}
            (tmp_path / f"{name}.mrk.json").write_text(json.dumps({"markups": [markup]}))
        words = ("--clicks", tmp_path / "in.mrk.json", "--exclude-clicks", tmp_path / "ex.mrk.json")
        out = tmp_path / axes
        answer = call(capfd, "refine", desk.scan, "--empty", *words, "--out", out, "--json")
        assert [click["include"] for click in answer.document["clicks"]] == [True, False]
        masks.append(sitk.GetArrayFromImage(sitk.ReadImage(str(out / "segmentation.nii.gz"))))
    assert masks[0][13, 11, 19] == 1
    assert np.array_equal(*masks)


def test_refine_refuses_results_of_another_scan(
    desk: Desk, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(capfd, "segment", desk.scan, "--model", desk.model, "--out", tmp_path / "first").code == 0
    other = save(tmp_path / "other.nii.gz", head()[::-1].copy())
    clicks = write_clicks(tmp_path / "c.json", [(position_of(13, 11, 19), True)])
    words = ("--from", tmp_path / "first", "--clicks", clicks, "--out", tmp_path / "second")
    answer = call(capfd, "refine", other, *words)
    assert answer.code == 2
    (line,) = answer.lines
    assert "holds results of another scan" in line
    assert not (tmp_path / "second").exists()
    assert call(capfd, "refine", desk.scan, *words, "--device", "cpu").code == 0


def test_refine_takes_older_results_with_a_notice(
    desk: Desk, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(capfd, "segment", desk.scan, "--model", desk.model, "--out", tmp_path / "first").code == 0
    result = tmp_path / "first" / "result.json"
    document = json.loads(result.read_text())
    del document["scan"]
    result.write_text(json.dumps(document))
    clicks = write_clicks(tmp_path / "c.json", [(position_of(13, 11, 19), True)])
    words = ("--from", tmp_path / "first", "--clicks", clicks, "--out", tmp_path / "second")
    answer = call(capfd, "refine", desk.scan, *words)
    assert answer.code == 0
    assert any("does not tell which scan" in line for line in answer.lines)


def test_refine_says_which_click_changed_very_much(
    desk: Desk, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("TumorSegRobustLib.workflow.reviewing._MUCH_FROM_NOTHING_ML", 1.0)
    place = position_of(13, 11, 19)
    clicks = write_clicks(tmp_path / "c.json", [(place, True), (place, True)])
    answer = call(capfd, "refine", desk.scan, "--empty", "--clicks", clicks, "--out", tmp_path / "out")
    (line,) = [line for line in answer.lines if "very much" in line]
    assert line.startswith("note: Click 1 changed very much: the contour is ")
    assert line.endswith("If that is too much, leave it out of c.json and refine again.")


def test_refine_runs_its_network_on_the_device_that_is_asked_for(
    desk: Desk, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        "TumorSegRobustLib.review.shipped.default_refiner",
        lambda device: asked.append(device) or GeodesicRefiner(),
    )
    clicks = write_clicks(tmp_path / "c.json", [(position_of(13, 11, 19), True)])
    words = ("--empty", "--clicks", clicks, "--out", tmp_path / "out", "--device", "cpu")
    assert call(capfd, "refine", desk.scan, *words).code == 0
    assert asked == ["cpu"]


def test_a_later_segment_clears_away_the_review_of_an_earlier_contour(
    desk: Desk, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    clicks = write_clicks(tmp_path / "c.json", [(position_of(13, 11, 19), True)])
    assert call(capfd, "refine", desk.scan, "--empty", "--clicks", clicks, "--out", out).code == 0
    (out / "notes.txt").write_text("mine")
    assert call(capfd, "segment", desk.scan, "--model", desk.model, "--out", out).code == 0
    assert not {"refine.json", "journal.jsonl", "journal.prior"} & files_below(out)
    assert (out / "notes.txt").read_text() == "mine"


def test_simulate_writes_a_curve_that_rises(
    desk: Desk, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ("--reference", desk.truth, "--empty", "--clicks", "4", "--out", out, "--json")
    answer = call(capfd, "simulate", desk.scan, *words)
    assert answer.code == 0
    curve = json.loads((out / "curve.json").read_text())
    assert curve == answer.document
    assert len(curve["dice"]) == len(curve["hd95_mm"]) == 5
    assert curve["dice"][0] == 0
    assert curve["dice"][-1] > curve["dice"][1] > 0
    assert curve["honoured"] == 1
    assert len(curve["nsd"]) == 5
    assert curve["nsd"][-1] > curve["nsd"][0] == 0
    assert 0 < curve["auc_dice"] < 1
    assert curve["reader"] == "robot"
    assert curve["clicks_to_85"] == next((n for n, d in enumerate(curve["dice"]) if d >= 0.85), 5)


@pytest.mark.parametrize("reader", ["jittered", "sloppy", "lazy"])
def test_simulate_knows_readers_who_are_no_robots(
    desk: Desk, tmp_path: Path, capfd: pytest.CaptureFixture[str], reader: str
) -> None:
    words = ("--reference", desk.truth, "--empty", "--clicks", "3", "--out", tmp_path / "out", "--json")
    answer = call(capfd, "simulate", desk.scan, *words, "--reader", reader)
    assert answer.code == 0
    assert answer.document["reader"] == reader
    assert answer.document["jitter_mm"] == (3.0 if reader == "jittered" else 0.0)


def test_simulate_from_a_model_and_with_jitter_is_repeatable(
    desk: Desk, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def curve(seed: int) -> list[float]:
        words = ("--model", desk.model, "--clicks", "3", "--jitter-mm", "3", "--seed", seed)
        out = tmp_path / "out"
        answer = call(capfd, "simulate", desk.scan, "--reference", desk.truth, *words, "--out", out, "--json")
        assert answer.code == 0
        return list(answer.document["dice"])

    first = curve(1)
    assert curve(1) == first
    assert curve(2) != first


@pytest.mark.parametrize("kind", ["rtstruct", "seg"])
def test_export_of_a_mask_on_its_series(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import pydicom

    series = write_series(tmp_path / "series", Grid((9, 24, 24)))
    image = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(series)))
    voxels = np.zeros((9, 24, 24), np.uint8)
    voxels[3:6, 8:15, 9:16] = 1
    mask = sitk.GetImageFromArray(voxels)
    mask.CopyInformation(image)
    sitk.WriteImage(mask, str(tmp_path / "mask.nii.gz"))
    out = tmp_path / "new" / "gtv.dcm"
    words = ("--segmentation", tmp_path / "mask.nii.gz", "--dicom", series, "--out", out, "--name", "GTVn")
    answer = call(capfd, "export", kind, *words, "--label", "BOARD", "--json")
    assert answer.code == 0
    assert files_below(tmp_path / "new") == {"gtv.dcm"}
    written = pydicom.dcmread(out)
    if kind == "rtstruct":
        assert (written.StructureSetROISequence[0].ROIName, written.StructureSetLabel) == ("GTVn", "BOARD")
    else:
        assert (written.SegmentSequence[0].SegmentLabel, written.ContentLabel) == ("GTVn", "BOARD")
        assert np.array_equal(read_frames(out, series)["GTVn"], voxels > 0)
    assert answer.document[kind] == str(out)
    assert answer.document["images"] == 9
    assert answer.document["volume_ml"] == pytest.approx(3 * 7 * 7 * 2.5 / 1000)


# ------------------------------------------------ models


def test_models_are_listed_described_and_verified(
    desk: Desk, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUMORSEGROBUST_MODELS", str(desk.model))
    listed = call(capfd, "models", "list", "--json").document
    (tiny,) = [package for package in listed if package["folder"] == str(desk.model)]
    info = call(capfd, "models", "info", tiny["id"], "--json").document
    assert info == tiny
    assert tiny["id"] in call(capfd, "models", "list").out
    assert tiny["licence"] in call(capfd, "models", "info", desk.model).out
    verified = call(capfd, "models", "verify", desk.model, "--json")
    assert verified.document == [{"id": tiny["id"], "ok": True, "problems": []}]


# ------------------------------------------------ how it ends


def test_an_unexpected_error_is_one_line_and_exit_code_1(
    desk: Desk, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import TumorSegRobustLib.image

    def broken(*_: object) -> None:
        raise ArithmeticError("the sky\nis falling")

    monkeypatch.setattr(TumorSegRobustLib.image, "read_image", broken)
    words = ("segment", desk.scan, "--model", desk.model, "--out", tmp_path / "out")
    answer = call(capfd, *words)
    assert answer.code == 1
    assert answer.err == (
        "tumorsegrobust: internal error (ArithmeticError: the sky is falling). "
        "Add --debug for the traceback; please report it.\n"
    )
    assert not (tmp_path / "out").exists()
    loud = call(capfd, *words, "--debug")
    assert loud.code == 1
    assert "Traceback (most recent call last)" in loud.err
    assert "in broken" in loud.err


def test_ctrl_c_between_two_steps_is_a_cancel_too(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("TumorSegRobustLib.models.list_packages", interrupted)
    cancelled = Answer(program.CANCELLED, "", "tumorsegrobust: Cancelled; nothing was written.\n")
    assert call(capfd, "models", "list") == cancelled


def test_the_reader_of_stdout_may_leave_early(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object, **__: object) -> str:
        raise BrokenPipeError

    monkeypatch.setattr("TumorSegRobustLib.models.list_packages", closed)
    assert call(capfd, "models", "list") == Answer(program.DONE, "", "")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "kill"])
@pytest.mark.parametrize("stubborn", [False, True], ids=["listens", "deep inside a library"])
def test_cancel_ends_within_a_second_and_leaves_nothing(
    desk: Desk, tmp_path: Path, kind: signal.Signals, stubborn: bool
) -> None:
    """The work is replaced by one that lasts a minute, listening to its progress or not."""
    code = f"""
import sys, time
from TumorSegRobustLib.cli import main
from TumorSegRobustLib.workflow import Workflow
def endless(self):
    print("started", flush=True)
    for _ in range(600):
        time.sleep(60 if {stubborn} else 0.1)
        self._runner.long("Waiting.", lambda progress: (time.sleep(0.1), progress.check()), lambda _: None)
Workflow.segment = endless
main()
"""
    out = tmp_path / "deep" / "out"
    words = ["segment", str(desk.scan), "--model", str(desk.model), "--out", str(out)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code, *words], **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout.readline() == "started\n"
        began = time.monotonic()
        os.kill(process.pid, kind)
        _, errors = process.communicate(timeout=30)
        took = time.monotonic() - began
    assert process.returncode == 3, errors
    assert errors == "tumorsegrobust: Cancelled; nothing was written.\n"
    assert files_below(tmp_path) == set()
    assert took < 3  # the budget of 1 s is of a quiet machine
