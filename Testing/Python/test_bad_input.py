"""Bad input through the command line: one line that says what, why and what to do; nothing left behind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fixtures_bad_input import (
    Bench,
    Words,
    broken_model,
    damaged_slice,
    empty_folder,
    results_of_another_grid,
    series_with_a_copy,
    series_without,
    tampered_journal,
    truncated,
    two_channels,
    two_series,
    with_value,
)
from fixtures_cli import SHAPE, blob, call, files_below, head, position_of, save, sheared_nifti, write_clicks
from fixtures_export import Grid, write_series
from fixtures_inference import tiny_package

Case = tuple[str, Callable[[Bench], Words], str]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("bench")
    scan = save(folder / "scan.nii.gz", head())
    truth = save(folder / "truth.nii.gz", blob().astype(np.uint8))
    tiny_package(folder / "tiny")
    return Bench(folder, scan, truth, folder / "tiny")


@pytest.fixture
def bench(prepared: Bench, tmp_path: Path) -> Bench:
    """The prepared files, with a fresh folder for the bad one."""
    return Bench(tmp_path, prepared.scan, prepared.truth, prepared.model)


SHEARED_MARKUPS = {"markups": [{"coordinateSystem": "XYZ", "controlPoints": [{"position": [1, 2, 3]}]}]}

CASES: list[Case] = [
    # the file
    ("missing file", lambda b: b.segment(b.file("gone.nii.gz")), r"gone\.nii\.gz does not exist: choose a"),
    ("wrong extension", lambda b: b.segment(b.text("scan.jpg", "x")), r"scan\.jpg is not an image .*; give "),
    ("truncated", lambda b: b.segment(truncated(b)), r"cut\.nii\.gz is .*cut off.*; copy .*again"),
    ("text renamed", lambda b: b.segment(b.text("a.nii.gz", "not an image\n" * 99)), r"a\.nii\.gz .*again"),
    (
        "empty file",
        lambda b: b.segment(b.text("zero.nii.gz", "")),
        r"zero\.nii\.gz is an empty file; copy or",
    ),
    # the volume
    (
        "4D",
        lambda b: b.segment(save(b.file("film.nii.gz"), np.stack([head()] * 3))),
        r"film\.nii\.gz is 4D \(3 volumes\); give one 3D volume of it",
    ),
    (
        "vector",
        lambda b: b.segment(save(b.file("field.nii.gz"), np.stack([head()] * 3, axis=-1), vector=True)),
        r"field\.nii\.gz is a vector image \(3 values per voxel\); give an image with one value per voxel",
    ),
    (
        "NaN",
        lambda b: b.segment(with_value(b, np.nan)),
        r"holes\.nii\.gz holds NaN or infinite values in 1 of 21504",
    ),
    (
        "infinite",
        lambda b: b.segment(with_value(b, np.inf)),
        r"holes\.nii\.gz holds NaN or infinite values in 1 of",
    ),
    (
        "constant",
        lambda b: b.segment(save(b.file("flat.nii.gz"), np.full(SHAPE, 7, np.int16))),
        r"flat\.nii\.gz is constant \(every voxel is 7\): there is nothing to segment; check",
    ),
    (
        "one slice",
        lambda b: b.segment(save(b.file("thin.nii.gz"), head()[:1])),
        r"thin\.nii\.gz has 32x28x1 voxels: a volume with at least 3 slices .*; open the whole series",
    ),
    ("sheared", lambda b: b.segment(sheared_nifti(b.file("shear.nii.gz"))), r"shear\.nii\.gz: its sform .*"),
    # channels
    (
        "unknown channel",
        lambda b: b.segment(b.scan, "--channel", f"t9={b.scan}"),
        r"--channel t9=.*: the model \S+ has no channel t9 \(.*channel.*\)",
    ),
    (
        "channel without a name",
        lambda b: b.segment(b.scan, "--channel", "t1c"),
        r"--channel t1c: write NAME=IMAGE, for example --channel t1c=t1c\.nii\.gz",
    ),
    (
        "first channel twice",
        lambda b: b.segment(b.scan, "--channel", f"flair={b.scan}"),
        r"--channel flair=.*: the channel FLAIR is IMAGE itself; give each channel once",
    ),
    (
        "channel of another place",
        lambda b: [
            *("segment", b.scan, "--model", two_channels(b), "--out", b.out),
            *("--channel", f"t1c={save(b.file('t1c.nii.gz'), head(), origin=(900, 0, 0))}"),
        ],
        r"T1c does not overlap scan\.nii\.gz: they are not of the same .*; register them first",
    ),
    # DICOM
    (
        "folder without DICOM",
        lambda b: b.segment(empty_folder(b)),
        r"nothing holds no DICOM images; give a folder",
    ),
    ("two series", lambda b: b.segment(two_series(b)), r"series holds 2 series.*"),
    (
        "missing slice",
        lambda b: b.segment(series_without(b, 4)),
        r".*lacks 1 slice .*export the complete series",
    ),
    ("slice twice", lambda b: b.segment(series_with_a_copy(b)), r".*several images at the same position: .*"),
    ("damaged slice", lambda b: b.segment(damaged_slice(b)), r".*\.dcm is damaged.*; copy .*again"),
    # the reference and the clicks
    (
        "empty reference",
        lambda b: b.simulate(save(b.file("none.nii.gz"), np.zeros(SHAPE, np.uint8))),
        r"none\.nii\.gz: the reference is empty, so there is nothing to click for",
    ),
    (
        "reference elsewhere",
        lambda b: b.simulate(save(b.file("far.nii.gz"), blob().astype(np.uint8), origin=(900, 0, 0))),
        r"far\.nii\.gz does not overlap the image \(.*\); choose the mask that belongs to it",
    ),
    (
        "click outside",
        lambda b: b.refine(
            write_clicks(b.file("c.json"), [(position_of(3, 3, 3), True), ([500, 0, 0], True)])
        ),
        r"Click 2 at \(500, 0, 0\) mm lies outside scan\.nii\.gz\. Positions are LPS millimetres.*",
    ),
    (
        "clicks missing",
        lambda b: b.refine(b.file("no.json")),
        r"Cannot read the clicks .*no\.json: No such file.*",
    ),
    (
        "clicks not JSON",
        lambda b: b.refine(b.text("c.json", "1, 2, 3")),
        r".*c\.json is not JSON \(.*\); see .*",
    ),
    (
        "clicks with wrong keys",
        lambda b: b.refine(b.text("c.json", '[{"pos": [1, 2, 3], "include": true}]')),
        r"Click 1 in .*c\.json must look like \{\"position_lps_mm\".*",
    ),
    (
        "click at NaN",
        lambda b: b.refine(b.text("c.json", '[{"position_lps_mm": [1, NaN, 3], "include": true}]')),
        r"Click 1 in .*c\.json has a position that is not finite",
    ),
    (
        "click without a label",
        lambda b: b.refine(b.text("c.json", '[{"position_lps_mm": [1, 2, 3]}]')),
        r"Click 1 in .*c\.json needs \"include\": true or false.*",
    ),
    (
        "no click",
        lambda b: b.refine(b.text("c.json", "[]")),
        r".*c\.json: holds no click, so there is nothing to refine",
    ),
    (
        "markups of unknown axes",
        lambda b: b.refine(b.text("c.mrk.json", json.dumps(SHEARED_MARKUPS))),
        r".*c\.mrk\.json uses the coordinate system 'XYZ'; save it in LPS or RAS",
    ),
    (
        "nowhere to begin",
        lambda b: ["refine", b.scan, "--clicks", b.good_clicks(), "--out", b.out],
        r"Say where to begin: --from DIR .* or --empty, one of the two",
    ),
    (
        "results that are none",
        lambda b: b.refine(b.good_clicks(), "--from", empty_folder(b)),
        r".*result\.json cannot be read: give a folder that segment wrote",
    ),
    (
        "results of another grid",
        lambda b: b.refine(b.good_clicks(), "--from", results_of_another_grid(b)),
        r".*lies on another grid than the scan: open the scan it is of",
    ),
    # models and devices
    (
        "unknown model",
        lambda b: ["segment", b.scan, "--model", "liver-ct", "--out", b.out],
        r"There is no model 'liver-ct' \(available: .*\); give one of these or a package's folder",
    ),
    (
        "corrupted weights",
        lambda b: ["segment", b.scan, "--model", broken_model(b), "--out", b.out],
        r"Model package .*broken: models/\S+ does not match its sha256; restore the folder or choose another",
    ),
    (
        "corrupted weights, verified",
        lambda b: ["models", "verify", broken_model(b)],
        r".*models/\S+ does not match its",
    ),
    # journals
    (
        "tampered journal",
        lambda b: ["journal", "verify", tampered_journal(b)],
        r"Line \d: its content was changed.*",
    ),
    (
        "tampered journal, replayed",
        lambda b: ["journal", "replay", tampered_journal(b), "--out", b.out],
        r"The journal .* is damaged at line \d: its content was changed.*; restore it from a copy",
    ),
    (
        "no journal",
        lambda b: ["journal", "verify", b.file("j.jsonl")],
        r"Cannot read the journal .*j\.jsonl: No such.*",
    ),
    # where to write
    (
        "out is a file",
        lambda b: ["segment", b.scan, "--model", b.model, "--out", b.text("out.txt", "mine")],
        r".*out\.txt: is a file, or lies below one\. Choose a folder with --out",
    ),
    (
        "out below a file",
        lambda b: ["segment", b.scan, "--model", b.model, "--out", b.text("out.txt", "mine") / "results"],
        r".*results: is a file, or lies below one\. Choose a folder with --out",
    ),
    # export
    (
        "mask of another patient",
        lambda b: [
            "export",
            "rtstruct",
            "--segmentation",
            save(b.file("m.nii.gz"), blob().astype(np.uint8), origin=(900, 0, 0)),
            "--dicom",
            write_series(b.file("series"), Grid((9, 24, 24))),
            "--out",
            b.file("rt.dcm"),
        ],
        r"m\.nii\.gz does not overlap the image \(.*\); choose the mask that belongs to it",
    ),
    (
        "no DICOM to export to",
        lambda b: [
            "export",
            "rtstruct",
            "--segmentation",
            b.truth,
            "--dicom",
            b.scan,
            "--out",
            b.file("rt.dcm"),
        ],
        r".*scan\.nii\.gz is a file; give the folder of the DICOM series",
    ),
    # the panel and the training
    (
        "no scan for the panel",
        lambda b: ["app", b.file("gone.nii")],
        r"gone\.nii: no such file or folder\. Give a",
    ),
    (
        "no configuration",
        lambda b: ["train", "synth", b.file("no.yaml"), "--out", b.out],
        r"no\.yaml: no such file\. Give a configuration in YAML",
    ),
    (
        "a configuration that is no YAML",
        lambda b: ["train", "stage1", b.text("c.yaml", "a: [1"), "--out", b.out],
        r"c\.yaml: is not YAML .*",
    ),
    (
        "a setting that nobody knows",
        lambda b: ["train", "synth", b.text("c.yaml", "steppes: 1"), "--out", b.out],
        r"c\.yaml: unknown setting steppes; known are .*",
    ),
    # the line itself
    (
        "unknown option",
        lambda b: b.segment(b.scan, "--frobnicate"),
        r"No such option: --frobnicate\. See tumorsegrobust segment.*",
    ),
    ("unknown command", lambda b: ["segmnt"], r"No such command 'segmnt'.*See tumorsegrobust --help"),
    (
        "missing option",
        lambda b: ["segment", b.scan],
        r"Missing option '--out'\. See tumorsegrobust segment --help",
    ),
    (
        "a negative number of clicks",
        lambda b: [*b.simulate(b.truth), "--clicks", "-1"],
        r"Invalid value for '--clicks': .*0.*\. See tumorsegrobust simulate --help",
    ),
]


@pytest.mark.parametrize(
    ("words_of", "message"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_bad_input_ends_in_one_line_and_leaves_nothing(
    bench: Bench, capfd: pytest.CaptureFixture[str], words_of: Callable[[Bench], Words], message: str
) -> None:
    words = words_of(bench)
    before = files_below(bench.folder)
    answer = call(capfd, *words)
    assert len(answer.lines) == 1, answer.err
    assert re.fullmatch(rf"tumorsegrobust: (\S*/)?{message}.*", answer.lines[0]), answer.lines[0]
    assert answer.code == 2
    assert answer.out == ""
    assert files_below(bench.folder) == before


def test_there_are_at_least_25_cases_and_each_has_its_own_name() -> None:
    assert len({case[0] for case in CASES}) == len(CASES) >= 25


def test_cuda_on_a_machine_without_it(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA GPU")
    answer = call(capfd, *bench.segment(bench.scan, "--device", "cuda"))
    assert answer.code == 2
    assert re.fullmatch(
        r"tumorsegrobust: Device cuda is not available \(.*\); use cpu or auto\.", answer.lines[0]
    )
    assert not bench.out.exists()


def test_an_out_folder_that_cannot_be_written(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    out = Path("/proc/tumorsegrobust")
    if not out.parent.is_dir():
        pytest.skip("needs a folder that not even an administrator can write to, such as /proc on Linux")
    answer = call(capfd, "segment", bench.scan, "--model", bench.model, "--out", out)
    assert answer.code == 2
    assert re.fullmatch(
        rf"tumorsegrobust: {out}: cannot be written to \(.*\)\. Choose another.*", answer.lines[0]
    )


@pytest.mark.skipif(sys.platform == "win32", reason="limits on file sizes are of POSIX")
@pytest.mark.parametrize(
    ("words_of", "limit"),
    [
        (lambda b: b.refine(b.good_clicks()), 400),
        (lambda b: b.segment(b.scan), 4000),
    ],
    ids=["while the journal is written", "while volumes are written"],
)
def test_a_full_disk_leaves_nothing_behind(
    bench: Bench, words_of: Callable[[Bench], Words], limit: int
) -> None:
    """A limit on the size of files stands for the full disk: writing fails in the same place."""
    code = (
        "import resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "from TumorSegRobustLib.cli import run\n"
        "sys.exit(run(sys.argv[1:]))\n"
    )
    words = [sys.executable, "-c", code, *map(str, words_of(bench))]
    before = files_below(bench.folder)
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "File too large" in done.stderr
    assert str(bench.out) in done.stderr
    assert ".unfinished" not in done.stderr
    assert files_below(bench.folder) == before


# ------------------------------------------------ unusual, and yet good input


FLIPS = {
    "left and right": (-1, 0, 0, 0, 1, 0, 0, 0, 1),
    "upside down": (1, 0, 0, 0, 1, 0, 0, 0, -1),
    "sagittal": (0, 0, 1, 1, 0, 0, 0, 1, 0),
    "oblique": (0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1),
}


@pytest.mark.parametrize("direction", FLIPS.values(), ids=FLIPS.keys())
def test_any_orientation_is_accepted(
    bench: Bench, capfd: pytest.CaptureFixture[str], direction: tuple[float, ...]
) -> None:
    scan = save(bench.file("turned.nii.gz"), head(), direction)
    answer = call(capfd, *bench.segment(scan, "--json"))
    assert (answer.code, answer.err) == (0, "")
    assert answer.document["triage"]["level"] in ("accept", "review", "reject")


def test_a_series_with_uneven_slices_is_accepted_with_a_note(
    bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    import pydicom

    folder = write_series(bench.file("series"), Grid((9, 24, 24)))
    last = pydicom.dcmread(path := sorted(folder.iterdir())[-1])
    last.ImagePositionPatient[2] += 0.9
    last.save_as(path)
    answer = call(capfd, *bench.segment(folder, "--json"))
    assert answer.code == 0
    assert all(line.startswith("note: ") for line in answer.lines)
    assert answer.lines


def test_ct_given_to_a_model_for_mr_is_not_refused(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    folder = write_series(bench.file("series"), Grid((9, 24, 24)))
    assert call(capfd, *bench.segment(folder)).code == 0
