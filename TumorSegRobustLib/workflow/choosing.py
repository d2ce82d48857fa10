"""What the next segmentation uses: package, device, adaptation, and what of the tumour it contours."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import UnusableInput
from .channels import CORE, WHOLE, targets_of
from .desk import Desk
from .networks import Networks
from .rooms import Rooms
from .running import Runner


class Choosing:
    """`warm_up()` is called when other networks will be needed."""

    def __init__(
        self, desk: Desk, runner: Runner, networks: Networks, rooms: Rooms, warm_up: Callable[[], None]
    ) -> None:
        self._desk, self._runner, self._networks, self._rooms = desk, runner, networks, rooms
        self._warm_up = warm_up
        try:
            desk.package = rooms.find_package(None)
        except UnusableInput:
            desk.package = None  # one may still start from nothing; `segment` tells what is missing

    def choose_package(self, id_or_folder: str | None) -> None:
        def choose() -> None:
            package = self._rooms.find_package(id_or_folder)
            self._networks.choose(id_or_folder, self._networks.device)
            self._desk.package = package
            target = self._desk.state.target if targets_of(package) else WHOLE
            told = f"Model: {package.title}."
            self._desk.update(package=package.id, target=target, message=told, error="")
            self._warm_up()

        self._runner.at_once("Choosing the model", choose)

    def choose_device(self, device: str) -> None:
        self._networks.choose(self._networks.package, device)
        self._desk.update(device=device, error="")
        self._warm_up()

    def choose_adaptation(self, wanted: bool) -> None:
        self._networks.adapt = wanted
        self._desk.update(adapt=wanted)

    def choose_target(self, target: str) -> None:
        known = targets_of(self._desk.package) or (WHOLE,)
        if target not in known:
            self._runner.refuse(f"The model cannot contour {target!r}: choose {' or '.join(known)}.")
            return
        what = "tumour core" if target == CORE else "whole tumour"
        self._desk.update(target=target, message=f"Segment will contour the {what}.", error="")
