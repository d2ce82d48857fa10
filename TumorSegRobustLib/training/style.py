"""How the look of a scan is measured: grey values, coarse and fine contrast, spectrum. No mask is needed.

All functions take raw images (about 0 = air, 1 = the 99.5th percentile), float32 (C, k, j, i).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .synth.fields import along, gaussian_matrix, linear_matrix
from .tissue import FOREGROUND, foreground_moments, moments, tissue

QUANTILES = 64
"""Grey values that describe a histogram: the quantiles 0.5 / 64, 1.5 / 64, ... of the foreground."""
COARSE_VOXELS = 2.5
"""SD of the blur that parts coarse from fine contrast, in voxels: 5 mm at the usual 2 mm."""
FREQUENCIES = 8
"""Samples of the spectrum along each axis, from 0 to 0.5 cycles per voxel."""
_ENOUGH = 30_000  # voxels from which quantiles are taken


def grey_values(channel: torch.Tensor) -> torch.Tensor:
    """`QUANTILES` quantiles of the foreground of (k, j, i), rising; of 0 length without a foreground."""
    values = channel[channel > FOREGROUND] if channel.numel() <= _ENOUGH else _some_foreground(channel)
    if not len(values):
        return values
    levels = (torch.arange(QUANTILES, dtype=torch.float32) + 0.5) / QUANTILES
    ordered = values.sort().values
    at = levels * (len(ordered) - 1)
    below = at.floor().long()
    above = (below + 1).clamp(max=len(ordered) - 1)
    return torch.lerp(ordered[below], ordered[above], at - below)


def bands(image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(coarse, fine): the local mean of the tissue, and what it leaves; their sum is the image."""
    weight = tissue(image)
    coarse = _smooth(image * weight) / _smooth(weight).clamp(min=1e-3)
    return coarse, image - coarse


def contrast(image: torch.Tensor) -> torch.Tensor:
    """Mean, SD, SD of the coarse band and SD of the fine band, in the foreground: (4, C)."""
    coarse, fine = (band[:, ::2, ::2, ::2] for band in bands(image))  # every eighth voxel tells as much
    image = image[:, ::2, ::2, ::2]
    inside = (image > FOREGROUND).float()
    mean, deviation = moments(image, inside)
    parts = (mean, deviation, moments(coarse, inside)[1], moments(fine, inside)[1])
    return torch.stack([part.flatten() for part in parts])


def spectrum(image: torch.Tensor) -> torch.Tensor:
    """Log amplitude of the contrast inside the head on a small grid: (C, 8, 8, 8), without its mean.

    The grid runs over |frequency| from 0 to 0.5 cycles per voxel along (k, j, i): sharpness and texture of a
    scan, not its anatomy. Of the foreground minus its mean, so that the outline of the head counts little.
    """
    mean, _ = foreground_moments(image)
    power = torch.fft.rfftn((image - mean) * tissue(image), dim=(1, 2, 3)).abs().square()
    for axis, frequencies in enumerate(transform_frequencies(image.shape[1:])):
        power = along(power, _mean_matrix(frequencies), axis)
    logs = 0.5 * torch.log(power + 1e-12)
    return logs - logs.mean((1, 2, 3), keepdim=True)


def transform_frequencies(shape: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The frequencies, in cycles per voxel, along each axis of torch.fft.rfftn of (k, j, i)."""
    k, j, i = shape
    return torch.fft.fftfreq(k), torch.fft.fftfreq(j), torch.fft.rfftfreq(i)


def frequency_matrix(frequencies: torch.Tensor) -> torch.Tensor:
    """(len(frequencies), 8) weights that interpolate the small grid linearly at |frequencies|."""
    return linear_matrix(frequencies.abs() * 2 * (FREQUENCIES - 1), FREQUENCIES)


def _mean_matrix(frequencies: torch.Tensor) -> torch.Tensor:
    """(8, n) weights of means over the n frequencies of a transform, about each sample of the small grid.

    A sample that no frequency of a short axis comes near gets the nearest one.
    """
    spread = frequency_matrix(frequencies).T
    distance = frequencies.abs().unsqueeze(0) - torch.linspace(0, 0.5, FREQUENCIES).unsqueeze(1)
    nearest = distance.abs().argmin(1, keepdim=True)
    closest = torch.zeros_like(spread).scatter_(1, nearest, 1.0)
    total = spread.sum(1, keepdim=True)
    return torch.where(total > 1e-3, spread / total.clamp(min=1e-3), closest)


def _smooth(volume: torch.Tensor) -> torch.Tensor:
    """Gaussian blur of SD `COARSE_VOXELS`, at every second voxel and interpolated: three times as fast."""
    sizes = volume.shape[1:]
    for axis, n in enumerate(sizes):
        every_second = torch.arange(0, n, 2, dtype=torch.float32)
        volume = along(volume, gaussian_matrix(every_second, n, COARSE_VOXELS), axis)
    for axis, n in enumerate(sizes):
        back = torch.arange(n, dtype=torch.float32) / 2
        volume = along(volume, linear_matrix(back, (n + 1) // 2), axis)
    return volume


def _some_foreground(channel: torch.Tensor) -> torch.Tensor:
    """About every so-many-th foreground voxel; the same ones again for the same image."""
    step = max(1, channel.numel() // (8 * _ENOUGH))
    values = channel.flatten()[::step]
    values = values[values > FOREGROUND]
    return values[:: max(1, len(values) // _ENOUGH)]
