"""A trained network on top of the geodesic operator: it corrects what the operator proposes, near the click.

The network answers with a residual on the log-odds. It starts from zero (its last layer is zero before
training), is faded out towards the border of the region of influence, and never speaks outside it; the
clicked voxels themselves are kept by the session, as with any refiner. Then `extent` says how far the answer
reaches, and `tidy` takes the crumbs away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.review.click import box_shape
from TumorSegRobustLib.review.extent import Extent
from TumorSegRobustLib.review.geodesic import GeodesicRefiner, Proposal
from TumorSegRobustLib.review.neighbourhood import straight_distance
from TumorSegRobustLib.review.network_input import SCALE, gate_of, network_input
from TumorSegRobustLib.review.refiner import Refinement, Situation
from TumorSegRobustLib.review.tidy import tidied

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""(1, 8, side, side, side) -> (1, 1, side, side, side): the residual, in log-odds / `SCALE`."""

STARTS = ("networks", "nothing")
"""Where a contour may have begun: from the first-stage networks (or any other proposal), or from nothing."""


@dataclass(frozen=True)
class NetworkRefiner:
    """See the module.

    described: what the journal says of the network (id, version, sha256). where: the starts from which it is
    used; from the others the geodesic operator answers alone, as it does at a click that begins a lesion (it
    compares several sizes, which one look of a network does not). strength: how much of the residual counts;
    real scans are not quite like generated ones, and a part of it did better there than all. extent: None
    leaves the answer as far-reaching as it is.
    """

    run: Run
    described: dict[str, Any] = field(default_factory=dict)
    floor: GeodesicRefiner = field(default_factory=GeodesicRefiner)
    where: tuple[str, ...] = STARTS
    side: int = 48
    context: float = 1.25
    strength: float = 0.4
    extent: Extent | None = None

    name = "network"

    @property
    def version(self) -> str:
        return f"2+{self.floor.version}"

    def parameters(self) -> dict[str, Any]:
        return {
            "network": self.described,
            "where": list(self.where),
            "side": self.side,
            "context": self.context,
            "strength": self.strength,
            "extent": None if self.extent is None else self.extent.parameters(),
            "floor": self.floor.parameters(),
        }

    def refine(self, situation: Situation) -> Refinement:
        """See `Refiner.refine`."""
        proposal = self.floor.propose(situation)
        start = STARTS[1] if situation.prior is None else STARTS[0]
        if not is_for_network(proposal) or start not in self.where:
            return Refinement(proposal.region, proposal.log_odds)
        given = network_input(situation, proposal, self.side, self.context)
        residual = given.crop.restore(self.run(given.channels[None])[0, 0], proposal.region)
        answer = Refinement(proposal.region, corrected(situation, proposal, self.strength * residual))
        if self.extent is not None:
            changed_ml = _changed_ml(situation, answer)
            left_ml = self.floor.most_ml(situation) - changed_ml
            answer = self.extent.applied(situation, proposal, answer, changed_ml, left_ml)
        return tidied(situation, answer)


def _changed_ml(situation: Situation, answer: Refinement) -> float:
    changed = (situation.levels[answer.region] > 0) != (answer.log_odds > 0)
    return float(np.count_nonzero(changed)) * situation.image.geometry.voxel_ml


def is_for_network(proposal: Proposal) -> bool:
    """Whether a network has anything to add: not where a click only holds, nor where it begins a lesion."""
    return proposal.influence_mm > 0 and not proposal.begins


def corrected(
    situation: Situation, proposal: Proposal, residual: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The proposal's log-odds plus what the network says (of the region's shape), as far as the gate lets it
    through; what has the click's label already keeps it: an include click only adds.
    """
    k, j, i = (v - s.start for v, s in zip(situation.click.voxel, proposal.region, strict=True))
    spacing_mm = situation.image.geometry.spacing_mm[::-1]
    distance = straight_distance(box_shape(proposal.region), (float(k), float(j), float(i)), spacing_mm)
    after = proposal.log_odds + SCALE * gate_of(distance, proposal.influence_mm) * residual
    return np.where((proposal.before > 0) == situation.click.include, proposal.before, after)
