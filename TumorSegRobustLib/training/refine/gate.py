"""The gate: is the refining network better than the geodesic operator alone, on real cases?

A network is used only where it won. "Won" is judged for each start (from the first-stage networks, from
nothing), over all cases: at 1, 3, 5 and 10 clicks, exact and jittered, the mean Dice is at least that of the
operator, it is higher at one of them at least, and the steps that lose are not more than chance explains.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import fisher_exact

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.evaluation import READERS, Curve, Habits, simulate
from TumorSegRobustLib.evaluation.manifest import ManifestCase, read_manifest
from TumorSegRobustLib.image import Image, read_image, read_mask, read_series
from TumorSegRobustLib.inference import Ensemble
from TumorSegRobustLib.models import find_package
from TumorSegRobustLib.progress import Progress
from TumorSegRobustLib.review import GeodesicRefiner, Refiner, ReviewSession
from TumorSegRobustLib.review.network_refiner import STARTS

SHOWN = (1, 3, 5, 10)
JUDGES = ("robot", "jittered")
"""The readers whose clicks decide: an exact one, and one that is 3 mm off."""
CHANCE = 0.05
"""Level of the one-sided Fisher test that the network loses more steps than the operator."""


_LONG = ("clicks", "changed_ml")


@dataclass(frozen=True)
class Read:
    """One review played through. refiner: "floor" or "network"; `curve.reader` says who clicked."""

    case: str
    site: str
    start: str
    refiner: str
    curve: Curve

    def to_json(self) -> dict[str, Any]:
        return {
            "case": self.case,
            "site": self.site,
            "start": self.start,
            "refiner": self.refiner,
            **{key: value for key, value in self.curve.to_json().items() if key not in _LONG},
        }


def main(
    network: Refiner,
    manifest: Path,
    out: Path,
    *,
    package: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Compare, write `gate.json` (verdict, means, every curve) into `out`, and return it without the curves.

    manifest: cases as for `evaluate`; its column `start` says "networks", "nothing" or "both" (default: both
    where the first channel suits the first-stage `package`, else nothing).
    """
    cases = [case for case in read_manifest(manifest) if case.reference is not None]
    ensemble = Ensemble(find_package(package))
    reads = compare(cases, {"floor": GeodesicRefiner(), "network": network}, ensemble, progress or Progress())
    document = verdict(reads)
    out.mkdir(parents=True, exist_ok=True)
    curves = [read.to_json() for read in reads]
    (out / "gate.json").write_text(json.dumps({**document, "curves": curves}, indent=1), encoding="utf-8")
    return document


def compare(
    cases: Sequence[ManifestCase],
    refiners: Mapping[str, Refiner],
    ensemble: Ensemble,
    progress: Progress,
    readers: Sequence[Habits] = tuple(map(READERS.__getitem__, JUDGES)),
) -> list[Read]:
    """Every case read from each of its starts, with each refiner, by each of the readers."""
    reads: list[Read] = []
    for number, case in enumerate(cases):
        progress.report(number / len(cases), f"Case {number + 1} of {len(cases)}: {case.case}")
        name, path = next(iter(case.channels.items()))
        image = read_series(path)[0] if path.is_dir() else read_image(path)
        assert case.reference is not None
        truth = read_mask(case.reference, image.geometry)
        for start in _starts(case, name, ensemble):
            probability = ensemble.predict(image).probability if start == "networks" else None
            for kind, refiner in refiners.items():
                for reader in readers:
                    curve = _read(image, truth, probability, refiner, reader)
                    reads.append(Read(case.case, case.site, start, kind, curve))
    return reads


def verdict(reads: Sequence[Read]) -> dict[str, Any]:
    """Per start: did the network win, and the means that say so; {"networks": {...}, "nothing": {...}}."""
    document: dict[str, Any] = {}
    for start in STARTS:
        mine = [read for read in reads if read.start == start]
        if not mine:
            continue
        means = {
            kind: {
                name: _means([r for r in mine if r.refiner == kind and r.curve.reader == name])
                for name in JUDGES
            }
            for kind in ("floor", "network")
        }
        pairs = [(means["floor"][hand], means["network"][hand]) for hand in means["floor"]]
        no_worse = all(b["dice"][n] >= a["dice"][n] for a, b in pairs for n in a["dice"])
        better = any(b["dice"][n] > a["dice"][n] for a, b in pairs for n in a["dice"])
        loses = any(_loses_more(a, b) for a, b in pairs)
        cases = len({read.case for read in mine})
        document[start] = {"won": no_worse and better and not loses, "cases": cases, **means}
    return document


def _means(reads: Sequence[Read]) -> dict[str, Any]:
    dice = np.array([read.curve.dice for read in reads])
    steps = [len(read.curve.results) for read in reads]
    lost = [round(read.curve.lost_steps * n) for read, n in zip(reads, steps, strict=True)]
    return {
        "dice": {str(n): round(float(dice[:, n].mean()), 4) for n in SHOWN if n < dice.shape[1]},
        "lost_steps": round(sum(lost) / max(1, sum(steps)), 4),
        "lost": sum(lost),
        "steps": sum(steps),
        "honoured": round(float(np.mean([read.curve.honoured for read in reads])), 4),
    }


def _loses_more(operator: Mapping[str, Any], network: Mapping[str, Any]) -> bool:
    """Whether the network loses more steps than the operator, beyond chance."""
    table = [[one["lost"], one["steps"] - one["lost"]] for one in (network, operator)]
    return bool(fisher_exact(table, alternative="greater").pvalue < CHANCE)


def _starts(case: ManifestCase, channel: str, ensemble: Ensemble) -> tuple[str, ...]:
    known = channel in {one.name for one in ensemble.package.channels}
    wanted = case.strata.get("start") or ("both" if known else "nothing")
    if wanted not in (*STARTS, "both"):
        raise UnusableInput(f"{case.case}: start is {wanted!r}; write {', '.join(STARTS)} or both.")
    return STARTS if wanted == "both" else (wanted,)


def _read(
    image: Image, truth: Image, probability: NDArray | None, refiner: Refiner, reader: Habits
) -> Curve:
    with tempfile.TemporaryDirectory() as folder:

        def begin() -> ReviewSession:
            journal = Path(folder) / "journal.jsonl"
            return ReviewSession.start(image, journal, probability=probability, refiner=refiner)

        return simulate(image, truth, begin, clicks=max(SHOWN), reader=reader)
