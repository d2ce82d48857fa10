"""Step 1: the scan, its further channels, its DICOM series, the model, and what Segment will do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from .widget_words import breakable, fill, sentence, set_quietly

if TYPE_CHECKING:
    from TumorSegRobustLib.image import DicomSeries
    from TumorSegRobustLib.workflow import State

Slot = Callable[..., None]


class ScanView:
    """Draws the step from the state; its widgets give the workflow's commands.

    `on_gone()` is called when the scan that is open has been removed from the scene.
    """

    def __init__(self, ui: Any, logic: Callable[[], Any], guarded: Callable[[Slot], Slot]) -> None:
        """logic: holds `workflow` and `binding`. guarded: makes a slot of a function that may refuse."""
        self._ui = ui
        self._logic = logic
        self.on_gone: Callable[[], None] = lambda: None
        self._matching: list[DicomSeries] = []
        self._packages: list[Any] = []
        self._licences: dict[str, str] = {}
        for widget, signal, act in (
            (ui.scanSelector, "currentNodeChanged", self._choose_scan),
            (ui.sampleButton, "clicked", lambda *_args: logic().workflow.open_sample()),
            (ui.firstChannelSelector, "activated", self._name_first_channel),
            (ui.seriesButton, "clicked", self._choose_folder),
            (ui.seriesSelector, "activated", self._choose_series),
            (ui.targetSelector, "activated", self._choose_target),
            (ui.deviceSelector, "activated", self._choose_device),
            (ui.adaptCheckBox, "toggled", self._choose_adaptation),
            (ui.fourUpButton, "clicked", lambda *_args: self._arrange("FOUR_UP")),
            (ui.axialLargeButton, "clicked", lambda *_args: self._arrange("AXIAL_LARGE")),
        ):
            getattr(widget, signal).connect(guarded(act))

    def draw(self, state: State) -> None:
        """Everything that follows from the state alone."""
        ui, idle = self._ui, state.phase != "running"
        ui.scanSelector.setEnabled("open" in state.can)
        ui.modelSelector.setEnabled(idle)
        if state.package and ui.modelSelector.currentData != state.package:  # agreed to after the choice
            self.show_packages(self._packages, state.package)
        ui.adaptCheckBox.setEnabled(idle)
        set_quietly(ui.adaptCheckBox, "setChecked", state.adapt)
        several = len(state.inputs) > 1 and any(one.first for one in state.inputs)
        ui.scanLabel.setVisible(not several)
        ui.firstChannelSelector.setVisible(several)
        ui.firstChannelSelector.setEnabled(idle)
        fill(
            ui.firstChannelSelector,
            [(one.label, one.name) for one in state.inputs],
            next((one.name for one in state.inputs if one.first), None),
        )
        for widget in (ui.targetLabel, ui.targetSelector):
            widget.setVisible(bool(state.targets))
        ui.targetSelector.setEnabled(idle)
        fill(ui.targetSelector, [(sentence(target), target) for target in state.targets], state.target)
        self._draw_device(state)
        ui.willHappenLabel.setText(breakable(state.will_happen))
        ui.willHappenLabel.setVisible(bool(state.will_happen))
        self._draw_series()

    def show_scan(self, node: Any) -> None:
        """The volume that is open; what was to be chosen for the one before is no longer asked."""
        set_quietly(self._ui.scanSelector, "setCurrentNode", node)
        self._matching = []
        self._draw_series()

    def show_packages(self, packages: Iterable[Any], chosen: str) -> None:
        """The list of models; the first one is chosen where `chosen` is unknown."""
        self._packages = list(packages)
        items = [(package.title, package.id) for package in self._packages]
        self._licences = {
            package.id: _("{id}, version {version} · {licence}").format(
                id=package.id, version=package.version, licence=package.licence
            )
            for package in self._packages
        }
        known = [data for _text, data in items]
        chosen = chosen if chosen in known else (known[0] if known else "")
        fill(self._ui.modelSelector, items, chosen)
        nothing = _("No model package is installed; you can still start from nothing.")
        self._ui.licenceLabel.setText(self._licences.get(chosen, nothing))
        title = next((text for text, data in items if data == chosen), "")
        tip = _("The networks that propose the contour: {title}").format(title=title)
        self._ui.modelSelector.setToolTip(tip)

    def choose_only_scan(self) -> None:
        """Where the scene holds one volume only, it is the scan."""
        if self._logic().workflow.image is None and self._ui.scanSelector.nodeCount() == 1:
            volume = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
            self._ui.scanSelector.setCurrentNode(volume)

    def _draw_device(self, state: State) -> None:
        """Where the networks run; hidden where there is nothing to choose (see `workflow.devices`)."""
        import qt

        from TumorSegRobustLib.workflow import about_device

        label, selector = self._ui.deviceLabel, self._ui.deviceSelector
        for widget in (label, selector):
            widget.setVisible(bool(state.devices))
        selector.setEnabled(state.phase != "running")
        selector.setToolTip(about_device(state.devices))
        fill(selector, [(one.text, one.value) for one in state.devices], state.device)
        for row, one in enumerate(state.devices):
            selector.model().item(row).setEnabled(not one.why_not)
            selector.setItemData(row, one.why_not, qt.Qt.ToolTipRole)

    def _draw_series(self) -> None:
        """The DICOM series that RTSTRUCT will refer to."""
        ui, workflow = self._ui, self._logic().workflow
        image, series = workflow.image, workflow.series
        if image is None:
            text = ""
        else:
            text = series.describe() if series is not None else _("none (DICOM export needs it)")
        ui.seriesLabel.setText(breakable(text))
        ui.seriesLabel.setToolTip(text or _("The DICOM series that an export refers to."))
        ui.seriesButton.setVisible(series is None)
        ui.seriesButton.setEnabled(image is not None and series is None and ui.scanSelector.enabled)
        ui.seriesSelector.setVisible(len(self._matching) > 1 and series is None)

    def _choose_scan(self, *_args: Any) -> None:
        """A volume of the scene becomes the scan; its DICOM series is looked for on the way."""
        from .dicom_source import series_of

        node, logic = self._ui.scanSelector.currentNode(), self._logic()
        if logic.binding is None:
            return  # the scene is being closed
        shown = logic.binding.volume
        if node is None and shown is not None:
            if slicer.mrmlScene.IsNodePresent(shown):
                set_quietly(self._ui.scanSelector, "setCurrentNode", shown)
            else:
                self.on_gone()
        if node is None or node == shown:
            return
        logic.binding.open_volume(node, series_of(node, getattr(slicer, "dicomDatabase", None)))

    def _name_first_channel(self, *_args: Any) -> None:
        self._logic().workflow.name_first_channel(self._ui.firstChannelSelector.currentData)

    def _choose_folder(self, *_args: Any) -> None:
        """The user points at the DICOM series of a scan that was loaded from other files."""
        import qt

        from .dicom_source import series_in_folder

        folder = qt.QFileDialog.getExistingDirectory(None, _("Folder with the DICOM series of this scan"))
        if not folder:
            return
        self._matching = series_in_folder(Path(folder), self._logic().workflow.image)
        if len(self._matching) == 1:
            self._take(self._matching[0])
            return
        lines = [(_("Choose the series of this scan"), -1)]
        lines += [(series.describe(), number) for number, series in enumerate(self._matching)]
        fill(self._ui.seriesSelector, lines, -1)
        self._draw_series()

    def _choose_series(self, *_args: Any) -> None:
        number = self._ui.seriesSelector.currentData
        if 0 <= number < len(self._matching):
            self._take(self._matching[number])

    def _take(self, series: DicomSeries) -> None:
        workflow = self._logic().workflow
        workflow.open_image(workflow.image, series)

    def _choose_target(self, *_args: Any) -> None:
        self._logic().workflow.choose_target(self._ui.targetSelector.currentData)

    def _choose_device(self, *_args: Any) -> None:
        self._logic().workflow.choose_device(self._ui.deviceSelector.currentData)

    def _choose_adaptation(self, *_args: Any) -> None:
        self._logic().workflow.choose_adaptation(bool(self._ui.adaptCheckBox.checked))

    def _arrange(self, layout: str) -> None:
        from TumorSegRobustLib import scene

        scene.choose_layout(slicer.mrmlScene, getattr(scene, layout))
