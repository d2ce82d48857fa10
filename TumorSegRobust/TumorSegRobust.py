"""The desktop panel in 3D Slicer, bound to the workflow that the browser panel and the command line share.

Nothing but Slicer and the standard library is imported when Slicer discovers this file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

_HERE = Path(__file__).resolve().parent
# In a checkout the library lies one folder higher than in an installed extension.
_LIBRARY_HOME = _HERE if (_HERE / "TumorSegRobustLib").is_dir() else _HERE.parent
sys.path += [str(folder) for folder in (_HERE, _LIBRARY_HOME) if str(folder) not in sys.path]


class TumorSegRobust(ScriptedLoadableModule):
    """What Slicer shows about the module."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = "TumorSegRobust"
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["Segmentations", "Markups", "Volumes"]
        parent.contributors = ["The TumorSegRobust founders"]
        parent.helpText = _(
            "Contours a tumour with an ensemble of networks that run on this computer, shows how far to "
            "trust the contour, corrects it with include and exclude clicks, and exports it as RTSTRUCT. "
            "Nothing leaves the workstation.<p><b>Research software, not a medical device.</b> A clinician "
            "must check every contour.</p>"
        )
        parent.acknowledgementText = _(
            "Apache-2.0. The licence of each model package, and of the data it was trained on, stands in its "
            "model card. Built on 3D Slicer, MONAI, PyTorch, OpenVINO, SimpleITK and pydicom."
        )
        from TumorSegRobustLib.resources import resource

        icon = resource("Icons", "TumorSegRobust.png")
        if icon.is_file():
            import qt

            parent.icon = qt.QIcon(str(icon))


class TumorSegRobustLogic(ScriptedLoadableModuleLogic):
    """One workflow, and the nodes of a scene that follow it."""

    def __init__(self, **options: Any) -> None:
        """options: passed to every `Workflow` (work_folder, ensemble_factory, background, ...)."""
        ScriptedLoadableModuleLogic.__init__(self)
        self._options = options
        self.workflow: Any = None
        self.binding: Any = None

    def begin(self, scene: Any, dispatch: Callable[[Callable[[], None]], None] | None = None) -> None:
        """A fresh workflow on `scene`; without `dispatch` its results arrive where they are made."""
        from TumorSegRobustLib.scene import SceneBinding
        from TumorSegRobustLib.workflow import Workflow

        options = self._options if dispatch is None else {**self._options, "dispatch": dispatch}
        self.workflow = Workflow(**options)
        self.binding = SceneBinding(scene, self.workflow)

    def end(self) -> None:
        """Stop the work under way; the nodes stay, and the journal keeps what was done."""
        if self.workflow is not None:
            self.binding.close()
            self.workflow.close()
        self.workflow = self.binding = None


class TumorSegRobustWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: buttons give the workflow's commands, the workflow's state draws the panel."""

    def __init__(
        self, parent: Any = None, logic: TumorSegRobustLogic | None = None, installer: Any = None
    ) -> None:
        self.logic: Any = logic
        self.installer = installer
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)

    def setup(self) -> None:
        ScriptedLoadableModuleWidget.setup(self)
        from TumorSegRobustDesktop.compare_view import CompareView
        from TumorSegRobustDesktop.dependencies import Installer
        from TumorSegRobustDesktop.finish_view import FinishView
        from TumorSegRobustDesktop.main_thread import MainThread
        from TumorSegRobustDesktop.segments_view import SegmentsView
        from TumorSegRobustDesktop.view import PanelView

        panel = slicer.util.loadUI(self.resourcePath("UI/TumorSegRobust.ui"))
        self.layout.addWidget(panel)
        self.ui = slicer.util.childWidgetVariables(panel)
        self.logic = self.logic or TumorSegRobustLogic()
        self.installer = self.installer or Installer()
        self.view = PanelView(self.ui)
        self.segments = SegmentsView(self.ui, lambda: self.logic.workflow, self.view.guarded)
        self.finish = FinishView(self.ui, lambda: self.logic.workflow, self.view.guarded)
        self.compare = CompareView(self.ui, lambda: self.logic, self.view.guarded)
        self.mainThread = MainThread(self._is_working)
        self.tool: Any = None
        scene = slicer.mrmlScene
        panel.setMRMLScene(scene)
        self._connect()
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self._begin()

    def enter(self) -> None:
        """Look again at what may have changed meanwhile: packages, models, the scans in the scene."""
        self.view.show_readiness(self.installer.look())
        self._show_packages()
        self.onState(self.logic.workflow.state)
        if self.logic.workflow.image is None and self.ui.scanSelector.nodeCount() == 1:
            self.ui.scanSelector.setCurrentNode(
                slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
            )

    def exit(self) -> None:
        """Give the mouse back to Slicer."""
        self.logic.workflow.set_tool("none")

    def cleanup(self) -> None:
        self.removeObservers()
        self._end()
        self.mainThread.close()

    def onState(self, state: Any) -> None:
        self.view.draw(state)
        self.segments.draw(state)
        self.compare.draw(state)
        placing = state.tool in ("include", "exclude") and "click" in state.can
        self.tool.choose(state.tool if placing else "none")

    def onImage(self, *_args: Any) -> None:
        node = self.logic.binding.volume
        self.view.show_scan(node, self.logic.workflow.series)
        self.parameters.SetNodeReferenceID("Scan", node.GetID() if node else None)

    def onContour(self, _mask: Any, box: Any) -> None:
        if box is None:  # a new contour, not a correction: show where it is
            self.logic.binding.jump_to_tumour()

    def onScanChosen(self, *_args: Any) -> None:
        """A volume of the scene becomes the scan; its DICOM series is looked for on the way."""
        node = self.ui.scanSelector.currentNode()
        if node is None or node == self.logic.binding.volume:
            return
        from TumorSegRobustDesktop.dicom_source import series_of

        series = series_of(node, getattr(slicer, "dicomDatabase", None))
        self.logic.binding.open_volume(node, series)

    def onSeriesFolder(self, *_args: Any) -> None:
        """The user points at the DICOM series of a scan that was loaded from other files."""
        import qt
        from TumorSegRobustDesktop.dicom_source import series_in_folder

        folder = qt.QFileDialog.getExistingDirectory(None, _("Folder with the DICOM series of this scan"))
        if folder:
            image = self.logic.workflow.image
            self.logic.workflow.open_image(image, series_in_folder(Path(folder), image))

    def onModelChosen(self, *_args: Any) -> None:
        package = self.ui.modelSelector.currentData
        self.parameters.SetParameter("Package", package)
        self.logic.workflow.choose_package(package)

    def onResume(self, *_args: Any) -> None:
        self.logic.workflow.resume(self.logic.workflow.resumable()[0].path)

    def onTool(self, tool: str, chosen: bool) -> None:
        self.logic.workflow.set_tool(tool if chosen else "none")

    def onInstall(self, install: Callable[[], bool]) -> None:
        install()
        self.enter()

    def onSceneStartClose(self, *_args: Any) -> None:
        self._end()

    def onSceneEndClose(self, *_args: Any) -> None:
        self._begin()

    def _connect(self) -> None:
        """Arguments of signals with several forms are not used: PythonQt may connect either form."""
        ui, workflow, binding = self.ui, lambda: self.logic.workflow, lambda: self.logic.binding
        for widget, signal, act in (
            (ui.scanSelector, "currentNodeChanged", self.onScanChosen),
            (ui.modelSelector, "activated", self.onModelChosen),
            (ui.sampleButton, "clicked", lambda *_args: workflow().open_sample()),
            (ui.seriesButton, "clicked", self.onSeriesFolder),
            (ui.segmentButton, "clicked", lambda *_args: workflow().segment()),
            (ui.emptyButton, "clicked", lambda *_args: workflow().start_empty()),
            (ui.resumeButton, "clicked", self.onResume),
            (ui.cancelButton, "clicked", lambda *_args: workflow().cancel()),
            (ui.includeButton, "toggled", lambda chosen: self.onTool("include", chosen)),
            (ui.excludeButton, "toggled", lambda chosen: self.onTool("exclude", chosen)),
            (ui.undoButton, "clicked", lambda *_args: workflow().undo()),
            (ui.redoButton, "clicked", lambda *_args: workflow().redo()),
            (ui.nextPlaceButton, "clicked", lambda *_args: workflow().next_place()),
            (ui.overlayCheckBox, "toggled", lambda shown: binding().show_overlay(bool(shown))),
            (ui.overlaySlider, "valueChanged", lambda value: binding().show_overlay(opacity=value)),
            (ui.installButton, "clicked", lambda *_args: self.onInstall(self.installer.install)),
            (ui.offlineButton, "clicked", lambda *_args: self.onInstall(self.installer.install_offline)),
        ):
            getattr(widget, signal).connect(self.view.guarded(act))

    def _begin(self) -> None:
        from TumorSegRobustDesktop.place_tool import PlaceTool

        scene = slicer.mrmlScene
        self.parameters = self.logic.getParameterNode()
        self.logic.begin(scene, self.mainThread)
        workflow, binding = self.logic.workflow, self.logic.binding
        self.tool = PlaceTool(scene, workflow.click, lambda: workflow.set_tool("none"))
        binding.show_overlay(self.ui.overlayCheckBox.checked, opacity=self.ui.overlaySlider.value)
        binding.errors.show(self.ui.errorsCheckBox.checked)
        workflow.image_changed.connect(self.onImage)
        workflow.contour_changed.connect(self.onContour)
        workflow.place_changed.connect(binding.jump_to_place)
        workflow.changed.connect(self.onState)
        self._show_packages()
        self.onImage()
        self.onState(workflow.state)

    def _end(self) -> None:
        self.logic.end()
        if self.tool is not None:
            self.tool.close()
        self.tool = None

    def _is_working(self) -> bool:
        workflow = self.logic.workflow
        return workflow is not None and not (workflow.wait(0) and workflow.wait_until_warm(0))

    def _show_packages(self) -> None:
        from TumorSegRobustLib.models.catalogue import DEFAULT_PACKAGE

        workflow = self.logic.workflow
        packages, stored = workflow.packages(), self.parameters.GetParameter("Package")
        if not workflow.state.package and stored in [package.id for package in packages]:
            workflow.choose_package(stored)
        self.view.show_packages(packages, workflow.state.package or DEFAULT_PACKAGE)


class TumorSegRobustTest(ScriptedLoadableModuleTest):
    """Runs in Slicer (Reload and Test, ctest) and on the stand-ins of Testing/slicer_host alike."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear(0)

    def runTest(self) -> None:
        for test in (self.test_clicks_from_nothing, self.test_segments_the_sample):
            self.setUp()
            test()

    def test_clicks_from_nothing(self) -> None:
        """A click's voxel gets the click's label, in the scene too; undo takes the last click back."""
        from TumorSegRobustDesktop.self_test import clicks_from_nothing

        clicks_from_nothing(TumorSegRobustLogic)

    def test_segments_the_sample(self) -> None:
        """The networks of the extension find the tumour of the generated head that ships with it."""
        from TumorSegRobustDesktop.self_test import segments_the_sample

        segments_the_sample(TumorSegRobustLogic)
