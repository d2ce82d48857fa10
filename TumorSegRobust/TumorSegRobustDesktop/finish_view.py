"""Step 6: accept, and hand over; each button asks where to write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from .widget_words import breakable

if TYPE_CHECKING:
    from TumorSegRobustLib.workflow import State, Workflow

Slot = Callable[..., None]


class FinishView:
    """Its buttons give the workflow's commands; `PanelView` says which may be pressed."""

    def __init__(self, ui: Any, workflow: Callable[[], Workflow], guarded: Callable[[Slot], Slot]) -> None:
        """workflow: the one under way. guarded: makes a slot of a function that may refuse."""
        self._ui = ui
        self._workflow = workflow
        self._first = ui.structureEdit.text  # what the first segment was called
        for widget, act in (
            (ui.acceptButton, lambda *_args: workflow().accept(ui.readerEdit.text, ui.commentEdit.text)),
            (ui.exportButton, self._export_rtstruct),
            (ui.exportSegButton, self._export_seg),
            (ui.saveButton, self._save),
        ):
            widget.clicked.connect(guarded(act))

    def draw(self, state: State) -> None:
        """Who has accepted the contour, in place of the fields that ask for it."""
        ui, open_still = self._ui, "accept" in state.can
        ui.acceptedLabel.setText(breakable(_("✓ Accepted by {name}").format(name=state.accepted_by)))
        ui.acceptedLabel.setVisible(bool(state.accepted_by))
        for widget in (ui.readerEdit, ui.commentEdit, ui.acceptButton):
            widget.setVisible(not state.accepted_by)
            widget.setEnabled(open_still)
        first = state.segments[0].name if state.segments else self._first
        if ui.structureEdit.text == self._first != first:  # not where another name was typed
            ui.structureEdit.setText(first)
        self._first = first
        for widget in (ui.structureLabel, ui.structureEdit):
            widget.setEnabled("save" in state.can)

    def _export_rtstruct(self, *_args: Any) -> None:
        self._export(_("Export RTSTRUCT"), "", self._workflow().export_rtstruct)

    def _export_seg(self, *_args: Any) -> None:
        self._export(_("Export DICOM SEG"), "_seg", self._workflow().export_seg)

    def _export(self, title: str, suffix: str, write: Callable[[Path, str], None]) -> None:
        import qt

        name = self._ui.structureEdit.text.strip() or "GTVp"
        path = qt.QFileDialog.getSaveFileName(None, title, f"{name}{suffix}.dcm", "DICOM (*.dcm)")
        if path:
            write(Path(path), name)

    def _save(self, *_args: Any) -> None:
        import qt

        folder = qt.QFileDialog.getExistingDirectory(None, _("Folder for contour, maps and report"))
        if folder:
            self._workflow().save(Path(folder))
