"""Pictures of a scan with its contour and uncertainty, for people without a viewer at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ..image import Image
    from ..review import Click

_BACKGROUND, _INK = "#101418", "#e8edf2"
_CONTOUR, _REFERENCE, _INCLUDE, _EXCLUDE = "#ff4d4d", "#4dd2ff", "#3ddc84", "#ffb020"
_DISPLAY = (1.0, 99.5)  # percentiles of the scan shown from black to white


@dataclass(frozen=True)
class Picture:
    """What is drawn over the scan; all arrays bool or float (k, j, i) on its grid.

    uncertainty: (map, low, high), the display window in which differences show. reference: a dashed outline.
    """

    title: str
    mask: NDArray | None = None
    uncertainty: tuple[NDArray, float, float] | None = None
    reference: NDArray | None = None
    clicks: Sequence[Click] = ()


def draw(image: Image, centre_mm: Sequence[float], picture: Picture, path: Path) -> None:
    """Write a PNG of the three planes through `centre_mm` (LPS), the patient's left at the right."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    scan = _upright(image, image.voxels)
    window = np.percentile(scan.voxels, _DISPLAY)
    centre = scan.geometry.index_of(tuple(float(v) for v in centre_mm))
    figure = Figure(figsize=(12, 4.8), facecolor=_BACKGROUND, layout="constrained")
    figure.suptitle(picture.title, color=_INK, fontsize=13)
    for axis, name in enumerate(("axial", "coronal", "sagittal")):
        axes = figure.add_subplot(1, 3, axis + 1)
        _plane(axes, image, picture, axis, centre, scan, window)
        axes.set_title(name, color=_INK, fontsize=9)
    FigureCanvasAgg(figure).print_png(str(path))


def largest_slice_centre(image: Image, mask: NDArray) -> tuple[float, ...]:
    """LPS mm: the middle of the mask's largest slice, or of the image where the mask is empty."""
    areas = mask.sum(axis=(1, 2))
    k = int(areas.argmax())
    inside = np.argwhere(mask[k]) if areas[k] else np.array([[n / 2 for n in mask.shape[1:]]])
    j, i = inside.mean(axis=0)
    k = k if areas[k] else mask.shape[0] // 2
    return tuple(float(v) for v in image.geometry.position_of((k, j, i)))


def _plane(
    axes: Any,
    image: Image,
    picture: Picture,
    axis: int,
    centre: tuple[int, int, int],
    scan: Image,
    window: NDArray,
) -> None:
    spacing = scan.geometry.spacing_mm[::-1]
    rows, columns = (n for n in range(3) if n != axis)

    def cut(volume: NDArray) -> NDArray:
        plane = np.take(_upright(image, volume).voxels, centre[axis], axis=axis)
        return plane if axis == 0 else plane[::-1]  # the head up

    aspect = spacing[rows] / spacing[columns]
    low, high = window
    axes.imshow(cut(image.voxels), cmap="gray", vmin=low, vmax=high, aspect=aspect, interpolation="bilinear")
    if picture.uncertainty is not None:
        values, low, high = picture.uncertainty
        plane = cut(values)
        shade = np.clip((plane - low) / max(high - low, 1e-9), 0, 1)
        axes.imshow(plane, cmap="inferno", vmin=low, vmax=high, alpha=0.75 * shade, aspect=aspect)
    for outline, colour, style in ((picture.reference, _REFERENCE, "--"), (picture.mask, _CONTOUR, "-")):
        if outline is not None and (plane := cut(outline)).any():
            axes.contour(plane.astype(float), [0.5], colors=colour, linewidths=1.4, linestyles=style)
    for click in picture.clicks:
        _mark(axes, click, scan, axis, rows, columns, centre)
    axes.set_axis_off()


def _mark(
    axes: Any, click: Click, scan: Image, axis: int, rows: int, columns: int, centre: tuple[int, int, int]
) -> None:
    """A click is drawn in the planes that pass within 4 mm of it."""
    index = scan.geometry.continuous_index(click.position_mm)
    if abs(index[axis] - centre[axis]) * scan.geometry.spacing_mm[::-1][axis] > 4:
        return
    row = index[rows] if axis == 0 else scan.geometry.shape[rows] - 1 - index[rows]
    marker, colour = ("P", _INCLUDE) if click.include else ("X", _EXCLUDE)
    axes.plot(index[columns], row, marker, color=colour, markersize=9, markeredgecolor=_BACKGROUND)


def _upright(image: Image, voxels: NDArray) -> Image:
    """The volume with axes along the patient: k to the head, j to the back, i to the left."""
    from ..image import orient

    return orient(image.with_voxels(voxels), "LPS")
