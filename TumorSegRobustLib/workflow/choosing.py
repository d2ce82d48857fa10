"""What the next segmentation uses: package, device, adaptation, and what of the tumour it contours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UnusableInput
from .agreements import Agreements
from .asking import Asking
from .channels import CORE, WHOLE, targets_of
from .desk import Desk
from .networks import Networks
from .rooms import Rooms
from .running import Runner

if TYPE_CHECKING:
    from ..models import ModelPackage


ABOUT_ADAPTING = (
    "Lets the networks adjust themselves to the scan before they contour it, which takes longer. In 56 tests "
    "it brought no gain (13 contours better, 16 worse): off unless you want to try it."
)


class Choosing:
    """`warm_up()` is called when other networks will be needed."""

    def __init__(
        self,
        desk: Desk,
        runner: Runner,
        asking: Asking,
        networks: Networks,
        rooms: Rooms,
        work_folder: Path,
        warm_up: Callable[[], None],
    ) -> None:
        self._desk, self._runner, self._networks, self._rooms = desk, runner, networks, rooms
        self._asking, self._agreements = asking, Agreements(work_folder)
        self._warm_up = warm_up
        try:
            desk.package = rooms.find_package(None)
        except UnusableInput:
            desk.package = None  # one may still start from nothing; `segment` tells what is missing

    def choose_package(self, id_or_folder: str | None) -> None:
        """A licence that restricts the use must be agreed to first; until then the package before stays."""

        def choose() -> None:
            package = self._rooms.find_package(id_or_folder)
            question = self._agreements.question(package) if self._asking.asks else None
            self._asking.before(lambda: take(package, agreed=question is not None), question)

        def take(package: ModelPackage, agreed: bool) -> None:
            if agreed:
                self._agreements.agree(package)
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
