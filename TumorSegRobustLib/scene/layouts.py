"""The two arrangements of views that both panels offer, through Slicer's layout node."""

from __future__ import annotations

from slicer import vtkMRMLLayoutNode, vtkMRMLScene

FOUR_UP, AXIAL_LARGE = "Four-up", "Axial large"
_OURS = 72101  # Slicer's own arrangements have small numbers
_SLICE = (
    '<view class="vtkMRMLSliceNode" singletontag="{tag}">'
    '<property name="orientation" action="default">{orientation}</property>'
    '<property name="viewlabel" action="default">{label}</property>'
    '<property name="viewcolor" action="default">{colour}</property></view>'
)
_AXIAL = _SLICE.format(tag="Red", orientation="Axial", label="R", colour="#F34A33")
_CORONAL = _SLICE.format(tag="Green", orientation="Coronal", label="G", colour="#6EB04B")
_SAGITTAL = _SLICE.format(tag="Yellow", orientation="Sagittal", label="Y", colour="#EDD54C")
_SOLID = (
    '<view class="vtkMRMLViewNode" singletontag="1">'
    '<property name="viewlabel" action="default">1</property></view>'
)
_DESCRIPTION = (
    f'<layout type="horizontal" split="true"><item splitSize="667">{_AXIAL}</item>'
    '<item splitSize="333"><layout type="vertical" split="true">'
    f"<item>{_SOLID}</item><item>{_CORONAL}</item><item>{_SAGITTAL}</item></layout></item></layout>"
)


def choose_layout(scene: vtkMRMLScene, name: str) -> None:
    """Arrange the views: FOUR_UP, or AXIAL_LARGE with the others beside it."""
    node = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    if node is None:  # a host without views
        return
    if name == FOUR_UP:
        node.SetViewArrangement(vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        return
    if not node.IsLayoutDescription(_OURS):
        node.AddLayoutDescription(_OURS, _DESCRIPTION)
    node.SetViewArrangement(_OURS)


def layout_of(scene: vtkMRMLScene) -> str:
    """Which of the two is chosen, "" for any other."""
    node = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    known = {vtkMRMLLayoutNode.SlicerLayoutFourUpView: FOUR_UP, _OURS: AXIAL_LARGE}
    return known.get(node.GetViewArrangement(), "") if node is not None else ""
