"""Step 1: choose a scan and the model package."""

from __future__ import annotations

from trame.widgets import html
from trame.widgets import vuetify3 as v

from TumorSegRobustLib.app.actions import Actions
from TumorSegRobustLib.app.sections.parts import button, field, icon_button, section
from TumorSegRobustLib.workflow import Workflow


def scan(actions: Actions, workflow: Workflow) -> None:
    with section(1, "Scan", "scan", done="!!panel.scan.name"):
        with html.Div(v_if="panel.scan.name && !changing"):
            with html.Div(classes="scan-line"):
                html.Div(
                    "{{ panel.scan.name }}", classes="scan-name", id="scan-name", title=("panel.scan.name",)
                )
                button(
                    "Change",
                    "change-scan",
                    "changing = true",
                    variant="text",
                    can="panel.can.open",
                    why="panel.why.open",
                )
            html.Div("{{ panel.scan.detail }}", classes="hint one-line")
            html.Div(
                "Model: {{ panel.model.title }}",
                v_if="panel.model.title",
                classes="hint one-line",
                id="model",
                title=("panel.model.title + ', ' + panel.model.subtitle",),
            )
        with html.Div(v_if="!panel.scan.name || changing"):
            with html.Div(classes="row"):
                field("path", "File or DICOM folder", "path", enter=(actions.open_path, "[path]"))
                icon_button("mdi-folder-open-outline", "Choose on this computer", "browse", actions.browse)
            with html.Div(classes="row"):
                button(
                    "Open",
                    "open",
                    (actions.open_path, "[path]"),
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
            with html.Div(v_if="given.length > 1", classes="given"):
                html.Div("From the command line", classes="hint")
                html.A(
                    "{{ scan.name }}",
                    v_for="scan in given",
                    key="scan.path",
                    classes="given-scan",
                    click=(workflow.open, "[scan.path]"),
                )
            _model(actions)


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
        update_modelValue=(actions.choose_package, "[$event]"),
        disabled=("panel.running",),
    )
    html.Div("{{ panel.model.subtitle }}", v_if="packages.length", classes="hint", id="licence")
    html.Div(
        "No model package is installed; you can still start from nothing.",
        v_if="!packages.length",
        classes="hint",
    )


def picker(actions: Actions) -> None:
    """The dialog that walks through folders of this computer."""
    with v.VDialog(v_model=("picker_open",), max_width=620), v.VCard(classes="picker"):
        with html.Div(classes="picker-head"):
            icon_button("mdi-arrow-up", "One folder up", "picker-up", (actions.browse, "[listing.parent]"))
            with html.Div(classes="picker-folder", title=("listing.folder",)):
                html.Span("{{ listing.folder }}")
            icon_button("mdi-close", "Close", "picker-close", "picker_open = false")
        html.Div("{{ picker_error }}", v_if="picker_error", classes="error-line")
        with html.Div(classes="picker-list"):
            with html.Button(
                v_for="entry in listing.entries",
                key="entry.path",
                classes="picker-entry",
                type="button",
                click=(actions.pick, "[entry.path, entry.kind]"),
            ):
                v.VIcon(
                    "{{ entry.kind === 'folder' ? 'mdi-folder' : 'mdi-head-snowflake-outline' }}",
                    size="18",
                    classes="picker-icon",
                )
                html.Span("{{ entry.name }}")
            html.Div(
                "No scans or folders here.",
                v_if="!listing.entries.length && !listing.holds_dicom",
                classes="hint picker-none",
            )
            html.Div(
                "Only the first 500 entries are shown; type the path instead.",
                v_if="listing.shortened",
                classes="hint picker-none",
            )
        with html.Div(classes="picker-foot"):
            html.Span(
                "{{ picker_for === 'reference' ? 'Choose a mask file, or an RTSTRUCT.' : "
                "listing.holds_dicom ? 'This folder holds DICOM images.' : "
                "'Choose a file, or go into a folder with a DICOM series.' }}",
                classes="hint",
            )
            button(
                "Open this folder",
                "picker-open-folder",
                (actions.open_entry, "[listing.folder]"),
                can="listing.holds_dicom",
                why="'No DICOM images lie in this folder.'",
                variant="flat",
                v_if="picker_for === 'scan'",
            )
