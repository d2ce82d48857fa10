"""Changes to the probability after fusion: only those the package asks for, and always reported."""

from __future__ import annotations

import numpy as np

from .boxes import bounding_box


def remove_small_components(
    probability: np.ndarray, threshold: float, minimum_ml: float, voxel_ml: float
) -> str | None:
    """Lower the probability (in place) just below the threshold in components smaller than `minimum_ml`.

    Components are 26-connected. Returns a notice when something was removed. The largest one always stays, so
    that a small tumour is not erased.
    """
    mask = probability >= threshold
    if minimum_ml <= 0 or not mask.any():
        return None
    import cc3d

    box = bounding_box(mask)
    labels, count = cc3d.connected_components(mask[box], connectivity=26, return_N=True)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    small = (sizes * voxel_ml < minimum_ml) & (sizes > 0)
    small[sizes.argmax()] = False
    if not small.any():
        return None
    part = probability[box]
    part[small[labels]] = np.nextafter(np.float32(threshold), np.float32(0))
    removed_ml = float(sizes[small].sum()) * voxel_ml
    number = int(small.sum())
    return (
        f"Removed {number} component{'s' if number > 1 else ''} smaller than {minimum_ml:g} ml "
        f"({removed_ml:.2g} ml in all)."
    )
