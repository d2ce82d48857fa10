"""What a hand points at: places in the scan, strokes, the size of a brush."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import UnusableInput

if TYPE_CHECKING:
    from ..image import Image

Position = tuple[float, float, float]
LEAST_BRUSH_MM, MOST_BRUSH_MM = 0.5, 50.0


def place_in(image: Image | None, position_mm: Sequence[float]) -> Position:
    """A position (LPS mm) in the scan; UnusableInput where it lies outside."""
    x, y, z = (float(v) for v in position_mm)
    if image is None or not image.geometry.contains((x, y, z)):
        raise UnusableInput("That point lies outside the scan: click inside it.")
    return x, y, z


def stroke_in(image: Image | None, along_mm: Sequence[Sequence[float]]) -> list[Position]:
    """A stroke that begins in the scan, without what leaves it; UnusableInput where it begins outside."""
    first = place_in(image, along_mm[0])
    assert image is not None
    further = ((float(x), float(y), float(z)) for x, y, z in along_mm[1:])
    return [first, *(place for place in further if image.geometry.contains(place))]


def usable_radius(radius_mm: float) -> float:
    """UnusableInput for a brush that nobody can mean."""
    if not LEAST_BRUSH_MM <= radius_mm <= MOST_BRUSH_MM:
        raise UnusableInput(
            f"A brush of {radius_mm:g} mm is of no use: "
            f"choose a radius of {LEAST_BRUSH_MM:g} to {MOST_BRUSH_MM:g} mm."
        )
    return float(radius_mm)


def next_name(taken: Sequence[str]) -> str:
    """What a segment is called that nobody named: GTVp2, GTVp3, ..."""
    known = {name.casefold() for name in taken}
    return next(n for n in (f"GTVp{k}" for k in range(2, len(known) + 3)) if n.casefold() not in known)
