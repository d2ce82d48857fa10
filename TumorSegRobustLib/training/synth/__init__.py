"""Heads with tumours that never existed: anatomy from label maps, everything else drawn at random.

The idea is SynthSeg's (Billot et al., 2023): a network that has seen every contrast and resolution finds no
scanner strange.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from TumorSegRobustLib.progress import Progress

from .anatomy import Anatomy, load_anatomies
from .draw import Draw
from .generator import HeadGenerator, Sample, SynthConfig

__all__ = ["Anatomy", "Draw", "HeadGenerator", "Sample", "SynthConfig", "load_anatomies", "main"]


def main(config: Path, out: Path, *, count: int = 24, progress: Progress | None = None) -> dict[str, Any]:
    """Write `count` examples of what a training configuration (YAML) generates: a contact sheet and three
    volumes.
    """
    from ..config import read_config
    from .sheet import write_examples

    c = read_config(config)
    sheet = write_examples(
        Path(c.label_maps), c.synth, out, anatomies=c.anatomies, count=count, seed=c.seed, progress=progress
    )
    return {"heads": count, "sheet": str(sheet)}
