"""Where a contour differs from its reference, drawn over the scan: a label map of two colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slicer import vtkMRMLColorTableNode, vtkMRMLLabelMapVolumeNode, vtkMRMLScene

from TumorSegRobustLib.image import Image
from TumorSegRobustLib.scene.views import label_in_slices
from TumorSegRobustLib.scene.volumes import image_to_volume

if TYPE_CHECKING:
    from TumorSegRobustLib.workflow import Workflow

TABLE_NAME = "TumorSegRobust errors"
# Apart for the colour-blind, and unlike the cyan contour; value of the map -> name and RGB (0..1).
COLOURS = {1: ("missed", (1.0, 0.84, 0.10)), 2: ("superfluous", (0.90, 0.22, 0.75))}
_OPACITY = 0.55


class ErrorOverlay:
    """`node` follows `workflow.error_map`; None while nothing is compared. It is never saved or listed."""

    def __init__(self, scene: vtkMRMLScene, workflow: Workflow) -> None:
        self._scene = scene
        self._workflow = workflow
        self.node: vtkMRMLLabelMapVolumeNode | None = None
        self.shown = True
        self._disconnect = workflow.comparison_changed.connect(self._follow)

    def show(self, shown: bool) -> None:
        """Draw the errors, or hide them."""
        self.shown = bool(shown)
        self._layer()

    def close(self) -> None:
        """Stop following the workflow, and draw nothing any more."""
        self._disconnect()
        self._drop()

    def _follow(self, *_: Any) -> None:
        image, errors = self._workflow.image, self._workflow.error_map
        if image is None or errors is None:
            self._drop()
            return
        if self.node is None:
            node = vtkMRMLLabelMapVolumeNode()
            node.SetHideFromEditors(True)
            node.SetSaveWithScene(False)
            self.node = self._scene.AddNode(node)
        image_to_volume(self._scene, Image(errors, image.geometry, "Errors"), self.node)
        self.node.GetDisplayNode().SetAndObserveColorNodeID(error_table(self._scene).GetID())
        self._layer()

    def _layer(self) -> None:
        label_in_slices(self._scene, self.node if self.shown else None, _OPACITY)

    def _drop(self) -> None:
        if self.node is not None:
            node, self.node = self.node, None
            self._layer()
            self._scene.RemoveNode(node)


def error_table(scene: vtkMRMLScene) -> vtkMRMLColorTableNode:
    """The scene's colour table of errors, made at first use; 0 is transparent."""
    found = scene.GetFirstNode(TABLE_NAME, "vtkMRMLColorTableNode")
    if found is not None:
        return found
    table = scene.CreateNodeByClass("vtkMRMLColorTableNode")
    table.UnRegister(None)
    table.SetName(TABLE_NAME)
    table.SetTypeToUser()
    table.SetNumberOfColors(1 + max(COLOURS))
    table.SetColor(0, "none", 0.0, 0.0, 0.0, 0.0)
    for value, (name, colour) in COLOURS.items():
        table.SetColor(value, name, *colour, 1.0)
    table.SetHideFromEditors(True)
    return scene.AddNode(table)
