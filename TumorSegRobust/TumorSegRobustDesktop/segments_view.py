"""The segments of a review and the clicks of the chosen one: two lists on the panel, and what they do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

if TYPE_CHECKING:
    from TumorSegRobustLib.workflow import State, Workflow

Slot = Callable[..., None]


class SegmentsView:
    """Draws both lists from the state; their buttons give the workflow's commands."""

    def __init__(self, ui: Any, workflow: Callable[[], Workflow], guarded: Callable[[Slot], Slot]) -> None:
        """workflow: the one under way. guarded: makes a slot of a function that may refuse."""
        self._ui = ui
        self._workflow = workflow
        for widget, signal, act in (
            (ui.segmentSelector, "activated", self._choose),
            (ui.lockCheckBox, "clicked", self._lock),
            (ui.addSegmentButton, "clicked", self._add),
            (ui.renameSegmentButton, "clicked", self._rename),
            (ui.removeSegmentButton, "clicked", self._remove),
            (ui.deleteClickButton, "clicked", self._delete_click),
        ):
            getattr(widget, signal).connect(guarded(act))

    def draw(self, state: State) -> None:
        """Everything that follows from the state alone."""
        ui = self._ui
        active = next((segment for segment in state.segments if segment.active), None)
        names = [(f"{s.name} ({s.volume_ml:.1f} ml)", s.id) for s in state.segments]
        _fill(ui.segmentSelector, names, active.id if active else None)
        clicks = [
            (_("{sign} click {number}").format(sign="+" if click.include else "−", number=number), event)
            for number, (event, click) in enumerate(zip(state.click_numbers, state.clicks, strict=True), 1)
        ]
        _fill(ui.clickSelector, clicks, clicks[-1][1] if clicks else None)
        why_not = state.why_not.get("paint", "")
        locked = ui.lockCheckBox.blockSignals(True)
        ui.lockCheckBox.setChecked(active is not None and active.locked)
        ui.lockCheckBox.blockSignals(locked)
        for widget in (ui.lockCheckBox, ui.addSegmentButton, ui.renameSegmentButton):
            widget.setEnabled(not why_not)
        for widget in (ui.segmentSelector, ui.segmentEdit):
            widget.setEnabled(not why_not)
        first = not state.segments or active is None or active.id == state.segments[0].id
        ui.removeSegmentButton.setEnabled(not why_not and not first)
        ui.deleteClickButton.setEnabled(bool(clicks) and "click" in state.can)

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

    def _delete_click(self, *_args: Any) -> None:
        self._workflow().remove_click(self._ui.clickSelector.currentData)


def _fill(combo: Any, items: Iterable[tuple[str, int]], chosen: int | None) -> None:
    """Show these items, quietly: the user has chosen nothing."""
    blocked = combo.blockSignals(True)
    combo.clear()
    for text, data in items:
        combo.addItem(text, data)
    if chosen is not None:
        combo.setCurrentIndex(combo.findData(chosen))
    combo.blockSignals(blocked)
