"""Draws the workflow's state on the panel's widgets; decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from .dependencies import Readiness

if TYPE_CHECKING:
    from TumorSegRobustLib.image import DicomSeries
    from TumorSegRobustLib.workflow import State

# Button -> the workflow's command that it gives.
BUTTONS = {
    "sampleButton": "open",
    "segmentButton": "segment",
    "emptyButton": "start_empty",
    "resumeButton": "resume",
    "cancelButton": "cancel",
    "includeButton": "click",
    "excludeButton": "click",
    "undoButton": "undo",
    "redoButton": "redo",
    "nextPlaceButton": "next_place",
    "acceptButton": "accept",
    "exportButton": "export",
    "exportSegButton": "export",
    "saveButton": "save",
    "referenceButton": "compare",
    "putAwayButton": "stop_comparing",
    "nextErrorButton": "next_error",
}
_NEED_PACKAGES = frozenset({"segment", "start_empty", "resume"})
_CHIP = "background-color: {colour}; color: white; font-weight: bold; padding: 4px 6px; border-radius: 4px;"


def _triage_text(level: str) -> tuple[str, str]:
    """Heading and colour; the words differ too, for those who do not tell the colours apart."""
    return {
        "accept": (_("Accept: the networks agree. Look the contour over."), "#1b7f33"),
        "review": (_("Review: check the contour slice by slice."), "#9a5b00"),
        "reject": (_("Reject: do not rely on it. Correct it, or start from nothing."), "#b3261e"),
    }[level]


def _tool_text(tool: str) -> str:
    return {
        "none": _("Choose a tool, then click in a slice. Esc ends it."),
        "include": _("Click in a slice where tumour is missing."),
        "exclude": _("Click in a slice where there is no tumour."),
        "paint": _("Paint with Slicer's Segment Editor: every stroke is a step of the review."),
        "erase": _("Erase with Slicer's Segment Editor: every stroke is a step of the review."),
    }[tool]


class PanelView:
    """Writes `State` into the widgets of the .ui file."""

    def __init__(self, ui: Any) -> None:
        self._ui = ui
        self._hints = {name: getattr(ui, name).toolTip for name in BUTTONS}
        self.readiness = Readiness()

    def draw(self, state: State) -> None:
        """Everything that follows from the state alone."""
        running = state.phase == "running"
        self._draw_permissions(state)
        ui = self._ui
        ui.resumeButton.setVisible("resume" in state.can)
        ui.progressBar.setVisible(running)
        ui.cancelButton.setVisible(running)
        # A bar without a length tells that the work goes on, though nobody knows how far it is.
        ui.progressBar.setMaximum(100 if state.progress is not None else 0)
        ui.progressBar.setValue(round(100 * (state.progress or 0)))
        lines = [line for line in (state.message, *state.notices) if line]
        ui.messageLabel.setText(_breakable("\n".join(lines)))
        ui.messageLabel.setVisible(bool(lines))
        self.show_error(state.error)
        self._draw_trust(state)
        self._draw_contour(state)
        ui.toolLabel.setText(_tool_text(state.tool))
        for name, tool in (("includeButton", "include"), ("excludeButton", "exclude")):
            _set_quietly(getattr(ui, name), "setChecked", state.tool == tool)

    def guarded(self, act: Callable[..., Any]) -> Callable[..., None]:
        """`act` as a slot: unusable input is one red line, anything else Slicer's error window."""

        def slot(*arguments: Any) -> None:
            from TumorSegRobustLib.errors import UnusableInput

            with slicer.util.tryWithErrorDisplay(_("This did not work; details are in the log.")):
                try:
                    act(*arguments)
                except UnusableInput as error:
                    self.show_error(str(error))

        return slot

    def show_error(self, line: str) -> None:
        """One line in red, "" for none."""
        self._ui.errorLabel.setText(_breakable(line))
        self._ui.errorLabel.setVisible(bool(line))

    def show_readiness(self, readiness: Readiness) -> None:
        """The frame about missing packages, hidden when nothing is missing."""
        self.readiness = readiness
        self._ui.dependenciesFrame.setVisible(bool(readiness.missing))
        self._ui.dependenciesLabel.setText(readiness.text)

    def show_packages(self, packages: Iterable[Any], chosen: str) -> None:
        """The list of models; the first one is chosen where `chosen` is unknown."""
        combo = self._ui.modelSelector
        blocked = combo.blockSignals(True)
        combo.clear()
        for package in packages:
            about = f"{package.id} {package.version}, {package.licence}"
            combo.addItem(f"{package.title} ({about})", package.id)
        combo.setCurrentIndex(max(0, combo.findData(chosen)))
        combo.blockSignals(blocked)

    def show_scan(self, node: Any, series: DicomSeries | None) -> None:
        """The scan that is open, and the DICOM series that RTSTRUCT will refer to."""
        _set_quietly(self._ui.scanSelector, "setCurrentNode", node)
        if node is None:
            text = ""
        elif series is None:
            text = _("none (DICOM export needs it)")
        else:
            text = _("{count} images {description}").format(
                count=len(series.files), description=series.description or series.modality
            )
        self._ui.seriesLabel.setText(text)
        self._ui.seriesButton.setEnabled(node is not None and series is None)

    def _draw_permissions(self, state: State) -> None:
        for name, command in BUTTONS.items():
            button = getattr(self._ui, name)
            why_not = state.why_not.get(command, "")
            if not why_not and command in _NEED_PACKAGES and self.readiness.missing:
                why_not = self.readiness.text
            button.setEnabled(command in state.can and not why_not)
            button.setToolTip(why_not or self._hints[name])
        self._ui.scanSelector.setEnabled("open" in state.can)
        self._ui.modelSelector.setEnabled(state.phase != "running")
        self._ui.readerEdit.setEnabled("accept" in state.can)

    def _draw_trust(self, state: State) -> None:
        ui = self._ui
        ui.trustSection.setVisible(bool(state.triage_level))
        if state.triage_level:
            text, colour = _triage_text(state.triage_level)
            ui.triageLabel.setText(text)
            ui.triageLabel.setStyleSheet(_CHIP.format(colour=colour))
        ui.reasonsLabel.setText("\n".join(f"• {reason}" for reason in state.reasons))
        ui.reasonsLabel.setVisible(bool(state.reasons))
        quality = ""
        if state.predicted_dice is not None:
            quality = _("Expected overlap (Dice) {dice:.2f}").format(dice=state.predicted_dice)
        if quality and state.interval is not None:
            low, high = state.interval
            quality += _(", between {low:.2f} and {high:.2f}").format(low=low, high=high)
        if quality and state.live_dice is not None and state.live_dice != state.predicted_dice:
            quality += _("; now about {dice:.2f}").format(dice=state.live_dice)
        ui.qualityLabel.setText(quality)
        ui.qualityLabel.setVisible(bool(quality))
        ui.placeLabel.setText(_place_text(state))

    def _draw_contour(self, state: State) -> None:
        included = sum(click.include for click in state.clicks)
        parts = []
        if state.volume_ml is not None:
            name = next((s.name for s in state.segments if s.active and len(state.segments) > 1), _("Tumour"))
            parts.append(_("{name} {volume:.1f} ml").format(name=name, volume=state.volume_ml))
        if state.clicks:
            parts.append(
                _("{included} include, {excluded} exclude").format(
                    included=included, excluded=len(state.clicks) - included
                )
            )
        if state.accepted_by:
            parts.append(_("accepted by {name}").format(name=state.accepted_by))
        self._ui.contourLabel.setText(" · ".join(parts))
        self._ui.contourLabel.setVisible(bool(parts))


def _place_text(state: State) -> str:
    """The place on show, else how many there are."""
    from TumorSegRobustLib.workflow import line_of

    count = len(state.places)
    if not state.place:
        return _("{count} worth a look").format(count=count) if count else ""
    return f"{state.place}/{count}: {line_of(state.places[state.place - 1])}"


def _breakable(text: str) -> str:
    """Lets a label wrap at backslashes, as it does at slashes: a long path would widen the panel."""
    return text.replace("\\", "\\\u200b")


def _set_quietly(widget: Any, setter: str, value: Any) -> None:
    """Show a value without the widget answering as if the user had chosen it."""
    blocked = widget.blockSignals(True)
    getattr(widget, setter)(value)
    widget.blockSignals(blocked)
