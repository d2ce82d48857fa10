"""Ties Slicer, the workflow and the page together, and keeps the page in step with both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from slicer import vtkMRMLVolumeDisplayNode
from trame_slicer import module as trame_slicer_module
from trame_slicer.core import LayoutManager, SlicerApp
from vtkmodules.vtkCommonCore import vtkObject

from TumorSegRobustLib.app.actions import Actions
from TumorSegRobustLib.app.page import FAVICON, build_page
from TumorSegRobustLib.app.reach import Reach
from TumorSegRobustLib.app.upload_route import add_route
from TumorSegRobustLib.app.uploads import Uploads
from TumorSegRobustLib.app.viewer import FOUR_UP, Later, Viewer, layouts
from TumorSegRobustLib.app.viewports import view_factories
from TumorSegRobustLib.app.words import describe, package_item
from TumorSegRobustLib.workflow import OVERLAY_KINDS

if TYPE_CHECKING:
    from trame_server import Server

    from TumorSegRobustLib.workflow import Workflow


class Panel:
    """The whole panel on a trame server that has not started yet."""

    def __init__(
        self,
        server: Server,
        workflow: Workflow,
        later: Later,
        given: Sequence[Path] = (),
        reach: Reach | None = None,
    ) -> None:
        """later: see Viewer. given: scans named on the command line; the first one is opened.

        reach: the folders that the page may use, by default whatever the user may.
        """
        self._server = server
        self._workflow = workflow
        self._window_tag: tuple[vtkMRMLVolumeDisplayNode, int] | None = None
        server.enable_module(trame_slicer_module)
        with _quiet():
            app = SlicerApp()
            for factory in view_factories(server):
                app.view_manager.register_factory(factory)
            self._layouts = LayoutManager(app.scene, app.view_manager, server)
            self._layouts.register_layout_dict(layouts())
        self._layouts.set_layout(FOUR_UP)
        self.viewer = Viewer(app, workflow, later)
        self.viewer.adopt_views()
        self._uploads, self._reach = Uploads(), reach or Reach()
        self._actions = Actions(server, workflow, self.viewer, self._reach, self._uploads)
        self._start_state()
        self._actions.scan.give(given)
        self.page = build_page(server, workflow, self.viewer, self._actions, self._layouts)
        self._connect()
        if given:
            workflow.open(given[0])

    def close(self) -> None:
        for disconnect in self._disconnect:
            disconnect()
        self.viewer.close()
        self._uploads.close()

    def receive_uploads(self, app: Any) -> None:
        """Let the page send files; call it before the aiohttp application starts, behind the guard."""
        shown = self._actions.uploads
        add_route(app, self._uploads, shown.show, shown.broke_off)

    def _start_state(self) -> None:
        packages = [package_item(package) for package in self._workflow.packages()]
        self._server.state.update(
            {
                "trame__title": "TumorSegRobust",
                "trame__favicon": FAVICON,
                "panel": describe(self._workflow),
                "packages": packages,
                "package": describe(self._workflow)["model"]["value"],
                "path": "",
                "tab": "",
                "upload": None,
                "changing": False,
                "listing": {
                    "folder": "",
                    "parent": "",
                    "entries": [],
                    "holds_dicom": False,
                    "shortened": False,
                },
                "picker_open": False,
                "picker_error": "",
                "picker_for": "scan",
                "comparing": False,
                "reference": "",
                "errors_shown": True,
                "overlay_shown": False,
                "overlay_opacity": 60,
                "overlay_percentile": [50, 99],
                "overlay_kind": OVERLAY_KINDS[0].value,
                "window": [0, 1],
                "window_range": [0, 1],
                "layout": FOUR_UP,
                "naming": "",
                "segment_name": "",
                "brush_mm": self._workflow.state.brush_mm,
                "reviewer": "",
                "comment": "",
                "roi_name": "GTVp",
                "folder": "",
            }
        )

    def _connect(self) -> None:
        server, actions = self._server, self._actions
        server.trigger("key")(actions.key)
        server.trigger("download_rtstruct")(actions.download_rtstruct)
        server.trigger("tab")(actions.use_tab)
        server.trigger("upload_begin")(actions.uploads.begin)
        server.trigger("upload_finish")(actions.uploads.finish)
        server.trigger("upload_fail")(actions.uploads.fail)
        server.state.change("overlay_shown", "overlay_opacity", "overlay_percentile", "overlay_kind")(
            lambda **_: actions.show_overlay()
        )
        server.state.change("overlay_kind")(self._on_changed)
        server.state.change("errors_shown")(lambda **_: actions.show_errors())
        server.state.change("brush_mm")(lambda **_: actions.set_brush())
        server.state.change("window")(lambda **_: actions.set_window())
        server.state.change("layout")(self._on_layout)
        self._disconnect = [
            self._workflow.changed.connect(self._on_changed),
            self._workflow.image_changed.connect(self._on_image),
            # The viewer has followed by now: tell the page where its views look.
            self._workflow.contour_changed.connect(self._flush),
            self._workflow.place_changed.connect(self._flush),
            self._workflow.comparison_changed.connect(self._flush),
        ]

    def _on_layout(self, layout: str, **_: Any) -> None:
        self._layouts.set_layout(layout)

    def _described(self) -> dict[str, Any]:
        return describe(self._workflow, str(self._server.state.overlay_kind))

    def _on_changed(self, *_: object, **__: object) -> None:
        with self._server.state as state:
            state.panel = self._described()
            state.package = state.panel["model"]["value"]

    def _on_image(self, *_: object) -> None:
        image = self._workflow.image
        if image is None:
            return
        with self._server.state as state:
            state.changing = False
            state.panel = self._described()
            results = f"TumorSegRobust/{_file_name(image.name or 'scan')}"
            state.folder = f"{self._reach.folders[0]}/{results}" if self._reach.folders else f"~/{results}"
            low, high = (float(value) for value in np.percentile(image.voxels[::2, ::2, ::2], (0, 99.95)))
            state.window_range = [low, high if high > low else low + 1]
            self._watch_window()

    def _flush(self, *_: object) -> None:
        with self._server.state:
            pass

    def _watch_window(self) -> None:
        """Follow the grey values of the shown volume, which a drag in a view changes too."""
        if self._window_tag is not None:
            self._window_tag[0].RemoveObserver(self._window_tag[1])
        volume = self.viewer.binding.volume
        assert volume is not None
        display = volume.GetDisplayNode()
        self._window_tag = (display, display.AddObserver("ModifiedEvent", self._on_window))
        self._on_window()

    def _on_window(self, *_: object) -> None:
        window = self.viewer.window()
        if window is not None and not np.allclose(window, self._server.state.window):
            with self._server.state as state:
                state.window = list(window)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without VTK's warnings: making a view warns that there is no X server (EGL is used instead) and that
    trame-slicer observes an event of an older VTK, which helps nobody at this terminal."""
    vtkObject.GlobalWarningDisplayOff()
    try:
        yield
    finally:
        vtkObject.GlobalWarningDisplayOn()


def _file_name(text: str) -> str:
    """A name that every file system takes."""
    kept = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in text.split(".")[0])
    return kept.strip("_") or "scan"
