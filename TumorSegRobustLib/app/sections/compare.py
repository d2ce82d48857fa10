"""Step 5, for those who have a reference: figures, errors by type, and where they are."""

from __future__ import annotations

from trame.widgets import html
from trame.widgets import vuetify3 as v

from TumorSegRobustLib.app.actions import Actions
from TumorSegRobustLib.app.sections.parts import button, field, icon_button, said, section
from TumorSegRobustLib.scene import ERROR_COLOURS
from TumorSegRobustLib.workflow import Workflow


def compare(actions: Actions, workflow: Workflow) -> None:
    """A line until it is opened: the other steps need the room of a small screen."""
    with section(
        5,
        "Compare",
        "compare",
        shown="panel.has_contour && (comparing || !!panel.compare.reference)",
        done="!!panel.compare.reference",
        usable="panel.has_contour",
        opener="begin-compare",
        opens="comparing",
    ):
        with html.Div(v_if="!panel.compare.reference"):
            html.Div("{{ panel.compare.hint }}", classes="hint", id="compare-hint")
            with html.Div(classes="row"):
                field("reference", "Reference", "reference", enter=(actions.compare, "[reference]"))
                icon_button(
                    "mdi-folder-open-outline",
                    "Choose on this computer",
                    "browse-reference",
                    actions.scan.browse_reference,
                )
                button(
                    "Compare",
                    "compare",
                    (actions.compare, "[reference]"),
                    can="panel.can.compare && !!reference.trim()",
                    why="panel.why.compare || 'Type or choose a reference first.'",
                    variant="flat",
                )
        with html.Div(v_if="panel.compare.reference"):
            _reference(workflow)
            _figures()
            _errors(workflow)


def _reference(workflow: Workflow) -> None:
    with html.Div(classes="row"):
        html.Span("{{ panel.compare.reference }}", classes="grow one-line hint", id="compared-with")
        button(
            "Next error",
            "next-error",
            workflow.next_error,
            can="panel.can.next_error",
            why="panel.why.next_error",
            variant="text",
        )
        button(
            "Put away",
            "stop-comparing",
            workflow.stop_comparing,
            can="panel.can.stop_comparing",
            why="panel.why.stop_comparing",
            variant="text",
        )


def _figures() -> None:
    with (
        html.Div(classes="compare-rows", id="compare-rows"),
        html.Div(v_for="row in panel.compare.rows", key="row.name", classes="compare-row"),
    ):
        html.Span("{{ row.name }}", classes="hint")
        html.Span("{{ row.value }}", classes="compare-value")


def _errors(workflow: Workflow) -> None:
    with html.Div(classes="row overlay-line"):
        v.VSwitch(
            v_model=("errors_shown",),
            label="Show errors",
            id="show-errors",
            density="compact",
            inset=True,
            hide_details=True,
            color="primary",
        )
        for name, colour in ERROR_COLOURS.values():
            with html.Span(classes="legend", v_if="errors_shown"):
                html.Span(classes="segment-colour", style=f"background: {_css(colour)}")
                html.Span(name)
    with html.Div(v_if="panel.compare.errors.length", classes="errors", id="errors"):
        with html.Button(
            v_for="error in panel.compare.errors",
            key="error.number",
            type="button",
            classes=("['place', { 'place-shown': error.shown }]",),
            click=(workflow.next_error, "[error.number]"),
            **said(title="Look at this place"),
        ):
            html.Span("{{ error.number }}. {{ error.text }}")
        html.Span("{{ panel.compare.others }}", v_if="panel.compare.others", classes="hint")


def _css(colour: tuple[float, float, float]) -> str:
    return f"rgb({', '.join(str(round(255 * part)) for part in colour)})"
