"""Changes to the probability after fusion: only those the package asks for, and always reported."""

from __future__ import annotations

import numpy as np

from .boxes import bounding_box


def remove_doubtful_components(
    probability: np.ndarray,
    threshold: float,
    voxel_ml: float,
    minimum_ml: float = 0.0,
    minimum_mean: float = 0.0,
) -> list[str]:
    """Lower the probability (in place) just below the threshold in components that are small or faint.

    Small: below `minimum_ml`; the largest one always stays, so that a small tumour is not erased. Faint: of a
    mean probability below `minimum_mean`; there none is spared, since a head without a tumour gives nothing
    but faint ones. Components are 26-connected. Returns a notice for each kind that was removed.
    """
    mask = probability >= threshold
    if max(minimum_ml, minimum_mean) <= 0 or not mask.any():
        return []
    import cc3d

    box = bounding_box(mask)
    part = probability[box]
    labels, count = cc3d.connected_components(mask[box], connectivity=26, return_N=True)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sums = np.bincount(labels.ravel(), weights=part.ravel(), minlength=count + 1)
    there = np.arange(count + 1) > 0
    faint = there & (sums < minimum_mean * sizes)
    small = there & ~faint & (sizes * voxel_ml < minimum_ml)
    small[np.argmax(np.where(there & ~faint, sizes, -1))] = False
    part[(small | faint)[labels]] = np.nextafter(np.float32(threshold), np.float32(0))
    notices = []
    for removed, why in (
        (small, f"smaller than {minimum_ml:g} ml"),
        (faint, f"of which the models are hardly sure (mean probability below {minimum_mean:g})"),
    ):
        if number := int(removed.sum()):
            plural = "s" if number > 1 else ""
            volume_ml = float(sizes[removed].sum()) * voxel_ml
            notices.append(f"Removed {number} component{plural} {why} ({volume_ml:.2g} ml in all).")
    return notices
