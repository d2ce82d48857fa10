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
        self.binding = SceneBinding(scene, self.workflow, several_scans=True)

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
        import qt
        from TumorSegRobustDesktop.asking import Asker
        from TumorSegRobustDesktop.dependencies import Installer
        from TumorSegRobustDesktop.main_thread import MainThread
        from TumorSegRobustDesktop.slicer_app import SolidViews
        from TumorSegRobustDesktop.steps import Steps
        from TumorSegRobustDesktop.view import PanelView

        panel = slicer.util.loadUI(self.resourcePath("UI/TumorSegRobust.ui"))
        self.layout.addWidget(panel)
        self.ui = slicer.util.childWidgetVariables(panel)
        self.logic = self.logic or TumorSegRobustLogic()
        self.installer = self.installer or Installer()
        self.view = PanelView(self.ui)
        self.steps = Steps.of(self.ui, panel, lambda: self.logic, self.view.guarded)
        self.mainThread = MainThread(self._is_working)
        self.asker = Asker(self.mainThread, lambda yes: self.logic.workflow.answer(yes))
        self.surfaceTimer = qt.QTimer()  # the 3D surface follows when the user pauses
        self.surfaceTimer.setSingleShot(True)
        self.surfaceTimer.setInterval(400)
        self.surfaceTimer.timeout.connect(self.view.guarded(self.onPause))
        self.solids = SolidViews(self.onClickIn3d)
        self.steps.correct.on_hand = self.solids.activate
        self.steps.scan.on_gone = lambda: self.mainThread(self.onScanGone)
        scene = slicer.mrmlScene
        panel.setMRMLScene(scene)
        self._connect()
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneLoaded)
        self._begin()

    def enter(self) -> None:
        """Look again at what may have changed meanwhile: packages, models, theme, scene, views."""
        from TumorSegRobustDesktop.theme import dress

        dress(self.ui, Path(self.resourcePath("Icons")))
        self.view.show_readiness(self.installer.look())
        self._show_packages()
        self.solids.look()
        self.logic.binding.look_at_edits()
        self.onState(self.logic.workflow.state)
        self.steps.scan.choose_only_scan()

    def exit(self) -> None:
        """Give the mouse back to Slicer."""
        self.steps.correct.put_away()

    def cleanup(self) -> None:
        self.removeObservers()
        self._end()
        self.solids.close()
        self.mainThread.close()

    def onState(self, state: Any) -> None:
        self.view.draw(state, self.logic.workflow.resumable())
        self.asker.look(state.question)
        self.steps.draw(state)
        self.memory.note(state)

    def onImage(self, *_args: Any) -> None:
        self.steps.scan.show_scan(self.logic.binding.volume)
        self.steps.compare.forget()
        self.memory.scan_opened()

    def onContour(self, _mask: Any, box: Any) -> None:
        if box is None:  # a new contour, not a correction: show where it is
            self.logic.binding.jump_to_tumour()
        self.surfaceTimer.start()

    def onPause(self) -> None:
        if self.logic.binding is not None:
            self.logic.binding.show_surface()

    def onClickIn3d(self) -> None:
        from TumorSegRobustLib.scene import IN_3D

        self.logic.workflow.refuse(IN_3D)

    def onModelChosen(self, *_args: Any) -> None:
        self.logic.workflow.choose_package(self.ui.modelSelector.currentData)
        self._show_packages()

    def onResume(self, *_args: Any) -> None:
        self.logic.workflow.resume(self.ui.resumeSelector.currentData)

    def onInstall(self, install: Callable[[], bool]) -> None:
        install()
        self.enter()

    def onScanGone(self) -> None:
        """The scan was removed from the scene: begin anew; the journal keeps what was done."""
        self._end()
        self._begin()

    def onSceneStartClose(self, *_args: Any) -> None:
        self._end()

    def onSceneEndClose(self, *_args: Any) -> None:
        self._begin()

    def onSceneLoaded(self, *_args: Any) -> None:
        """Open the scan that was open when the scene was saved; the review of it then goes on by itself."""
        self.mainThread(self.view.guarded(self._restore))

    def _connect(self) -> None:
        """Arguments of signals with several forms are not used: PythonQt may connect either form."""
        ui, workflow, installer = self.ui, lambda: self.logic.workflow, self.installer
        for widget, signal, act in (
            (ui.modelSelector, "activated", self.onModelChosen),
            (ui.segmentButton, "clicked", lambda *_args: workflow().segment()),
            (ui.emptyButton, "clicked", lambda *_args: workflow().start_empty()),
            (ui.resumeButton, "clicked", self.onResume),
            (ui.resumeSelector, "activated", self.view.show_offer),
            (ui.cancelButton, "clicked", lambda *_args: workflow().cancel()),
            (ui.installButton, "clicked", lambda *_args: self.onInstall(installer.install)),
            (ui.offlineButton, "clicked", lambda *_args: self.onInstall(installer.install_offline)),
            (ui.bundleButton, "clicked", lambda *_args: self.onInstall(installer.install_offline)),
            (ui.repairButton, "clicked", lambda *_args: self.onInstall(installer.repair)),
        ):
            getattr(widget, signal).connect(self.view.guarded(act))

    def _begin(self) -> None:
        from TumorSegRobustDesktop.place_tool import PlaceTool
        from TumorSegRobustDesktop.scene_memory import SceneMemory

        scene = slicer.mrmlScene
        self.logic.begin(scene, self.mainThread)
        self.memory = SceneMemory(self.logic.getParameterNode(), self.logic, self.mainThread)
        workflow, binding = self.logic.workflow, self.logic.binding
        put_away = self.steps.correct.put_away
        self.steps.correct.tool = PlaceTool(scene, workflow.click, workflow.move_click, put_away)
        self.steps.trust.show_overlay()
        binding.errors.show(self.ui.errorsCheckBox.checked)
        workflow.image_changed.connect(self.onImage)
        workflow.contour_changed.connect(self.onContour)
        workflow.place_changed.connect(binding.jump_to_place)
        workflow.changed.connect(self.onState)
        self._show_packages()
        self.steps.scan.show_scan(None)
        self.onState(workflow.state)

    def _end(self) -> None:
        self.surfaceTimer.stop()
        self.logic.end()
        if self.steps.correct.tool is not None:
            self.steps.correct.tool.close()
        self.steps.correct.tool = None

    def _restore(self) -> None:
        self.memory.parameters = self.logic.getParameterNode()
        self._show_packages()
        scan = self.memory.scan()
        if scan is not None and self.logic.workflow.image is None:
            self.ui.scanSelector.setCurrentNode(scan)

    def _is_working(self) -> bool:
        workflow = self.logic.workflow
        return workflow is not None and not (workflow.wait(0) and workflow.wait_until_warm(0))

    def _show_packages(self) -> None:
        from TumorSegRobustLib.models.catalogue import DEFAULT_PACKAGE

        workflow = self.logic.workflow
        packages = workflow.packages()
        if not workflow.state.package and (stored := self.memory.package_to_offer(p.id for p in packages)):
            workflow.choose_package(stored)
        self.steps.scan.show_packages(packages, workflow.state.package or DEFAULT_PACKAGE)


class TumorSegRobustTest(ScriptedLoadableModuleTest):
    """Runs in Slicer (Reload and Test, ctest) and on the stand-ins of Testing/slicer_host alike."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear(0)

    def runTest(self) -> None:
        saved = self.test_a_saved_scene_goes_on
        for test in (self.test_clicks_from_nothing, saved, self.test_segments_the_sample):
            self.setUp()
            test()

    def test_clicks_from_nothing(self) -> None:
        """A click's voxel gets the click's label, in the scene too; undo takes the last click back."""
        from TumorSegRobustDesktop.self_test import clicks_from_nothing

        clicks_from_nothing(TumorSegRobustLogic)

    def test_a_saved_scene_goes_on(self) -> None:
        """A review that is not finished is where it was when its scene is loaded again."""
        from TumorSegRobustDesktop.self_test import a_saved_scene_goes_on

        a_saved_scene_goes_on(TumorSegRobustLogic)

    def test_segments_the_sample(self) -> None:
        """The networks of the extension find the tumour of the generated head that ships with it."""
        from TumorSegRobustDesktop.self_test import segments_the_sample

        segments_the_sample(TumorSegRobustLogic)
