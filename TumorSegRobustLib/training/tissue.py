"""What is air and what is tissue in a raw image (about 0 = air, 1 = the 99.5th percentile)."""

from __future__ import annotations

import torch
from torch.nn.functional import elu

AIR, TISSUE = 0.06, 0.16
"""Below: air (with its noise, on the scans of five hospitals); above: tissue; between them a ramp."""
FOREGROUND = 0.15
"""As `foreground_fraction` of models/preprocess.py."""


def over_tissue(image: torch.Tensor, changed: torch.Tensor) -> torch.Tensor:
    """`changed` where `image` is tissue, `image` untouched where it is air; any shape.

    So the background of a scan, and a channel of zeros that stands for an absent series, stay what they are,
    whatever an augmentation makes of them. Tissue that would become darker than `AIR` is pressed together
    between half of it and all of it; cut off, it would be one plateau, and look like a stripped background.
    """
    half = AIR / 2
    floored = AIR + half * elu((changed - AIR) / half)
    return torch.lerp(image, floored, tissue(image))


def tissue(image: torch.Tensor) -> torch.Tensor:
    """How much of each voxel is tissue: 0 up to `AIR`, 1 from `TISSUE` on."""
    return ((image - AIR) / (TISSUE - AIR)).clamp(0, 1)


def foreground_moments(image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and SD of the foreground of each channel of (C, k, j, i), as (C, 1, 1, 1); 0 without any."""
    inside = (image > FOREGROUND).float()
    return moments(image, inside)


def moments(image: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Weighted mean and SD of each channel of (C, k, j, i), as (C, 1, 1, 1); 0 without any weight."""
    axes = (1, 2, 3)
    total = weight.sum(axes, keepdim=True).clamp(min=1e-6)
    mean = (image * weight).sum(axes, keepdim=True) / total
    variance = ((image - mean).square() * weight).sum(axes, keepdim=True) / total
    return mean, variance.sqrt()
