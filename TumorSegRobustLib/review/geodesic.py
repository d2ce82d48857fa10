"""The click operator that needs no training: one click, and the contour moves to where the image says it is.

Three voices are added up as log-odds, on a coarse grid around the click:

* the place: a click pushes within its *reach*, measured along geodesic paths; the contour so far resists, the
  more the farther a voxel lies from it; earlier clicks hold what they won;
* the look: two histograms of intensity ranks, tumour and not, learned anew from this image at this moment;
* smoothness: both are blurred by a few millimetres, as a hand would draw.

The reach follows from where the click lies. A reader clicks in the middle of what is wrong; so the contour is
about as far away as the error is thick, and the true border lies about as far beyond the click.

An include click only adds and an exclude click only removes, and only within the region of influence.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from TumorSegRobustLib.image import Geometry
from TumorSegRobustLib.review.appearance import Palette, mixed
from TumorSegRobustLib.review.belief import to_log_odds
from TumorSegRobustLib.review.click import Seed, Voxel, box_around, box_shape
from TumorSegRobustLib.review.neighbourhood import Neighbourhood, straight_distance, whole_voxels
from TumorSegRobustLib.review.paths import edge_cost, geodesic_distance
from TumorSegRobustLib.review.refiner import Refinement, Situation

Field = NDArray[np.floating]


@dataclass(frozen=True)
class GeodesicRefiner:
    """See the module. Lengths are mm, strengths log-odds; every value was chosen on real scans as the middle
    of a
    flat optimum, none is per modality.
    """

    first_reach_mm: float = 20.0
    """Reach of a click with no contour near it: the radius of a 33 ml ball, softened by `first_softness`."""
    new_lesion_mm: float = 12.0
    """An include click farther than this from the contour begins a lesion of its own, whose size that contour
    says nothing about, unless the image looks the same all the way there.
    """
    alike_sd: float = 2.5
    """Alike: within so many standard deviations of the click's own surroundings (`sample_mm`)."""
    alike_share: float = 0.5
    """Share of the way that must be alike."""
    reach_per_depth: float = 1.4
    """Reach of any other click, per mm between it and the contour."""
    least_reach_mm: float = 2.0
    most_reach_mm: float = 40.0
    influence_per_reach: float = 3.0
    least_influence_mm: float = 15.0
    most_influence_mm: float = 60.0
    context_mm: float = 60.0
    softness: float = 0.35
    first_softness: float = 0.5
    """Width of a push's border, per reach: log-odds 1 at `softness * reach` inside it."""
    push: float = 3.0
    """Largest log-odds of a push."""
    hold: float = 2.0
    """Largest log-odds with which the contour so far resists."""
    hold_mm: float = 4.0
    """Distance from the contour at which it resists with log-odds 1."""
    edge_weight: float = 0.5
    edge_quantile: float = 0.7
    edge_most: float = 3.0
    look: float = 2.0
    """Largest log-odds of the look."""
    doubt: float = 0.2
    bins: int = 32
    rounds: int = 3
    sample_mm: float = 4.0
    """Radius of what a click says about the look."""
    click_share: float = 0.3
    """Weight of the clicks' own surroundings in the histograms; the rest is the contour so far."""
    background_mm: float = 20.0
    """How far from the contour background still counts: only what the tumour borders on matters."""
    look_blur_mm: float = 3.0
    blur_mm: float = 1.0
    most_voxels: int = 20_000

    name = "geodesic"
    version = "3"

    @classmethod
    def recorded(cls, described: dict[str, Any]) -> GeodesicRefiner | None:
        """The refiner that a journal describes; None where this version cannot be it."""
        if described.get("name") != cls.name or described.get("version") != cls.version:
            return None
        return cls(**described["parameters"])

    def parameters(self) -> dict[str, Any]:
        """All values, as plain JSON."""
        return asdict(self)

    def refine(self, situation: Situation) -> Refinement:
        """See `Refiner.refine`."""
        geometry, click = situation.image.geometry, situation.click
        depth = depth_mm(situation.levels, click, geometry, self.context_mm)
        if click.include and depth is not None and depth > self.new_lesion_mm:
            depth = depth if self._same_lesion(situation, depth) else None
        reach = self._reach(depth, geometry)
        influence = self._influence(depth, reach)
        around = Neighbourhood.around(
            click.voxel, geometry, max(self.context_mm, influence), self.most_voxels
        )
        place = self._place(situation, around, reach, fresh=depth is None)
        odds = self._with_look(situation, around, place, reach)
        region = box_around(click.voxel, whole_voxels(influence, geometry), geometry.shape)
        before = to_log_odds(situation.levels[region])
        after = around.refine_to(odds, region)
        near = (
            straight_distance(box_shape(region), _inside(click.voxel, region), around.native_mm) < influence
        )
        flips = near & ((after > 0) & (before <= 0) if click.include else (after <= 0) & (before > 0))
        return Refinement(region, np.where(flips, after, before))

    def _reach(self, depth: float | None, geometry: Geometry) -> float:
        if depth is None:
            return self.first_reach_mm
        least = max(self.least_reach_mm, 1.2 * min(geometry.spacing_mm))
        return max(least, min(self.reach_per_depth * depth, self.most_reach_mm))

    def _influence(self, depth: float | None, reach: float) -> float:
        if depth is None:  # beyond this no look can outweigh the distance
            return reach * (1 + self.first_softness * (self.look + 0.5))
        return min(self.most_influence_mm, max(self.influence_per_reach * reach, self.least_influence_mm))

    def _same_lesion(self, situation: Situation, depth: float) -> bool:
        """Does most of the way from the click to the nearest contour look like the click's surroundings?"""
        geometry, voxel = situation.image.geometry, situation.click.voxel
        spacing = geometry.spacing_mm[::-1]
        box = box_around(voxel, whole_voxels(1.05 * depth + max(spacing), geometry), geometry.shape)
        image = situation.image.voxels[box]
        centre = _inside(voxel, box)
        distance = straight_distance(box_shape(box), centre, spacing)
        own = image[distance <= max(self.sample_mm, 1.01 * min(spacing))].astype(np.float64)
        spread = max(float(own.std()), 0.2 * float(image.std()))
        reached = np.where(situation.levels[box] > 0, distance, np.inf)
        end = np.array(np.unravel_index(int(reached.argmin()), reached.shape), dtype=float)
        steps = np.linspace(0, 1, max(2, int(depth / min(spacing))))[:, None]
        way = np.rint(np.array(centre) + steps * (end - np.array(centre))).astype(int)
        values = image[tuple(way.T)].astype(np.float64)
        return float(np.mean(np.abs(values - own.mean()) <= self.alike_sd * spread)) > self.alike_share

    def _place(self, situation: Situation, around: Neighbourhood, reach: float, fresh: bool) -> Field:
        """Log-odds by place alone, on the coarse grid."""
        levels = around.sample(situation.levels)
        tumour = levels > 0
        if tumour.any() and not tumour.all():
            resistance = np.minimum(
                np.abs(signed_distance(tumour, around.spacing_mm)) / self.hold_mm, self.hold
            )
            known = np.minimum(np.abs(to_log_odds(levels)), resistance)
        else:
            known = np.full(around.shape, self.push)
        odds = np.where(tumour, known, -known)
        for seed in situation.earlier:
            odds = self._held(odds, seed, tumour, around)
        distance = np.maximum(around.distance_mm(situation.click.voxel), self._walk(situation, around, reach))
        return self._pushed(
            odds, situation.click, distance, reach, self.first_softness if fresh else self.softness
        )

    def _walk(self, situation: Situation, around: Neighbourhood, reach: float) -> Field:
        """Geodesic distance from the click, scaled so that usual texture costs nothing."""
        image = around.average(situation.image.voxels)
        straight = around.distance_mm(situation.click.voxel)
        nearby = straight < max(2.5 * reach, 12.0)
        cost = edge_cost(
            image, around.spacing_mm, nearby, self.edge_quantile, self.edge_weight, self.edge_most
        )
        walked = geodesic_distance(cost, around.spacing_mm, around.centre, 4 * reach)
        return walked / (1 + self.edge_weight / 4)

    def _held(self, odds: Field, seed: Seed, tumour: NDArray[np.bool_], around: Neighbourhood) -> Field:
        """An earlier click keeps pushing on the ball around it that has its label now."""
        distance = around.distance_mm(seed.voxel)
        wrong = tumour != seed.include
        reach = float(distance[wrong].min()) if wrong.any() else self.most_reach_mm
        return self._pushed(odds, seed, distance, reach, self.softness) if reach > 0 else odds

    def _pushed(self, odds: Field, seed: Seed, distance: Field, reach: float, softness: float) -> Field:
        push = np.clip((reach - distance) / (softness * reach), -self.push, self.push)
        return np.maximum(odds, push) if seed.include else np.minimum(odds, -push)

    def _with_look(self, situation: Situation, around: Neighbourhood, place: Field, reach: float) -> Field:
        """Place and look together: histograms and contour are fitted to each other in a few rounds."""
        image = around.average(situation.image.voxels)
        inside = around.distance_mm(situation.click.voxel) <= self.context_mm
        palette = Palette.of(image, inside, self.bins)
        clicked = {flag: self._samples(situation, around, palette, flag) for flag in (True, False)}
        odds = place
        for _ in range(self.rounds):
            sure = 1 / (1 + np.exp(-odds))
            within_, beyond = self._certainty(odds > 0, around, reach)
            shares = [1 - self.click_share, self.click_share]
            tumour = mixed([palette.histogram(sure * inside * within_), clicked[True]], shares)
            other = mixed([palette.histogram((1 - sure) * inside * beyond), clicked[False]], shares)
            if tumour is None or other is None:
                return place
            look = palette.likelihood(tumour, other, self.doubt, self.look)
            look = gaussian_filter(look, [self.look_blur_mm / s for s in around.spacing_mm])
            odds = gaussian_filter(place + look, [self.blur_mm / s for s in around.spacing_mm])
        return odds

    def _samples(
        self, situation: Situation, around: Neighbourhood, palette: Palette, include: bool
    ) -> NDArray[np.float64] | None:
        radius = max(self.sample_mm, 1.01 * min(around.spacing_mm))
        found = [
            palette.histogram(around.distance_mm(seed.voxel) <= radius)
            for seed in (*situation.earlier, situation.click)
            if seed.include == include
        ]
        return mixed(list(found), [1.0] * len(found))

    def _certainty(
        self, tumour: NDArray[np.bool_], around: Neighbourhood, reach: float
    ) -> tuple[Field | float, Field]:
        """How far a voxel on either side can be trusted to be what the contour says.

        The click has just shown that the contour may be off by its reach; what lies deeper than that is
        believed.
        """
        if not tumour.any() or tumour.all():
            return 1.0, np.ones(around.shape)
        inner = distance_transform_edt(tumour, sampling=around.spacing_mm)
        outer = distance_transform_edt(~tumour, sampling=around.spacing_mm)
        deep = min(reach, 0.8 * float(inner.max()))
        return (
            np.clip(inner / deep, 0.05, 1) ** 2,
            np.clip(outer / reach, 0.05, 1) ** 2 * np.exp(-outer / self.background_mm),
        )


def depth_mm(levels: NDArray[np.int8], click: Seed, geometry: Geometry, most_mm: float) -> float | None:
    """Distance from a click to the nearest voxel that has its label already; None where none lies within
    `most_mm`.

    For a click that corrects something this is its distance to the contour. Where the clicked voxel has the
    label
    already it is 0.
    """
    spacing = geometry.spacing_mm[::-1]
    half = 12.0
    while True:
        half = min(half, most_mm)
        box = box_around(click.voxel, whole_voxels(half, geometry), geometry.shape)
        same = (levels[box] > 0) == click.include
        if same.any():
            distance = straight_distance(box_shape(box), _inside(click.voxel, box), spacing)
            nearest = float(distance[same].min())
            if nearest <= half:
                return nearest
        if half >= most_mm:
            return None
        half *= 2


def signed_distance(mask: NDArray[np.bool_], spacing_mm: tuple[float, ...]) -> NDArray[np.float64]:
    """Distance (mm) to the nearest voxel of the other kind, negative outside `mask`."""
    return distance_transform_edt(mask, sampling=spacing_mm) - distance_transform_edt(
        ~mask, sampling=spacing_mm
    )


def _inside(voxel: Voxel, box: Any) -> tuple[float, float, float]:
    k, j, i = (float(v - s.start) for v, s in zip(voxel, box, strict=True))
    return k, j, i
