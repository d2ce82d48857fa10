"""The dialogs that choose: a file or folder of this computer, and one of several series."""

from __future__ import annotations

from trame.widgets import html
from trame.widgets import vuetify3 as v

from TumorSegRobustLib.app.actions import Actions
from TumorSegRobustLib.app.sections.parts import button, icon_button
from TumorSegRobustLib.workflow import Workflow


def picker(actions: Actions) -> None:
    """The dialog that walks through folders of this computer."""
    with v.VDialog(v_model=("picker_open",), max_width=620), v.VCard(classes="picker"):
        with html.Div(classes="picker-head"):
            icon_button(
                "mdi-arrow-up",
                "One folder up",
                "picker-up",
                (actions.scan.browse, "[listing.parent]"),
                can="!!listing.parent",
                why="'The panel may not use the folder above.'",
            )
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
                click=(actions.scan.pick, "[entry.path, entry.kind]"),
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
                (actions.scan.open_entry, "[listing.folder]"),
                can="listing.holds_dicom",
                why="'No DICOM images lie in this folder.'",
                variant="flat",
                v_if="picker_for !== 'reference'",
            )


def series_dialog(actions: Actions, workflow: Workflow) -> None:
    """The series of a folder that holds several; it stays until one is open or the dialog is closed."""
    with (
        v.VDialog(
            model_value=("panel.choices.length > 0 && !panel.running",),
            update_modelValue=workflow.stop_choosing,
            max_width=620,
        ),
        v.VCard(classes="picker", id="series"),
    ):
        with html.Div(classes="picker-head"):
            html.Div("{{ panel.message }}", classes="grow", id="series-question")
            icon_button("mdi-close", "Close", "series-close", workflow.stop_choosing)
        html.Div("{{ panel.error }}", v_if="panel.error", classes="error-line")
        with (
            html.Div(classes="picker-list"),
            html.Button(
                v_for="series in panel.choices",
                key="series.uid",
                classes="picker-entry",
                type="button",
                title=("series.fault",),
                disabled=("!series.usable",),
                click=(actions.scan.choose_series, "[series.uid]"),
            ),
        ):
            v.VIcon("mdi-layers-outline", size="18", classes="picker-icon")
            html.Span("{{ series.line }}")
