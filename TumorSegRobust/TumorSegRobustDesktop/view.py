"""Draws what all steps share: what may be pressed, progress, messages, which steps are open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from .dependencies import Readiness
from .slicer_app import tell
from .widget_words import breakable, fill

if TYPE_CHECKING:
    from TumorSegRobustLib.workflow import EarlierReview, State

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
    "editorButton": "paint",
    "nextPlaceButton": "next_place",
    "acceptButton": "accept",
    "exportButton": "export",
    "exportSegButton": "export_seg",
    "saveButton": "save",
    "referenceButton": "compare",
    "putAwayButton": "stop_comparing",
    "nextErrorButton": "next_error",
}
# Step -> whether it can be used. Those that cannot are closed, and open by themselves when they can.
STEPS: dict[str, Callable[[State], bool]] = {
    "segmentSection": lambda state: bool(state.image_name) or state.phase not in ("empty", "running"),
    "trustSection": lambda state: state.volume_ml is not None,
    "correctSection": lambda state: state.volume_ml is not None,
    "compareSection": lambda state: state.volume_ml is not None,
    "exportSection": lambda state: state.volume_ml is not None,
}
_STAYS_CLOSED = "compareSection"  # for those who have a reference: the steps before it need the room
_LONGEST = 40  # letters of a scan's name in a heading
_MOST_OF_AN_ERROR = 260  # letters: five lines of a narrow panel
_LOUD = "font-weight: bold; background-color: #7a4c00; color: white; padding: 3px 6px;"
_NEED_PACKAGES = frozenset({"segment", "start_empty", "resume"})


class PanelView:
    """Writes `State` into the widgets of the .ui file."""

    def __init__(self, ui: Any) -> None:
        self._ui = ui
        self._hints = {name: getattr(ui, name).toolTip for name in BUTTONS}
        self._usable: dict[str, bool] = {}
        self._earlier: Sequence[EarlierReview] = ()
        self.readiness = Readiness()

    def draw(self, state: State, earlier: Sequence[EarlierReview] = ()) -> None:
        """Everything that follows from the state alone; earlier: the reviews that may be opened again."""
        running = state.phase == "running"
        ui = self._ui
        for name, command in BUTTONS.items():
            self._permit(getattr(ui, name), name, command, state)
        self._open_steps(state)
        self._earlier = earlier
        ui.resumeButton.setVisible("resume" in state.can)
        ui.resumeSelector.setVisible("resume" in state.can and len(earlier) > 1)
        chosen = ui.resumeSelector.currentData
        paths = [str(review.path) for review in earlier]
        first = paths[0] if paths else None
        lines = [(str(review), path) for review, path in zip(earlier, paths, strict=True)]
        fill(ui.resumeSelector, lines, chosen if chosen in paths else first)
        self.show_offer()
        ui.progressBar.setVisible(running)
        ui.cancelButton.setVisible(running)
        # A bar without a length tells that the work goes on, though nobody knows how far it is.
        ui.progressBar.setMaximum(100 if state.progress is not None else 0)
        ui.progressBar.setValue(round(100 * (state.progress or 0)))
        message = f"⚠ {state.message}" if state.loud else state.message
        lines = [line for line in (message, *state.notices) if line]
        ui.messageLabel.setText(breakable("\n".join(lines)))
        ui.messageLabel.setStyleSheet(_LOUD if state.loud else "")
        ui.messageLabel.setVisible(bool(lines))
        self.show_error(state.error)
        tell(state.error or state.message)

    def show_offer(self, *_args: Any) -> None:
        """The button says what it does with the review that is chosen in the list beside it."""
        row = self._ui.resumeSelector.currentIndex
        if not 0 <= row < len(self._earlier):
            return
        review = self._earlier[row]
        again, on = _("Open the review again"), _("Continue the unfinished review")
        self._ui.resumeButton.setText(on if review.accepted is None else again)
        if self._ui.resumeButton.enabled:
            self._ui.resumeButton.setToolTip(_("Goes on where it stopped: {which}").format(which=review))

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
        """One line in red, "" for none. A very long one is cut, so that the steps below keep their place; the
        tooltip has all of it.
        """
        short = line if len(line) <= _MOST_OF_AN_ERROR else f"{line[:_MOST_OF_AN_ERROR].rstrip()}…"
        self._ui.errorLabel.setText(breakable(short))
        self._ui.errorLabel.setToolTip(line)
        self._ui.errorLabel.setVisible(bool(line))

    def show_readiness(self, readiness: Readiness) -> None:
        """The frame about missing packages, hidden when nothing is missing."""
        self.readiness = readiness
        self._ui.dependenciesFrame.setVisible(bool(readiness.missing))
        self._ui.dependenciesLabel.setText(readiness.text)

    def _permit(self, button: Any, name: str, command: str, state: State) -> None:
        why_not = state.why_not.get(command, "")
        if not why_not and command in _NEED_PACKAGES and self.readiness.missing:
            why_not = self.readiness.text
        button.setEnabled(command in state.can and not why_not)
        button.setToolTip(why_not or self._hints[name])

    def _open_steps(self, state: State) -> None:
        """A step opens when it becomes usable; whether it is open then is the user's affair.

        The first one closes once there is a contour, for the steps below need the room of a small screen, and
        opens again with the next scan; closed, it says which scan it is.
        """
        contour, scan = state.volume_ml is not None, self._ui.scanSection
        if self._usable.get("contour") != contour:
            self._usable["contour"] = contour
            scan.setProperty("collapsed", contour)
        scan.setProperty("text", _("1. Scan") + (f": {state.image_name[:_LONGEST]}" if contour else ""))
        for name, usable in STEPS.items():
            section, now = getattr(self._ui, name), usable(state)
            if self._usable.get(name) != now:
                self._usable[name] = now
                section.setEnabled(now)
                if name != _STAYS_CLOSED or not now:
                    section.setProperty("collapsed", not now)
