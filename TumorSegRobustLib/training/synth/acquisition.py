"""What the scanner does to the head: point spread, thick slices, motion, bias field, noise, windowing, 8
bits.
"""

from __future__ import annotations

import torch

from .draw import Draw
from .fields import blur, smooth_noise


def acquire(
    image: torch.Tensor, spacing_mm: float, draw: Draw, stripped: torch.Tensor | None = None
) -> torch.Tensor:
    """A scan of `image` (k, j, i, about 0..1.5) on the same grid; `stripped`: what skull stripping keeps, or
    None.
    """
    shape = image.shape
    bias = torch.exp(smooth_noise(shape, max(shape) / draw.uniform(1.0, 3.0), draw)[0] * draw.uniform(0, 0.3))
    image = image * bias
    if stripped is not None:
        image = image * stripped
    if draw.chance(0.7):
        width = draw.uniform(0.0, 0.8)
        image = blur(image, [width * draw.uniform(0.6, 1.4) for _ in range(3)])
    if draw.chance(0.15):
        image = ghost(image, draw)
    if draw.chance(0.08):
        image = spike(image, draw)
    if draw.chance(0.75):
        axis = 0 if draw.chance(0.85) else 1 + draw.integer(2)
        image = thick_slices(image, axis, draw.uniform(1.2, 8.0) / spacing_mm, draw)
    sigma = draw.uniform(0.0, 0.05) if draw.chance(0.85) else draw.uniform(0.05, 0.1)
    image = rician(image, sigma, draw)
    if stripped is not None:
        image = image * stripped
    low, high = torch.quantile(
        image.flatten()[:: max(1, image.numel() // 100_000)], torch.tensor([0.005, 0.998])
    ).tolist()
    image = ((image - low) / max(1e-6, high - low)).clamp(0, 1.3)
    if draw.chance(0.5):
        image = image.clamp(0, draw.uniform(0.7, 1.2))
    if draw.chance(0.5):
        image = image ** draw.log_uniform(0.65, 1.5)
    if draw.chance(0.5):
        image = (image * 255).round() / 255
    return image


def thick_slices(image: torch.Tensor, axis: int, thickness: float, draw: Draw) -> torch.Tensor:
    """Average over slices of `thickness` voxels along `axis` (with a gap at times), then interpolate between
    them.
    """
    n = image.shape[axis]
    if thickness <= 1.0:
        return image
    sigma = [0.0, 0.0, 0.0]
    sigma[axis] = thickness * draw.uniform(0.25, 0.42)
    smooth = blur(image, sigma)
    count = max(3, int(n / thickness))
    centres = (torch.arange(count) + draw.uniform()) * thickness
    slices = torch.index_select(smooth, axis, centres.clamp(0, n - 1).round().long())
    at = ((torch.arange(n) - centres[0]) / thickness).clamp(0, count - 1)
    below = at.floor().long()
    above = (below + 1).clamp(max=count - 1)
    view = [1, 1, 1]
    view[axis] = n
    weight = (at - below).view(view)
    return (
        torch.index_select(slices, axis, below) * (1 - weight)
        + torch.index_select(slices, axis, above) * weight
    )


def ghost(image: torch.Tensor, draw: Draw) -> torch.Tensor:
    """A faint copy shifted along an in-plane axis: periodic motion."""
    axis = 1 + draw.integer(2)
    shift = int(image.shape[axis] / draw.choice((2, 3, 4)))
    strength = draw.uniform(0.03, 0.15)
    return image * (1 - strength) + strength * torch.roll(image, shift, dims=axis)


def spike(image: torch.Tensor, draw: Draw) -> torch.Tensor:
    """A herringbone pattern: one corrupt point of k-space."""
    grids = torch.meshgrid(*[torch.arange(n, dtype=torch.float32) for n in image.shape], indexing="ij")
    phase = sum(g * draw.uniform(-1.5, 1.5) for g in grids[1:]) + draw.uniform(0, 6.28)
    return image + draw.uniform(0.02, 0.08) * torch.cos(torch.as_tensor(phase))


def rician(image: torch.Tensor, sigma: float, draw: Draw) -> torch.Tensor:
    """Magnitude of a complex signal with Gaussian noise of SD `sigma`."""
    noise = draw.white((2, *image.shape)) * sigma
    return torch.sqrt((image + noise[0]).square() + noise[1].square())
