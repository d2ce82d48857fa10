"""PythonQt's manners on PySide6: Qt properties are attributes (`label.text`), not methods.

In Slicer `label.text()` fails because `text` is a str there, and `button.enabled = False` disables the
button; in plain PySide6 the first works and the second silently stores a Python attribute. Widgets made here
behave as in Slicer.
"""

from __future__ import annotations

import functools
import xml.etree.ElementTree as ElementTree
from typing import Any

from PySide6 import QtCore, QtUiTools, QtWidgets

_PLAIN = QtCore.QObject
# Reading these asks the widget by a function of the same name, which would lead back here without end.
_ASKED_OF_THE_WIDGET = frozenset({"sizeHint", "minimumSizeHint"})


class PythonQtManners:
    """Mixed into a widget class: reads and writes Qt properties as attributes; unknown attributes raise."""

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("_") and name not in _ASKED_OF_THE_WIDGET:
            if name == "name":
                return _PLAIN.objectName(self)  # type: ignore[call-overload]
            if _PLAIN.metaObject(self).indexOfProperty(name) >= 0:  # type: ignore[call-overload]
                return _PLAIN.property(self, name)  # type: ignore[call-overload]
        return super().__getattribute__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            super().__setattr__(name, value)
        elif name == "name":
            _PLAIN.setObjectName(self, value)  # type: ignore[call-overload]
        elif _PLAIN.metaObject(self).indexOfProperty(name) >= 0:  # type: ignore[call-overload]
            _PLAIN.setProperty(self, name, value)  # type: ignore[call-overload]
        elif isinstance(value, QtCore.QObject) and UiLoader.loading:
            return  # PySide6 hands every named child to the root as an attribute; PythonQt does not
        else:
            raise AttributeError(f"{type(self).__name__} has no property {name!r}")

    def className(self) -> str:
        return type(self).__name__


@functools.cache
def mannered(base: type) -> type:
    """`base` with PythonQt's manners, under its own name."""
    return type(base.__name__, (PythonQtManners, base), {})


class UiLoader(QtUiTools.QUiLoader):
    """Loads a .ui file with mannered widgets; unknown classes, properties and connections raise."""

    look_alikes: dict[str, type] = {}  # noqa: RUF012 - one table, filled by `widgets.publish`
    loading = False

    def createWidget(self, class_name: str, parent: Any = None, name: str = "") -> Any:
        base = self.look_alikes.get(class_name) or getattr(QtWidgets, class_name)
        widget = mannered(base)(parent)
        widget.setObjectName(name)
        return widget

    def load(self, file: Any, parent: Any = None) -> Any:  # type: ignore[override]
        path = file.fileName()
        root = ElementTree.parse(path).getroot()
        used = {str(element.get("class")) for element in root.iter("widget")}
        unknown = sorted(name for name in used - set(self.look_alikes) if not hasattr(QtWidgets, name))
        if unknown:
            raise RuntimeError(f"{path}: no look-alike for {', '.join(unknown)}")
        connections = list(root.iter("connection"))
        for holder in root.findall("connections"):
            root.remove(holder)
        UiLoader.loading = True
        try:
            widget = super().load(_buffer(ElementTree.tostring(root)), parent)
        finally:
            UiLoader.loading = False
        if widget is None:
            raise RuntimeError(f"{path}: {self.errorString()}")
        for child in [widget, *_PLAIN.findChildren(widget, QtWidgets.QWidget)]:
            _check_properties(path, child)
        for element in connections:
            _connect(path, widget, element)
        return widget


def _buffer(content: bytes) -> QtCore.QBuffer:
    buffer = QtCore.QBuffer()
    buffer.setData(QtCore.QByteArray(content))
    buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
    return buffer


def _check_properties(path: str, child: Any) -> None:
    """Qt stores a property that the class does not have as a dynamic one: a misspelt name would pass."""
    names = [bytes(name.data()).decode() for name in _PLAIN.dynamicPropertyNames(child)]
    stray = [name for name in names if not name.startswith("_")]  # "_": Qt's and PySide6's own
    if stray:
        widget = f"{_PLAIN.objectName(child)} ({type(child).__name__})"
        raise RuntimeError(f"{path}: {widget} has no property {', '.join(stray)}")


def _connect(path: str, root: Any, element: ElementTree.Element) -> None:
    """Connections cannot be matched by C++ signature on Python classes: go by the names."""

    def end(tag: str) -> str:
        return str(element.findtext(tag))

    def find(name: str) -> Any:
        return root if _PLAIN.objectName(root) == name else _PLAIN.findChild(root, QtCore.QObject, name)

    sender, receiver = find(end("sender")), find(end("receiver"))
    if sender is None or receiver is None:
        raise RuntimeError(f"{path}: connection of {end('sender')} and {end('receiver')}: one is missing")
    getattr(sender, end("signal").split("(")[0]).connect(getattr(receiver, end("slot").split("(")[0]))
