"""Step 1: choose a scan and the model package."""

from __future__ import annotations

from trame.widgets import html
from trame.widgets import vuetify3 as v

from TumorSegRobustLib.app.actions import Actions
from TumorSegRobustLib.app.sections.channels import first_channel, further_channels
from TumorSegRobustLib.app.sections.parts import button, field, icon_button, section, selector
from TumorSegRobustLib.workflow import ABOUT_ADAPTING, Workflow


def scan(actions: Actions, workflow: Workflow) -> None:
    """Once there is a contour it is a line: the steps below need the room of a small screen."""
    with section(1, "Scan", "scan", done="!!panel.scan.name", inline="panel.has_contour && !changing"):
        with html.Div(v_if="panel.scan.name && !changing", classes="scan-line"):
            html.Div(
                "{{ panel.scan.name }}",
                classes="scan-name",
                id="scan-name",
                title=("panel.scan.name + ', ' + panel.scan.detail",),
            )
            button(
                "Change",
                "change-scan",
                "changing = true",
                variant="text",
                can="panel.can.open",
                why="panel.why.open",
            )
        with html.Div(v_if="panel.scan.name && (changing || !panel.has_contour)"):
            with html.Div(classes="channel"):
                first_channel(actions)
                html.Span("{{ panel.scan.detail }}", classes="hint one-line", title=("panel.scan.detail",))
            further_channels(actions)
            html.Div(
                "Model: {{ panel.model.title }}",
                v_if="panel.model.title && !changing",
                classes="hint one-line",
                id="model",
                title=("panel.model.title + ', ' + panel.model.subtitle",),
            )
        with html.Div(v_if="!panel.scan.name || changing"):
            with html.Div(classes="row"):
                field("path", "File or DICOM folder", "path", enter=(actions.scan.open_path, "[path]"))
                icon_button(
                    "mdi-folder-open-outline",
                    "Choose on this computer",
                    "browse",
                    (actions.scan.browse, "['', 'scan']"),
                )
            with html.Div(classes="row"):
                button(
                    "Open",
                    "open",
                    (actions.scan.open_path, "[path]"),
                    can="panel.can.open && !!path",
                    variant="flat",
                    why="panel.why.open || 'Type or choose a path first.'",
                )
                button(
                    "Sample case",
                    "open-sample",
                    workflow.open_sample,
                    can="panel.can.open",
                    why="panel.why.open",
                )
                button("Back", "keep-scan", "changing = false", v_if="panel.scan.name", variant="text")
            html.Div("Or drop files or a folder anywhere on this page.", classes="hint below-row")
            with html.Div(v_if="panel.recent.length", classes="given", id="recent"):
                html.Div("Opened before", classes="hint")
                with html.A(
                    v_for="scan in panel.recent.slice(0, 4)",
                    key="scan.number",
                    classes="given-scan one-line",
                    click=(actions.scan.open_recent, "[scan.number]"),
                    title=("scan.tip",),
                ):
                    html.Span("{{ scan.name }}")
                    html.Span(", unfinished review", v_if="scan.unfinished", title=("scan.unfinished",))
                    html.Span(", {{ scan.accepted }}", v_if="scan.accepted")
            with html.Div(v_if="given.length > 1", classes="given", id="given"):
                html.Div("Also at hand", classes="hint")
                html.A(
                    "{{ scan.name }}",
                    v_for="scan in given",
                    key="scan.number",
                    classes="given-scan",
                    click=(actions.scan.open_given, "[scan.number]"),
                )
            _model(actions)
        _device(actions)


def _model(actions: Actions) -> None:
    """Which networks to use, and on what terms."""
    v.VSelect(
        v_if="packages.length",
        items=("packages",),
        v_model=("package",),
        label="Model",
        id="package",
        item_props=True,
        density="compact",
        variant="outlined",
        hide_details=True,
        classes="package",
        update_modelValue=(actions.scan.choose_package, "[$event]"),
        disabled=("panel.running",),
    )
    html.Div("{{ panel.model.subtitle }}", v_if="packages.length", classes="hint", id="licence")
    with html.Div(v_if="packages.length", classes="row overlay-line", title=ABOUT_ADAPTING):
        v.VSwitch(
            label="Adapt to this scan",
            id="adapt",
            model_value=("panel.adapt",),
            update_modelValue=(actions.scan.choose_adaptation, "[$event]"),
            disabled=("panel.running",),
            density="compact",
            inset=True,
            hide_details=True,
            color="primary",
        )
    html.Div(
        "No model package is installed; you can still start from nothing.",
        v_if="!packages.length",
        classes="hint",
    )


def _device(actions: Actions) -> None:
    """Where the networks run, as long as that is still to be decided; see `workflow.devices`."""
    with html.Div(
        v_if="panel.devices.length && (!panel.scan.name || changing || !panel.has_contour)", classes="channel"
    ):
        html.Span("Device", classes="channel-name")
        with selector(
            "device",
            "panel.device",
            (actions.scan.choose_device, "[$event.target.value]"),
            disabled=("panel.running",),
            title=("panel.about_device",),
        ):
            html.Option(
                "{{ one.text }}",
                v_for="one in panel.devices",
                key="one.value",
                value=("one.value",),
                disabled=("!!one.why_not",),
                title=("one.why_not",),
            )
