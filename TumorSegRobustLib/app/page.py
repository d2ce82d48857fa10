"""The page: the panel with its steps on the left, the views on the right."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from trame.ui.vuetify3 import VAppLayout
from trame.widgets import html
from trame.widgets import vuetify3 as v
from trame_client.widgets.core import HTML_CTX, AbstractElement

from TumorSegRobustLib.app.sections.asking import question_dialog
from TumorSegRobustLib.app.sections.compare import compare
from TumorSegRobustLib.app.sections.correct import correct
from TumorSegRobustLib.app.sections.dropping import dropping
from TumorSegRobustLib.app.sections.export import export
from TumorSegRobustLib.app.sections.parts import button, icon_button, said
from TumorSegRobustLib.app.sections.picker import picker, series_dialog
from TumorSegRobustLib.app.sections.scan import scan
from TumorSegRobustLib.app.sections.segment import segment
from TumorSegRobustLib.app.sections.trust import trust
from TumorSegRobustLib.app.viewer import AXIAL_LARGE, FOUR_UP
from TumorSegRobustLib.version import __version__

if TYPE_CHECKING:
    from trame_server import Server
    from trame_slicer.core import LayoutManager

    from TumorSegRobustLib.app.actions import Actions
    from TumorSegRobustLib.app.viewer import Viewer
    from TumorSegRobustLib.workflow import Workflow

_NAME = f"tumorsegrobust_{__version__}"
ASSETS = {
    "serve": {_NAME: str(Path(__file__).with_name("static").resolve())},
    "scripts": [f"{_NAME}/panel.js"],
    "styles": [f"{_NAME}/panel.css"],
}
FAVICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E"
    "%3Crect width='32' height='32' rx='7' fill='%2317607d'/%3E"
    "%3Cpath d='M16 7c5 0 9 3 9 8 0 6-4 10-9 10s-9-4-9-9 4-9 9-9z' fill='none' stroke='%2329e6f5'"
    " stroke-width='2.6'/%3E%3C/svg%3E"
)
_KEYS = """I  include tool
E  exclude tool
P  paint
R  erase (rub out)
Esc  no tool
Ctrl+Z  undo
Ctrl+Y or Ctrl+Shift+Z  redo
U  uncertainty on or off
N  next place worth a look
M  one view, or all four
Page Up, Page Down  next slice
0  start from nothing (asks first; the review before is kept)
Wheel  next slice
Left click without a tool  look here in all views
Left drag without a tool  grey values
Right drag  zoom
Middle drag  move"""
_COLOURS = {"primary": "#17607d", "include": "#1d7f4e", "exclude": "#b3343f", "error": "#b3261e"}


def build_page(
    server: Server, workflow: Workflow, viewer: Viewer, actions: Actions, layouts: LayoutManager
) -> VAppLayout:
    """Lay the whole page out; `layouts` fills the place of the views."""
    server.enable_module(ASSETS)
    theme = {"defaultTheme": "clinic", "themes": {"clinic": {"dark": False, "colors": _COLOURS}}}
    layout = VAppLayout(server, vuetify_config={"theme": theme})
    with _written_once(), layout as page, html.Div(classes="page"):
        with html.Aside(classes="panel"):
            with html.Header(classes="brand"):
                html.Span("TumorSegRobust", classes="brand-name")
            with html.Div(classes="steps"):
                scan(actions, workflow)
                segment(actions, workflow)
                trust(actions, workflow)
                correct(actions, workflow)
                compare(actions, workflow)
                export(actions)
        with html.Main(classes="viewer"):
            _toolbar(actions, viewer)
            with html.Div(classes=("['views', 'tool-' + panel.tool]",)):
                layouts.initialize_layout_grid(page)
                _welcome(actions, workflow)
            _status()
        picker(actions)
        series_dialog(actions, workflow)
        question_dialog(workflow)
        dropping(actions)
    return page


@contextmanager
def _written_once() -> Iterator[None]:
    """The page is written out when it is whole, and not at the end of every element in it as well.

    trame writes an element, with all that it holds, where its `with` ends: a tenth of the time of a start.
    """
    usual = AbstractElement.__exit__
    AbstractElement.__exit__ = lambda element, *_: HTML_CTX.exit(element)
    try:
        yield
    finally:
        AbstractElement.__exit__ = usual


def _toolbar(actions: Actions, viewer: Viewer) -> None:
    with html.Div(classes="toolbar"):
        with v.VBtnToggle(
            v_model=("layout",), mandatory=True, density="compact", variant="text", divided=True
        ):
            for value, icon in ((FOUR_UP, "mdi-view-grid-outline"), (AXIAL_LARGE, "mdi-view-quilt-outline")):
                v.VBtn(icon=icon, value=value, size="small", **said(title=value, aria_label=value))
        button(
            "Go to tumour",
            "go-to-tumour",
            viewer.look_at_tumour,
            can="panel.has_contour",
            why="'There is no contour yet.'",
            icon="mdi-crosshairs-gps",
            variant="text",
            color="white",
        )
        html.Div(classes="grow")
        v.VIcon("mdi-keyboard-outline", size="20", **said(title=_KEYS, aria_label="Keys"))
        with html.Div(
            classes="grey",
            v_if="panel.scan.name",
            title="Grey values shown black and white; or drag with the left button in a view",
        ):
            html.Span("Grey values")
            v.VRangeSlider(
                v_model=("window",),
                min=("window_range[0]",),
                max=("window_range[1]",),
                step=("(window_range[1] - window_range[0]) / 200",),
                density="compact",
                hide_details=True,
                thumb_size=12,
                track_size=2,
                color="white",
                theme="dark",
                id="window",
            )
            icon_button(
                "mdi-auto-fix", "Usual grey values", "usual-window", actions.usual_window, color="white"
            )


def _welcome(actions: Actions, workflow: Workflow) -> None:
    """What to do first, where the views would be empty."""
    with html.Div(v_if="!panel.scan.name", classes="welcome"), html.Div(classes="welcome-card"):
        html.H1("Open a scan to begin")
        html.P(
            "A NIfTI, NRRD or MetaImage file, or a folder with DICOM: choose it, or drop it here. "
            "Nothing leaves this computer."
        )
        with html.Div(classes="row welcome-row"):
            button(
                "Choose a scan",
                "welcome-browse",
                (actions.scan.browse, "['', 'scan']"),
                can="panel.can.open",
                icon="mdi-folder-open-outline",
                variant="flat",
                size="default",
            )
            button(
                "Try the sample case",
                "welcome-sample",
                workflow.open_sample,
                can="panel.can.open",
                why="panel.why.open",
                variant="outlined",
                size="default",
            )
        v.VProgressLinear(v_if="panel.running", indeterminate=True, color="primary", classes="mt-4")


def _status() -> None:
    with html.Div(
        classes=("['status', { 'status-error': !!panel.error, 'status-loud': panel.loud && !panel.error }]",),
        **said(role="status", aria_live="polite"),
    ):
        v.VIcon("mdi-alert-circle-outline", v_if="panel.error || panel.loud", size="16")
        html.Span("{{ panel.error || panel.message }}", id="status", title=("panel.error || panel.message",))
        html.Span("Research software, not a medical device", classes="status-note")
