"""What the panel asks of the application around it: 3D views, the Segment Editor, the status bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import slicer

_EDITOR = "SegmentEditor"  # the module's name, and the singleton tag of its parameter node


class SolidViews:
    """While `active`, a still click in a 3D view is answered by `on_click()`: a place there has no depth."""

    def __init__(self, on_click: Callable[[], None], find: Callable[[], Sequence[Any]] | None = None) -> None:
        """find: gives the interactors of the 3D views that there are now."""
        self._on_click = on_click
        self._find = find or _interactors
        self._watched: list[Any] = []

    def look(self) -> None:
        """Watch the views that there are now."""
        from TumorSegRobustLib.scene import StillClicks

        self.close()
        self._watched = [StillClicks(interactor, self._on_click) for interactor in self._find()]

    def activate(self, active: bool) -> None:
        for view in self._watched:
            view.active = active

    def close(self) -> None:
        for view in self._watched:
            view.close()
        self._watched = []


def edit_segments(scene: Any, volume: Any, segmentation: Any, segment_id: str) -> None:
    """Open Slicer's Segment Editor on this segment; what is painted there becomes steps of the review."""
    node = scene.GetSingletonNode(_EDITOR, "vtkMRMLSegmentEditorNode")
    if node is None:
        node = scene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
        node.UnRegister(None)
        node.SetSingletonTag(_EDITOR)
        node = scene.AddNode(node)
    node.SetAndObserveSegmentationNode(segmentation)
    node.SetAndObserveSourceVolumeNode(volume)
    node.SetSelectedSegmentID(segment_id)
    slicer.util.selectModule(_EDITOR)


def tell(line: str) -> None:
    """A line in the status bar too, which is in sight wherever the panel is scrolled to."""
    slicer.util.showStatusMessage(line, 5000)


def _interactors() -> list[Any]:
    layout = slicer.app.layoutManager()
    if layout is None:  # started without a main window
        return []
    return [layout.threeDWidget(n).threeDView().interactor() for n in range(layout.threeDViewCount)]
