"""Step 3: volume, expected overlap, verdict with its reasons, uncertainty, and where to look next."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from .widget_words import breakable, fill, sentence

if TYPE_CHECKING:
    from TumorSegRobustLib.workflow import State

Slot = Callable[..., None]
_CHIP = "background-color: {colour}; color: white; font-weight: bold; padding: 3px 6px; border-radius: 4px;"


def verdict_of(level: str) -> tuple[str, str, str]:
    """Word, advice and colour; the words differ too, for those who do not tell the colours apart."""
    return {
        "accept": (_("Accept"), _("Look the contour over, then accept it."), "#1b7f33"),
        "review": (_("Review"), _("Check the contour slice by slice."), "#9a5b00"),
        "reject": (_("Reject"), _("Do not rely on it: correct it, or start anew."), "#b3261e"),
    }.get(level, ("", "", ""))


class TrustView:
    """Draws the step from the state; its widgets give commands, or change what the slices show."""

    def __init__(self, ui: Any, logic: Callable[[], Any], guarded: Callable[[Slot], Slot]) -> None:
        """logic: holds `workflow` and `binding`. guarded: makes a slot of a function that may refuse."""
        self._ui = ui
        self._logic = logic
        self._kind = ""  # the uncertainty that was chosen, also where it cannot be shown
        for widget, signal, act in (
            (ui.overlayCheckBox, "toggled", self.show_overlay),
            (ui.overlayKindSelector, "activated", self._choose_kind),
            (ui.overlaySlider, "valueChanged", self.show_overlay),
            (ui.overlayWindow, "valuesChanged", self.show_overlay),
            (ui.nextPlaceButton, "clicked", lambda *_args: logic().workflow.next_place()),
            (ui.placeSelector, "activated", self._look),
            (ui.tumourButton, "clicked", lambda *_args: logic().binding.point_at_tumour()),
        ):
            getattr(widget, signal).connect(guarded(act))

    def draw(self, state: State) -> None:
        """Everything that follows from the state alone, in the words of the browser panel."""
        from TumorSegRobustLib.workflow import factors_of

        ui = self._ui
        contour = state.volume_ml is not None
        ui.volumeLabel.setText(_("Volume {volume:.1f} ml").format(volume=state.volume_ml) if contour else "")
        self._draw_quality(state)
        word, advice, colour = verdict_of(state.triage_level)
        for widget in (ui.triageLabel, ui.adviceLabel):
            widget.setVisible(bool(word))
        ui.triageLabel.setText(word)
        ui.triageLabel.setStyleSheet(_CHIP.format(colour=colour) if word else "")
        ui.adviceLabel.setText(advice)
        workflow = self._logic().workflow
        assessment = workflow.assessment if workflow is not None else None
        lines = [sentence(text) for text in (*state.reasons, *factors_of(assessment, state.reasons))]
        ui.reasonsLabel.setText(breakable("\n".join(f"• {line}" for line in lines)))
        ui.reasonsLabel.setVisible(bool(lines))
        self._draw_kinds()
        self._draw_places(state)
        ui.tumourButton.setEnabled(contour and state.volume_ml > 0)

    def show_overlay(self, *_args: Any) -> None:
        """Lay the uncertainty over the scan as the widgets say; its sliders are in sight while it is."""
        ui = self._ui
        shown = bool(ui.overlayCheckBox.checked)
        for widget in (ui.opacityLabel, ui.overlaySlider, ui.windowLabel, ui.overlayWindow):
            widget.setVisible(shown)
        low, high = float(ui.overlayWindow.minimumValue), float(ui.overlayWindow.maximumValue)
        if self._logic().binding is not None:
            self._logic().binding.show_overlay(
                shown,
                opacity=float(ui.overlaySlider.value) / 100,
                kind=self._kind or None,
                percentile=(low, max(high, low + 0.5)),
            )
        self._draw_kinds()

    def _choose_kind(self, *_args: Any) -> None:
        self._kind = self._ui.overlayKindSelector.currentData
        self.show_overlay()

    def _draw_kinds(self) -> None:
        """Which uncertainty is drawn; there is a choice while it is drawn, and more than one is known."""
        from TumorSegRobustLib.workflow import OVERLAY_KINDS, overlay_choice

        ui, workflow = self._ui, self._logic().workflow
        known = workflow.state.overlay_kinds if workflow is not None else ()
        choice = overlay_choice(self._kind, known)
        fill(ui.overlayKindSelector, [(kind.text, kind.value) for kind in OVERLAY_KINDS], choice.shown)
        ui.overlayKindSelector.setToolTip(choice.about)
        ui.overlayKindSelector.setEnabled(bool(ui.overlayCheckBox.checked) and choice.usable)

    def _look(self, *_args: Any) -> None:
        self._logic().workflow.next_place(self._ui.placeSelector.currentData)

    def _draw_quality(self, state: State) -> None:
        from TumorSegRobustLib.workflow import overlap_of

        overlap = overlap_of(state)
        text = _("Expected overlap {dice}").format(dice=overlap.dice) if overlap.dice else ""
        if within := ", ".join(part for part in (overlap.interval, overlap.guess) if part):
            text += f" ({within})"
        if overlap.live:
            text += f", {overlap.live}"
        self._ui.qualityLabel.setText(text)
        tips = [tip for tip in (overlap.about, overlap.about_live) if tip]
        self._ui.qualityLabel.setToolTip("\n".join(tips))
        self._ui.qualityLabel.setVisible(bool(text))

    def _draw_places(self, state: State) -> None:
        """The list opens when its first place is on show: until then its room belongs to the steps below."""
        from TumorSegRobustLib.workflow import line_of

        ui = self._ui
        places = [
            (f"{number}. {sentence(line_of(place))}", number)
            for number, place in enumerate(state.places, start=1)
        ]
        fill(ui.placeSelector, places, state.place or None)
        ui.placeSelector.setVisible(bool(state.place))
        ui.placeSelector.setEnabled("next_place" in state.can)
