"""Trains and tests the runs of a plan, one after the other; what is finished is skipped."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import yaml

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.evaluation.manifest import ManifestCase, read_manifest
from TumorSegRobustLib.evaluation.records import CaseRecord
from TumorSegRobustLib.image import whole_file
from TumorSegRobustLib.progress import Progress

from .config import LohoConfig
from .guard import check_channels, check_contents, check_initial, check_patients, check_split
from .measuring import Adapter, measure_run
from .plan import Run, plan
from .styles import write_styles

RESULTS = "results.json"


class Trainer(Protocol):
    """Trains what the YAML file says, going on where it was; leaves weights.pt and summary.json in `out`."""

    def __call__(self, config: Path, out: Path, progress: Progress) -> None: ...


Styles = Callable[[Run, Path, bool], None]
Measurer = Callable[
    [Path, Mapping[str, Any], Sequence[ManifestCase], Path, Progress, Adapter | None, Mapping[str, Any]],
    list[CaseRecord],
]


def run_all(
    config: LohoConfig,
    out: Path,
    progress: Progress | None = None,
    *,
    trainer: Trainer | None = None,
    measurer: Measurer = measure_run,
    adapter: Adapter | None = None,
    styles: Styles = write_styles,
) -> dict[str, Any]:
    """Everything the configuration asks for; returns what `results.json` holds, which grows run by run.

    `models/<key>/` has one training each (with its config.yaml and train.csv, so that `train stage1` can
    repeat it), `tests/<run>/` one evaluation each. Raises UnusableInput for a leak, Cancelled when asked to.
    """
    progress = progress or Progress()
    cases = read_manifest(config.manifest)
    runs, left_out = _possible(plan(config, cases), adapter)
    if not runs:
        raise UnusableInput(f"No run is possible: {' '.join(left_out)}")
    _guard(config, cases, runs, progress.part(0.0, 0.02))
    done: list[dict[str, Any]] = []
    for number, run in enumerate(runs):
        part = progress.part(0.02 + 0.98 * number / len(runs), 0.02 + 0.98 * (number + 1) / len(runs))
        part.report(0.0, f"{run.id} ({number + 1} of {len(runs)})")
        records = _one(run, config, out, part, trainer or _train, measurer, adapter, styles)
        done.append(_result(run, records))
        _write(out, {"runs": done, "planned": len(runs), "left_out": left_out, "config": _plain(config)})
    return {"runs": done, "planned": len(runs), "left_out": left_out, "config": _plain(config)}


def _possible(runs: Sequence[Run], adapter: Adapter | None) -> tuple[list[Run], list[str]]:
    """The runs that can be done here, and for the others a sentence each."""
    kept, sentences = [], []
    for run in runs:
        why = ""
        if run.adapt and adapter is None:
            why = "this version has no test-time adaptation"
        elif run.initial == "":
            why = "the configuration names no pretrained weights"
        elif run.initial and not Path(run.initial).is_file():
            why = f"its pretrained weights {run.initial} do not exist; run train pretrain first"
        elif run.styles and not Path(run.styles).is_file():
            why = f"its style bank {run.styles} does not exist; leave style_bank out or build it first"
        if why:
            sentences.append(f"The arm {run.setting} was left out for {run.held_out}: {why}.")
        else:
            kept.append(run)
    return kept, list(dict.fromkeys(sentences))


def _guard(
    config: LohoConfig, cases: Sequence[ManifestCase], runs: Sequence[Run], progress: Progress
) -> None:
    used = {case.case.split("~")[0] for run in runs for case in run.split.train}
    used |= {case.case for run in runs for tests in run.split.tests.values() for case in tests}
    listed = [case for case in cases if case.case in used]
    check_patients(listed)
    trained = {site for run in runs for site in run.trained_on}
    check_channels([case for case in listed if case.site in trained], config.channels)
    for run in runs:
        check_split(run.split, run.id)
        if run.initial and not config.transductive:
            check_initial(Path(run.initial), run.held_out)
    check_contents(listed, config.channels, progress)


def _one(
    run: Run,
    config: LohoConfig,
    out: Path,
    progress: Progress,
    trainer: Trainer,
    measurer: Measurer,
    adapter: Adapter | None,
    styles: Styles,
) -> dict[str, list[CaseRecord]]:
    model = out / "models" / run.key
    if not ((model / "weights.pt").is_file() and (model / "summary.json").is_file()):
        trainer(_prepare(run, config, model, styles), model, progress.part(0.0, 0.9))
    tests = [case for members in run.split.tests.values() for case in members]
    records = measurer(
        model,
        run.settings,
        tests,
        out / "tests" / run.id,
        progress.part(0.9, 1.0),
        adapter if run.adapt else None,
        config.package,
    )
    by_case = {record.case: record for record in records}
    return {role: [by_case[case.case] for case in members] for role, members in run.split.tests.items()}


def _prepare(run: Run, config: LohoConfig, model: Path, styles: Styles) -> Path:
    """Write config.yaml and train.csv of a training, and its style bank if need be; returns the first."""
    model.mkdir(parents=True, exist_ok=True)
    manifest = model / "train.csv"
    channels = run.settings["channels"]
    with whole_file(manifest) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["case", "site", "image", *channels[1:], "reference", "group", "labels"])
        for case in run.split.train:
            paths = [_relative(case.channels.get(name), model) for name in channels]
            writer.writerow(
                [case.case, case.site, *paths, _relative(case.reference, model), case.group, case.labels]
            )
    real = {**run.settings["real"], "manifest": str(manifest)}
    if run.styles is not None:
        real["style_bank"] = str(model / "styles.npz")
        styles(run, model / "styles.npz", config.transductive)
    settings = {
        **run.settings,
        "name": run.key,
        "real": real,
        **({"initial": run.initial} if run.initial else {}),
    }
    with whole_file(model / "config.yaml") as temporary:
        temporary.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return model / "config.yaml"


def _relative(path: Path | None, folder: Path) -> str:
    return "" if path is None else Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()


def _train(config: Path, out: Path, progress: Progress) -> None:
    from TumorSegRobustLib.training import stage1
    from TumorSegRobustLib.training.config import read_config

    stage1.train(read_config(config), out, progress=progress)


def _result(run: Run, records: Mapping[str, Sequence[CaseRecord]]) -> dict[str, Any]:
    kept = ("case", "site", "group", "status", "dice", "hd95_mm", "ece", "predicted_dice", "level")
    return {
        "id": run.id,
        "experiment": run.experiment,
        "setting": run.setting,
        "seed": run.seed,
        "trained_on": list(run.trained_on),
        "held_out": run.held_out,
        "model": run.key,
        "steps": run.settings.get("steps"),
        "share": run.settings["real"]["share"],
        "train_cases": len(run.split.train),
        "facts": dict(run.facts),
        "tests": [
            {"role": role, **{name: getattr(record, name) for name in kept}}
            for role, members in records.items()
            for record in members
        ],
    }


def _plain(config: LohoConfig) -> dict[str, Any]:
    return json.loads(json.dumps(asdict(config), default=str))


def _write(out: Path, results: Mapping[str, Any]) -> None:
    with whole_file(out / RESULTS) as temporary:
        temporary.write_text(json.dumps(results, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_results(folder: Path) -> dict[str, Any]:
    """What a run wrote. UnusableInput where there is nothing of ours."""
    try:
        return json.loads((folder / RESULTS).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise UnusableInput(f"{folder}: holds no {RESULTS} of train loho ({error}).") from error
