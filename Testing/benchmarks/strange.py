"""Does a scan that the model does not expect look doubtful, and one that it expects not?

`python -m Testing.benchmarks.strange CASES --out docs/strange.md`, CASES being a folder of cases as in
`Testing.benchmarks.accuracy`. Every real scan is given in its right role, and in wrong ones: another
sequence, channels swapped, one scan twice, a limb, CT, PET, a contour.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from TumorSegRobustLib.evaluation import dice
from TumorSegRobustLib.image import Image, read_image, read_mask
from TumorSegRobustLib.inference import Ensemble
from TumorSegRobustLib.models import find_package
from TumorSegRobustLib.trust import assess

from .cases import asked

_ABOUT = """Written by `python -m Testing.benchmarks.strange CASES --out docs/strange.md`; CASES is the \
development folder of cases, which is not part of the repository. *Warned*: something was said against the \
scan itself (`trust.scan`), in a sentence of its own, beside whatever is said of the contour. *Agreement*: \
what the models' agreement alone would have expected; *expected*: what is shown."""

_CHOSEN = """\
- *Which sequence a scan looks like* (`fingerprint.looks`, written by `train looks`): fitted to generated
  heads and to the FLAIR and T1c of hospitals a and b, without their contours, so that their rows are not
  independent; the probabilities from which it is said were chosen on all scans of these tables.
- *A brain of a credible size* (`fingerprint.brain`), *few grey values*, *large areas of one value*, *the same
  scan twice*: chosen on the scans of these tables. Expect a little less elsewhere.
- *What is left of the expected Dice* (`trust.concerns`): from the T1c and T1 given as FLAIR.
- *DICOM headers* need no threshold; these files have none, so that they play no part here.
"""

RIGHT = ("FLAIR", "T1c", "FLAIR and T1c")
Case = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    options, names = asked("strange", __doc__, "", arguments)
    ensemble = Ensemble(find_package(options.model))
    cases = [measured(options.data / name, role, files, ensemble)
             for name in names for role, files in roles(options.data / name)]  # fmt: skip
    options.out.with_suffix(".json").write_text(json.dumps(cases, indent=1) + "\n", encoding="utf-8")
    package = f"`{ensemble.package.id}` {ensemble.package.version}"
    options.out.write_text(report(cases, package), encoding="utf-8")


def roles(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """(what is done, {channel: file}) for every role that the case's files allow, right ones first."""
    there = {path.name.removesuffix(".nii.gz") for path in folder.glob("*.nii.gz")}
    if folder.name.startswith("sarcoma"):
        kind = folder.name.rsplit("-", 1)[1]
        yield f"{ {'t1': 'T1', 'ct': 'CT', 'pet': 'PET'}[kind] } of a limb as FLAIR", {"flair": kind}
        return
    both = {"flair", "t1c"} <= there
    if "flair" in there:
        yield RIGHT[0], {"flair": "flair"}
    if "t1c" in there:
        yield RIGHT[1], {"t1c": "t1c"}
    if both:
        yield RIGHT[2], {"flair": "flair", "t1c": "t1c"}
    for name, written in (("t1c", "T1c"), ("t1", "T1"), ("t2", "T2")):
        if name in there:
            yield f"{written} as FLAIR", {"flair": name}
    if both:
        yield "T1c and FLAIR swapped", {"flair": "t1c", "t1c": "flair"}
        yield "FLAIR given twice", {"flair": "flair", "t1c": "flair"}
        yield "T1c given twice", {"flair": "t1c", "t1c": "t1c"}
    if folder.name.endswith("-01"):
        yield "contour as FLAIR", {"flair": "mask"}


def measured(folder: Path, role: str, files: dict[str, str], ensemble: Ensemble) -> Case:
    """What is said of the scan, and how good the contour is where the head has a true one."""
    scans: dict[str, Image] = {name: read_image(folder / f"{file}.nii.gz") for name, file in files.items()}
    prediction = ensemble.predict(scans)
    trust = assess(prediction, next(iter(scans.values())))
    truth = read_mask(folder / "mask.nii.gz", prediction.geometry).voxels
    case: Case = {
        "case": folder.name,
        "role": role,
        "level": trust.level,
        "shift": trust.shift["level"],
        "concerns": trust.shift["concerns"],
        "agreement": trust.agreement,
        "predicted_dice": trust.predicted_dice,
        "dice": None if folder.name.startswith("sarcoma") else dice(prediction.mask, truth),
        "reasons": trust.reasons,
    }
    print(json.dumps(case), file=sys.stderr, flush=True)
    return case


def flagged(case: Case) -> bool:
    """Something speaks against the scan itself, whatever the contour on it."""
    return bool(case["concerns"]) or case["shift"] in ("moderate", "strong")


def report(cases: Sequence[Case], package: str) -> str:
    """The tables in Markdown."""
    wrong = [case for case in cases if case["role"] not in RIGHT]
    right = [case for case in cases if case["role"] in RIGHT]
    missed = [case for case in wrong if not flagged(case)]
    alarms = [case for case in right if flagged(case)]
    return "\n".join([
        "# Does a scan unlike the training data look doubtful?\n",
        f"Package {package}, {len(cases)} inputs. {_ABOUT}\n",
        "## Scans in their right role\n",
        _table(right),
        f"False alarms: {_named(alarms)}\n",
        "## Scans in a wrong role\n",
        _table(wrong),
        f"Not warned of: {_named(missed)}\n",
        "## On what the thresholds were chosen\n",
        _CHOSEN,
    ])  # fmt: skip


def _table(cases: Sequence[Case]) -> str:
    head = ["given", "scans", "warned", "accept", "review", "reject", "agreement", "expected", "true Dice"]
    rows = []
    for role in dict.fromkeys(case["role"] for case in cases):
        members = [case for case in cases if case["role"] == role]
        levels = [sum(case["level"] == level for case in members) for level in ("accept", "review", "reject")]
        figures = [_mean([case[key] for case in members]) for key in ("agreement", "predicted_dice", "dice")]
        rows.append([role, len(members), sum(flagged(case) for case in members), *levels, *figures])
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def _mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{np.mean(known):.2f}" if known else ""


def _named(cases: Sequence[Case]) -> str:
    if not cases:
        return "none."
    told = [
        f"{case['case']} ({case['role']}: {case['level']}, expected {case['predicted_dice']:.2f}"
        + ("" if case["dice"] is None else f", true {case['dice']:.2f}")
        + ")"
        for case in cases
    ]
    return "; ".join(told) + "."


if __name__ == "__main__":
    main()
