"""`slicer.ScriptedLoadableModule`: the four base classes, as far as the developer guide documents them."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path
from typing import Any

import slicer

__all__ = [
    "ScriptedLoadableModule",
    "ScriptedLoadableModuleLogic",
    "ScriptedLoadableModuleTest",
    "ScriptedLoadableModuleWidget",
]


def _resource(script: str, name: str) -> str:
    return str(Path(script).parent / "Resources" / name)


class ScriptedLoadableModule:
    """Describes the module: its derived class fills `parent` (title, categories, help, icon)."""

    def __init__(self, parent: Any) -> None:
        super().__init__()
        self.parent = parent
        self.moduleName = type(self).__name__

    def resourcePath(self, filename: str) -> str:
        return _resource(self.parent.path, filename)

    def runTest(self, **arguments: Any) -> None:
        """Run `<Name>Test`, as the Self Tests module does."""
        getattr(sys.modules[type(self).__module__], f"{self.moduleName}Test")().runTest(**arguments)


class ScriptedLoadableModuleWidget:
    """The panel; `parent` is the qMRMLWidget in which it builds its user interface."""

    def __init__(self, parent: Any) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.parent = parent
        self.layout = parent.layout()

    def resourcePath(self, filename: str) -> str:
        return _resource(slicer.util.modulePath(self.moduleName), filename)

    def setup(self) -> None:
        """Nothing here: the application adds its developer section at this point."""

    def cleanup(self) -> None:
        """Called before the module is unloaded."""


class ScriptedLoadableModuleLogic:
    """Gives access to the module's parameter node, one per scene."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Logic")

    def getParameterNode(self) -> Any:
        scene = slicer.mrmlScene
        node = scene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = scene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
            node.UnRegister(None)  # CreateNodeByClass hands over a reference that Python would never release
            node.SetSingletonTag(self.moduleName)
            node = scene.AddNode(node)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetModuleName(self.moduleName)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """Base of the self test; `runTest` is overridden and calls every test method."""

    def runTest(self, **arguments: Any) -> None:
        """Overridden by the module."""

    def delayDisplay(self, message: str, requestedDelay: int | None = None, msec: int | None = None) -> None:
        print(message)
