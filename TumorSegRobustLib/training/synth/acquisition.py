"""What the scanner does to the head: slices, point spread, motion, ghosts, bias field, noise, windowing, 8
bits.

The head is sampled onto a scanner's grid (three small matrices), disturbed there, and interpolated back onto
the network's grid, as preprocessing does with a real scan.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from .draw import Draw
from .fields import along, gaussian_matrix, linear_matrix, smooth_noise


@dataclass(frozen=True)
class Sampling:
    """Per axis: (scanner samples, voxels) and back (voxels, scanner samples)."""

    to_scanner: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
    back: tuple[torch.Tensor, torch.Tensor, torch.Tensor]

    def scan(self, volume: torch.Tensor) -> torch.Tensor:
        for axis, matrix in enumerate(self.to_scanner):
            volume = along(volume, matrix, axis)
        return volume

    def restore(self, volume: torch.Tensor) -> torch.Tensor:
        for axis, matrix in enumerate(self.back):
            volume = along(volume, matrix, axis)
        return volume


def draw_sampling(
    shape: torch.Size | tuple[int, ...], spacing_mm: float, draw: Draw, shift_mm: float = 0.0
) -> Sampling:
    """Slices of up to 8 mm (with gaps or overlap) along an axis, mostly the body's, or an isotropic 3D scan.

    `shift_mm`: SD of a shift of the whole head, as between two series of one examination.
    """
    slice_axis = -1
    thickness = 1.0
    if draw.chance(0.8):
        slice_axis = draw.choice((0, 1, 2), (0.8, 0.1, 0.1))
        thickness = max(1.0, draw.uniform(1.2, 8.0) / spacing_mm)
    forward, back = [], []
    for axis, n in enumerate(shape):
        shift = draw.normal(0, shift_mm) / spacing_mm if shift_mm else 0.0
        if axis == slice_axis and thickness > 1.0:
            step = thickness
            sigma = thickness * draw.uniform(0.12, 0.42)  # narrow profile: a gap between slices
        else:
            step = max(1.0, draw.uniform(0.7, 1.5))
            sigma = draw.uniform(0.2, 0.8)
        count = max(3, math.ceil(n / step))
        centres = (torch.arange(count) + draw.uniform(0.0, 1.0) * (step > 1.0)) * step
        forward.append(gaussian_matrix((centres + shift).clamp(0, n - 1), n, sigma))
        back.append(linear_matrix((torch.arange(n) - centres[0]) / step, count))
    return Sampling((forward[0], forward[1], forward[2]), (back[0], back[1], back[2]))


def acquire(
    image: torch.Tensor,
    spacing_mm: float,
    draw: Draw,
    stripped: torch.Tensor | None = None,
    shift_mm: float = 0.0,
) -> torch.Tensor:
    """A scan of `image` (k, j, i, about 0..1.5) on the same grid, 0 .. about 1.3.

    `stripped`: what skull stripping keeps (float 0..1), or None.
    """
    shape = image.shape
    bias = torch.exp(smooth_noise(shape, max(shape) / draw.uniform(1.0, 3.0), draw)[0] * draw.uniform(0, 0.2))
    image = image * bias if stripped is None else image * bias * stripped
    sampling = draw_sampling(shape, spacing_mm, draw, shift_mm)
    scan = sampling.scan(image)
    if draw.chance(0.08):
        scan = move(scan, draw)
    if draw.chance(0.08):
        scan = ghost(scan, draw)
    if draw.chance(0.06):
        scan = spike(scan, draw)
    if draw.chance(0.1):
        scan = truncate(scan, draw)
    if draw.chance(0.03):
        scan = zipper(scan, draw)
    # voxels of the network's size average several of the scanner's: most scans are quiet at this size
    sigma = draw.log_uniform(0.002, 0.03) if draw.chance(0.88) else draw.uniform(0.03, 0.1)
    scan = rician(scan, sigma, draw)
    if draw.chance(0.03):
        scan = drop_slices(scan, draw)
    image = sampling.restore(scan)
    if stripped is not None:
        image = image * stripped
    return window(image, draw)


def window(image: torch.Tensor, draw: Draw) -> torch.Tensor:
    """Scale to percentiles; at times saturate, bend, and store in eight bits."""
    flat = image.flatten()
    few, _ = flat[:: max(1, flat.numel() // 20_000)].sort()
    low, high = float(few[int(0.005 * len(few))]), float(few[int(0.998 * (len(few) - 1))])
    image = ((image - low) / max(1e-6, high - low)).clamp(0, 1.3)
    if draw.chance(0.4):
        image = image.clamp(max=draw.uniform(0.6, 1.2))
    if draw.chance(0.4):
        image = image ** draw.log_uniform(0.65, 1.35)
    if draw.chance(0.5):
        levels = 255 / max(1e-6, float(image.max()))
        image = (image * levels).round() / levels
    return image


def move(image: torch.Tensor, draw: Draw) -> torch.Tensor:
    """Some lines of k-space were measured after the head had moved along an in-plane axis."""
    axis = 1 + draw.integer(2)
    n = image.shape[axis]
    frequency = torch.fft.fftfreq(n)
    moved = torch.zeros(n)
    for _ in range(1 + draw.integer(3)):
        start, length = draw.integer(n), max(1, int(n * draw.uniform(0.02, 0.25)))
        moved[start : start + length] = draw.normal(0, 1.5)
    moved[frequency.abs() < draw.uniform(0.02, 0.08)] = 0.0  # the centre decides the contrast
    phase = torch.exp(-2j * math.pi * frequency * moved)
    view = [1, 1, 1]
    view[axis] = n
    return torch.fft.ifft(torch.fft.fft(image, dim=axis) * phase.view(view), dim=axis).abs()


def ghost(image: torch.Tensor, draw: Draw) -> torch.Tensor:
    """A faint copy shifted along an in-plane axis: periodic motion."""
    axis = 1 + draw.integer(2)
    shift = int(image.shape[axis] / draw.choice((2, 3, 4)))
    strength = draw.uniform(0.03, 0.15)
    return image * (1 - strength) + strength * torch.roll(image, shift, dims=axis)


def spike(image: torch.Tensor, draw: Draw) -> torch.Tensor:
    """A herringbone pattern: one corrupt point of k-space."""
    _, j, i = (torch.arange(n, dtype=torch.float32) for n in image.shape)
    phase = (j * draw.uniform(-1.5, 1.5)).view(-1, 1) + (i * draw.uniform(-1.5, 1.5)).view(1, -1)
    return image + draw.uniform(0.02, 0.08) * torch.cos(phase + draw.uniform(0, 6.28))


def truncate(image: torch.Tensor, draw: Draw) -> torch.Tensor:
    """Only the centre of k-space was measured along an in-plane axis: blur with ringing."""
    axis = 1 + draw.integer(2)
    n = image.shape[axis]
    spectrum = torch.fft.rfft(image, dim=axis)
    keep = max(4, int(spectrum.shape[axis] * draw.uniform(0.45, 0.85)))
    view = [1, 1, 1]
    view[axis] = spectrum.shape[axis]
    inside = (torch.arange(spectrum.shape[axis]) < keep).view(view)
    return torch.fft.irfft(spectrum * inside, n=n, dim=axis).clamp(min=0)


def zipper(image: torch.Tensor, draw: Draw) -> torch.Tensor:
    """A line of alternating noise through every slice: a radio frequency leaked in."""
    axis = 1 + draw.integer(2)
    at = draw.integer(image.shape[axis])
    line = draw.white(image.shape).select(axis, 0).abs() * draw.uniform(0.1, 0.5)
    out = image.clone()
    out.select(axis, at).add_(line)
    return out


def drop_slices(image: torch.Tensor, draw: Draw) -> torch.Tensor:
    """One or two slices are lost and stay black."""
    out = image.clone()
    for _ in range(1 + draw.integer(2)):
        out[draw.integer(len(out))] = 0.0
    return out


def rician(image: torch.Tensor, sigma: float, draw: Draw) -> torch.Tensor:
    """Magnitude of a complex signal with Gaussian noise of SD `sigma`."""
    noise = draw.white((2, *image.shape)) * sigma
    return torch.sqrt((image + noise[0]).square() + noise[1].square())
