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

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.image import Geometry
from TumorSegRobustLib.review.belief import Levels, to_log_odds
from TumorSegRobustLib.review.click import Box, Seed, Voxel, box_around, box_shape
from TumorSegRobustLib.review.neighbourhood import straight_distance, whole_voxels
from TumorSegRobustLib.review.refiner import Refinement, Situation
from TumorSegRobustLib.review.settings import GeodesicSettings
from TumorSegRobustLib.review.site import Field, Site


@dataclass(frozen=True)
class _Trial:
    """`usual`: the reach follows from the contour, so that no size is less likely than another."""

    reach_mm: float
    softness: float
    usual: bool = False


@dataclass(frozen=True)
class Proposal:
    """What the operator makes of a click. All arrays are of the shape of `region`, log-odds.

    log_odds: the refinement. before: what stood there. odds: what place and look alone say, before it is cut
    to the region of influence (a ball of `influence_mm` about the click) and to the direction of the click.
    influence_mm is 0 where the click only holds what it lies on. begins: the click begins a lesion, whose
    size was chosen among several.
    """

    region: Box
    influence_mm: float
    log_odds: NDArray[np.float32]
    before: NDArray[np.float32]
    odds: NDArray[np.float32]
    begins: bool = False


@dataclass(frozen=True)
class GeodesicRefiner:
    """See the module. A pure function of the situation and the settings."""

    settings: GeodesicSettings = field(default_factory=GeodesicSettings)

    name = "geodesic"
    version = "6"

    @classmethod
    def recorded(cls, described: dict[str, Any]) -> GeodesicRefiner | None:
        """The refiner that a journal describes; None where this version cannot be it."""
        if described.get("name") != cls.name or described.get("version") != cls.version:
            return None
        values = dict(described["parameters"])
        values["first_reaches_mm"] = tuple(values["first_reaches_mm"])
        return cls(GeodesicSettings(**values))

    def parameters(self) -> dict[str, Any]:
        """All values, as plain JSON."""
        return asdict(self.settings)

    def refine(self, situation: Situation) -> Refinement:
        """See `Refiner.refine`. A click on a voxel that has its label already only holds it."""
        proposal = self.propose(situation)
        return Refinement(proposal.region, proposal.log_odds)

    def propose(self, situation: Situation) -> Proposal:
        """The refinement, with what another refiner may build on."""
        geometry = situation.image.geometry
        depth = depth_mm(situation.levels, situation.click, geometry, self.settings.most_influence_mm)
        if depth is None or (situation.click.include and depth > self.settings.new_lesion_mm):
            return self._begin(situation, depth)
        if depth == 0:
            k, j, i = (slice(v, v + 1) for v in situation.click.voxel)
            held = to_log_odds(situation.levels[k, j, i])
            return Proposal((k, j, i), 0.0, held, held, held)
        return self._correct(situation, self._reach(depth, geometry))

    def most_ml(self, situation: Situation) -> float:
        """What a click that corrects a contour may change; infinite where nothing limits it."""
        geometry = situation.image.geometry
        depth = depth_mm(situation.levels, situation.click, geometry, self.settings.most_influence_mm)
        if depth is None:
            return np.inf
        return self._most_ml(situation, self._reach(depth, geometry), self.settings.most_change)

    def _begin(self, situation: Situation, depth: float | None) -> Proposal:
        """A click far from any contour: several sizes are tried, and the most credible region is taken.

        It may be a lesion of its own, of any size, or the far side of the one that was drawn too small.
        """
        settings, geometry = self.settings, situation.image.geometry
        trials = [_Trial(reach, settings.first_softness) for reach in settings.first_reaches_mm]
        most_ml = np.inf
        if depth is not None:
            reach = self._reach(depth, geometry)
            trials.append(_Trial(reach, settings.softness, usual=True))
            most_ml = self._most_ml(situation, reach, settings.first_most_change)
        rough = Site(situation, settings, settings.most_influence_mm, settings.first_voxels)
        worth = [
            self._worth(rough, rough.log_odds(trial.reach_mm, trial.softness) > 0, trial, most_ml)
            for trial in trials
        ]
        best = trials[int(np.argmax(worth))]
        influence = best.reach_mm * (1 + best.softness * (settings.look + 0.5))
        influence = min(influence, settings.most_influence_mm)
        site = Site(situation, settings, settings.most_influence_mm)
        odds = site.log_odds(best.reach_mm, best.softness)
        return replace(self._within(situation, site, odds, influence, most_ml)[0], begins=True)

    def _worth(self, site: Site, region: NDArray[np.bool_], trial: _Trial, most_ml: float) -> float:
        """Log-odds of a new region by its size and by how distinct it looks.

        What exceeds `most_ml` is worth less than whatever does not, and the less the larger it is.
        """
        added = region & ~site.tumour
        if not added.any() or region.all():
            return -np.inf
        if (volume_ml := site.volume_ml(added)) > most_ml:
            return -volume_ml * 1e6
        usual = self.settings.first_usual_mm
        size = 0.0 if trial.usual else np.log(site.radius_mm(added) / usual) / self.settings.first_spread
        credible = site.distinctness(added) - self.settings.first_likeness * site.strangeness(added)
        return self.settings.first_worth * credible - 0.5 * float(size) ** 2

    def _correct(self, situation: Situation, reach: float) -> Proposal:
        """A click that moves the contour there is; the region grows while the change runs into its border."""
        settings = self.settings
        influence = max(settings.influence_per_reach * reach, settings.least_influence_mm)
        most_ml = self._most_ml(situation, reach, settings.most_change)
        while True:
            influence = min(influence, settings.most_influence_mm)
            half = max(settings.least_context_mm, settings.context_per_influence * influence)
            site = Site(situation, settings, half)
            odds = site.log_odds(reach, settings.softness)
            proposal, border = self._within(situation, site, odds, influence, most_ml)
            if border <= settings.border_share or influence >= settings.most_influence_mm:
                return proposal
            influence *= settings.growth

    def _within(
        self, situation: Situation, site: Site, odds: Field, influence: float, most_ml: float
    ) -> tuple[Proposal, float]:
        """The change within `influence` mm of the click, and what share of its outermost layer it takes.

        Of more than `most_ml` the surest voxels are changed.
        """
        geometry, click = situation.image.geometry, situation.click
        region = box_around(click.voxel, whole_voxels(influence, geometry), geometry.shape)
        before = to_log_odds(situation.levels[region])
        after = site.grid.refine_to(odds, region)
        distance = straight_distance(box_shape(region), _inside(click.voxel, region), site.grid.native_mm)
        flips = (after > 0) & (before <= 0) if click.include else (after <= 0) & (before > 0)
        flips &= distance < influence
        flips &= _surest(np.abs(after), flips, most_ml / geometry.voxel_ml)
        border = (distance < influence) & (distance > influence - 1.5 * max(site.grid.spacing_mm))
        share = float(flips[border].mean()) if border.any() else 0.0
        return Proposal(region, influence, np.where(flips, after, before), before, after), share

    def _most_ml(self, situation: Situation, reach: float, balls: float) -> float:
        """What a click of that reach may change: a contour so near does not leave room for a flood.

        Anything in a review from nothing: its contour is only what clicks have made of it so far.
        """
        if situation.prior is None:
            return np.inf
        radius = max(reach, self.settings.least_change_mm)
        return balls * 4 / 3 * np.pi * radius**3 / 1000

    def _reach(self, depth: float, geometry: Geometry) -> float:
        settings = self.settings
        least = max(settings.least_reach_mm, 1.2 * min(geometry.spacing_mm))
        return max(least, min(settings.reach_per_depth * depth, settings.most_reach_mm))


def _surest(sureness: NDArray, where: NDArray[np.bool_], count: float) -> NDArray[np.bool_]:
    """The `count` voxels of `where` with the highest sureness; all of them where they are no more."""
    if np.count_nonzero(where) <= count:
        return where
    place = np.count_nonzero(where) - max(1, int(count))
    return where & (sureness >= np.partition(sureness[where], place)[place])


def depth_mm(levels: Levels, click: Seed, geometry: Geometry, most_mm: float) -> float | None:
    """Distance from a click to the nearest voxel that has its label already; None where none lies within
    `most_mm`.

    For a click that corrects something this is its distance to the contour.
    """
    half = min(12.0, most_mm)
    while True:
        box = box_around(click.voxel, whole_voxels(half, geometry), geometry.shape)
        same = (levels[box] > 0) == click.include
        if same.any():
            distance = straight_distance(box_shape(box), _inside(click.voxel, box), geometry.spacing_mm[::-1])
            nearest = float(distance[same].min())
            if nearest <= half:
                return nearest
        if half >= most_mm:
            return None
        half = min(2 * half, most_mm)


def _inside(voxel: Voxel, box: Box) -> tuple[float, float, float]:
    k, j, i = (float(v - s.start) for v, s in zip(voxel, box, strict=True))
    return k, j, i
