"""Step 5, for those who have a reference: figures, errors by type, and where they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from .widget_words import breakable, fill, sentence

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
        self._file: Path | None = None
        self._structures: tuple[str, ...] = ()
        for widget, signal, act in (
            (ui.referenceButton, "clicked", self._choose),
            (ui.structureSelector, "activated", self._choose_structure),
            (ui.sceneSegmentSelector, "activated", self._choose_segment),
            (ui.putAwayButton, "clicked", self._put_away),
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
        ui.compareLabel.setText(breakable("\n".join([*lines, others] if others else lines)))
        fill(
            ui.errorSelector,
            [(f"{number}. {sentence(error_line(error))}", number) for number, error in enumerate(errors, 1)],
            state.error_shown or None,
        )
        for widget in (ui.errorSelector, ui.errorsCheckBox, ui.nextErrorButton, ui.putAwayButton):
            widget.setVisible(comparison is not None)
        ui.referenceButton.setVisible(comparison is None)
        self._draw_segments_of_the_scene(state)
        ui.errorSelector.setEnabled("next_error" in state.can)
        shown = next((n for n in self._structures if state.compared_with.startswith(f"{n} of ")), "")
        items = [(_("Choose a structure"), ""), *((name, name) for name in self._structures)]
        fill(ui.structureSelector, items, shown)
        ui.structureSelector.setVisible(bool(self._structures))
        ui.structureSelector.setEnabled("compare" in state.can)

    def _draw_segments_of_the_scene(self, state: State) -> None:
        """Another reader's segments, that somebody has loaded or drawn, can be the reference too."""
        from TumorSegRobustLib.scene import other_segments

        selector, binding = self._ui.sceneSegmentSelector, self._logic().binding
        others = other_segments(slicer.mrmlScene, binding.segmentation) if "compare" in state.can else []
        items = [(_("Or a segment of the scene"), "")]
        items += [(label, f"{node.GetID()} {segment}") for label, node, segment in others]
        fill(selector, items, "")
        selector.setVisible(bool(others) and state.comparison is None)

    def forget(self) -> None:
        """Another scan: what was chosen for the one before says nothing about it."""
        self._file, self._structures = None, ()

    def _choose(self, *_args: Any) -> None:
        import qt

        path = qt.QFileDialog.getOpenFileName(None, _("Choose a reference"), "", _FILES)
        if not path:
            return
        from TumorSegRobustLib.workflow.reference import structures_in

        self._file = Path(path)
        found = structures_in(self._file)
        self._structures = found if len(found) > 1 else ()
        self._logic().workflow.compare(self._file)

    def _choose_structure(self, *_args: Any) -> None:
        name = self._ui.structureSelector.currentData
        if name and self._file is not None:
            self._logic().workflow.compare(self._file, name)

    def _choose_segment(self, *_args: Any) -> None:
        from TumorSegRobustLib.scene import segment_to_mask

        chosen, workflow = self._ui.sceneSegmentSelector.currentData, self._logic().workflow
        if chosen:
            node_id, segment = chosen.split(" ", 1)
            node = slicer.mrmlScene.GetNodeByID(node_id)
            mask = segment_to_mask(node, segment, workflow.image.geometry)
            self._structures = ()
            workflow.compare_mask(mask, self._ui.sceneSegmentSelector.currentText)

    def _put_away(self, *_args: Any) -> None:
        self._structures = ()
        self._logic().workflow.stop_comparing()

    def _look(self, *_args: Any) -> None:
        self._logic().workflow.next_error(self._ui.errorSelector.currentData)

    def _show(self, *_args: Any) -> None:
        self._logic().binding.errors.show(self._ui.errorsCheckBox.checked)
