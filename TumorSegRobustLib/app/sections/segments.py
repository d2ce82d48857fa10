"""The list of segments in step 4: choose, add, rename, lock, remove."""

from __future__ import annotations

from typing import Any

from trame.widgets import html
from trame.widgets import vuetify3 as v

from TumorSegRobustLib.app.actions import Actions
from TumorSegRobustLib.app.sections.parts import field, icon_button, said


def segments(actions: Actions) -> None:
    """One line for each; the first one, which stays, has the button that adds another."""
    with html.Div(v_if="naming", classes="row"), html.Div(classes="grow"):
        field(
            "segment_name",
            "Name, such as GTVn; then Enter",
            "segment-name",
            enter=(actions.name_segment, "[segment_name]"),
            autofocus=True,
        )
    with (
        html.Div(classes="segments", id="segments", **said(role="radiogroup", aria_label="Segments")),
        html.Div(
            v_for="segment in panel.segments",
            key="segment.id",
            classes=("['segment', { 'segment-active': segment.active }]",),
        ),
    ):
        with html.Button(
            type="button",
            classes="segment-choose grow",
            title="Clicks and painting are about the marked segment",
            click=(actions.choose_segment, "[segment.id]"),
            **said(role="radio", aria_checked=("segment.active",)),
        ):
            html.Span(classes="segment-colour", style=("`background: ${segment.colour}`",))
            html.Span("{{ segment.name }}", classes="segment-name grow")
            html.Span("{{ segment.volume }}", classes="segment-volume")
        rename = (actions.begin_naming, "['rename']")
        _small("mdi-rename-outline", "Rename this segment", "segment-rename", rename, "segment.active")
        _small(
            ("segment.locked ? 'mdi-lock-outline' : 'mdi-lock-open-variant-outline'",),
            "Locked segments lose nothing to the others. Press to lock or unlock",
            ("`segment-lock-${segment.id}`",),
            (actions.toggle_lock, "[segment.id]"),
        )
        remove = (actions.remove_segment, "[segment.id]")
        name = ("`segment-remove-${segment.id}`",)
        _small("mdi-trash-can-outline", "Remove this segment", name, remove, "segment.removable")
        add = (actions.begin_naming, "['add']")
        tip = "Add a segment: a lesion, a compartment"
        _small("mdi-plus", tip, "segment-add", add, "!segment.removable")


def brush() -> None:
    """Radius of the brush, while one is in hand."""
    with html.Div(v_if="panel.brushing", classes="sliders"):
        html.Label("Radius")
        v.VSlider(
            v_model=("brush_mm",),
            min=1,
            max=20,
            step=0.5,
            density="compact",
            hide_details=True,
            thumb_size=14,
            track_size=3,
            id="brush-radius",
        )
        html.Span("{{ brush_mm }} mm", classes="slider-value")


def _small(icon: Any, label: str, name: Any, click: tuple, shown: str = "true") -> None:
    with html.Span(v_if=shown):
        icon_button(icon, label, name, click, can="panel.can.paint", why="panel.why.paint", size="x-small")
