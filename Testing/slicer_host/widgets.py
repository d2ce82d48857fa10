"""`qt`, `ctk` and the `qMRML*` widgets: stock Qt from PySide6, look-alikes for the rest."""

from __future__ import annotations

import ctypes
import os
import sys
import types
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import slicer
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Signal

from .dialogs import FileDialog
from .pythonqt import UiLoader, mannered

_application: list[Any] = []  # the QApplication must outlive every widget


def _stored(kind: Any, name: str) -> Any:
    """A Qt property that only stores its value and refreshes the widget."""

    def read(self: Any) -> Any:
        return self._values[name]

    def write(self: Any, value: Any) -> None:
        self._values[name] = value
        self._refresh()

    return Property(kind, read, write)


class qMRMLWidget(QtWidgets.QWidget):  # noqa: N801 - the name of Slicer's class
    """A widget that knows the scene and tells its children by a signal."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._scene: Any = None

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self) -> Any:
        return self._scene


class qMRMLNodeComboBox(QtWidgets.QComboBox):  # noqa: N801
    """Lists the scene's nodes of given classes; follows nodes that are added, removed and renamed."""

    currentNodeChanged = Signal(object)
    currentNodeIDChanged = Signal(str)

    def __init__(self, parent: Any = None) -> None:
        self._values: dict[str, Any] = {
            "nodeTypes": [],
            "noneEnabled": False,
            "addEnabled": True,
            "removeEnabled": True,
            "editEnabled": False,
            "renameEnabled": False,
            "showHidden": False,
            "showChildNodeTypes": True,
            "selectNodeUponCreation": True,
            "noneDisplay": "None",
        }
        self._scene: Any = None
        self._ids: list[str] = []
        self._announced = ""
        super().__init__(parent)
        self.currentIndexChanged.connect(lambda _index: self._announce())

    nodeTypes = _stored("QStringList", "nodeTypes")
    noneEnabled = _stored(bool, "noneEnabled")
    addEnabled = _stored(bool, "addEnabled")
    removeEnabled = _stored(bool, "removeEnabled")
    editEnabled = _stored(bool, "editEnabled")
    renameEnabled = _stored(bool, "renameEnabled")
    showHidden = _stored(bool, "showHidden")
    showChildNodeTypes = _stored(bool, "showChildNodeTypes")
    selectNodeUponCreation = _stored(bool, "selectNodeUponCreation")
    noneDisplay = _stored(str, "noneDisplay")

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
        if scene is not None:
            for event in (
                slicer.vtkMRMLScene.NodeAddedEvent,
                slicer.vtkMRMLScene.NodeRemovedEvent,
                slicer.vtkMRMLScene.EndBatchProcessEvent,
            ):
                scene.AddObserver(event, lambda _caller, _event: self._refresh())
        self._refresh()

    def currentNode(self) -> Any:
        node_id = self._current_id()
        return self._scene.GetNodeByID(node_id) if self._scene and node_id else None

    def setCurrentNode(self, node: Any) -> None:
        self.setCurrentNodeID(node.GetID() if node else "")

    def setCurrentNodeID(self, node_id: str) -> None:
        self._refresh()
        self.setCurrentIndex(self._ids.index(node_id) if node_id in self._ids else -1)

    currentNodeID = Property(str, lambda self: self._current_id(), setCurrentNodeID)

    def nodeCount(self) -> int:
        return sum(1 for node_id in self._ids if node_id)

    def _current_id(self) -> str:
        index = QtCore.QObject.property(self, "currentIndex")
        return self._ids[index] if 0 <= index < len(self._ids) else ""

    def _nodes(self) -> list[Any]:
        found = []
        for node_type in self._values["nodeTypes"]:
            for index in range(self._scene.GetNumberOfNodesByClass(node_type)):
                node = self._scene.GetNthNodeByClass(index, node_type)
                exact = node.GetClassName() == node_type or self._values["showChildNodeTypes"]
                if exact and (self._values["showHidden"] or not node.GetHideFromEditors()):
                    found.append(node)
        return found

    def _refresh(self) -> None:
        if self._scene is None or self._scene.IsBatchProcessing():
            return
        current = self._current_id()
        blocked = self.blockSignals(True)
        self.clear()
        self._ids = []
        if self._values["noneEnabled"]:
            self.addItem(self._values["noneDisplay"])
            self._ids.append("")
        for node in self._nodes():
            self.addItem(node.GetName())
            self._ids.append(node.GetID())
        self.setCurrentIndex(self._ids.index(current) if current in self._ids else 0 if self._ids else -1)
        self.blockSignals(blocked)
        self._announce()

    def _announce(self) -> None:
        current = self._current_id()
        if current != self._announced and not self.signalsBlocked():
            self._announced = current
            self.currentNodeChanged.emit(self.currentNode())
            self.currentNodeIDChanged.emit(current)


def _of_box(kind: type, name: str) -> Any:
    """A property of ctkSliderWidget that its spin box has under the same name."""
    setter = f"set{name[0].upper()}{name[1:]}"
    return Property(
        kind,
        lambda self: getattr(self._box, name)(),
        lambda self, value: getattr(self._box, setter)(value),
    )


def _of_boxes(kind: type, name: str) -> Any:
    """A property of ctkRangeWidget that both of its spin boxes have under the same name."""
    setter = f"set{name[0].upper()}{name[1:]}"

    def write(self: Any, value: Any) -> None:
        for box in self._boxes:
            getattr(box, setter)(value)

    return Property(kind, lambda self: getattr(self._boxes[0], name)(), write)


class ctkSliderWidget(QtWidgets.QWidget):  # noqa: N801
    """A slider with a spin box; `value` is a float."""

    valueChanged = Signal(float)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._slider = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal)
        self._slider.setRange(0, 1000)
        self._box = QtWidgets.QDoubleSpinBox()
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._slider, 1)
        row.addWidget(self._box)
        self._box.valueChanged.connect(self._follow)
        self._slider.sliderMoved.connect(
            lambda step: self._box.setValue(self._low() + self._span() * step / 1000)
        )

    def setValue(self, value: float) -> None:
        self._box.setValue(value)

    def _low(self) -> float:
        return self._box.minimum()

    def _span(self) -> float:
        return self._box.maximum() - self._box.minimum()

    def _follow(self, value: float) -> None:
        self._slider.setValue(round(1000 * (value - self._low()) / self._span()) if self._span() else 0)
        self.valueChanged.emit(value)

    suffix = _of_box(str, "suffix")
    value = _of_box(float, "value")
    minimum = _of_box(float, "minimum")
    maximum = _of_box(float, "maximum")
    singleStep = _of_box(float, "singleStep")
    decimals = _of_box(int, "decimals")


class ctkRangeWidget(QtWidgets.QWidget):  # noqa: N801
    """Two values with a slider between two spin boxes."""

    valuesChanged = Signal(float, float)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._boxes = (QtWidgets.QDoubleSpinBox(), QtWidgets.QDoubleSpinBox())
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._boxes[0])
        bar = QtWidgets.QProgressBar()
        bar.setTextVisible(False)
        bar.setMaximumHeight(6)
        bar.setValue(50)
        row.addWidget(bar, 1)
        row.addWidget(self._boxes[1])
        for box in self._boxes:
            box.valueChanged.connect(self._announce)

    def _announce(self, *_: Any) -> None:
        self.valuesChanged.emit(*(box.value() for box in self._boxes))

    minimumValue = Property(
        float, lambda self: self._boxes[0].value(), lambda self, value: self._boxes[0].setValue(value)
    )
    maximumValue = Property(
        float, lambda self: self._boxes[1].value(), lambda self, value: self._boxes[1].setValue(value)
    )
    minimum = _of_boxes(float, "minimum")
    maximum = _of_boxes(float, "maximum")
    singleStep = _of_boxes(float, "singleStep")
    decimals = _of_boxes(int, "decimals")


class ctkCollapsibleButton(QtWidgets.QWidget):  # noqa: N801
    """A heading that hides what lies below it."""

    contentsCollapsed = Signal(bool)
    _HEADING = 24

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._text = ""
        self._collapsed = False
        self.setContentsMargins(0, self._HEADING, 0, 0)

    def _set_text(self, text: str) -> None:
        self._text = text
        self.update()

    def _set_collapsed(self, collapsed: bool) -> None:
        self._collapsed = bool(collapsed)
        self.setMaximumHeight(self._HEADING if collapsed else 16777215)
        self.contentsCollapsed.emit(self._collapsed)

    text = Property(str, lambda self: self._text, _set_text)
    collapsed = Property(bool, lambda self: self._collapsed, _set_collapsed)

    def paintEvent(self, event: Any) -> None:
        painter = QtGui.QPainter(self)
        area = QtCore.QRect(0, 0, QtCore.QObject.property(self, "width"), self._HEADING)
        painter.fillRect(area.adjusted(0, 1, 0, -3), self.palette_colour())
        painter.drawText(
            area.adjusted(6, 0, -6, -2),
            QtCore.Qt.AlignmentFlag.AlignVCenter,
            ("▸ " if self._collapsed else "▾ ") + self._text,
        )
        painter.end()

    def palette_colour(self) -> Any:
        return QtWidgets.QApplication.palette().color(QtGui.QPalette.ColorRole.Midlight)


_CTK = (ctkCollapsibleButton, ctkRangeWidget, ctkSliderWidget)
_QMRML = (qMRMLWidget, qMRMLNodeComboBox)


def publish() -> None:
    """Create the application and make `import qt`, `import ctk` and `slicer.qMRML*` work in this process."""
    if sys.version_info < (3, 12):
        _keep_singletons_alive()
    _application.append(QtWidgets.QApplication.instance() or QtWidgets.QApplication(["slicer_host"]))
    qt = types.ModuleType("qt")
    for library in (QtCore, QtGui, QtWidgets):
        for name in dir(library):
            if not name.startswith("_"):
                value = getattr(library, name)
                is_widget = isinstance(value, type) and issubclass(value, QtWidgets.QWidget)
                setattr(qt, name, mannered(value) if is_widget else value)
    qt.QFileDialog = FileDialog  # type: ignore[attr-defined]
    qt.QUiLoader = UiLoader  # type: ignore[attr-defined]
    UiLoader.look_alikes = {look_alike.__name__: look_alike for look_alike in (*_CTK, *_QMRML)}
    ctk = types.ModuleType("ctk")
    for look_alike in _CTK:
        setattr(ctk, look_alike.__name__, mannered(look_alike))
    for look_alike in _QMRML:
        setattr(slicer, look_alike.__name__, mannered(look_alike))
    sys.modules["qt"] = qt
    sys.modules["ctk"] = ctk


def _keep_singletons_alive() -> None:
    """PySide6 6.12 counts on None, True and False being immortal, as they are from Python 3.12 on.

    On 3.11 every call that returns None takes a reference off it (measured), until the interpreter aborts.
    """
    for singleton in (None, True, False):
        ctypes.c_ssize_t.from_address(id(singleton)).value += 1 << 40
