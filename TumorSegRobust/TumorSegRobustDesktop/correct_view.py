"""Step 4: include and exclude, undo and redo, single clicks, and the way to Slicer's Segment Editor."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from .slicer_app import edit_segments
from .widget_words import set_quietly

if TYPE_CHECKING:
    from TumorSegRobustLib.workflow import State

Slot = Callable[..., None]


def hint_of(tool: str) -> str:
    """What a click in a slice does now."""
    return {
        "none": _("Choose a tool, then click in a slice."),
        "include": _("Click in the scan where tumour is missing."),
        "exclude": _("Click in the scan where there is no tumour."),
        "move": _("Click in a slice where this click is to lie; Esc leaves it where it is."),
    }.get(tool, "")


class CorrectView:
    """Draws the step from the state; its widgets give the workflow's commands.

    `tool` is the `PlaceTool` of the scene, None while there is none; `on_hand(whether a tool is in hand)` is
    called when that may have changed.
    """

    def __init__(
        self, ui: Any, panel: Any, logic: Callable[[], Any], guarded: Callable[[Slot], Slot]
    ) -> None:
        """panel: the widget whose keys these are. logic: holds `workflow` and `binding`."""
        self._ui = ui
        self._logic = logic
        self._told: list[tuple[int, str]] = []  # the clicks as they are listed: number, words
        self._numbers: list[int] = []
        self.tool: Any = None
        self.on_hand: Callable[[bool], None] = lambda _in_hand: None
        for widget, signal, act in (
            (ui.includeButton, "toggled", lambda chosen: self._take("include", chosen)),
            (ui.excludeButton, "toggled", lambda chosen: self._take("exclude", chosen)),
            (ui.undoButton, "clicked", lambda *_args: logic().workflow.undo()),
            (ui.redoButton, "clicked", lambda *_args: logic().workflow.redo()),
            (ui.editorButton, "clicked", self._edit),
            (ui.clickList, "itemClicked", self._look),
            (ui.moveClickButton, "toggled", self._move),
            (ui.deleteClickButton, "clicked", self._delete),
        ):
            getattr(widget, signal).connect(guarded(act))
        self._escape = _shortcut(panel, "Esc", guarded(lambda: self.put_away()))
        self._redo = _shortcut(panel, "Ctrl+Shift+Z", guarded(lambda: logic().workflow.redo()))

    def draw(self, state: State) -> None:
        """Everything that follows from the state alone."""
        ui, tool = self._ui, self.tool
        placing = state.tool in ("include", "exclude") and "click" in state.can
        if tool is not None:
            tool.choose(state.tool if placing else "none")
            if tool.moving not in state.click_numbers:
                tool.move_next(None)
        for button, name in ((ui.includeButton, "include"), (ui.excludeButton, "exclude")):
            set_quietly(button, "setChecked", state.tool == name)
        self._draw_clicks(state)
        self.draw_hand(state)
        ui.editorButton.setEnabled("paint" in state.can)
        self._redo.setEnabled("redo" in state.can)

    def draw_hand(self, state: State) -> None:
        """What a click in a slice means now; also where only the mouse has changed its meaning."""
        moving = self.tool is not None and self.tool.moving is not None
        self._ui.toolLabel.setText(hint_of("move" if moving else state.tool))
        set_quietly(self._ui.moveClickButton, "setChecked", moving)
        in_hand = self.tool is not None and self.tool.in_hand
        self._escape.setEnabled(in_hand)
        self.on_hand(in_hand)

    def put_away(self) -> None:
        """No tool in hand, and nothing begun."""
        if self.tool is not None:
            self.tool.move_next(None)
        self._logic().workflow.set_tool("none")

    def _draw_clicks(self, state: State) -> None:
        """The newest first; what was marked stays marked."""
        from TumorSegRobustLib.scene import place_in_words

        ui, before = self._ui, self._marked()
        told = [
            (number, f"{'+' if click.include else '−'} {place_in_words(click.position_mm)}")
            for number, click in zip(state.click_numbers, state.clicks, strict=True)
        ]
        told.reverse()
        numbers = [number for number, _text in told]
        if told != self._told:
            blocked = ui.clickList.blockSignals(True)
            ui.clickList.clear()
            for _number, text in told:
                ui.clickList.addItem(text)
            kept = before in numbers and set(numbers) <= set(self._numbers)
            ui.clickList.setCurrentRow(numbers.index(before) if kept else 0 if numbers else -1)
            ui.clickList.blockSignals(blocked)
        self._told, self._numbers = told, numbers
        for widget in (ui.clickList, ui.moveClickButton, ui.deleteClickButton, ui.clickCountLabel):
            widget.setVisible(bool(numbers))
        for widget in (ui.moveClickButton, ui.deleteClickButton):
            widget.setEnabled("click" in state.can)
        count = len(numbers)
        ui.clickCountLabel.setText(_("1 click") if count == 1 else _("{count} clicks").format(count=count))

    def _marked(self) -> int | None:
        row = self._ui.clickList.currentRow
        return self._numbers[row] if 0 <= row < len(self._numbers) else None

    def _take(self, tool: str, chosen: bool) -> None:
        self._logic().workflow.set_tool(tool if chosen else "none")

    def _look(self, *_args: Any) -> None:
        state, number = self._logic().workflow.state, self._marked()
        places = dict(zip(state.click_numbers, state.clicks, strict=True))
        if number in places:
            self._logic().binding.look_at(places[number].position_mm)

    def _move(self, chosen: bool) -> None:
        if self.tool is not None:
            self.tool.move_next(self._marked() if chosen else None)
        self.draw_hand(self._logic().workflow.state)

    def _delete(self, *_args: Any) -> None:
        number = self._marked()
        if number is not None:
            self._logic().workflow.remove_click(number)

    def _edit(self, *_args: Any) -> None:
        binding = self._logic().binding
        if binding.segmentation is not None:
            edit_segments(slicer.mrmlScene, binding.volume, binding.segmentation, binding.segment_id)


def _shortcut(panel: Any, keys: str, act: Slot) -> Any:
    import qt

    shortcut = qt.QShortcut(panel)
    shortcut.setKey(qt.QKeySequence(keys))
    shortcut.activated.connect(act)
    return shortcut
