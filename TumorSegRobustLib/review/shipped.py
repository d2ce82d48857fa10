"""The refiner that a review uses: the shipped network where it won its gate, else the geodesic operator."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Geometry, Image
from TumorSegRobustLib.inference import Ensemble
from TumorSegRobustLib.models import REFINES, ModelPackage, find_package
from TumorSegRobustLib.review.click import Seed
from TumorSegRobustLib.review.extent import FACTS, Extent, judge_of
from TumorSegRobustLib.review.geodesic import GeodesicRefiner
from TumorSegRobustLib.review.network_input import CHANNELS
from TumorSegRobustLib.review.network_refiner import STARTS, NetworkRefiner
from TumorSegRobustLib.review.refiner import Refiner, Situation

_LOG = logging.getLogger(__name__)


class RefiningNetwork:
    """The network of a package that refines, and its second member if it has one, the `Extent`.

    Warm after `warm_up`; safe to share between threads.
    """

    def __init__(self, package: ModelPackage, device: str = "auto") -> None:
        """UnusableInput where the package is none that refines, or the device is not there."""
        names = tuple(channel.name for channel in package.channels)
        known = {"side", "context", "strength"} <= set(package.preprocessing)
        extent = package.members[1:]
        fits = not extent or (
            len(extent) == 1
            and extent[0].network["args"].get("in_channels") == len(FACTS)
            and {"keep", "extend"} <= set(package.preprocessing)
        )
        if package.kind != REFINES or names != CHANNELS or not fits or not known:
            raise UnusableInput(
                f"The model {package.id} does not refine with the channels of this version; "
                "choose another one or install the program again."
            )
        self.package = package
        self._ensemble = Ensemble(package, device)
        self._lock = threading.Lock()
        self._extent: Extent | None = None
        if extent:
            keep, extend = (float(package.preprocessing[key]) for key in ("keep", "extend"))
            judge = judge_of(package.read_arrays(extent[0]))
            try:
                judge(np.zeros((1, len(FACTS)), np.float32))
            except (KeyError, ValueError) as error:
                raise package.misfit(extent[0], error) from error
            self._extent = Extent(judge, keep, extend)

    @property
    def side(self) -> int:
        return int(self.package.preprocessing["side"])

    def refiner(self, always: bool = False) -> NetworkRefiner:
        """The network where it beat the geodesic operator on real cases (the package's `gate`), the operator
        elsewhere; `always`: whatever the gate says.
        """
        gate = self.package.calibration.get("gate", {})
        won = tuple(start for start in STARTS if always or gate.get(start, {}).get("won", False))
        described = {key: getattr(self.package, key) for key in ("id", "version", "sha256")}
        context, strength = (float(self.package.preprocessing[key]) for key in ("context", "strength"))
        return NetworkRefiner(
            self,
            described,
            where=won,
            side=self.side,
            context=context,
            strength=strength,
            extent=self._extent,
        )

    def warm_up(self) -> None:
        """Load, and answer a click once, so that the first one of a reader does not wait."""
        ramp = np.arange(24**3, dtype=np.float32).reshape(24, 24, 24)
        levels = np.where(ramp < ramp.size / 2, 60, -60).astype(np.int8)
        image = Image(ramp, Geometry(ramp.shape))
        self.refiner(always=True).refine(Situation(image, levels, levels, (), Seed((15, 12, 12), True)))

    def __call__(self, channels: NDArray[np.float32]) -> NDArray[np.float32]:
        with self._lock:
            return self._ensemble.backend_of(self.package.members[0]).run(channels)


_shared: dict[tuple[str, str], RefiningNetwork] = {}
_sharing = threading.Lock()


def shipped_network(package: str | Path | None = None, device: str = "auto") -> RefiningNetwork | None:
    """The refining network (by default the shipped one), loaded once per process; None where there is none.

    A package that was asked for by name and cannot be used is UnusableInput; a missing or damaged shipped one
    is only logged, since the geodesic operator works without it.
    """
    key = (str(package or ""), device)
    with _sharing:
        if key not in _shared:
            try:
                _shared[key] = RefiningNetwork(_whole(find_package(package, kind=REFINES)), device)
            except UnusableInput as reason:
                if package:
                    raise
                _LOG.info("Clicks are refined without a network: %s", reason)
                return None
        return _shared[key]


def _whole(package: ModelPackage) -> ModelPackage:
    """UnusableInput now, rather than at the first click, where a file of the package was changed."""
    problems = package.verify()
    if problems:
        raise UnusableInput(
            f"The model {package.id} is damaged ({problems[0]}); restore the package from where it came."
        )
    return package


def default_refiner(device: str = "auto") -> Refiner:
    """What a new review uses."""
    network = shipped_network(None, device)
    return GeodesicRefiner() if network is None else network.refiner()


def recorded_refiner(described: dict[str, Any], device: str = "auto") -> Refiner:
    """The refiner that a journal describes, or the nearest to it that this version has (the session tells
    where a recorded click now gives another contour).
    """
    return GeodesicRefiner.recorded(described) or default_refiner(device)
