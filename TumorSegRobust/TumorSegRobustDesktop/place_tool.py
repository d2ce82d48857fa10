"""The Include and Exclude tools in Slicer's own place mode: each placed point becomes one click."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from TumorSegRobustLib.workflow import Tool

OnPoint = Callable[[tuple[float, float, float], bool], None]
_INTERACTION = "vtkMRMLInteractionNodeSingleton"
_SELECTION = "vtkMRMLSelectionNodeSingleton"
_FIDUCIAL = "vtkMRMLMarkupsFiducialNode"


class PlaceTool:
    """Switches Slicer's mouse between looking around and placing points that include or exclude.

    The points go to `on_point(position_lps_mm, include)` and out of the scene again, so that the journal
    stays the only history. `on_left` is called when the user leaves place mode in Slicer's own ways.
    """

    def __init__(self, scene: Any, on_point: OnPoint, on_left: Callable[[], None]) -> None:
        from TumorSegRobustLib.scene import PlacedClicks, create_fiducials

        self._scene = scene
        self._on_left = on_left
        self._tool: Tool = "none"
        self._switching = False
        self._lists: dict[str, Any] = {}
        self._watchers: list[PlacedClicks] = []
        for name, include in (("include", True), ("exclude", False)):
            node = create_fiducials(scene, include)
            node.SetName(f"TumorSegRobust {name} tool")
            node.SetHideFromEditors(True)
            node.SetSaveWithScene(False)
            _only_in_slices(scene, node)
            self._lists[name] = node
            self._watchers.append(PlacedClicks(node, _telling(on_point, include)))
        self._interaction = scene.GetNodeByID(_INTERACTION)
        event = self._interaction.InteractionModeChangedEvent
        self._tag = self._interaction.AddObserver(event, self._mode_changed)

    def choose(self, tool: Tool) -> None:
        """Take a tool in hand, or put it away with "none"; the same tool again changes nothing."""
        if tool == self._tool:
            return
        self._tool = tool
        self._switching = True
        try:
            if tool == "none":
                self._interaction.SetPlaceModePersistence(0)
                self._interaction.SwitchToViewTransformMode()
            else:
                selection = self._scene.GetNodeByID(_SELECTION)
                selection.SetReferenceActivePlaceNodeClassName(_FIDUCIAL)
                selection.SetActivePlaceNodeID(self._lists[tool].GetID())
                self._interaction.SetPlaceModePersistence(1)
                self._interaction.SetCurrentInteractionMode(self._interaction.Place)
        finally:
            self._switching = False

    def node(self, tool: Tool) -> Any:
        """The list into which points of this tool are placed."""
        return self._lists[tool]

    def close(self) -> None:
        """Put the tool away and take everything out of the scene."""
        self.choose("none")
        self._interaction.RemoveObserver(self._tag)
        for watcher in self._watchers:
            watcher.close()
        for node in self._lists.values():
            self._scene.RemoveNode(node)
        self._watchers.clear()

    def _mode_changed(self, *_: object) -> None:
        if self._switching or self._tool == "none":
            return
        if self._interaction.GetCurrentInteractionMode() != self._interaction.Place:
            self._tool = "none"
            self._on_left()


def _only_in_slices(scene: Any, node: Any) -> None:
    """No points in 3D views: a place there has no depth, and Slicer places none where a list is not shown."""
    for number in range(scene.GetNumberOfNodesByClass("vtkMRMLSliceNode")):
        node.GetDisplayNode().AddViewNodeID(scene.GetNthNodeByClass(number, "vtkMRMLSliceNode").GetID())


def _telling(on_point: OnPoint, include: bool) -> Callable[[tuple[float, float, float]], None]:
    return lambda position: on_point(position, include)
