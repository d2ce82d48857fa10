"""What fitting the border to the scan is worth: `python -m Testing.benchmarks.border CASES --out FILE.md`.

CASES is a folder of cases as in `Testing.benchmarks.accuracy`. The same networks on FLAIR, with no component
removed: as they are, with the level alone, with the look alone, with both (docs/decisions/017).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from TumorSegRobustLib.evaluation import dice
from TumorSegRobustLib.image import read_image, read_mask
from TumorSegRobustLib.inference import Ensemble
from TumorSegRobustLib.inference.appearance import AppearanceSettings, fit_to_scan
from TumorSegRobustLib.models import find_package

from .cases import asked

FITTED = AppearanceSettings()
WAYS = {
    "networks": None,
    "level": replace(FITTED, weight=0.0),
    "look": replace(FITTED, most_level=0.0),
    "both": FITTED,
}
_PLAIN = ("appearance", "min_component_ml", "min_component_probability")
_MOVED = 0.01


def main(arguments: Sequence[str] | None = None) -> None:
    options, names = asked("border", __doc__, "hospital-,iso-1mm-,native-01", arguments)
    package = find_package(options.model)
    plain = {key: value for key, value in package.calibration.items() if key not in _PLAIN}
    ensemble = Ensemble(replace(package, calibration=plain))
    cases = {name: measured(options.data / name, ensemble) for name in names}
    options.out.with_suffix(".json").write_text(json.dumps(cases, indent=1) + "\n", encoding="utf-8")
    options.out.write_text(report(cases, f"`{package.id}` {package.version}"), encoding="utf-8")


def measured(folder: Path, ensemble: Ensemble) -> dict[str, float]:
    """Dice of each way."""
    image = read_image(folder / "flair.nii.gz")
    truth = read_mask(folder / "mask.nii.gz", image.geometry).voxels > 0
    prediction = ensemble.predict(image)
    found = {}
    for way, settings in WAYS.items():
        probability = prediction.probability.copy()
        if settings is not None:
            fit_to_scan(
                probability, image.voxels, image.geometry.spacing_mm, settings, prediction.threshold
            )
        found[way] = round(dice(probability >= prediction.threshold, truth), 4)
    print(json.dumps({folder.name: found}), file=sys.stderr, flush=True)
    return found


def report(cases: dict[str, dict[str, float]], package: str) -> str:
    """The table in Markdown: mean Dice per site, and how many cases each way moves."""
    sites = sorted({name.rsplit("-", 1)[0] for name in cases})
    head = ["border by", *sites, "all", f"better by {_MOVED:g}", f"worse by {_MOVED:g}", "worst"]
    rows = []
    for way in WAYS:
        gained = np.array([case[way] - case["networks"] for case in cases.values()])
        means = [
            np.mean([case[way] for name, case in cases.items() if name.startswith(f"{site}-")])
            for site in sites
        ]
        every = np.mean([case[way] for case in cases.values()])
        rows.append(
            [way, *(f"{mean:.3f}" for mean in (*means, every)), f"{np.mean(gained > _MOVED):.0%}",
             f"{np.mean(gained < -_MOVED):.0%}", f"{gained.min():+.3f}"]
        )  # fmt: skip
    lines = [head, ["---"] * len(head), *rows]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"Mean Dice, package {package}, {len(cases)} cases.\n\n{table}\n"


if __name__ == "__main__":
    main()
