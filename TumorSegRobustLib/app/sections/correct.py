"""Step 4: include and exclude clicks, painting, undo, redo, and the segments that they are about."""

from __future__ import annotations

from trame.widgets import html
from trame.widgets import vuetify3 as v

from TumorSegRobustLib.app.actions import Actions
from TumorSegRobustLib.app.sections.parts import icon_button, said, section
from TumorSegRobustLib.app.sections.segments import brush, segments
from TumorSegRobustLib.workflow import Workflow


def correct(actions: Actions, workflow: Workflow) -> None:
    with section(4, "Correct", "correct", shown="panel.has_contour", done="panel.clicks.length > 0"):
        with html.Div(classes="row tools"):
            _tool(actions, "include", "Include", "mdi-plus-circle-outline", "I")
            _tool(actions, "exclude", "Exclude", "mdi-minus-circle-outline", "E")
            icon_button(
                "mdi-undo", "Undo (Ctrl+Z)", "undo", workflow.undo, can="panel.can.undo", why="panel.why.undo"
            )
            icon_button(
                "mdi-redo", "Redo (Ctrl+Y)", "redo", workflow.redo, can="panel.can.redo", why="panel.why.redo"
            )
        with html.Div(classes="row tools"):
            _tool(actions, "paint", "Paint", "mdi-brush", "P")
            _tool(actions, "erase", "Erase", "mdi-eraser", "R")
        with html.Div(classes="row hint"):
            html.Span("{{ panel.tool_hint }}", classes="grow", id="tool-hint")
            html.Span("{{ panel.click_count }}", v_if="panel.clicks.length", id="click-count")
        brush()
        _clicks(actions)
        segments(actions)


def _clicks(actions: Actions) -> None:
    """The clicks of the active segment, the newest first: look there, move, delete."""
    with (
        html.Div(v_if="panel.clicks.length", classes="clicks", id="clicks"),
        html.Span(
            v_for="click in panel.clicks.slice().reverse()",
            key="click.event",
            classes=("['click', click.include ? 'click-include' : 'click-exclude']",),
        ),
    ):
        with html.Button(
            type="button", title="Look at this place", click=(actions.look_at_click, "[click.number]")
        ):
            html.Span("{{ click.include ? '+' : '−' }} {{ click.place }}")
        for sign, tip, act in (
            ("⤢", "Move this click: press here, then click in a slice", actions.move_click),
            ("×", "Delete this click", actions.remove_click),
        ):
            html.Button(
                sign,
                type="button",
                classes="click-act",
                title=tip,
                click=(act, "[click.event]"),
                **said(aria_label=tip.split(":")[0]),
            )


def _tool(actions: Actions, tool: str, text: str, icon: str, key: str) -> None:
    tip = f"panel.can.click ? '{text} (key {key})' : panel.why.click"
    chosen = f"panel.tool === '{tool}'"
    with (
        html.Span(title=(tip,), classes="btn-wrap grow"),
        v.VBtn(
            click=(actions.toggle_tool, f"['{tool}']"),
            id=tool,
            block=True,
            size="small",
            density="comfortable",
            color=tool if tool in ("include", "exclude") else "primary",
            disabled=("!panel.can.click",),
            variant=(f"{chosen} ? 'flat' : 'outlined'",),
            **said(aria_pressed=(chosen,)),
        ),
    ):
        v.VIcon(icon, start=True, size="18")
        html.Span(text)
        html.Kbd(key)
