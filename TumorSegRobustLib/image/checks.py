"""What makes an image unusable, whatever file it came from."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image.geometry import Geometry

MOST_VOXELS = 2**31  # 8 GB as float32: a broken header, or nothing that this machine could segment
SMALLEST_SIDE = 3  # voxels; a thinner image has no neighbourhood to segment in
FINEST_MM, COARSEST_MM, LONGEST_MM = 0.01, 50.0, 5000.0  # outside these a clinical scan has a broken header


def check_size(size: Sequence[int], name: str) -> None:
    """Raises UnusableInput before memory is taken for a size that only a broken header can claim."""
    if math.prod(size) > MOST_VOXELS:
        raise UnusableInput(
            f"{name} claims {'x'.join(map(str, size))} voxels, more than can be opened; "
            "check its header or crop it"
        )


def check_geometry(geometry: Geometry, name: str) -> None:
    """Raises UnusableInput for a grid too thin to be a volume or with a spacing that no scanner has."""
    size = "x".join(map(str, geometry.size))
    if min(geometry.shape) < SMALLEST_SIDE:
        raise UnusableInput(
            f"{name} has {size} voxels: a volume with at least {SMALLEST_SIDE} slices in "
            "every direction is needed; open the whole series"
        )
    if (
        min(geometry.spacing_mm) < FINEST_MM
        or max(geometry.spacing_mm) > COARSEST_MM
        or max(geometry.extent_mm) > LONGEST_MM
    ):
        raise UnusableInput(
            f"{name} has an implausible voxel size ({geometry.describe_spacing()}, {size} "
            "voxels); repair the spacing in its header (mm)"
        )


def check_finite(voxels: NDArray, name: str) -> None:
    """Raises UnusableInput when voxels are NaN or infinite, saying how many."""
    if not np.issubdtype(voxels.dtype, np.floating):
        return
    broken = voxels.size - int(np.isfinite(voxels).sum())
    if broken:
        share = "all" if broken == voxels.size else f"{broken} of"
        raise UnusableInput(
            f"{name} holds NaN or infinite values in {share} {voxels.size} voxels; "
            "export it again without them"
        )


def check_contrast(voxels: NDArray, name: str) -> None:
    """Raises UnusableInput when every voxel has the same value."""
    low, high = voxels.min(), voxels.max()
    if low == high:
        raise UnusableInput(
            f"{name} is constant (every voxel is {low:g}): there is nothing to segment; "
            "check that the right file was chosen"
        )
