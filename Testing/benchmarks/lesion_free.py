"""What a package contours in heads without a tumour: `python -m Testing.benchmarks.lesion_free LABEL_MAPS`.

Generated whole heads (2 mm, distractors and artefacts as in training, seeds that no training used), through
`Ensemble.predict` like any scan. Prints the share below 0.5 ml and how triage judges what was contoured, for
docs/training.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

SEED = 77_000_000_000
LIMIT_ML = 0.5
CHANNELS = {"FLAIR": (1.0, 0.0, 0.0), "T1c": (0.0, 1.0, 0.0), "FLAIR and T1c": (0.0, 0.0, 1.0)}


def contours(
    package: str, label_maps: Path, heads: int, present: tuple[float, float, float]
) -> Iterator[tuple[float, str]]:
    """Contoured volume of every head in ml, and the level of triage."""
    from TumorSegRobustLib.image import Geometry, Image
    from TumorSegRobustLib.inference import Ensemble
    from TumorSegRobustLib.models import find_package
    from TumorSegRobustLib.training.synth import HeadGenerator, SynthConfig, load_anatomies
    from TumorSegRobustLib.trust import assess

    ensemble = Ensemble(find_package(package))
    known = [channel.name for channel in ensemble.package.channels]
    config = SynthConfig(
        patch=(96, 112, 96), spacing_mm=2.0, tumour=0.0, centred=0.0, present=present,
        channels=("flair", "t1c"), kinds={"flair": 1.0}, kinds_t1c={"t1c": 1.0},
    )  # fmt: skip
    generator = HeadGenerator(load_anatomies(label_maps), config)
    geometry = Geometry(config.patch, (config.spacing_mm,) * 3, (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    for n in range(heads):
        raw = generator.sample(SEED + n).raw.numpy()
        scan = {
            name: Image((channel * 1000).astype(np.float32), geometry, name)
            for name, channel in zip(config.channels, raw, strict=True)
            if channel.any() and name in known
        }
        prediction = ensemble.predict(scan)
        yield prediction.volume_ml, assess(prediction, next(iter(scan.values()))).level


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m Testing.benchmarks.lesion_free", description=__doc__)
    parser.add_argument("label_maps", type=Path)
    parser.add_argument("--package", default="brain-mr")
    parser.add_argument("--heads", type=int, default=50)
    options = parser.parse_args()
    print(f"{options.package}, {options.heads} generated heads without a tumour\n")
    print(f"| scan | below {LIMIT_ML} ml | median ml | 90th percentile ml | contoured and called accept |")
    print("| --- | --- | --- | --- | --- |")
    for name, present in CHANNELS.items():
        made = list(contours(options.package, options.label_maps, options.heads, present))
        found = np.array([volume for volume, _ in made])
        accepted = np.mean([volume >= LIMIT_ML and level == "accept" for volume, level in made])
        print(
            f"| {name} | {np.mean(found < LIMIT_ML):.0%} | {np.median(found):.2f} | "
            f"{np.percentile(found, 90):.2f} | {accepted:.0%} |"
        )


if __name__ == "__main__":
    main()
