"""How far off is the expected quality after corrections?

`python -m Testing.benchmarks.estimate CASES --out docs/estimate.md`, CASES being a folder of cases as in
`Testing.benchmarks.accuracy`. Three readers correct what the package proposes: a careful and a
careless one (see `TumorSegRobustLib.evaluation.habits`), and a mistaken one, who clicks right tissue with the
wrong label.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.evaluation import dice
from TumorSegRobustLib.evaluation.aiming import find_largest_error
from TumorSegRobustLib.evaluation.habits import JITTERED, SLOPPY, aim
from TumorSegRobustLib.image import Image, read_image, read_mask
from TumorSegRobustLib.inference import Ensemble
from TumorSegRobustLib.models import find_package
from TumorSegRobustLib.review import Click, ReviewSession
from TumorSegRobustLib.review.shipped import default_refiner
from TumorSegRobustLib.trust import LiveQuality, assess

from .cases import asked

READERS = {"careful": JITTERED, "careless": SLOPPY, "mistaken": None}
CLICKS = 10
AFTER = (0, 1, 3, 5, 10)
_INCLUDES = 0.7
_BRIGHT = 60  # percentile of the scan: a mistaken reader too clicks tissue, not air
Case = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    options, names = asked("estimate", __doc__, "hospital-", arguments)
    ensemble = Ensemble(find_package(options.model))
    cases = [case for name in names if (case := measured(options.data / name, ensemble)) is not None]
    options.out.with_suffix(".json").write_text(json.dumps(cases) + "\n", encoding="utf-8")
    package = f"`{ensemble.package.id}` {ensemble.package.version}"
    options.out.write_text(report(cases, package, len(names)), encoding="utf-8")


def measured(folder: Path, ensemble: Ensemble) -> Case | None:
    """What was expected and what was true after every click; None where the package proposed nothing."""
    image = read_image(folder / "flair.nii.gz")
    truth = read_mask(folder / "mask.nii.gz", image.geometry).voxels > 0
    prediction = ensemble.predict(image)
    trust = assess(prediction, image)
    if not trust.predicted_dice:
        return None
    case: Case = {"case": folder.name}
    for reader in READERS:
        with tempfile.TemporaryDirectory() as there:
            session = ReviewSession.start(
                image,
                Path(there) / "journal.jsonl",
                probability=prediction.probability,
                threshold=prediction.threshold,
                refiner=default_refiner(),
            )
            with session:
                proposed = LiveQuality(trust.predicted_dice, trust.interval)
                case[reader] = story(reader, session, image, truth, proposed)
    print(json.dumps(case), file=sys.stderr, flush=True)
    return case


def story(
    reader: str, session: ReviewSession, image: Image, truth: NDArray, proposed: LiveQuality
) -> list[list[float]]:
    """(expected Dice, low, high, true Dice) before the first click and after each."""
    generator = np.random.default_rng(0)
    start = session.mask
    told: list[list[float]] = []
    for number in range(CLICKS + 1):
        now = proposed.after(start, session.mask)
        told.append([now.dice, *now.interval, dice(session.mask, truth)])
        click = next_click(reader, session.mask, image, truth, generator) if number < CLICKS else None
        if click is not None:
            session.click(click)
    return told


def next_click(
    reader: str, mask: NDArray, image: Image, truth: NDArray, generator: np.random.Generator
) -> Click | None:
    """None where there is nothing left to click."""
    habits = READERS[reader]
    if habits is not None:
        error = find_largest_error(mask, truth, image.geometry)
        if error is None:
            return None
        return Click(aim(error, truth, image.geometry, habits, generator), error.include)
    include = bool(generator.random() < _INCLUDES)
    tissue = image.voxels > np.percentile(image.voxels, _BRIGHT)
    places = np.argwhere(tissue & ~mask & ~truth if include else mask & truth)
    if not len(places):
        return None
    x, y, z = image.geometry.position_of(places[generator.integers(len(places))]).tolist()
    return Click((x, y, z), include)


def report(cases: Sequence[Case], package: str, tried: int) -> str:
    """The page in Markdown."""
    rows = []
    for reader in READERS:
        for clicks in AFTER:
            said, low, high, true = np.array([case[reader][clicks] for case in cases]).T
            off, left = said - true, np.array([case[reader][0][0] for case in cases]) - true
            within = np.mean((low <= true) & (true <= high))
            rows.append(
                [reader, clicks, f"{true.mean():.3f}", f"{said.mean():.3f}", f"{off.mean():+.3f}",
                 f"{np.abs(off).mean():.3f}", _correlation(said, true), f"{within:.0%}",
                 f"{left.mean():+.3f}; {np.abs(left).mean():.3f}"]
            )  # fmt: skip
    head = ["reader", "clicks", "true Dice", "expected", "off by, mean", "off by, absolute", "correlation",
            "within the interval", "if left as proposed: mean; absolute"]  # fmt: skip
    lines = [head, ["---"] * len(head), *rows]
    table = "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
    return (
        "# How far off is the expected quality after corrections?\n\n"
        f"Package {package}, {len(cases)} of {tried} cases (those in which it proposed a contour). Written "
        "by `python -m Testing.benchmarks.estimate CASES --out docs/estimate.md`; CASES is the development "
        "folder of cases, which is not part of the repository. The three numbers of `trust.LiveQuality` were "
        "chosen on these same cases: expect a little more error elsewhere.\n\n"
        "The careful reader clicks the largest error, 3 mm off; the careless one puts a quarter of his "
        "clicks beside it; the mistaken one clicks tissue that has the right label with the wrong one, seven "
        "times of ten to include it. Nobody can know which of the three sits there: the estimate must serve "
        f"all.\n\n{table}\n"
    )


def _correlation(said: NDArray, true: NDArray) -> str:
    """Pearson's, a dash where there is nothing to correlate."""
    if len(said) < 3 or np.ptp(said) == 0 or np.ptp(true) == 0:
        return "-"
    return f"{np.corrcoef(said, true)[0, 1]:.2f}"


if __name__ == "__main__":
    main()
