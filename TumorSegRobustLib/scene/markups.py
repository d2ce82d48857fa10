"""Clicks <-> markups fiducials."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import slicer
import vtk
from slicer import vtkMRMLMarkupsFiducialNode, vtkMRMLScene

from TumorSegRobustLib.scene.space import lps_of, ras_of

if TYPE_CHECKING:
    from TumorSegRobustLib.review import Click

INCLUDE_COLOUR = (0.30, 0.85, 0.39)
EXCLUDE_COLOUR = (1.00, 0.36, 0.42)


def create_fiducials(scene: vtkMRMLScene, include: bool) -> vtkMRMLMarkupsFiducialNode:
    """An empty list for clicks of one kind: green plus or red minus signs (shapes for the colour-blind)."""
    selection = scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
    placing = selection.GetActivePlaceNodeID() if selection is not None else None
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Include" if include else "Exclude")
    if selection is not None:  # Slicer would place the next point into the newest list: not into this one
        selection.SetActivePlaceNodeID(placing)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    colour = INCLUDE_COLOUR if include else EXCLUDE_COLOUR
    display.SetColor(*colour)
    display.SetSelectedColor(*colour)
    display.SetGlyphType(display.ThickCross2D if include else display.Dash2D)
    display.UseGlyphScaleOff()  # a fixed size on the screen, however far one zooms in
    display.SetGlyphSize(10.0)
    display.PointLabelsVisibilityOff()
    display.SetVisibility3D(False)  # a flat sign floating before the tumour tells nothing
    return node


def clicks_to_fiducials(clicks: Iterable[Click], node: vtkMRMLMarkupsFiducialNode, include: bool) -> None:
    """Make the list hold exactly the clicks of its kind, in order of time, locked against dragging."""
    was_modifying = node.StartModify()
    node.RemoveAllControlPoints()
    for number, click in enumerate(clicks, start=1):
        if click.include == include:
            node.AddControlPointWorld(vtk.vtkVector3d(*ras_of(click.position_mm).tolist()), f"{number}")
    node.SetLocked(True)
    node.EndModify(was_modifying)


def fiducials_to_clicks(node: vtkMRMLMarkupsFiducialNode, include: bool) -> list[Click]:
    """One click per placed point, in world coordinates (all parent transforms applied)."""
    from TumorSegRobustLib.review import Click

    return [
        Click(_world(node, index), include)
        for index in range(node.GetNumberOfControlPoints())
        if node.GetNthControlPointPositionStatus(index) == node.PositionDefined
    ]


class PlacedClicks:
    """Turns points that the user places in a list into clicks, one call each, and takes them out of the list.

    For hosts whose own place tool is used (desktop Slicer). The list stays empty, so that undo belongs to the
    journal alone and not to two histories.
    """

    def __init__(
        self, node: vtkMRMLMarkupsFiducialNode, on_place: Callable[[tuple[float, float, float]], None]
    ) -> None:
        self._node = node
        self._on_place = on_place
        self._tag = node.AddObserver(slicer.vtkMRMLMarkupsNode.PointPositionDefinedEvent, self._placed)

    def close(self) -> None:
        self._node.RemoveObserver(self._tag)

    def _placed(self, *_: object) -> None:
        defined = [
            index
            for index in range(self._node.GetNumberOfControlPoints())
            if self._node.GetNthControlPointPositionStatus(index) == self._node.PositionDefined
        ]
        positions = [_world(self._node, index) for index in defined]
        for index in reversed(defined):  # a preview point at the end of the list stays for the next click
            self._node.RemoveNthControlPoint(index)
        for position in positions:
            self._on_place(position)


def _world(node: vtkMRMLMarkupsFiducialNode, index: int) -> tuple[float, float, float]:
    position = [0.0, 0.0, 0.0]
    node.GetNthControlPointPositionWorld(index, position)
    return lps_of(position)
