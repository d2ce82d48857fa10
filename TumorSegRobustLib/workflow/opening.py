"""Commands that bring scans in: a file or folder, one of several series, a further channel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..image import SeriesChoice, SeveralSeries
from ..progress import Progress
from . import messages, steps
from .case import Case
from .channels import first_name, label_of, spelled
from .desk import Desk
from .doing import Doing
from .recent import RecentScan, recent_scans, remember
from .rooms import Rooms
from .running import Runner

if TYPE_CHECKING:
    from ..image import DicomSeries, Image


@dataclass(frozen=True)
class Pending:
    """A folder that waits for somebody to say which of its series is meant, and as which channel."""

    path: Path
    channel: str
    choices: tuple[SeriesChoice, ...]


class Opening:
    """Knows which folder waits for a choice; the rest lies on the desk."""

    def __init__(self, desk: Desk, runner: Runner, do: Doing, rooms: Rooms, work_folder: Path) -> None:
        self._desk, self._runner, self._do, self._rooms = desk, runner, do, rooms
        self._work_folder = work_folder
        self._pending: Pending | None = None
        desk.update(recent=recent_scans(work_folder))

    def open(self, path: str | Path, channel: str | None, series: str | None) -> None:
        """A new scan; with `channel` one more of it, or a new one as the channel that the scan itself is."""
        if self._do.allowed("open"):
            self._put_choice_aside()
            self._open(Path(path).expanduser(), spelled(self._desk.package, channel or ""), series or "")

    def open_image(self, image: Image, series: DicomSeries | None, channel: str | None) -> None:
        """The same with a volume that is read already."""
        name = spelled(self._desk.package, channel or "")
        if self._do.allowed("open"):
            self._put_choice_aside()
            self._do.open(
                lambda case, _: steps.open_image(image, series, name, self._beside(case, name)), self._shown
            )

    def choose_series(self, uid: str) -> None:
        """One of `state.choices`."""
        pending = self._pending
        if not self._do.allowed("choose_series") or pending is None:
            return
        faults = {one.uid: one.fault for one in pending.choices}
        fault = faults.get(uid, f"The folder has no series {uid}: choose another.")
        if fault:
            self._runner.refuse(fault)
            return
        self._open(pending.path, pending.channel, uid)

    def stop_choosing(self) -> None:
        """Leave the folder with several series alone; what was open before stays open."""
        self._put_choice_aside()
        self._desk.update(message=self._asked_before(), error="")

    def name_first_channel(self, name: str) -> None:
        """Say what the scan itself is; the channel that had this name so far takes the other one."""
        case = self._desk.case
        if not self._do.allowed("open") or case is None:
            return
        new, old = spelled(self._desk.package, name), first_name(self._desk.package, case)
        if new and new != old:
            self._change(case.with_first_called(new, old), f"The scan is taken for {label_of(new)}.")

    def drop_channel(self, name: str) -> None:
        """Take a further channel away; the scan itself stays."""
        case, wanted = self._desk.case, spelled(self._desk.package, name)
        if not self._do.allowed("drop_channel") or case is None:
            return
        if wanted not in list(case.channels)[1:]:
            self._runner.refuse(f"{label_of(wanted)} is no further channel of this scan.")
            return
        self._change(case.without(wanted), f"{label_of(wanted)} was removed.")

    def _open(self, path: Path, channel: str, series: str) -> None:
        def read(case: Case | None, progress: Progress) -> Case | Pending:
            beside = self._beside(case, channel)
            try:
                opened = steps.open_scan(self._rooms, path, series, channel, beside, progress)
                if beside is None:
                    name = opened.image.name or path.name
                    remember(self._work_folder, RecentScan(str(path.absolute()), series, name, opened.digest))
                return opened
            except SeveralSeries as several:
                if not self._runner.background:
                    raise
                return Pending(path, channel, several.choices)

        self._do.open(read, self._shown)

    def _beside(self, case: Case | None, channel: str) -> Case | None:
        """The case that `channel` is added to; None where the volume is a new scan."""
        if not channel or case is None or channel == first_name(self._desk.package, case):
            return None
        return case

    def _shown(self, opened: Case | Pending) -> bool:
        """Whether it can be shown; a folder with several series asks instead."""
        if isinstance(opened, Case):
            self._put_choice_aside()
            folder, desk = self._work_folder, self._desk
            self._runner.quietly(lambda: recent_scans(folder), lambda scans: desk.update(recent=scans))
            return True
        self._pending = opened
        self._desk.choices = opened.choices
        self._desk.update(message=messages.choose_series(opened.path.name, len(opened.choices)), error="")
        return False

    def _change(self, case: Case, told: str) -> None:
        self._desk.case = case
        again = " Press Segment to use it." if self._desk.review else ""
        self._desk.update(message=told + again, error="")

    def _put_choice_aside(self) -> None:
        self._pending = None
        self._desk.choices = ()

    def _asked_before(self) -> str:
        case = self._desk.case
        return messages.opened(case, self._desk.earlier) if case else messages.BEGIN
