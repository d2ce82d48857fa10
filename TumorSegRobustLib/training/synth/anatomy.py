"""Whole-head label maps (FreeSurfer numbers plus extra-cerebral classes from 500) in a compact, left-right
merged form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from .fields import blur

# right-hand label -> left-hand label, and rare labels -> the tissue around them
MERGED = {
    41: 2, 42: 3, 43: 4, 44: 4, 5: 4, 46: 7, 47: 8, 49: 10, 50: 11, 51: 12, 52: 13, 53: 17, 54: 18, 57: 25,
    58: 26, 60: 28, 62: 30, 72: 24, 163: 136, 164: 137, 85: 2,
}  # fmt: skip
WHITE = (2, 7, 16, 28)
GREY = (3, 8, 10, 11, 12, 13, 17, 18, 26)
CSF = (24, 14, 15)
VENTRICLES = (4,)
OTHER_BRAIN = (25, 30, 136, 137)
# extra-cerebral classes, identified by looking at the maps
EYE, SOFT, SKIN, BONE, MARROW = 506, 507, 511, 515, 516
OTHER_HEAD = (502, 508, 509, 512, 514, 530)

LABELS: tuple[int, ...] = (
    0, *WHITE, *GREY, *CSF, *VENTRICLES, *OTHER_BRAIN, EYE, SOFT, SKIN, BONE, MARROW, *OTHER_HEAD
)  # fmt: skip
INDEX = {label: i for i, label in enumerate(LABELS)}


def table(labels: Sequence[int]) -> torch.Tensor:
    """Bool look-up table over compact classes: true for the given labels."""
    lut = torch.zeros(len(LABELS), dtype=torch.bool)
    lut[[INDEX[label] for label in labels]] = True
    return lut


IS_WHITE = table(WHITE)
IS_TISSUE = table((*WHITE, *GREY, *OTHER_BRAIN))
IS_FLUID = table((*CSF, *VENTRICLES))
IS_VENTRICLE = table(VENTRICLES)
IS_GREY = table((*GREY, *OTHER_BRAIN))
IS_BRAIN = table((*WHITE, *GREY, *OTHER_BRAIN, *VENTRICLES, 14, 15))
IS_STRIPPED = table((*WHITE, *GREY, *OTHER_BRAIN, *VENTRICLES, *CSF))


@dataclass(frozen=True)
class Anatomy:
    """One head. `classes`: uint8 (k, j, i) compact classes at 1 mm in LPS order; `brain_mm`, `surface_mm`:
    (n, 3) positions in the brain and on its surface.
    """

    name: str
    classes: torch.Tensor
    brain_mm: torch.Tensor
    surface_mm: torch.Tensor


def load_anatomies(folder: Path, names: Sequence[str] | None = None) -> list[Anatomy]:
    """Every label map (`*.nii.gz`, 1 mm) of `folder`, or those whose file stems are named, in order of name.

    Raises FileNotFoundError when the folder holds none.
    """
    import SimpleITK as sitk

    lut = np.zeros(1024, np.uint8)
    for label, compact in INDEX.items():
        lut[label] = compact
    for label, merged in MERGED.items():
        lut[label] = INDEX[merged]
    anatomies = []
    for path in sorted(Path(folder).glob("*.nii.gz")):
        name = path.name.removesuffix(".nii.gz")
        if names and name not in names:
            continue
        labels = sitk.GetArrayFromImage(sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS"))
        classes = torch.from_numpy(lut[labels.astype(np.int64)])
        anatomies.append(Anatomy(name, classes.contiguous(), *_places(classes[::3, ::3, ::3].long())))
    if not anatomies:
        raise FileNotFoundError(f"No label maps (*.nii.gz) in {folder}.")
    return anatomies


def _places(coarse: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Positions in mm of brain tissue and of the brain's surface, from classes at 3 mm."""
    tissue, inside = IS_TISSUE[coarse], IS_STRIPPED[coarse]
    deep = blur(inside.float(), (1.0, 1.0, 1.0)) > 0.75
    surface = tissue & ~deep
    return torch.nonzero(tissue).float() * 3, torch.nonzero(surface if surface.any() else tissue).float() * 3
