"""Step 6: accept, and hand over to treatment planning."""

from __future__ import annotations

from trame.widgets import html

from TumorSegRobustLib.app.actions import Actions
from TumorSegRobustLib.app.sections.parts import button, field, said, section


def export(actions: Actions) -> None:
    with section(6, "Export", "export", shown="panel.has_contour", done="panel.phase === 'accepted'"):
        with html.Div(v_if="panel.accepted_by", classes="accepted"):
            html.Span("✓ Accepted by {{ panel.accepted_by }}", id="accepted")
        with html.Div(v_else=True, classes="row"):
            field("reviewer", "Your name", "reviewer")
            field("comment", "Comment", "comment")
            button(
                "Accept",
                "accept",
                (actions.accept, "[reviewer, comment]"),
                can="panel.can.accept && !!reviewer.trim()",
                variant="flat",
                why="panel.why.accept || 'Give your name first.'",
            )
        with html.Div(classes="row"):
            field("roi_name", "Structure", "roi-name", style="max-width: 104px")
            field("folder", "Folder", "folder")
        with html.Div(classes="row"):
            button(
                "RTSTRUCT",
                "export-rtstruct",
                (actions.export_rtstruct, "[folder, roi_name]"),
                can="panel.can.export && !!folder.trim()",
                why="panel.why.export || 'Give the folder first.'",
                wrap="btn-wrap grow",
                block=True,
            )
            button(
                "SEG",
                "export-seg",
                (actions.export_seg, "[folder, roi_name]"),
                can="panel.can.export_seg && !!folder.trim()",
                why="panel.why.export_seg || 'Give the folder first.'",
                wrap="btn-wrap grow",
                block=True,
                **said(title="DICOM SEG, for archives and viewers"),
            )
            button(
                "NIfTI",
                "save",
                (actions.save, "[folder]"),
                can="panel.can.save && !!folder.trim()",
                why="panel.why.save || 'Give the folder first.'",
                wrap="btn-wrap grow",
                block=True,
            )
            button(
                "",
                "download",
                "trigger('download_rtstruct', [roi_name]).then((data) => data && data.byteLength "
                "&& utils.download('RTSTRUCT_' + (roi_name || 'GTVp') + '.dcm', data, 'application/dicom'))",
                can="panel.can.export",
                why="panel.why.export",
                icon="mdi-download",
                variant="outlined",
                **said(title="Download the RTSTRUCT", aria_label="Download the RTSTRUCT"),
            )
