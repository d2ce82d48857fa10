"""The ensemble in use: chosen by package and device, built once, warmed up while the clinician looks."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..progress import Progress
from .rooms import Adapting, EnsembleFactory, EnsembleLike

if TYPE_CHECKING:
    from ..inference import Prediction
    from .case import Case

_LOG = logging.getLogger(__name__)
_POLL_S = 0.1  # how soon a cancel is noticed while another thread still loads the networks


class Networks:
    """Builds the ensemble at most once per choice; usable from several threads."""

    def __init__(
        self, factory: EnsembleFactory, adapting: Adapting, warm_refiner: Callable[[str], None]
    ) -> None:
        self._factory = factory
        self._warm_refiner = warm_refiner
        self._adapting = adapting
        self._lock = threading.Lock()
        self._ensemble: EnsembleLike | None = None
        self._thread: threading.Thread | None = None
        self.package: str | None = None
        self.device = "auto"
        self.adapt = False  # try to adapt the networks to every scan (`trust.Adapting`)
        self._built_for: tuple[str | None, str] | None = None

    def choose(self, package: str | None, device: str) -> None:
        """Takes effect at the next prediction; one that is running finishes with what it began with."""
        self.package, self.device = package, device

    def predict(self, case: Case, progress: Progress) -> Prediction:
        """Build if need be (waiting for a warm-up under way), then run every member."""
        progress.report(0.0, "Loading the networks.")
        while not self._lock.acquire(timeout=_POLL_S):
            progress.check()
        try:
            ensemble = self._build()
        finally:
            self._lock.release()
        scan = case.for_networks(first_channel_of(ensemble))
        if self.adapt:
            return self._adapting(ensemble).predict(scan, progress)
        return ensemble.predict(scan, progress)

    def warm_up(self) -> None:
        """Load and compile in a thread of its own, so that clicks are not kept waiting."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._thread = threading.Thread(target=self._warm_up, name="TumorSegRobust warm-up", daemon=True)
        self._thread.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Until a warm-up under way is over."""
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _build(self) -> EnsembleLike:
        choice = (self.package, self.device)
        if self._ensemble is None or self._built_for != choice:
            self._ensemble = None  # let go of the old one first: two ensembles may not fit in memory
            self._ensemble = self._factory(*choice)
            self._built_for = choice
        return self._ensemble

    def _warm_up(self) -> None:
        try:
            # First, since who starts from nothing clicks before anything is segmented.
            self._warm_refiner(self.device)
        except Exception as error:
            _LOG.info("The network that refines could not be warmed up: %s", error)
        warm: tuple[str | None, str] | None = None
        while warm != (self.package, self.device):  # another choice may be made meanwhile
            warm = (self.package, self.device)
            try:
                with self._lock:
                    ensemble = self._build()
                ensemble.warm_up()  # a prediction may run beside it
            except Exception as error:
                # Segment meets the same obstacle and tells the clinician; here nobody has asked yet.
                _LOG.info("The networks could not be warmed up: %s", error)


def first_channel_of(ensemble: EnsembleLike) -> str:
    """The name under which the package expects a single, nameless scan."""
    channels = getattr(getattr(ensemble, "package", None), "channels", ())
    required = [c.name for c in channels if c.required]
    return required[0] if required else channels[0].name if channels else "image"
