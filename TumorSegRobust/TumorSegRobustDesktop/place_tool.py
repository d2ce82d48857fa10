"""Include, Exclude and Move in Slicer's own place mode: each placed point becomes one click, or moves one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from TumorSegRobustLib.workflow import Tool

Position = tuple[float, float, float]
OnPoint = Callable[[Position, bool], None]
OnMoved = Callable[[int, Position], None]
_INTERACTION = "vtkMRMLInteractionNodeSingleton"
_SELECTION = "vtkMRMLSelectionNodeSingleton"
_FIDUCIAL = "vtkMRMLMarkupsFiducialNode"
_MOVE = "move"


class PlaceTool:
    """Switches Slicer's mouse between looking around and placing points: include, exclude, move a click.

    The points go to `on_point(position_lps_mm, include)` or `on_moved(number, position_lps_mm)` and out of
    the scene again, so that the journal stays the only history. `on_left` is called when the user leaves
    place mode in Slicer's own ways.
    """

    def __init__(
        self, scene: Any, on_point: OnPoint, on_moved: OnMoved, on_left: Callable[[], None]
    ) -> None:
        from TumorSegRobustLib.scene import PlacedClicks, create_fiducials

        self._scene = scene
        self._on_moved = on_moved
        self._on_left = on_left
        self._tool: Tool = "none"
        self._moving: int | None = None
        self._in_hand = "none"
        self._switching = False
        self._lists: dict[str, Any] = {}
        self._watchers: list[PlacedClicks] = []
        for name, act in (
            ("include", lambda position: on_point(position, True)),
            ("exclude", lambda position: on_point(position, False)),
            (_MOVE, self._moved),
        ):
            node = create_fiducials(scene, name != "exclude")
            node.SetName(f"TumorSegRobust {name} tool")
            node.SetHideFromEditors(True)
            node.SetSaveWithScene(False)
            _only_in_slices(scene, node)
            self._lists[name] = node
            self._watchers.append(PlacedClicks(node, act))
        self._interaction = scene.GetNodeByID(_INTERACTION)
        event = self._interaction.InteractionModeChangedEvent
        self._tag = self._interaction.AddObserver(event, self._mode_changed)

    @property
    def moving(self) -> int | None:
        """The number of the click that the next point moves, None where there is none."""
        return self._moving

    @property
    def in_hand(self) -> bool:
        """Whether a point would be placed now."""
        return self._in_hand != "none"

    def choose(self, tool: Tool) -> None:
        """Take a tool in hand, or put it away with "none"; the same tool again changes nothing."""
        if tool != self._tool:
            self._tool, self._moving = tool, None
        self._switch()

    def move_next(self, number: int | None) -> None:
        """The next point says where the click `number` is to lie; None: it is a point as ever."""
        self._moving = number
        self._switch()

    def node(self, tool: str) -> Any:
        """The list into which points of this tool ("include", "exclude", "move") are placed."""
        return self._lists[tool]

    def close(self) -> None:
        """Put the tool away and take everything out of the scene."""
        self.choose("none")
        self.move_next(None)
        self._interaction.RemoveObserver(self._tag)
        for watcher in self._watchers:
            watcher.close()
        for node in self._lists.values():
            self._scene.RemoveNode(node)
        self._watchers.clear()

    def _switch(self) -> None:
        wanted = _MOVE if self._moving is not None else self._tool
        if wanted == self._in_hand:
            return
        self._in_hand = wanted
        self._switching = True
        try:
            if wanted == "none":
                self._interaction.SetPlaceModePersistence(0)
                self._interaction.SwitchToViewTransformMode()
            else:
                _only_in_slices(self._scene, self._lists[wanted])  # other views may have come meanwhile
                selection = self._scene.GetNodeByID(_SELECTION)
                selection.SetReferenceActivePlaceNodeClassName(_FIDUCIAL)
                selection.SetActivePlaceNodeID(self._lists[wanted].GetID())
                self._interaction.SetPlaceModePersistence(1)
                self._interaction.SetCurrentInteractionMode(self._interaction.Place)
        finally:
            self._switching = False

    def _moved(self, position: Position) -> None:
        number = self._moving
        self.move_next(None)
        if number is not None:
            self._on_moved(number, position)

    def _mode_changed(self, *_: object) -> None:
        if self._switching or not self.in_hand:
            return
        if self._interaction.GetCurrentInteractionMode() != self._interaction.Place:
            self._tool, self._moving, self._in_hand = "none", None, "none"
            self._on_left()


def _only_in_slices(scene: Any, node: Any) -> None:
    """No points in 3D views: a place there has no depth, and Slicer places none where a list is not shown."""
    for number in range(scene.GetNumberOfNodesByClass("vtkMRMLSliceNode")):
        node.GetDisplayNode().AddViewNodeID(scene.GetNthNodeByClass(number, "vtkMRMLSliceNode").GetID())
