"""What the page shows while files are dragged over it, and while they are copied."""

from __future__ import annotations

from trame.widgets import html
from trame.widgets import vuetify3 as v

from TumorSegRobustLib.app.actions import Actions
from TumorSegRobustLib.app.sections.parts import button


def dropping(actions: Actions) -> None:
    """Shown by the page's script; where the files are let go says what they are for."""
    with html.Div(classes="drop-zones", id="drop-zones"):
        _zone("scan", "Open as the scan", "mdi-head-snowflake-outline", "panel.can.open")
        with html.Div(
            v_for="one in panel.inputs.filter((one) => !one.first)",
            key="one.name",
            v_if="panel.can.add_channel",
            classes="drop-zone",
            __properties=[("where", "data-where")],
            where=("one.name",),
        ):
            v.VIcon("mdi-layers-plus", size="32")
            html.Span("Add as {{ one.label }}")
        _zone("reference", "Compare with it", "mdi-compare", "panel.can.compare")
    with html.Div(v_if="upload", classes="uploading", id="uploading"):
        html.Span("{{ upload.text }}", classes="grow one-line")
        html.Span("{{ upload.share }} %")
        v.VProgressLinear(model_value=("upload.share",), color="primary", height=6, rounded=True)
        button("Cancel", "cancel-upload", actions.uploads.cancel, color="error", variant="outlined")


def _zone(where: str, text: str, icon: str, shown: str) -> None:
    with html.Div(v_if=shown, classes="drop-zone", __properties=[("where", "data-where")], where=where):
        v.VIcon(icon, size="32")
        html.Span(text)
