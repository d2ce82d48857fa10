"""From one grid to another: resample, orient, and bring the channels of one patient together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image.geometry import Geometry
from TumorSegRobustLib.image.volume import Image, from_sitk, to_sitk

Interpolation = Literal["linear", "nearest", "bspline"]
_ITK_NAMES = {"linear": "sitkLinear", "nearest": "sitkNearestNeighbor", "bspline": "sitkBSpline"}


def resample(
    image: Image, geometry: Geometry, interpolation: Interpolation = "linear", fill: float = 0.0
) -> Image:
    """The image on another grid; outside the old one it is `fill`.

    "nearest" keeps the type of the voxels; "linear" and "bspline" (cubic) give float32. There is no smoothing
    before down-sampling. Equal grids return the voxels unchanged.
    """
    import SimpleITK as sitk

    if interpolation not in _ITK_NAMES:
        raise ValueError(f"Unknown interpolation {interpolation!r}: use linear, nearest or bspline")
    kept = interpolation == "nearest"
    if image.geometry.matches(geometry, tolerance_mm=1e-6):
        voxels = image.voxels if kept else image.voxels.astype(np.float32, copy=False)
        return replace(image, voxels=voxels, geometry=geometry)
    source = image if kept else image.with_voxels(image.voxels.astype(np.float32, copy=False))
    moved = sitk.Resample(
        to_sitk(source),
        geometry.size,
        sitk.Transform(3, sitk.sitkIdentity),
        getattr(sitk, _ITK_NAMES[interpolation]),
        geometry.origin_mm,
        geometry.spacing_mm,
        geometry.direction,
        float(fill),
    )
    voxels = from_sitk(moved).voxels.astype(source.voxels.dtype, copy=False)
    return replace(image, voxels=voxels, geometry=geometry)


def orient(image: Image, code: str = "LPS") -> Image:
    """Flip and swap axes so that i, j and k point nearest to the three letters of code; no value changes.

    "LPS": i towards the patient's left, j posterior, k superior. An oblique image stays oblique.
    """
    wanted = _axes_of(code)
    present = image.geometry.nearest_axes()
    axes = [axis for axis, _ in present]
    source_of = [axes.index(axis) for axis, _ in wanted]
    flipped = [present[n][1] != sign for n, (_, sign) in zip(source_of, wanted, strict=True)]

    old = image.geometry
    first_ijk = np.zeros(3)
    columns = np.reshape(old.direction, (3, 3))[:, source_of].copy()
    for new_axis, old_axis in enumerate(source_of):
        if flipped[new_axis]:
            first_ijk[old_axis] = old.size[old_axis] - 1
            columns[:, new_axis] *= -1
    size = [old.size[n] for n in source_of]
    geometry = Geometry(
        (size[2], size[1], size[0]),
        _triple(old.spacing_mm[n] for n in source_of),
        _triple(old.position_of(first_ijk[::-1]).tolist()),
        tuple(columns.ravel().tolist()),
    )

    array_axes = [2 - n for n in source_of][::-1]
    voxels = np.transpose(image.voxels, array_axes)
    voxels = voxels[tuple(slice(None, None, -1 if flip else 1) for flip in flipped[::-1])]
    return replace(image, voxels=np.ascontiguousarray(voxels), geometry=geometry)


def align_channels(channels: Mapping[str, Image]) -> tuple[dict[str, Image], list[str]]:
    """All channels on the grid of the first, and one notice for each that had to be resampled.

    Raises UnusableInput when a channel does not overlap the first.
    """
    aligned: dict[str, Image] = {}
    notices: list[str] = []
    first_name = next(iter(channels), "")
    for name, image in channels.items():
        target = channels[first_name].geometry
        if image.geometry.matches(target, tolerance_mm=1e-3):
            aligned[name] = replace(image, geometry=target)
            continue
        if not target.overlaps(image.geometry):
            raise UnusableInput(
                f"{name} does not overlap {first_name}: they are not of the same patient "
                "position; register them first"
            )
        covered = target.covered_by(image.geometry)
        part = "" if covered > 0.999 else f"; {name} covers {covered:.0%} of it, the rest is background"
        notices.append(
            f"{first_name} and {name} lie on different grids "
            f"({_difference(target, image.geometry)}); resampled {name} to {first_name}{part}"
        )
        aligned[name] = resample(image, target, "linear", fill=float(image.voxels.min()))
    return aligned, notices


def _difference(one: Geometry, other: Geometry) -> str:
    """Both grids in the shortest words that tell them apart."""
    if one.describe_spacing() != other.describe_spacing():
        return f"{one.describe_spacing().removesuffix(' mm')} vs {other.describe_spacing()}"
    if one.size != other.size:
        return f"{one.describe()} vs {other.describe()}"
    places = [
        f"at ({', '.join(f'{value:.1f}' for value in grid.origin_mm)}) {grid.orientation}"
        for grid in (one, other)
    ]
    return f"{places[0]} vs {places[1]}"


def _axes_of(code: str) -> list[tuple[int, int]]:
    axes = [("LPS".find(one), 1) if one in "LPS" else ("RAI".find(one), -1) for one in code.upper()]
    if sorted(axis for axis, _ in axes) != [0, 1, 2]:
        raise ValueError(
            f"{code!r} is not an orientation: give one of L/R, one of P/A and one of S/I, such as LPS"
        )
    return axes


def _triple(values) -> tuple[float, float, float]:  # type: ignore[no-untyped-def]
    x, y, z = values
    return x, y, z
