"""A reference beside the contour: figures, errors in words, and what the buttons of the section do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

if TYPE_CHECKING:
    from TumorSegRobustLib.workflow import State

Slot = Callable[..., None]
_FILES = "Contours (*.nii *.nii.gz *.nrrd *.mha *.mhd *.dcm);;All files (*)"


class CompareView:
    """Draws the section from the state; its widgets give the workflow's commands."""

    def __init__(self, ui: Any, logic: Callable[[], Any], guarded: Callable[[Slot], Slot]) -> None:
        """logic: holds `workflow` and `binding`. guarded: makes a slot of a function that may refuse."""
        self._ui = ui
        self._logic = logic
        for widget, signal, act in (
            (ui.referenceButton, "clicked", self._choose),
            (ui.putAwayButton, "clicked", lambda *_args: logic().workflow.stop_comparing()),
            (ui.nextErrorButton, "clicked", lambda *_args: logic().workflow.next_error()),
            (ui.errorSelector, "activated", self._look),
            (ui.errorsCheckBox, "toggled", self._show),
        ):
            getattr(widget, signal).connect(guarded(act))

    def draw(self, state: State) -> None:
        """Everything that follows from the state alone, in the words of the browser panel."""
        from TumorSegRobustLib.workflow import HOW_TO_BEGIN, error_line, listed, rows_of

        ui, comparison = self._ui, state.comparison
        errors, others = listed(comparison.errors if comparison else ())
        lines = [HOW_TO_BEGIN]
        if comparison is not None:
            heading = _("Compared with {name}").format(name=state.compared_with)
            lines = [heading, *(f"{name}: {value}" for name, value in rows_of(comparison))]
        ui.compareLabel.setText("\n".join([*lines, others] if others else lines))
        blocked = ui.errorSelector.blockSignals(True)
        ui.errorSelector.clear()
        for number, error in enumerate(errors, start=1):
            ui.errorSelector.addItem(f"{number}. {error_line(error)}", number)
        ui.errorSelector.setCurrentIndex(state.error_shown - 1)
        ui.errorSelector.blockSignals(blocked)
        for widget in (ui.errorSelector, ui.errorsCheckBox):
            widget.setVisible(comparison is not None)
        ui.errorSelector.setEnabled("next_error" in state.can)

    def _choose(self, *_args: Any) -> None:
        import qt

        path = qt.QFileDialog.getOpenFileName(None, _("Choose a reference"), "", _FILES)
        if path:
            self._logic().workflow.compare(Path(path))

    def _look(self, *_args: Any) -> None:
        self._logic().workflow.next_error(self._ui.errorSelector.currentData)

    def _show(self, *_args: Any) -> None:
        self._logic().binding.errors.show(self._ui.errorsCheckBox.checked)
