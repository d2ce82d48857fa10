"""The application's share of `slicer`: scene, `slicer.app`, `slicer.modules`, loading a scripted module."""

from __future__ import annotations

import importlib
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

import slicer

from . import scripted_module, translation

# Names under which Slicer publishes these C++ logics, and the classes that slicer-core carries.
_LOGICS = {
    "volumes": "vtkSlicerVolumesLogic",
    "segmentations": "vtkSlicerSegmentationsModuleLogic",
    "markups": "vtkSlicerMarkupsLogic",
    "subjecthierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
}


class ModuleInfo:
    """`parent` of a scripted module: only the documented attributes may be set."""

    __slots__ = (
        "acknowledgementText",
        "associatedNodeTypes",
        "categories",
        "contributors",
        "dependencies",
        "helpText",
        "hidden",
        "icon",
        "path",
        "title",
    )

    def __init__(self, path: str) -> None:
        self.path = path


class LoadedModule:
    """An entry of `slicer.modules`."""

    def __init__(self, name: str, logic: Any = None, path: str = "") -> None:
        self.name = name
        self.path = path
        self._logic = logic

    def logic(self) -> Any:
        return self._logic


class Modules(types.ModuleType):
    """`slicer.modules`: one attribute per loaded module, an AttributeError for every other."""


class Application:
    """The part of qSlicerApplication that the module and the functions of `slicer.util` it calls need."""

    applicationName = "SlicerHost"

    def __init__(self, scene: Any, logic: Any, folder: str) -> None:
        self._scene = scene
        self._logic = logic
        self.temporaryPath = folder
        self.startupEnvironment: dict[str, str] = {}

    def mrmlScene(self) -> Any:
        return self._scene

    def applicationLogic(self) -> Any:
        return self._logic

    def layoutManager(self) -> None:
        """None, as in `Slicer --no-main-window`: there are no views here."""
        return

    def testingEnabled(self) -> bool:
        """True, as in `Slicer --testing`: message boxes are logged instead of shown."""
        return True

    def topLevelWidgets(self) -> list[Any]:
        return []

    def processEvents(self) -> None:
        qt = sys.modules.get("qt")
        if qt is not None:
            qt.QApplication.processEvents()


class Host:
    """A running stand-in; `scene` is the real vtkMRMLScene."""

    def __init__(self) -> None:
        self.scene = slicer.vtkMRMLScene()
        self.folder = tempfile.TemporaryDirectory(prefix="slicer_host")
        self._let_it_read_and_write()
        self.logic = slicer.vtkSlicerApplicationLogic()
        self.logic.SetMRMLScene(self.scene)
        self.logic.GetColorLogic().SetMRMLScene(self.scene)
        self.logic.GetColorLogic().AddDefaultColorNodes()
        self.logic.SetModuleLogic("Colors", self.logic.GetColorLogic())
        modules = Modules("slicer.modules")
        for name, class_name in _LOGICS.items():
            logic = getattr(slicer, class_name)()
            logic.SetMRMLApplicationLogic(self.logic)
            logic.SetMRMLScene(self.scene)
            setattr(modules, name, LoadedModule(name, logic))
        slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self.scene)
        slicer.mrmlScene = self.scene
        slicer.app = Application(self.scene, self.logic, self.folder.name)
        slicer.modules = sys.modules["slicer.modules"] = modules
        sys.modules["slicer.ScriptedLoadableModule"] = scripted_module
        sys.modules["slicer.i18n"] = translation
        slicer.ScriptedLoadableModule = scripted_module
        slicer.i18n = translation

    def _let_it_read_and_write(self) -> None:
        """The application's managers of files, without which a scene reads no MRB."""
        self._cache, self._files = slicer.vtkCacheManager(), slicer.vtkDataIOManager()
        self._cache.SetRemoteCacheDirectory(str(Path(self.folder.name) / "cache"))
        self._files.SetCacheManager(self._cache)
        self.scene.SetCacheManager(self._cache)
        self.scene.SetDataIOManager(self._files)

    def load_module(self, script: Path) -> types.ModuleType:
        """Import the scripted module `script` and publish it as the module factory does.

        Slicer puts the folder of the script on the path and nothing else; the module finds the rest.
        """
        name = script.stem
        sys.path.insert(0, str(script.parent))
        module = importlib.import_module(name)
        if Path(str(module.__file__)).resolve() != script.resolve():
            raise RuntimeError(f"{name} was imported before, from {module.__file__}: start a fresh process")
        info = ModuleInfo(str(script))
        getattr(module, name)(info)
        loaded = LoadedModule(name, path=str(script))
        loaded.info = info  # type: ignore[attr-defined]
        setattr(slicer.modules, name.lower(), loaded)
        return module

    def open_panel(self, module: types.ModuleType, **arguments: Any) -> Any:
        """The module's widget, set up and entered, as after choosing the module in the application."""
        import qt

        parent = slicer.qMRMLWidget()
        parent.setLayout(qt.QVBoxLayout())
        parent.setMRMLScene(self.scene)
        widget = getattr(module, f"{module.__name__}Widget")(parent, **arguments)
        widget.setup()
        widget.enter()
        return widget


def start(gui: bool = True) -> Host:
    """Publish the stand-ins in this process, once; with `gui` also `qt`, `ctk` and the `qMRML*` widgets."""
    if hasattr(slicer, "mrmlScene"):
        raise RuntimeError("A host is already running in this process; start a fresh process")
    if gui:
        from . import widgets

        widgets.publish()
    return Host()
