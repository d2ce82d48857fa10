"""Generated heads per second on one core: `python -m Testing.benchmarks.generator LABEL_MAPS [HEADS]`.

64x64x64 at 2.5 mm, the training resolution, first with FLAIR alone, then with FLAIR, T1c and all six truths.
Prints a small table for docs/training.md.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from time import perf_counter

from .measuring import machine

SETTINGS = {
    "FLAIR; whole tumour, brain": {},
    "FLAIR and T1c as drawn; six outputs": {
        "channels": ("flair", "t1c"),
        "outputs": ("whole tumour", "tumour core", "brain", "white matter", "grey matter", "fluid"),
    },
}


def main(label_maps: Path, heads: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    import torch

    torch.set_num_threads(1)
    from TumorSegRobustLib.training.synth import HeadGenerator, SynthConfig, load_anatomies

    anatomies = load_anatomies(label_maps)
    print(f"{machine()['processor']}, one core, {heads} heads each\n")
    print("| what | heads per second |\n| --- | --- |")
    for name, settings in SETTINGS.items():
        config = SynthConfig(patch=(64, 64, 64), spacing_mm=2.5, **settings)  # type: ignore[arg-type]
        generator = HeadGenerator(anatomies, config)
        generator.sample(0)
        began = perf_counter()
        for seed in range(heads):
            generator.sample(seed)
        print(f"| {name} | {heads / (perf_counter() - began):.1f} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 200)
