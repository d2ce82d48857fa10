"""Augmentation of raw images: one kind in a file, what is drawn (settings) apart from what is applied.

pipeline = build(PRESETS["style"], bank=StyleBank.load(path))
image, truth = pipeline(image, truth, Draw(seed))
"""

from __future__ import annotations

from .pipeline import AUGMENTATIONS, PRESETS, Augmentation, Pipeline, build, from_json, replay, to_json

__all__ = ["AUGMENTATIONS", "PRESETS", "Augmentation", "Pipeline", "build", "from_json", "replay", "to_json"]
