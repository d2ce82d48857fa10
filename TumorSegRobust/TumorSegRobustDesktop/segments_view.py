"""The segments of a review: choose, add, rename, lock, remove."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .widget_words import fill

if TYPE_CHECKING:
    from TumorSegRobustLib.workflow import State, Workflow

Slot = Callable[..., None]


class SegmentsView:
    """Draws the list from the state; its buttons give the workflow's commands."""

    def __init__(self, ui: Any, workflow: Callable[[], Workflow], guarded: Callable[[Slot], Slot]) -> None:
        """workflow: the one under way. guarded: makes a slot of a function that may refuse."""
        self._ui = ui
        self._workflow = workflow
        for widget, signal, act in (
            (ui.segmentSelector, "activated", self._choose),
            (ui.lockCheckBox, "clicked", self._lock),
            (ui.addSegmentButton, "clicked", self._add),
            (ui.segmentEdit, "returnPressed", self._add),
            (ui.renameSegmentButton, "clicked", self._rename),
            (ui.removeSegmentButton, "clicked", self._remove),
        ):
            getattr(widget, signal).connect(guarded(act))

    def draw(self, state: State) -> None:
        """Everything that follows from the state alone."""
        ui = self._ui
        active = next((segment for segment in state.segments if segment.active), None)
        names = [(f"{s.name} ({s.volume_ml:.1f} ml)", s.id) for s in state.segments]
        fill(ui.segmentSelector, names, active.id if active else None)
        for row, segment in enumerate(state.segments):
            ui.segmentSelector.setItemIcon(row, _swatch(segment.colour))
        blocked = ui.lockCheckBox.blockSignals(True)
        ui.lockCheckBox.setChecked(active is not None and active.locked)
        ui.lockCheckBox.blockSignals(blocked)
        may = "paint" in state.can
        for widget in (
            ui.lockCheckBox,
            ui.addSegmentButton,
            ui.renameSegmentButton,
            ui.segmentSelector,
            ui.segmentEdit,
        ):
            widget.setEnabled(may)
        first = not state.segments or active is None or active.id == state.segments[0].id
        ui.removeSegmentButton.setEnabled(may and not first)

    def _choose(self, *_args: Any) -> None:
        self._workflow().choose_segment(self._ui.segmentSelector.currentData)

    def _lock(self, *_args: Any) -> None:
        self._workflow().lock_segment(self._ui.segmentSelector.currentData, self._ui.lockCheckBox.checked)

    def _add(self, *_args: Any) -> None:
        self._workflow().add_segment(self._ui.segmentEdit.text)
        self._ui.segmentEdit.setText("")

    def _rename(self, *_args: Any) -> None:
        self._workflow().rename_segment(self._ui.segmentSelector.currentData, self._ui.segmentEdit.text)
        self._ui.segmentEdit.setText("")

    def _remove(self, *_args: Any) -> None:
        self._workflow().remove_segment(self._ui.segmentSelector.currentData)


def _swatch(colour: tuple[int, int, int]) -> Any:
    """A small square in the segment's colour."""
    import qt

    picture = qt.QPixmap(12, 12)
    picture.fill(qt.QColor(*colour))
    return qt.QIcon(picture)
