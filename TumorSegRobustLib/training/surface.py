"""The surface term of Kervadec et al. (2019): the further from the contour, the more a wrong voxel costs."""

from __future__ import annotations

import numpy as np
import torch


def surface_error(probability: torch.Tensor, truth: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Mean over the known voxels of distance map x (probability - truth): (B, T), 0 (perfect) to 1.

    All float32 (B, T, k, j, i), truth and known 0 or 1; unknown voxels count as outside for the distances.
    This is the integral of the paper with the constant that makes a perfect prediction cost 0. Where the
    truth is empty or everywhere there is no contour, and the term is 0. (MONAI's own BoundaryLoss needs 1.6
    and knows no unknown voxels.)
    """
    inside = (truth * known).detach().cpu().numpy() > 0.5
    maps = np.stack([[signed_distance(channel) for channel in sample] for sample in inside])
    weighted = torch.from_numpy(maps).to(probability.device) * (probability - truth) * known
    return weighted.flatten(2).sum(2) / known.flatten(2).sum(2).clamp(min=1.0)


def signed_distance(inside: np.ndarray) -> np.ndarray:
    """Distance of voxel centres (k, j, i) from the surface between voxels, negative inside; float32.

    In voxels, divided by the largest, so that patches of all sizes weigh alike (-1..1); 0 without a surface.
    """
    if inside.all() or not inside.any():
        return np.zeros(inside.shape, dtype=np.float32)
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(inside.astype(np.uint8))
    distance = sitk.GetArrayFromImage(
        sitk.SignedMaurerDistanceMap(
            image, insideIsPositive=False, squaredDistance=False, useImageSpacing=False
        )
    )
    centred = distance.astype(np.float32) - 0.5  # ITK has 0 at the innermost voxels of the contour, 1 outside
    return centred / np.abs(centred).max()
