"""What will happen when Segment is pressed: device, about how long, how much memory; every run teaches it."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UnusableInput
from .channels import ChannelState
from .rooms import Rooms
from .running import Runner

if TYPE_CHECKING:
    from ..inference.forecast import Forecast
    from .desk import Desk

_LOG = logging.getLogger(__name__)
_CPU = "the processor (CPU)"
_DEVICES = {"cpu": _CPU, "cuda": "the graphics card (GPU)", "mps": "the graphics card (GPU)"}
_LEAST, _MOST = 0.02, 50.0  # times the forecast: beyond that, something else was measured


def will_happen(
    inputs: Sequence[ChannelState], forecast: Forecast | None, adapt: bool = False, unfit: str = ""
) -> str:
    """In one line: "FLAIR: 3 networks on the processor (CPU), about 4 s and 0.9 GB of memory.".

    `unfit`: why the networks cannot segment the scan; then that is the line.
    """
    if unfit or forecast is None:
        return unfit
    seen = " and ".join(one.label for one in inputs if one.volume)
    count = "1 network" if forecast.networks == 1 else f"{forecast.networks} networks"
    where = _DEVICES.get(forecast.device.split(":")[0], forecast.device)
    memory = f"{max(forecast.memory_mb / 1000, 0.1):.1f} GB of memory"
    line = f"{seen}: {count} on {where}, {_about(forecast.seconds)} and {memory}"
    line += ", and longer while they adapt to the scan." if adapt else "."
    if forecast.memory_mb > forecast.free_mb:
        line += f" Only {forecast.free_mb / 1000:.1f} GB are free: close other programs first."
    return line


class Forecasting:
    """Keeps `State.forecast` in step with scan, package and device, and learns from what runs took here."""

    def __init__(self, desk: Desk, runner: Runner, rooms: Rooms, work_folder: Path) -> None:
        self._desk, self._runner, self._rooms = desk, runner, rooms
        self._file = work_folder / "pace.json"
        self._plain: tuple[str, Forecast] | None = None  # of the open scan: key, forecast before learning
        self._asked: object = None
        self._looked_for_gpu = False
        desk.changed.connect(lambda *_: self.refresh())
        desk.assessment_changed.connect(lambda *_: self._learn())

    def refresh(self) -> None:
        """Ask again where scan, package or device have changed."""
        desk = self._desk
        case, package, device = desk.case, desk.package, desk.state.device
        if case is None or package is None:
            if self._asked is not None:
                self._asked = None
                desk.update(forecast=None)
            return
        geometry = case.image.geometry
        channels = tuple(name or package.first_channel.name for name in case.channels)
        asked = (geometry, channels, package.id, package.version, device)
        if asked == self._asked:
            return
        self._asked = asked

        def work() -> tuple[Forecast | None]:
            try:
                return (self._rooms.forecast(package, device, geometry, channels),)
            except UnusableInput as error:
                _LOG.info("There is no forecast: %s", error)
                return (None,)

        def show(found: tuple[Forecast | None]) -> None:
            if self._asked == asked:
                self._show(f"{package.id} {package.version}", found[0])

        self._runner.quietly(work, show)
        self._look_for_gpu()

    def _look_for_gpu(self) -> None:
        """Once, after the first forecast: where there may be one, PyTorch has to be loaded to know.

        Not without a background: the command line offers no choice, it is told the device.
        """
        if self._looked_for_gpu or not self._runner.background:
            return
        self._looked_for_gpu = True

        def show(found: tuple[str, str]) -> None:
            if found != self._desk.gpu:
                self._desk.gpu = found
                self._desk.update()

        self._runner.quietly(self._rooms.find_gpu, show)

    def _show(self, package: str, forecast: Forecast | None) -> None:
        if forecast is None:
            self._plain = None
            self._desk.update(forecast=None)
            return
        key = f"{package} {forecast.device} {forecast.backend}"
        self._plain = key, forecast
        pace = self._read().get(key)
        if isinstance(pace, int | float) and forecast.seconds is not None:
            forecast = replace(forecast, seconds=forecast.seconds * pace)
        elif forecast.device != "cpu":
            forecast = replace(forecast, seconds=None)
        self._desk.update(forecast=forecast)

    def _learn(self) -> None:
        """A run is over: what it took, loading left out, is what the next one will take."""
        review = self._desk.review
        if review is None or self._plain is None or review.proposal.prediction is None:
            return
        key, plain = self._plain
        seconds = review.proposal.result.get("seconds", {})
        total, opening, loading = (float(seconds.get(part, 0.0)) for part in ("total", "open", "load"))
        took = total - opening - loading
        if self._desk.state.adapt or plain.seconds is None or not took > 0:
            return
        pace = took / plain.seconds
        if _LEAST <= pace <= _MOST:
            self._write({**self._read(), key: round(pace, 3)})
            self._show(key.rsplit(" ", 2)[0], plain)

    def _read(self) -> dict[str, Any]:
        try:
            known = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def _write(self, paces: dict[str, Any]) -> None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_text(json.dumps(paces, indent=1), encoding="utf-8")
        except OSError as error:
            _LOG.info("What the run took cannot be remembered: %s", error)


def _about(seconds: float | None) -> str:
    if seconds is None:
        return "for a time that the first run will tell,"
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    return f"about {round(seconds / 60)} min"
