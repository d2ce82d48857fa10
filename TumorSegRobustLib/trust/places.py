"""Where a contour is worth a look: places in the scan, the one where most may be wrong first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.image import Geometry
from TumorSegRobustLib.inference import bounding_box

from .field import Field

Kind = Literal["missed", "false", "beyond", "within"]
Position = tuple[float, float, float]
Box = tuple[slice, slice, slice]

_AROUND_MM = 10.0  # as far as the blur reaches

_REASONS: dict[Kind, str] = {
    "missed": "may be missed tumour",
    "false": "may be a false lesion",
    "beyond": "the tumour may reach further",
    "within": "the contour may be too large",
}


@dataclass(frozen=True)
class PlaceSettings:
    """Lengths are mm. Chosen on 29 head scans of two hospitals (docs/looking.md), with which list a reader
    reached a good contour soonest; none is per site.
    """

    least_probability: float = 0.02
    """A scan without a voxel between this and its complement has no places."""
    least_doubt: float = 0.2
    """Blocks surer than this are no place to look at: over a whole scan they would add up."""
    blur_mm: float = 4.0
    """Standard deviation of the blur before peaks are looked for: a thick patch of doubt counts, not the
    thin shell that every border has."""
    view_mm: float = 15.0
    """Radius of what one place stands for; a larger patch of doubt becomes several places."""
    seen_mm: float = 12.0
    """Doubt so near to a place that was looked at is done, ..."""
    slab_mm: float = 3.0
    """... and all doubt in the axial slices so near to it: whoever looks at a place sees its whole slice."""
    lean_power: float = 1.0
    """How strongly the clicks made so far tell of the errors left; see `lean_of`."""
    least_ml: float = 0.05
    """Weighed volume below which a place is not worth a look."""
    lesion_share: float = 0.25
    """A part of the contour smaller than this share of the largest may be a false lesion."""
    most: int = 12
    grid_mm: float = 3.0
    """Voxels are taken together to blocks at most so large; slices thicker than this stay single."""


DEFAULT_PLACES = PlaceSettings()


@dataclass(frozen=True)
class Place:
    """position_mm: LPS, the middle of the doubt. size_ml: tissue in doubt around it. box: the voxels
    (k, j, i) of the arrays given that it stands for. score: the volume (ml) that is wrong there if the
    doubt is right, weighed with the clicks made so far; it orders the list and means nothing else.
    """

    position_mm: Position
    kind: Kind
    size_ml: float
    score: float
    box: Box

    @property
    def reason(self) -> str:
        """Why to look, in words that go on a line with the size."""
        return _REASONS[self.kind]


def lean_of(includes: Sequence[bool]) -> float:
    """How likely the next error is missing tumour, 0..1, after clicks that included (True) or excluded.

    A network errs in one direction in most of a scan, so the clicks tell (the mean of a beta distribution
    that begins flat): .5 without any.
    """
    return (1 + sum(includes)) / (2 + len(includes))


def surroundings(box: Box, geometry: Geometry) -> Box:
    """The box with 10 mm around it, within the scan: all that `find_places` needs, when `box` holds the
    contour and every doubt.
    """
    k, j, i = (
        slice(max(0, side.start - round(_AROUND_MM / step)), min(n, side.stop + round(_AROUND_MM / step)))
        for side, step, n in zip(box, geometry.spacing_mm[::-1], geometry.shape, strict=True)
    )
    return k, j, i


def find_places(
    probability: NDArray,
    mask: NDArray,
    geometry: Geometry,
    seen: Sequence[Position] = (),
    lean: float = 0.5,
    settings: PlaceSettings = DEFAULT_PLACES,
) -> tuple[Place, ...]:
    """Places that are worth a look, at most `settings.most`, the most promising first; () where all is sure.

    probability: (k, j, i) in [0, 1], as it is now. mask: bool, the contour now. seen: LPS mm of clicks and of
    places looked at. lean: see `lean_of`.

    The doubt about a voxel is the chance that its label is wrong, by its probability: that knows already what
    the scan looks like there (`inference.appearance`), and every click; where members contradict each other
    (mutual information) was no better guide beside it. Doubt inside and outside the contour
    is told apart, because one click corrects one of them. Peaks of the blurred doubt are taken greedily, each
    with a ball of `view_mm` that no later place may claim (non-maximum suppression).
    """
    unsure = (probability >= settings.least_probability) & (probability <= 1 - settings.least_probability)
    if not unsure.any():
        return ()
    field = Field(geometry, surroundings(bounding_box(unsure | mask), geometry), settings.grid_mm)
    chance = field.means(probability)
    contour = field.means(mask) >= 0.5
    doubt = np.where(contour, 1 - chance, chance)
    doubt[doubt < settings.least_doubt] = 0
    weighed = doubt * np.where(contour, 2 * (1 - lean), 2 * lean) ** settings.lean_power
    sides = np.where(contour, 0, weighed), np.where(contour, weighed, 0)
    evidence = np.maximum(*(field.blurred(side, settings.blur_mm) for side in sides))
    evidence[doubt == 0] = 0
    for position in seen:
        _clear_around(evidence, field, position, settings)
    parts, left = _parts(contour), doubt > 0
    found: list[Place] = []
    while len(found) < settings.most and evidence.any():
        peak = np.array(np.unravel_index(int(np.argmax(evidence)), evidence.shape))
        here, ball = field.ball(peak, settings.view_mm)
        evidence[here][ball] = 0
        missing, wrong = (float(side[here][ball & left[here]].sum()) * field.block_ml for side in sides)
        if max(missing, wrong) >= settings.least_ml:
            size = int(np.count_nonzero(left[here] & ball)) * field.block_ml
            kind = _kind(contour[here] & ball, parts, here, wrong > missing, settings)
            found.append(Place(field.position(peak), kind, size, max(missing, wrong), field.voxel_box(here)))
        left[here][ball] = False
    return tuple(sorted(found, key=lambda place: -place.score))


def _clear_around(evidence: NDArray, field: Field, position: Position, settings: PlaceSettings) -> None:
    """No evidence near a place that was looked at, nor in the axial slices next to it."""
    centre = field.block_of(position)
    here, ball = field.ball(centre, settings.seen_mm)
    evidence[here][ball] = 0
    axial = axial_axis(field.geometry)
    reach = max(0.5, settings.slab_mm / field.spacing_mm[axial])
    slab: list[slice] = [slice(None)] * 3
    slab[axial] = slice(
        max(0, int(np.ceil(centre[axial] - reach))), max(0, int(np.floor(centre[axial] + reach)) + 1)
    )
    evidence[tuple(slab)] = 0


def axial_axis(geometry: Geometry) -> int:
    """The array axis (0 k, 1 j, 2 i) that runs most nearly from feet to head."""
    columns = [axis for axis, _ in geometry.nearest_axes()]
    return 2 - columns.index(2)


def _parts(contour: NDArray) -> tuple[NDArray, NDArray]:
    """26-connected parts of the contour: label of every block, blocks of every label (0 for label 0)."""
    import cc3d

    labels = cc3d.connected_components(contour.view(np.uint8), connectivity=26)
    counts = np.bincount(labels.ravel())
    counts[0] = 0
    return labels, counts


def _kind(
    contour: NDArray, parts: tuple[NDArray, NDArray], here: Box, too_much: bool, settings: PlaceSettings
) -> Kind:
    """contour: the part of it that the place shows, bool, in the box `here`."""
    labels, counts = parts
    near = np.bincount(labels[here][contour])
    if not near.any():
        return "missed"
    if not too_much:
        return "beyond"
    small = counts[int(np.argmax(near))] < settings.lesion_share * counts.max()
    return "false" if small else "within"
