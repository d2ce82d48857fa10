"""Commands that begin a review; each keeps the journal of the review before, and asks before it replaces one
that somebody has worked on.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..progress import Progress
from . import steps
from .asking import Asking, about_replacing
from .case import Case
from .desk import Desk
from .doing import Doing
from .networks import Networks
from .proposal import Proposal
from .reviewing import Review
from .rooms import Rooms

Work = Callable[[Case, Progress], Review]


class Beginning:
    """With the networks, from nothing, from earlier results, or with an earlier review."""

    def __init__(
        self, desk: Desk, do: Doing, asking: Asking, rooms: Rooms, networks: Networks, work_folder: Path
    ) -> None:
        self._desk, self._do, self._asking = desk, do, asking
        self._rooms, self._networks, self._work_folder = rooms, networks, work_folder

    def segment(self) -> None:
        chosen = self._desk.state

        def work(case: Case, progress: Progress) -> Review:
            return steps.segment(self._rooms, self._networks, case, self._work_folder, chosen, progress)

        self._begin("segment", "Segmenting.", work)

    def start_empty(self) -> None:
        def work(case: Case, _: Progress) -> Review:
            nothing = Proposal.of_nothing(case.image.geometry.shape)
            return steps.begin(self._rooms, case, nothing, self._work_folder, self._networks.device)

        self._begin("start_empty", "Starting from nothing.", work)

    def start_from(self, folder: Path) -> None:
        def work(case: Case, _: Progress) -> Review:
            earlier = steps.earlier_results(folder, case.image)
            return steps.begin(self._rooms, case, earlier, self._work_folder, self._networks.device)

        self._begin("start_empty", "Opening the results.", work)

    def resume(self, journal: Path) -> None:
        def work(case: Case, _: Progress) -> Review:
            return steps.resume(self._rooms, case, journal, self._networks.device)

        self._begin("start_empty", "Opening the review.", work)

    def _begin(self, command: str, label: str, work: Work) -> None:
        if self._do.allowed(command):
            state = self._desk.state
            question = about_replacing(state.accepted_by, "undo" in state.can)
            self._asking.before(lambda: self._do.begin(command, label, work), question)
