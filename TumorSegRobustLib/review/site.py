"""The surroundings of one click, and the log-odds that place and look give them."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from TumorSegRobustLib.review.appearance import Palette, mixed
from TumorSegRobustLib.review.belief import to_log_odds
from TumorSegRobustLib.review.click import Seed, Voxel
from TumorSegRobustLib.review.difference import bounding_box
from TumorSegRobustLib.review.neighbourhood import Neighbourhood
from TumorSegRobustLib.review.paths import edge_cost, geodesic_distance
from TumorSegRobustLib.review.refiner import Situation
from TumorSegRobustLib.review.settings import GeodesicSettings

Field = NDArray[np.floating]


class Site:
    """A click's surroundings on a coarse grid. All arrays are of that grid, (k, j, i)."""

    def __init__(
        self,
        situation: Situation,
        settings: GeodesicSettings,
        half_mm: float,
        most_voxels: int | None = None,
    ) -> None:
        """half_mm: how far to look to either side of the click; most_voxels: in place of the settings'."""
        self._situation = situation
        self._settings = settings
        self._half_mm = half_mm
        self._distances: dict[Voxel, NDArray[np.float32]] = {}
        self.grid = Neighbourhood.around(
            situation.click.voxel, situation.image.geometry, half_mm, most_voxels or settings.most_voxels
        )

    def log_odds(self, reach_mm: float, softness: float) -> Field:
        """Tumour (> 0) or not after the click: place and look, fitted to each other in a few rounds."""
        settings = self._settings
        place = self._place(reach_mm, softness)
        odds = place
        for _ in range(settings.rounds):
            look = self._look(odds, reach_mm)
            if look is None:
                return place
            odds = gaussian_filter(place + look, self._voxels(settings.blur_mm))
        return odds

    def distinctness(self, region: NDArray[np.bool_]) -> float:
        """How unlike its surroundings a new region looks: 0 (the same) to 1 (no intensity in common).

        Jensen-Shannon divergence (bits) between the intensity ranks of the region and of a shell around it of
        about
        the same volume; what was tumour before the click counts as neither.
        """
        outside = _depth(~region, self.grid.spacing_mm)
        thickness = max(0.26 * self.radius_mm(region), 1.5 * max(self.grid.spacing_mm))
        inner = self.palette.histogram(region)
        outer = self.palette.histogram((outside > 0) & (outside <= thickness) & ~self.tumour)
        if inner is None or outer is None:
            return 0.0
        return _divergence(inner, outer)

    def strangeness(self, region: NDArray[np.bool_]) -> float:
        """How unlike the clicked spot a region looks: 0 to 1, as `distinctness`."""
        spot = self.palette.histogram(self.straight_mm <= self._sample_mm)
        inner = self.palette.histogram(region)
        return 0.0 if spot is None or inner is None else _divergence(spot, inner)

    def radius_mm(self, region: NDArray[np.bool_]) -> float:
        """Radius of the ball of the region's volume."""
        return (3000 * self.volume_ml(region) / (4 * np.pi)) ** (1 / 3)

    def volume_ml(self, region: NDArray[np.bool_]) -> float:
        return float(np.count_nonzero(region) * np.prod(self.grid.spacing_mm)) / 1000

    @cached_property
    def image(self) -> NDArray[np.float32]:
        return self.grid.average(self._situation.image.voxels)

    @cached_property
    def straight_mm(self) -> NDArray[np.float32]:
        return self.grid.distance_mm(self._situation.click.voxel)

    @cached_property
    def palette(self) -> Palette:
        return Palette.of(self.image, self._inside, self._settings.bins)

    @cached_property
    def _inside(self) -> NDArray[np.bool_]:
        return self.straight_mm <= self._half_mm

    @cached_property
    def tumour(self) -> NDArray[np.bool_]:
        """The contour before the click."""
        return self.grid.sample(self._situation.levels) > 0

    @cached_property
    def _held(self) -> Field:
        """What stands before the click: the contour, surest far from its border, and the earlier clicks."""
        settings = self._settings
        levels, tumour = self.grid.sample(self._situation.levels), self.tumour
        if tumour.any() and not tumour.all():
            depth = np.where(tumour, *(_depth(side, self.grid.spacing_mm) for side in (tumour, ~tumour)))
            known = np.minimum(
                np.abs(to_log_odds(levels)), np.minimum(depth / settings.hold_mm, settings.hold)
            )
        else:
            known = np.full(self.grid.shape, settings.push)
        odds = np.where(tumour, known, -known)
        if self._trust < 1:
            untouched = self.grid.sample(self._situation.prior) == levels  # type: ignore[arg-type]
            odds = np.where(untouched, odds * self._trust, odds)
        for seed in self._situation.earlier:
            # It keeps pushing on the largest ball around it that has its label now.
            distance = self._distance_mm(seed)
            wrong = tumour != seed.include
            reach = float(distance[wrong].min()) if wrong.any() else settings.most_reach_mm
            if reach > 0:
                odds = self._pushed(odds, seed, distance, reach, settings.softness)
        return odds

    @cached_property
    def _trust(self) -> float:
        """How much the contour that the review began with still weighs: less with every click against it."""
        prior = self._situation.prior
        if prior is None:
            return 1.0
        seeds = (*self._situation.earlier, self._situation.click)
        against = sum((prior[seed.voxel] > 0) != seed.include for seed in seeds)
        trust = self._settings.trust_per_contradiction ** max(0, against - 1)
        return max(self._settings.least_trust, trust)

    def _place(self, reach_mm: float, softness: float) -> Field:
        settings = self._settings
        nearby = self.straight_mm < max(2.5 * reach_mm, 12.0)
        cost = edge_cost(
            self.image,
            self.grid.spacing_mm,
            nearby,
            settings.edge_quantile,
            settings.edge_weight,
            settings.edge_most,
        )
        # Usual texture makes a walk a quarter of the edge weight longer; only what exceeds that is an edge.
        usual = 1 + settings.edge_weight / 4
        farthest = usual * reach_mm * (1 + 1.01 * softness * settings.push)  # there the push is at its end
        walked = geodesic_distance(cost, self.grid.spacing_mm, self.grid.centre, farthest)
        distance = np.maximum(self.straight_mm, walked / usual)
        return self._pushed(self._held, self._situation.click, distance, reach_mm, softness)

    def _pushed(self, odds: Field, seed: Seed, distance: Field, reach: float, softness: float) -> Field:
        most = self._settings.push
        push = np.clip((reach - distance) / (softness * reach), -most, most)
        return np.maximum(odds, push) if seed.include else np.minimum(odds, -push)

    def _look(self, odds: Field, reach_mm: float) -> Field | None:
        """Log-odds by intensity, learned from the clicks and from where `odds` are sure; None where they
        never are.
        """
        settings = self._settings
        tumour_sure, other_sure = self._certainty(odds > 0, reach_mm)
        chance = 1 / (1 + np.exp(-odds))
        shares = [1 - settings.click_share, settings.click_share]
        tumour = mixed([self.palette.histogram(chance * tumour_sure), self._clicked[True]], shares)
        other = mixed([self.palette.histogram((1 - chance) * other_sure), self._clicked[False]], shares)
        if tumour is None or other is None:
            return None
        likelihood = self.palette.likelihood(tumour, other, settings.doubt, settings.look)
        return gaussian_filter(likelihood, self._voxels(settings.look_blur_mm))

    def _certainty(self, tumour: NDArray[np.bool_], reach_mm: float) -> tuple[Field, Field]:
        """How far a voxel of either side can be believed to be what the contour says.

        The click has just shown that the contour may be off by its reach; what lies deeper than that is
        believed.
        """
        inside = self._inside.astype(np.float64)
        if not tumour.any() or tumour.all():
            return inside, inside
        inner = _depth(tumour, self.grid.spacing_mm)
        outer = _depth(~tumour, self.grid.spacing_mm)
        deep = min(reach_mm, 0.8 * float(inner.max()))
        believed = np.clip(inner / deep, 0.05, 1) ** 2
        bordering = np.clip(outer / reach_mm, 0.05, 1) ** 2 * np.exp(-outer / self._settings.background_mm)
        return inside * believed, inside * bordering

    @cached_property
    def _clicked(self) -> dict[bool, NDArray[np.float64] | None]:
        """Histograms of what include and exclude clicks were put on."""
        seeds = (*self._situation.earlier, self._situation.click)
        return {
            include: mixed(
                [
                    self.palette.histogram(self._distance_mm(seed) <= self._sample_mm)
                    for seed in seeds
                    if seed.include == include
                ]
            )
            for include in (True, False)
        }

    def _distance_mm(self, seed: Seed) -> NDArray[np.float32]:
        """Straight distance from a click; asked for several times."""
        if seed.voxel not in self._distances:
            self._distances[seed.voxel] = self.grid.distance_mm(seed.voxel)
        return self._distances[seed.voxel]

    @property
    def _sample_mm(self) -> float:
        return max(self._settings.sample_mm, 1.01 * min(self.grid.spacing_mm))

    def _voxels(self, length_mm: float) -> list[float]:
        return [length_mm / s for s in self.grid.spacing_mm]


def _depth(mask: NDArray[np.bool_], spacing_mm: tuple[float, ...]) -> NDArray[np.float64]:
    """Distance (mm) of every voxel of `mask` to the nearest voxel outside it."""
    depth = np.zeros(mask.shape)
    box = bounding_box(mask)
    if box is not None:  # what lies nearest outside lies in the box about the mask, a voxel wider
        k, j, i = (slice(max(0, s.start - 1), s.stop + 1) for s in box)
        depth[k, j, i] = distance_transform_edt(mask[k, j, i], sampling=spacing_mm)
    return depth


def _divergence(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Jensen-Shannon divergence (bits, 0 to 1) of two histograms."""
    middle = (a + b) / 2
    return float(sum(0.5 * (h[h > 0] * np.log2(h[h > 0] / middle[h > 0])).sum() for h in (a, b)))
