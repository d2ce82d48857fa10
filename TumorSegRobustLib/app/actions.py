"""What the buttons, keys and fields of the page do. Everything is a workflow command."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from TumorSegRobustLib.app.reach import Reach
from TumorSegRobustLib.app.scan_actions import ScanActions, unquoted
from TumorSegRobustLib.app.upload_actions import UploadActions
from TumorSegRobustLib.app.uploads import Uploads
from TumorSegRobustLib.app.viewer import ALONE, FOUR_UP
from TumorSegRobustLib.errors import UnusableInput

if TYPE_CHECKING:
    from trame_server import Server

    from TumorSegRobustLib.app.viewer import Viewer
    from TumorSegRobustLib.workflow import State, Tool, Workflow

_PATIENCE_S = 60.0  # for an RTSTRUCT on its way to the browser


class Actions:
    """One method per thing that a person can do on the page."""

    def __init__(
        self, server: Server, workflow: Workflow, viewer: Viewer, reach: Reach, uploads: Uploads
    ) -> None:
        self._server = server
        self._workflow = workflow
        self._viewer = viewer
        self._reach = reach
        self.scan = ScanActions(server, workflow, reach, self._complain, self._compare_with)
        self.uploads = UploadActions(
            server, workflow, uploads, self.scan.take, self.scan.give, self._complain
        )
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
            "maximise": self.maximise,
            "slice_up": lambda: viewer.step(+1),
            "slice_down": lambda: viewer.step(-1),
        }

    # Scan: see ScanActions; dropped files: see UploadActions

    def use_tab(self, tab: str) -> None:
        """The page in this tab is the one in use from now on; those in other tabs step aside. What was half
        chosen in them is forgotten.
        """
        self._server.state.update({"tab": str(tab)[:64], "changing": False, "picker_open": False})
        self.uploads.cancel()

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

    def choose_overlay(self, kind: str) -> None:
        if kind in self._workflow.state.overlay_kinds:
            self._server.state.overlay_kind = kind

    def show_overlay(self) -> None:
        state = self._server.state
        low, high = (float(value) for value in state.overlay_percentile)
        self._viewer.binding.show_overlay(
            bool(state.overlay_shown),
            kind=str(state.overlay_kind),
            opacity=float(state.overlay_opacity) / 100,
            percentile=(low, max(high, low + 0.5)),
        )

    # Compare

    def compare(self, typed: str) -> None:
        """Lay the contour at this path beside the active segment."""
        path = unquoted(typed)
        if not path:
            self._complain("Type or choose the path of a reference: a mask file, or an RTSTRUCT.")
            return
        try:
            self._compare_with(str(self._reach.check(path)))
        except UnusableInput as error:
            self._complain(str(error))

    def _compare_with(self, path: str) -> None:
        self._server.state.comparing = True
        self._workflow.compare(path)

    def show_errors(self) -> None:
        self._viewer.binding.errors.show(bool(self._server.state.errors_shown))

    # View

    def maximise(self) -> None:
        """The axial view alone; where one view is alone already, all four again."""
        state = self._server.state
        state.layout = FOUR_UP if state.layout in ALONE.values() else ALONE["Axial"]

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
        try:
            await self._until_idle()
        except TimeoutError:
            self._complain(f"Writing takes long; the RTSTRUCT will lie in {folder}.")
            return b""
        written = [path for path in folder.iterdir() if before.get(path) != path.stat().st_mtime_ns]
        return written[0].read_bytes() if written else b""

    def _made(self, typed: str) -> Path | None:
        """The folder that was typed, made if need be; None (and a line on the page) when it cannot be."""
        text = unquoted(typed)
        if not text:
            self._complain("Give the folder to save to.")
            return None
        try:
            folder = self._reach.check(text)
            folder.mkdir(parents=True, exist_ok=True)
        except UnusableInput as error:
            self._complain(str(error))
            return None
        except OSError as error:
            self._complain(f"{text} cannot be made ({error.strerror}); choose another folder.")
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
