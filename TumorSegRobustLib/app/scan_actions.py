"""What the page does to bring scans in: paths, the picker, channels, series, and the scans before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from TumorSegRobustLib.app.browse import list_folder
from TumorSegRobustLib.app.reach import Reach
from TumorSegRobustLib.errors import UnusableInput

if TYPE_CHECKING:
    from trame_server import Server

    from TumorSegRobustLib.workflow import Workflow

SCAN, REFERENCE = "scan", "reference"
"""What something is chosen for; else it is for the channel of that name."""


class ScanActions:
    """`picker_for`, a state of the page: what the next choice is for. compare(path) takes a reference."""

    def __init__(
        self,
        server: Server,
        workflow: Workflow,
        reach: Reach,
        complain: Callable[[str], None],
        compare: Callable[[str], None],
    ) -> None:
        self._server = server
        self._workflow = workflow
        self._reach = reach
        self._complain = complain
        self._compare = compare
        self._given: list[Path] = []

    def give(self, paths: Sequence[Path]) -> None:
        """Scans that the page offers by name: those named at the start, and those dropped together."""
        self._given.extend(paths)
        self._server.state.given = [{"name": path.name, "number": n} for n, path in enumerate(self._given)]

    def open_given(self, number: int) -> None:
        if 0 <= int(number) < len(self._given):
            self._workflow.open(self._given[int(number)])

    def open_recent(self, number: int) -> None:
        """One of the scans that were open before."""
        recent = self._workflow.state.recent
        if 0 <= int(number) < len(recent):
            scan = recent[int(number)]
            self._open(scan.path, SCAN, scan.series)

    def open_path(self, typed: str) -> None:
        path = unquoted(typed)
        if not path:
            self._complain("Type or choose the path of a scan: a file, or a folder with DICOM.")
            return
        self._open(path, SCAN)

    def open_entry(self, path: str) -> None:
        """A line of the picker that is a scan, or the folder shown."""
        self._server.state.picker_open = False
        purpose = str(self._server.state.picker_for)
        if purpose == SCAN:
            self._server.state.path = path
        self._open(path, purpose)

    def take(self, path: Path, purpose: str, series: str = "") -> None:
        """Open what the page has been given itself (it need not lie in the folders that may be reached)."""
        if purpose == REFERENCE:
            self._compare(str(path))
        else:
            self._workflow.open(path, None if purpose == SCAN else purpose, series or None)

    # The picker

    def browse(self, path: str = "", purpose: str = "") -> None:
        """Show a folder in the picker; without one, the folder of the path field or the home folder.

        purpose: what the choice is for; without it, the same as before.
        """
        state = self._server.state
        if purpose or not path:
            state.picker_for = purpose or SCAN
        typed = str(state.reference if state.picker_for == REFERENCE else state.path)
        wanted = Path(path or unquoted(typed) or str(state.path) or self._reach.start).expanduser()
        if not path and not (wanted.exists() and self._reach.holds(wanted)):
            wanted = self._reach.start
        self._show_folder(wanted)

    def browse_channel(self, name: str) -> None:
        self.browse(purpose=name)

    def browse_reference(self) -> None:
        """Show the picker to choose the contour to compare with."""
        self.browse(purpose=REFERENCE)

    def pick(self, path: str, kind: str) -> None:
        """A line of the picker: go into a folder, open a scan, take a reference."""
        if kind == "folder":
            self.browse(path)
        elif self._server.state.picker_for == REFERENCE:
            self._server.state.update({"reference": path, "picker_open": False})
            self._compare(path)
        else:
            self.open_entry(path)

    def _show_folder(self, folder: Path) -> None:
        state = self._server.state
        try:
            also = (".dcm",) if state.picker_for == REFERENCE else ()
            listing = list_folder(self._reach.check(folder), also)
            parent = listing.parent if self._reach.holds(listing.parent) else ""
            state.listing = listing.to_json() | {"parent": parent}
            state.picker_error = ""
        except UnusableInput as error:
            state.picker_error = str(error)
        state.picker_open = True

    # Channels, series, reviews: only what is on offer

    def name_first(self, name: str) -> None:
        self._workflow.name_first_channel(name)

    def drop_channel(self, name: str) -> None:
        self._workflow.drop_channel(name)

    def choose_series(self, uid: str) -> None:
        self._workflow.choose_series(uid)

    def choose_target(self, target: str) -> None:
        self._workflow.choose_target(target)

    def choose_adaptation(self, wanted: bool) -> None:
        self._workflow.choose_adaptation(bool(wanted))

    def choose_device(self, device: str) -> None:
        state = self._workflow.state
        usable = [one.value for one in state.devices if not one.why_not]
        if device in usable and state.phase != "running":
            self._workflow.choose_device(device)

    def choose_package(self, package: str) -> None:
        offered = [one.id for one in self._workflow.packages()]
        if package in offered and package != self._workflow.state.package:
            self._workflow.choose_package(package)

    def resume(self, journal: str) -> None:
        """Continue one of the reviews that are offered."""
        if journal in [str(review.path) for review in self._workflow.resumable()]:
            self._workflow.resume(journal)

    def _open(self, path: str, purpose: str, series: str = "") -> None:
        try:
            self.take(self._reach.check(path), purpose, series)
        except UnusableInput as error:
            self._complain(str(error))


def unquoted(typed: str) -> str:
    """A path as typed or pasted: file managers put quotes around it."""
    return typed.strip().strip("\"'")
