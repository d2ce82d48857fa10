"""Is the list of places worth following? `python -m Testing.benchmarks.looking CASES --out docs/looking.md`.

CASES is a folder of cases as in `Testing.benchmarks.accuracy`. A reader who follows the list and one who must
search (see `TumorSegRobustLib.evaluation.searching`) correct what the package proposes, where that is below
Dice .85. No reader and no list knows the truth of what has not been looked at.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from TumorSegRobustLib.evaluation import dice
from TumorSegRobustLib.evaluation.searching import (
    CLICKS_PER_LOOK,
    GOAL,
    MOST_CLICKS,
    VISIBLE_MM2,
    Guide,
    Position,
    Search,
    search,
)
from TumorSegRobustLib.image import Image, read_image, read_mask
from TumorSegRobustLib.inference import Ensemble
from TumorSegRobustLib.models import find_package
from TumorSegRobustLib.review import ReviewSession
from TumorSegRobustLib.trust import find_places, lean_of

from .cases import asked

READERS = ("searching", "guided")
AFTER = (3, 5, 10, 20)
Case = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    options, names = asked("looking", __doc__, "hospital-a,hospital-b", arguments)
    ensemble = Ensemble(find_package(options.model))
    cases = [case for name in names if (case := measured(options.data / name, ensemble)) is not None]
    options.out.with_suffix(".json").write_text(json.dumps(cases, indent=1) + "\n", encoding="utf-8")
    package = f"`{ensemble.package.id}` {ensemble.package.version}"
    options.out.write_text(report(cases, package, len(names)), encoding="utf-8")


def measured(folder: Path, ensemble: Ensemble) -> Case | None:
    """Both readers on one case; None where the proposal is as good as they want it."""
    image = read_image(folder / "flair.nii.gz")
    truth = read_mask(folder / "mask.nii.gz", image.geometry).voxels > 0
    prediction = ensemble.predict(image)
    start = dice(prediction.mask, truth)
    if start >= GOAL:
        return None
    case: Case = {"case": folder.name, "site": folder.name.rsplit("-", 1)[0], "start": start}
    for most in (CLICKS_PER_LOOK, 1):
        for reader in READERS:
            with (
                tempfile.TemporaryDirectory() as there,
                ReviewSession.start(
                    image, Path(there) / "journal.jsonl", probability=prediction.probability
                ) as session,
            ):
                guide = guide_of(session, image) if reader == "guided" else None
                found = search(image, truth, session, guide, clicks_per_look=most)
            case[f"{reader} {most}"] = told_of(found)
    print(json.dumps(case), file=sys.stderr, flush=True)
    return case


def guide_of(session: ReviewSession, image: Image) -> Guide:
    """The list as the workflow makes it, of the review as it is when it is asked."""

    def guide(looked_at: Sequence[Position]) -> Sequence[Position]:
        places = find_places(
            session.probability,
            session.mask,
            image.geometry,
            seen=[*looked_at, *(click.position_mm for click in session.clicks)],
            lean=lean_of([click.include for click in session.clicks]),
        )
        return [place.position_mm for place in places]

    return guide


def told_of(found: Search) -> Case:
    return {
        "dice": found.dice,
        "slices": found.slices,
        "looked": found.looked,
        "places": found.places,
        "reached": found.reached(),
        "slices_to": found.slices_to(),
        "clicks_to": found.clicks_to(),
    }


def report(cases: Sequence[Case], package: str, tried: int) -> str:
    """The page in Markdown."""
    below = f"{len(cases)} of {tried} cases whose proposal is below Dice {GOAL:g}"
    parts = [
        "# Is the list of places worth following?\n",
        f"Package {package}, {below}. Written by `python -m Testing.benchmarks.looking CASES --out "
        "docs/looking.md`; CASES is the development folder of cases, which is not part of the repository. "
        "The settings of the list were chosen on these same cases, without the truth entering the list: "
        "expect a little less elsewhere. The list asks the probability alone: the members' disagreement "
        "(mutual information) beside it was no better guide.\n",
        "Both readers look at one axial slice at a time and click the middle of the largest error in it, if "
        f"it covers {VISIBLE_MM2:g} mm² or more. The searching reader begins at the first slice of the "
        "contour, goes through it, then through the rest of the head, and begins again until a whole round "
        "needed no click. The guided reader looks at the axial slice through each place of the list, which "
        "is made anew after every look that led to clicks; when the list is empty he searches like the other "
        f"one. Both end at Dice {GOAL:g} or after {MOST_CLICKS} clicks. Every look is counted, also at a "
        "slice seen before. How much a list is worth depends on how much a reader does where he looks, so "
        "both habits stand below.\n",
    ]
    for most in (CLICKS_PER_LOOK, 1):
        parts += [
            f"## {_times(most)} a look\n",
            "Slices looked at and clicks until the end, means over all cases, those that never reached "
            f"Dice {GOAL:g} included with all that they took.\n",
            _until(cases, most),
            f"Only cases in which both readers reached Dice {GOAL:g}:\n",
            _both(cases, most),
            "Mean Dice after so many slices (where a reader had ended, what he ended with):\n",
            _after(cases, most),
        ]
    parts.append("How good the contour may be after corrections: [estimate.md](estimate.md).\n")
    return "\n".join(parts)


def _times(most: int) -> str:
    return "One click" if most == 1 else f"At most {most} clicks"


def _until(cases: Sequence[Case], most: int) -> str:
    rows = []
    for site, members in _sites(cases):
        for reader in READERS:
            told = [case[f"{reader} {most}"] for case in members]
            reached = sum(one["reached"] for one in told)
            rows.append(
                [site, len(members), reader, _mean(told, "slices_to"), _mean(told, "clicks_to"),
                 f"{len(told) - reached} of {len(told)}", f"{np.mean([one['dice'][-1] for one in told]):.3f}",
                 _mean(told, "places")]
            )  # fmt: skip
    head = ["site", "cases", "reader", "slices", "clicks", "not reached", "Dice at the end", "places"]
    return _table(head, rows)


def _both(cases: Sequence[Case], most: int) -> str:
    rows = []
    for site, members in _sites(cases):
        pairs = [[case[f"{reader} {most}"] for reader in READERS] for case in members]
        pairs = [pair for pair in pairs if all(one["reached"] for one in pair)]
        if pairs:
            row: list[object] = [site, len(pairs)]
            for what in ("slices_to", "clicks_to"):
                searching, guided = (np.mean([pair[n][what] for pair in pairs]) for n in (0, 1))
                change = f"{guided / searching - 1:+.0%}"
                row += [f"{searching:.1f}", f"{guided:.1f}", change]
            rows.append(row)
    head = ["site", "cases", "slices, searching", "guided", "change", "clicks, searching", "guided", "change"]
    return _table(head, rows)


def _after(cases: Sequence[Case], most: int) -> str:
    rows = []
    for site, members in _sites(cases):
        for reader in READERS:
            told = [case[f"{reader} {most}"] for case in members]
            values = [np.mean([_dice_after(one, slices) for one in told]) for slices in (0, *AFTER)]
            rows.append([site, reader, *(f"{value:.3f}" for value in values)])
    return _table(["site", "reader", *(f"{slices}" for slices in (0, *AFTER))], rows)


def _dice_after(told: Case, slices: int) -> float:
    known = [value for value, n in zip(told["dice"], told["slices"], strict=True) if n <= slices]
    return float(known[-1])


def _mean(told: Sequence[Case], what: str) -> str:
    return f"{np.mean([one[what] for one in told]):.1f}"


def _sites(cases: Sequence[Case]) -> list[tuple[str, list[Case]]]:
    names = sorted({case["site"] for case in cases})
    groups = [(name, [case for case in cases if case["site"] == name]) for name in names]
    return groups if len(groups) < 2 else [*groups, ("all", list(cases))]


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


if __name__ == "__main__":
    main()
