"""The uncertainty map over the scan: a volume node in the slice foreground."""

from __future__ import annotations

from numpy.typing import NDArray
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene
from vtk.util.numpy_support import vtk_to_numpy

from TumorSegRobustLib.image import Image
from TumorSegRobustLib.scene.colours import uncertainty_table
from TumorSegRobustLib.scene.segments import Box
from TumorSegRobustLib.scene.volumes import image_to_volume


def overlay_volume(
    scene: vtkMRMLScene, image: Image, low: float, high: float, node: vtkMRMLScalarVolumeNode | None = None
) -> vtkMRMLScalarVolumeNode:
    """A volume node that shows values from low to high in the uncertainty colours, transparent up to low.

    A window of no width (a map that is flat there) is widened a little. The node is hidden from editors:
    it is a picture over the scan, and no list of scans should offer it.
    """
    if node is None:
        node = vtkMRMLScalarVolumeNode()
        node.SetHideFromEditors(True)
        node.SetSaveWithScene(False)  # the journal has what it is made of
        node = scene.AddNode(node)
    node = image_to_volume(scene, image, node)
    display = node.GetDisplayNode()
    was_modifying = display.StartModify()
    display.SetAndObserveColorNodeID(uncertainty_table(scene).GetID())
    set_overlay_window(node, low, high)
    display.SetInterpolate(True)
    display.EndModify(was_modifying)
    return node


def update_overlay(node: vtkMRMLScalarVolumeNode, values: NDArray, box: Box) -> None:
    """Copy the map's values inside the box (k, j, i) into the node: a click touches a small part of it."""
    scalars = node.GetImageData().GetPointData().GetScalars()
    vtk_to_numpy(scalars).reshape(values.shape)[box] = values[box]
    scalars.Modified()
    node.GetImageData().Modified()


def set_overlay_window(node: vtkMRMLScalarVolumeNode, low: float, high: float) -> None:
    """Move the window of an overlay without touching its voxels."""
    if high <= low:
        high = low + max(1e-6, abs(low) * 1e-6)
    display = node.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(float(low), float(high))
    display.AutoThresholdOff()
    # Just above low, so that a place as certain as the rest, of which there are many alike, stays uncovered.
    display.SetThreshold(float(low + 0.001 * (high - low)), 1e30)
    display.ApplyThresholdOn()
