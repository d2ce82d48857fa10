"""A case that went wrong, at one look: scan, both outlines, doubt, and where the error lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.image import Image, orient

REFERENCE, CONTOUR = "#2ecc71", "#ff4d4d"
"""Green is the reference, red the contour, as in most papers."""
_BACKGROUND, _INK = "#101418", "#e8edf2"
_MISSED, _TOO_MUCH = (0.18, 0.8, 0.44), (1.0, 0.3, 0.3)
_TITLES = ("scan", "outlines", "doubt", "error")


def draw_failure(
    image: Image,
    mask: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    doubt: NDArray[np.floating],
    path: Path,
) -> None:
    """Write a PNG of the axial slice with most error: the scan; reference (green) and contour (red); the
    entropy; what was missed (green) and what is too much (red). All arrays (k, j, i) on the image's grid.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    planes = [_upright(image, v) for v in (image.voxels, mask, reference, doubt)]
    wrong = planes[1].voxels != planes[2].voxels
    k = int(wrong.sum(axis=(1, 2)).argmax()) if wrong.any() else _largest(planes[2].voxels)
    scan, contour, truth, entropy = (plane.voxels[k] for plane in planes)
    spacing = planes[0].geometry.spacing_mm
    figure = Figure(figsize=(11, 3.2), facecolor=_BACKGROUND, layout="constrained")
    low, high = np.percentile(image.voxels, (1.0, 99.5))
    for number, title in enumerate(_TITLES):
        axes = figure.add_subplot(1, 4, number + 1)
        axes.imshow(scan, cmap="gray", vmin=low, vmax=high, aspect=spacing[1] / spacing[0])
        axes.set_title(title, color=_INK, fontsize=9)
        axes.set_axis_off()
        if title == "outlines":
            _outline(axes, truth, REFERENCE)
            _outline(axes, contour, CONTOUR)
        elif title == "doubt":
            axes.imshow(entropy, cmap="inferno", vmin=0, vmax=1, alpha=np.clip(entropy, 0, 1) * 0.9)
        elif title == "error":
            shade = np.zeros((*scan.shape, 4))
            shade[truth & ~contour] = (*_MISSED, 0.7)
            shade[contour & ~truth] = (*_TOO_MUCH, 0.7)
            axes.imshow(shade)
    FigureCanvasAgg(figure).print_png(str(path))


def _outline(axes: Any, plane: NDArray, colour: str) -> None:
    if plane.any() and not plane.all():
        axes.contour(plane.astype(float), [0.5], colors=colour, linewidths=1.2)


def _largest(mask: NDArray) -> int:
    areas = mask.sum(axis=(1, 2))
    return int(areas.argmax()) if areas.any() else len(areas) // 2


def _upright(image: Image, voxels: NDArray) -> Image:
    """k to the head, j to the back, i to the left."""
    return orient(image.with_voxels(np.asarray(voxels)), "LPS")
