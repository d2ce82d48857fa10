"""How good on real scans: `python -m Testing.benchmarks.accuracy DATA --out docs/accuracy.md`.

DATA is a folder of cases, `<site>-<number>[-<modality>]/`, each with one scan and `mask.nii.gz`. Everything
runs as
`segment` and `simulate` do: native grid, no preparation by hand, no setting per site. Nothing here chooses a
model.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from TumorSegRobustLib.evaluation import Curve, dice, hd95_mm, simulate
from TumorSegRobustLib.image import Image, read_image, read_labels, read_mask
from TumorSegRobustLib.inference import Ensemble
from TumorSegRobustLib.models import find_package
from TumorSegRobustLib.review import ReviewSession
from TumorSegRobustLib.review.shipped import default_refiner
from TumorSegRobustLib.trust import assess

SHOWN = (0, 1, 3, 5, 10)
JITTER_MM = 3.0
Case = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument(
        "--out", type=Path, required=True, help="Markdown file; a .json beside it holds every case"
    )
    parser.add_argument("--model", default=None)
    parser.add_argument(
        "--clicks", type=int, default=10, help="0: none; `Testing.benchmarks.refining` tells more of them"
    )
    parser.add_argument("--only", default="", help="comma-separated beginnings of case names")
    parser.add_argument(
        "--empty", default="sarcoma,iso", help="beginnings of the cases also clicked from nothing"
    )
    options = parser.parse_args(arguments)
    wanted = tuple(name for name in options.only.split(",") if name)
    names = [p.parent.name for p in sorted(options.data.glob("*/mask.nii.gz"))]
    names = [name for name in names if not wanted or name.startswith(wanted)]
    ensemble = Ensemble(find_package(options.model))
    cases = [_measured(options.data, name, ensemble, options.clicks, options.empty) for name in names]
    cases = [case for case in cases if case]
    options.out.with_suffix(".json").write_text(json.dumps(cases, indent=1), encoding="utf-8")
    options.out.write_text(report(cases, ensemble.package.id, ensemble.package.version), encoding="utf-8")


def _measured(data: Path, name: str, ensemble: Ensemble, clicks: int, empty: str) -> Case | None:
    brain = (data / name / "flair.nii.gz").exists()
    scans = [data / name / "flair.nii.gz"] if brain else sorted(data.glob(f"{name}/[!m]*.nii.gz"))
    image = read_image(scans[0])
    truth = read_mask(data / name / "mask.nii.gz", image.geometry)
    case: Case = {
        "case": name,
        "site": f"sarcoma-{name.rsplit('-', 1)[1]}" if name.startswith("sarcoma") else name.rsplit("-", 1)[0],
    }
    starts: dict[str, np.ndarray | None] = {}
    if name.startswith(tuple(part for part in empty.split(",") if part)):
        starts["empty"] = None
    if brain:
        prediction = ensemble.predict(image)
        trust = assess(prediction, image)
        case |= {
            "dice": dice(prediction.mask, truth.voxels),
            "hd95_mm": hd95_mm(prediction.mask, truth.voxels, image.geometry),
            "predicted_dice": trust.predicted_dice,
            "level": trust.level,
            "seconds": prediction.seconds["total"],
        }
        starts["model"] = prediction.probability
    case |= _with_t1c(data / name, image if brain else None, ensemble)
    for start, probability in starts.items() if clicks else ():
        for jitter in (0.0, JITTER_MM):
            curve = _read(image, truth, probability, clicks, jitter)
            case[f"{start} {jitter:g}"] = {
                "dice": curve.dice,
                "hd95_mm": curve.hd95_mm[-1],
                "honoured": curve.honoured,
                "kept": curve.kept,
                "lost": curve.lost_steps,
                "ms": [1000 * result.seconds for result in curve.results],
            }
    print(json.dumps(case), file=sys.stderr, flush=True)
    return case


def _with_t1c(folder: Path, flair: Image | None, ensemble: Ensemble) -> Case:
    """Dice of the whole tumour with T1c beside FLAIR and with T1c alone, and of the core where truth tells it
    (BraTS labels: necrosis 1, non-enhancing 3, enhancing 4).
    """
    if not (folder / "t1c.nii.gz").exists() or "t1c" not in {c.name for c in ensemble.package.channels}:
        return {}
    t1c = read_image(folder / "t1c.nii.gz")
    told: Case = {}
    scans: dict[str, dict[str, Image]] = {"t1c only": {"t1c": t1c}}
    if flair is not None:
        scans["flair and t1c"] = {"flair": flair, "t1c": t1c}
    for name, scan in scans.items():
        prediction = ensemble.predict(scan)
        labels = read_labels(folder / "mask.nii.gz", prediction.geometry)
        told[name] = dice(prediction.mask, labels.voxels > 0)
        if prediction.core_mask is not None and labels.voxels.max() > 1:
            told[f"{name}: core"] = dice(prediction.core_mask, np.isin(labels.voxels, (1, 3, 4)))
    return told


def _read(image: Image, truth: Image, probability: np.ndarray | None, clicks: int, jitter_mm: float) -> Curve:
    with tempfile.TemporaryDirectory() as folder:

        def begin() -> ReviewSession:
            journal = Path(folder) / "journal.jsonl"
            return ReviewSession.start(image, journal, probability=probability, refiner=default_refiner())

        return simulate(image, truth, begin, clicks=clicks, jitter_mm=jitter_mm)


def report(cases: Sequence[Case], package: str, version: str) -> str:
    """The tables in Markdown."""
    brains = [case for case in cases if "dice" in case]
    parts = [
        "# Accuracy on real scans\n",
        f"Package `{package}` {version}. Written by "
        "`python -m Testing.benchmarks.accuracy DATA --out docs/accuracy.md` (`--clicks 0` where none "
        "are told below); DATA is the development folder "
        "of cases, which is not part of the repository. Native grids, no setting per site. No network of "
        "`brain-mr` or `refine-any` was trained on these scans, but members, their weights, the level and "
        "the limits of triage were chosen on them (the configurations in "
        "`TumorSegRobustLib/training/configs` say which): expect less elsewhere.\n",
    ]
    if brains:
        parts += ["## Automatic contour of the whole tumour, per hospital\n", _automatic(brains)]
        if any("t1c only" in case for case in cases):
            parts += ["## With and without T1c\n", _channels(cases)]
        parts += ["## Does a wrong contour look doubtful?\n", _triage(brains)]
    if not any(key in case for case in cases for key in ("model 0", "empty 0")):
        return "\n".join([*parts, "What clicks make of it: [refining.md](refining.md).\n"])
    if brains:
        parts += ["## Clicks, starting from the model\n", _clicks(brains, "model")]
    parts += ["## Clicks, starting from nothing\n", _clicks(cases, "empty")]
    return "\n".join(parts)


def _automatic(cases: Sequence[Case]) -> str:
    rows = []
    for site, members in _sites(cases):
        values = np.array([case["dice"] for case in members])
        distances = np.array([case["hd95_mm"] for case in members])
        rows.append(
            [site, len(members), f"{values.mean():.3f}", f"{np.median(values):.3f}", f"{values.min():.3f}",
             f"{np.mean(values < 0.1):.0%}", f"{np.median(distances):.1f}"]
        )  # fmt: skip
    return _table(["site", "cases", "mean Dice", "median", "worst", "below 0.1", "median HD95 mm"], rows)


def _channels(cases: Sequence[Case]) -> str:
    """The same cases with FLAIR, T1c and both; the core where the truth tells it."""
    columns = {"dice": "FLAIR", "flair and t1c": "FLAIR and T1c", "t1c only": "T1c alone",
               "flair and t1c: core": "core, FLAIR and T1c", "t1c only: core": "core, T1c alone"}  # fmt: skip
    rows = []
    for site, members in _sites([case for case in cases if "t1c only" in case]):
        means = [np.mean([c[key] for c in members if key in c]) if any(key in c for c in members) else None
                 for key in columns]  # fmt: skip
        rows.append([site, len(members), *("" if value is None else f"{value:.3f}" for value in means)])
    return "Mean Dice of the cases that have T1c.\n\n" + _table(["site", "cases", *columns.values()], rows)


def _triage(cases: Sequence[Case]) -> str:
    rows = []
    for level in ("accept", "review", "reject"):
        values = [case["dice"] for case in cases if case["level"] == level]
        if values:
            rows.append([level, len(values), f"{np.mean(values):.3f}", f"{min(values):.3f}"])
    true, said = (np.array([case[key] for case in cases]) for key in ("dice", "predicted_dice"))
    table = _table(["triage", "cases", "mean Dice", "worst"], rows)
    if len(cases) < 3:
        return table
    return table + (
        f"\nPearson correlation of predicted and true Dice: {np.corrcoef(true, said)[0, 1]:.2f}; "
        f"mean absolute difference {np.abs(true - said).mean():.2f} (uncalibrated).\n"
    )


def _clicks(cases: Sequence[Case], start: str) -> str:
    rows = []
    for jitter in (0.0, JITTER_MM):
        key = f"{start} {jitter:g}"
        for site, members in _sites([case for case in cases if key in case]):
            curves = np.array([case[key]["dice"] for case in members])
            times = np.concatenate([case[key]["ms"] for case in members])
            rows.append(
                [site, len(members), "exact" if jitter == 0 else f"{jitter:g} mm off",
                 *(f"{curves[:, n].mean():.3f}" for n in SHOWN if n < curves.shape[1]),
                 f"{_mean(members, key, 'honoured'):.3f}", f"{_mean(members, key, 'lost'):.1%}",
                 f"{np.percentile(times, 95) if len(times) else 0:.0f}"]
            )  # fmt: skip
    head = ["site", "cases", "clicks", *(f"{n}" for n in SHOWN), "honoured", "lost steps", "p95 ms"]
    return "Mean Dice after so many clicks at the centre of the largest error.\n\n" + _table(head, rows)


def _mean(cases: Sequence[Case], key: str, what: str) -> float:
    return float(np.mean([case[key][what] for case in cases]))


def _sites(cases: Sequence[Case]) -> Iterable[tuple[str, list[Case]]]:
    names = sorted({case["site"] for case in cases})
    return [(name, [case for case in cases if case["site"] == name]) for name in names]


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


if __name__ == "__main__":
    main()
