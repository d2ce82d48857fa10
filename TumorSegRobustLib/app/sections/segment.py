"""Step 2: let the networks propose a contour, or start from nothing."""

from __future__ import annotations

from trame.widgets import html
from trame.widgets import vuetify3 as v

from TumorSegRobustLib.app.actions import Actions
from TumorSegRobustLib.app.sections.parts import button, said, section, selector
from TumorSegRobustLib.workflow import Workflow


def segment(actions: Actions, workflow: Workflow) -> None:
    with section(
        2,
        "Segment",
        "segment",
        shown="!!panel.scan.name || panel.running",
        done="panel.has_contour",
        inline="panel.has_contour && !panel.running && !panel.can.resume",
    ):
        with html.Div(v_if="panel.running", classes="running"):
            with html.Div(classes="row running-line"):
                html.Div("{{ panel.message }}", classes="running-text", id="running-text")
                html.Span(
                    "{{ panel.progress === null ? '' : panel.progress + ' %' }}", classes="running-share"
                )
                button(
                    "Cancel",
                    "cancel",
                    workflow.cancel,
                    can="panel.can.cancel",
                    why="panel.why.cancel",
                    color="error",
                    variant="outlined",
                )
            v.VProgressLinear(
                model_value=("panel.progress || 0",),
                indeterminate=("panel.progress === null",),
                color="primary",
                height=6,
                rounded=True,
                id="progress",
            )
        with html.Div(v_else=True, classes="row"):
            button(
                "Segment",
                "segment",
                workflow.segment,
                can="panel.can.segment",
                why="panel.why.segment",
                variant=("panel.has_contour ? 'tonal' : 'flat'",),
                wrap="btn-wrap grow",
                block=True,
                **said(title=("panel.will_happen",)),
            )
            button(
                "From nothing",
                "start-empty",
                workflow.start_empty,
                can="panel.can.start_empty",
                why="panel.why.start_empty",
                variant="outlined",
                wrap="btn-wrap grow",
                block=True,
            )
        with html.Div(
            v_if="panel.can.resume", v_for="review in panel.resumable.slice(0, 3)", key="review.path"
        ):
            html.A(
                "Continue the unfinished review ({{ review.text }})",
                v_if="review.newest",
                classes="given-scan",
                id="resume",
                click=(actions.scan.resume, "[review.path]"),
            )
            html.A(
                "{{ review.offer }} ({{ review.text }})",
                v_else=True,
                classes="given-scan reopen",
                click=(actions.scan.resume, "[review.path]"),
            )
        with html.Div(v_if="!panel.running && !panel.has_contour"):
            html.Div("{{ panel.will_happen }}", classes="hint", id="will-happen")
            with html.Div(
                v_if="panel.targets.length > 1 && panel.inputs.filter((one) => one.volume).length > 1",
                classes="channel",
            ):
                html.Span("Contour the", classes="channel-name")
                with selector(
                    "target", "panel.target", (actions.scan.choose_target, "[$event.target.value]")
                ):
                    html.Option(
                        "{{ one.text }}", v_for="one in panel.targets", key="one.value", value=("one.value",)
                    )
