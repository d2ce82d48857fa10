"""What lies over each view: its name, patient directions, slice position and slider, its buttons."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from trame.widgets import html
from trame.widgets import vuetify3 as v
from trame_slicer.app.logic import connect_slice_view_slider_to_state, get_view_trame_id
from trame_slicer.app.ui.slider import Slider
from trame_slicer.rca_view import RemoteViewFactory
from trame_slicer.views import SliceView, ThreeDView, ViewType
from trame_slicer.views.render_scheduler import NoScheduleRendering

from TumorSegRobustLib.app.sections.parts import said
from TumorSegRobustLib.app.viewer import ALONE, FOUR_UP

if TYPE_CHECKING:
    from trame_server import Server

# Frames a second with the pointer over a view and elsewhere, and picture quality (%) while something moves.
_FAST, _SLOW, _MOVING_QUALITY = 30.0, 10.0, 60
_ENDS = (("L", "R"), ("P", "A"), ("I", "S"))  # towards -x / +x, -y / +y, -z / +z in RAS


def view_factories(server: Server) -> Iterator[RemoteViewFactory]:
    """The makers of views whose pictures go to the page.

    trame-slicer's own let a view draw at every event until it is connected to the page: 240 pictures that
    nobody sees, and a third of the time that the start took.
    """
    for view, kind, over in (
        (SliceView, ViewType.SLICE_VIEW, over_slice_view),
        (ThreeDView, ViewType.THREE_D_VIEW, over_solid_view),
    ):
        yield RemoteViewFactory(
            server,
            partial(view, scheduled_render_strategy=NoScheduleRendering()),
            kind,
            populate_view_ui_f=over,
            target_fps=_FAST,
            blur_fps=_SLOW,
            interactive_quality=_MOVING_QUALITY,
        )


def over_slice_view(server: Server, view_id: str, view: SliceView) -> None:
    """Fills the layer over a slice view (see RemoteViewFactory)."""
    name = f"{get_view_trame_id(server, view)}_place"
    server.state[name] = place_of(view)

    def follow(_view: object) -> None:
        server.state[name] = place_of(view)

    view.modified.connect(follow)
    with html.Div(classes="view-corner"):
        html.Span(view.get_orientation(), classes=f"view-name view-{view.get_orientation().lower()}")
        html.Span(f"{{{{ {name}.offset }}}}", classes="view-offset")
    for side in ("left", "right", "top", "bottom"):
        html.Span(f"{{{{ {name}.{side} }}}}", classes=f"view-letter view-letter-{side}")
    _buttons(view, view.get_orientation())
    with html.Div(classes="view-slider"):
        Slider(
            typed_state=connect_slice_view_slider_to_state(server, view),
            density="compact",
            thumb_size=12,
            track_size=2,
            color="#8fa3b3",
            theme="dark",
        )


def over_solid_view(_server: Server, _view_id: str, view: ThreeDView) -> None:
    """Fills the layer over a 3D view."""
    with html.Div(classes="view-corner"):
        html.Span("3D", classes="view-name view-solid")
    _buttons(view, "3D")


def place_of(view: SliceView) -> dict[str, str]:
    """Letters for the four edges of the view, and where its plane lies in words ("S 12.0 mm")."""
    matrix = view.get_view_node().GetSliceToRAS()
    to_ras = np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(3)])
    right, up, normal = (int(np.argmax(np.abs(to_ras[:, axis]))) for axis in range(3))
    offset = float(to_ras[:, 3][normal])
    return {
        "right": _ENDS[right][int(to_ras[right, 0] > 0)],
        "left": _ENDS[right][int(to_ras[right, 0] <= 0)],
        "top": _ENDS[up][int(to_ras[up, 1] > 0)],
        "bottom": _ENDS[up][int(to_ras[up, 1] <= 0)],
        "offset": f"{_ENDS[normal][int(offset > 0)]} {abs(offset):.1f} mm",
    }


def _buttons(view: Any, name: str) -> None:
    alone = ALONE[name]
    with html.Div(classes="view-buttons"):
        v.VBtn(
            icon=(f"layout === '{alone}' ? 'mdi-arrow-collapse' : 'mdi-arrow-expand'",),
            click=f"layout = layout === '{alone}' ? '{FOUR_UP}' : '{alone}'",
            size="x-small",
            variant="text",
            color="white",
            id=f"alone-{name}",
            **said(title="This view alone, or all four again", aria_label=f"{name} view alone"),
        )
        v.VBtn(
            icon="mdi-fit-to-screen-outline",
            click=view.reset_view,
            size="x-small",
            variant="text",
            color="white",
            **said(title="Show the whole scan", aria_label="Show the whole scan"),
        )
