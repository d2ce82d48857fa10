"""What the buttons, keys and fields of the page do. Everything is a workflow command."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from TumorSegRobustLib.app.browse import list_folder
from TumorSegRobustLib.errors import UnusableInput

if TYPE_CHECKING:
    from trame_server import Server

    from TumorSegRobustLib.app.viewer import Viewer
    from TumorSegRobustLib.workflow import State, Tool, Workflow

_PATIENCE_S = 60.0  # for an RTSTRUCT on its way to the browser


class Actions:
    """One method per thing that a person can do on the page."""

    def __init__(self, server: Server, workflow: Workflow, viewer: Viewer) -> None:
        self._server = server
        self._workflow = workflow
        self._viewer = viewer
        self.keys: dict[str, Callable[[], Any]] = {
            "include": lambda: self.toggle_tool("include"),
            "exclude": lambda: self.toggle_tool("exclude"),
            "paint": lambda: self.toggle_tool("paint"),
            "erase": lambda: self.toggle_tool("erase"),
            "none": self.put_away,
            "undo": workflow.undo,
            "redo": workflow.redo,
            "overlay": self.toggle_overlay,
            "next_place": workflow.next_place,
            "start_empty": workflow.start_empty,
        }

    # Scan

    def open_path(self, typed: str) -> None:
        path = _unquoted(typed)
        if not path:
            self._complain("Type or choose the path of a scan: a file, or a folder with one DICOM series.")
            return
        self._workflow.open(path)

    def open_entry(self, path: str) -> None:
        """A line of the picker that is a scan, or the folder shown."""
        self._server.state.update({"path": path, "picker_open": False})
        self._workflow.open(path)

    def browse(self, path: str = "") -> None:
        """Show a folder in the picker; without one, the folder of the path field or the home folder."""
        state = self._server.state
        if not path:
            state.picker_for = "scan"
        wanted = Path(path or str(state.path).strip() or Path.home()).expanduser()
        self._show_folder(wanted if path or wanted.exists() else Path.home())

    def browse_reference(self) -> None:
        """Show the picker to choose the contour to compare with."""
        state = self._server.state
        state.picker_for = "reference"
        wanted = Path(_unquoted(str(state.reference)) or str(state.path).strip() or Path.home()).expanduser()
        self._show_folder(wanted if wanted.exists() else Path.home())

    def pick(self, path: str, kind: str) -> None:
        """A line of the picker: go into a folder, open a scan, take a reference."""
        if kind == "folder":
            self.browse(path)
        elif self._server.state.picker_for == "reference":
            self._server.state.update({"reference": path, "picker_open": False})
            self.compare(path)
        else:
            self.open_entry(path)

    def _show_folder(self, folder: Path) -> None:
        state = self._server.state
        try:
            also = (".dcm",) if state.picker_for == "reference" else ()
            state.listing = list_folder(folder, also).to_json()
            state.picker_error = ""
        except UnusableInput as error:
            state.picker_error = str(error)
        state.picker_open = True

    def choose_package(self, package: str) -> None:
        if package and package != self._workflow.state.package:
            self._workflow.choose_package(package)

    # Correct

    def toggle_tool(self, tool: Tool) -> None:
        self._workflow.set_tool("none" if self._workflow.state.tool == tool else tool)

    def key(self, name: str) -> None:
        """A key that the page has translated to one of `keys`; unknown ones are nobody's business."""
        action = self.keys.get(name)
        if action is not None:
            action()

    def look_at_click(self, number: int) -> None:
        clicks = self._workflow.state.clicks
        if 1 <= number <= len(clicks):
            self._viewer.look_at(clicks[number - 1].position_mm)

    def remove_click(self, event: int) -> None:
        self._workflow.remove_click(int(event))

    def move_click(self, event: int) -> None:
        """The next click in a slice says where this click is to lie; Escape forgets it."""
        self._viewer.move_next(int(event))
        self._say("Click in a slice where this click is to lie; Esc leaves it where it is.")

    def put_away(self) -> None:
        """No tool in hand, and nothing begun."""
        self._server.state.naming = ""
        self._viewer.move_next(None)
        self._workflow.set_tool("none")

    def set_brush(self) -> None:
        self._workflow.set_brush(float(self._server.state.brush_mm))

    # Segments

    def choose_segment(self, segment: int) -> None:
        self._workflow.choose_segment(int(segment))

    def toggle_lock(self, segment: int) -> None:
        state = next((s for s in self._workflow.state.segments if s.id == int(segment)), None)
        if state is not None:
            self._workflow.lock_segment(state.id, not state.locked)

    def remove_segment(self, segment: int) -> None:
        self._workflow.remove_segment(int(segment))

    def begin_naming(self, why: str) -> None:
        """Show the field for a name, or hide it: "add" a segment, or "rename" the active one."""
        state, active = self._server.state, self._active_name()
        state.naming = "" if state.naming == why else why
        state.segment_name = active if state.naming == "rename" else ""

    def name_segment(self, typed: str) -> None:
        """What was typed is the name that was asked for."""
        active = next((s for s in self._workflow.state.segments if s.active), None)
        if self._server.state.naming == "rename" and active is not None:
            self._workflow.rename_segment(active.id, typed)
            if active.name == self._server.state.roi_name and typed.strip():
                self._server.state.roi_name = typed.strip()
        else:
            self._workflow.add_segment(typed)
        self._server.state.naming = ""

    def _active_name(self) -> str:
        return next((s.name for s in self._workflow.state.segments if s.active), "")

    # Trust

    def toggle_overlay(self) -> None:
        self._server.state.overlay_shown = not self._server.state.overlay_shown

    def show_overlay(self) -> None:
        state = self._server.state
        low, high = (float(value) for value in state.overlay_percentile)
        self._viewer.binding.show_overlay(
            bool(state.overlay_shown),
            opacity=float(state.overlay_opacity) / 100,
            percentile=(low, max(high, low + 0.5)),
        )

    # Compare

    def compare(self, typed: str) -> None:
        """Lay the contour at this path beside the active segment."""
        path = _unquoted(typed)
        if path:
            self._workflow.compare(path)
        else:
            self._complain("Type or choose the path of a reference: a mask file, or an RTSTRUCT.")

    def show_errors(self) -> None:
        self._viewer.binding.errors.show(bool(self._server.state.errors_shown))

    # View

    def set_window(self) -> None:
        low, high = (float(value) for value in self._server.state.window)
        self._viewer.set_window(low, high)

    def usual_window(self) -> None:
        window = self._viewer.usual_window()
        if window is not None:
            self._viewer.set_window(*window)

    # Export: what is typed comes along with the call, so that it cannot arrive after it

    def accept(self, reviewer: str, comment: str) -> None:
        self._workflow.accept(reviewer, comment)

    def export_rtstruct(self, folder: str, roi_name: str) -> None:
        made = self._made(folder)
        if made is not None:
            self._workflow.export_rtstruct(made, roi_name.strip() or "GTVp")

    def export_seg(self, folder: str, roi_name: str) -> None:
        made = self._made(folder)
        if made is not None:
            self._workflow.export_seg(made, roi_name.strip() or "GTVp")

    def save(self, folder: str) -> None:
        made = self._made(folder)
        if made is not None:
            self._workflow.save(made)

    async def download_rtstruct(self, roi_name: str) -> bytes:
        """The RTSTRUCT's bytes for the browser; empty when it cannot be written (the page says why).

        The file stays beside the journal, which names it.
        """
        folder = self._workflow.work_folder / "exports"
        folder.mkdir(parents=True, exist_ok=True)
        before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
        self._workflow.export_rtstruct(folder, roi_name.strip() or "GTVp")
        await self._until_idle()
        written = [path for path in folder.iterdir() if before.get(path) != path.stat().st_mtime_ns]
        return written[0].read_bytes() if written else b""

    def _made(self, typed: str) -> Path | None:
        """The folder that was typed, made if need be; None (and a line on the page) when it cannot be."""
        text = _unquoted(typed)
        if not text:
            self._complain("Give the folder to save to.")
            return None
        folder = Path(text).expanduser()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self._complain(f"{folder} cannot be made ({error.strerror}); choose another folder.")
            return None
        return folder

    async def _until_idle(self) -> None:
        idle = asyncio.Event()

        def look(state: State) -> None:
            if state.phase != "running":
                idle.set()

        disconnect = self._workflow.changed.connect(look)
        try:
            look(self._workflow.state)
            await asyncio.wait_for(idle.wait(), _PATIENCE_S)
        finally:
            disconnect()

    def _complain(self, text: str) -> None:
        self._server.state.panel = {**self._server.state.panel, "error": text}

    def _say(self, text: str) -> None:
        self._server.state.panel = {**self._server.state.panel, "message": text, "error": ""}


def _unquoted(typed: str) -> str:
    """A path as typed or pasted: file managers put quotes around it."""
    return typed.strip().strip("\"'")
