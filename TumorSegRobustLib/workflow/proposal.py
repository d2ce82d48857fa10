"""Where a review begins: with the networks, with earlier results, with a journal, or with nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import UnusableInput
from . import results
from .overlay import entropy_of

if TYPE_CHECKING:
    from ..image import Image
    from ..inference import Prediction
    from ..review import ReviewSession
    from ..trust import Assessment

_EVEN = 0.5  # from here on, a voxel is rather core than not
Origin = Literal["networks", "results", "nothing", "journal"]


@dataclass(frozen=True)
class Proposal:
    """result: its result.json. probability: (k, j, i) float32, tumour where >= threshold; None for nothing.

    core: bool (k, j, i), the tumour core; None where nobody could tell it.
    name: of the first segment, "" for the usual one. further: (name, colour, mask) of those beside it.
    maps: kind of uncertainty -> float array (k, j, i), "entropy" always among them.
    """

    result: Mapping[str, Any]
    maps: Mapping[str, NDArray]
    started_from: Origin
    probability: NDArray | None = None
    threshold: float = 0.5
    core: NDArray | None = None
    name: str = ""
    further: tuple[tuple[str, tuple[int, int, int], NDArray], ...] = ()
    prediction: Prediction | None = None
    assessment: Assessment | None = None

    def core_within(self, mask: NDArray) -> NDArray | None:
        """The networks' tumour core inside a contour, bool (k, j, i); None where they could not tell."""
        return None if self.core is None else self.core & mask

    def about(self, channels: Mapping[str, Image]) -> Proposal:
        """The same, whose result says which scan it is of."""
        return replace(self, result={**self.result, "scan": results.scan_of(channels)})

    @classmethod
    def of_networks(
        cls,
        prediction: Prediction,
        assessment: Assessment,
        seconds: Mapping[str, float],
        channels: Mapping[str, str],
    ) -> Proposal:
        maps = {
            "entropy": assessment.entropy,
            "mutual_information": assessment.mutual_information,
            "disagreement": assessment.disagreement,
        }
        result = results.of_prediction(prediction, assessment, seconds, channels)
        return cls(
            result,
            maps,
            "networks",
            prediction.probability,
            prediction.threshold,
            prediction.core_mask,
            prediction=prediction,
            assessment=assessment,
        )

    def of_core(self) -> Proposal:
        """The same networks' tumour core as the contour. How far to trust it, nobody has measured."""
        prediction = self.prediction
        if prediction is None or prediction.core is None or prediction.core_mask is None:
            raise UnusableInput(
                "The networks could not tell the tumour core on this scan: contour the whole tumour."
            )
        apart = (prediction.core >= _EVEN) & ~prediction.core_mask  # in components that were taken out
        probability = np.where(apart, np.float32(0), prediction.core)
        geometry, mask = prediction.geometry, prediction.core_mask
        return Proposal(
            results.of_core(self.result, mask, geometry),
            {"entropy": entropy_of(probability)},
            "networks",
            probability,
            _EVEN,
            prediction=prediction,
        )

    @classmethod
    def of_nothing(cls, shape: tuple[int, ...]) -> Proposal:
        return cls(results.of_nothing(), {"entropy": np.zeros(shape, np.float32)}, "nothing")

    @classmethod
    def of_journal(cls, session: ReviewSession, source: Mapping[str, Any]) -> Proposal:
        """Of a resumed session; `source` is what the journal says about its beginning."""
        result = source.get("result") or results.of_nothing()
        return cls(result, {"entropy": entropy_of(session.probability)}, "journal")
