"""Toy heads, real and generated, and configurations of a few steps for the tests of the training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from TumorSegRobustLib.image import Geometry, Image, write_image
from TumorSegRobustLib.training.config import StageOneConfig
from TumorSegRobustLib.training.synth import SynthConfig

GRID = Geometry((12, 40, 36), (3.0, 3.0, 8.0), (5.0, -7.0, 3.0))


def network(inputs: int = 1, outputs: int = 2, **changes: Any) -> dict[str, Any]:
    """A residual U-Net of two stages."""
    args = {
        "spatial_dims": 3, "in_channels": inputs, "out_channels": outputs, "channels": [4, 8], "strides": [2],
        "num_res_units": 1, "norm": ["instance", {"affine": True}],
    }  # fmt: skip
    return {"name": "UNet", "args": {**args, **changes}}


def a_config(label_maps: Path, **changes: Any) -> StageOneConfig:
    """Six steps on patches of 16^3 voxels of 7 mm."""
    synth = SynthConfig(patch=(16, 16, 16), spacing_mm=7.0, tumour=1.0, small=0.0)
    base = StageOneConfig("toy", str(label_maps), network(), synth=synth, steps=6, workers=0, log_every=2)
    return replace(base, **changes)


def write_label_maps(folder: Path) -> Path:
    """Two toy heads: skin, bone, grey matter, white matter and a ventricle as nested ellipsoids, 1 mm."""
    z, y, x = np.mgrid[-64:64, -64:64, -64:64]
    for name, wide in (("toy_1", 1.0), ("toy_2", 0.85)):
        distance = np.sqrt((z / 1.1) ** 2 + y**2 + (x / wide) ** 2)
        labels = np.zeros(distance.shape, np.int32)
        for radius, label in ((56, 511), (53, 515), (48, 24), (46, 3), (40, 2), (10, 4)):
            labels[distance < radius] = label
        image = sitk.GetImageFromArray(labels)
        sitk.WriteImage(image, str(folder / f"{name}.nii.gz"))
    return folder


def write_case(folder: Path, seed: int, *, t1c: bool = True, mask: str = "brats") -> None:
    """A head of 108 x 120 x 96 mm with a bright block. mask: brats (labels 2, 4, 1), plain (1) or none."""
    rng = np.random.default_rng(seed)
    k, j, i = np.meshgrid(*(np.linspace(-1, 1, n) for n in GRID.shape), indexing="ij")
    inside = k**2 + j**2 + i**2 < 0.9
    labels = np.zeros(GRID.shape, np.uint8)
    labels[3:7, 10:22, 16:28] = 2
    labels[4:6, 12:18, 18:24] = 4
    labels[4:6, 14:16, 20:22] = 1
    folder.mkdir(parents=True)
    for name in ("flair", "t1c") if t1c else ("flair",):
        scan = np.where(inside, 400 + 30 * rng.normal(size=GRID.shape), 5 * rng.random(GRID.shape))
        write_image(Image((scan + 300.0 * (labels > 0)).astype(np.int16), GRID), folder / f"{name}.nii.gz")
    if mask != "none":
        given = labels if mask == "brats" else (labels > 0).astype(np.uint8)
        write_image(Image(given, GRID), folder / "mask.nii.gz")


def write_cases(folder: Path) -> Path:
    """Four scans of two sites (brats-1, -2 with T1c; plain-1 without; plain-2 without mask): the manifest."""
    from TumorSegRobustLib.evaluation.manifest import write_manifest

    write_case(folder / "brats-1", 1)
    write_case(folder / "brats-2", 2)
    write_case(folder / "plain-1", 3, t1c=False, mask="plain")
    write_case(folder / "plain-2", 4, t1c=False, mask="none")
    write_manifest(folder, folder / "manifest.csv")
    return folder / "manifest.csv"
