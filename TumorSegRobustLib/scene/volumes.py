"""Image <-> scalar volume node."""

from __future__ import annotations

import numpy as np
import vtk
from numpy.typing import NDArray
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene
from vtk.util.numpy_support import get_vtk_array_type, numpy_to_vtk, vtk_to_numpy

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Image
from TumorSegRobustLib.scene.space import geometry_of, ijk_to_ras, to_array
from TumorSegRobustLib.scene.transforms import to_world


def image_to_volume(
    scene: vtkMRMLScene, image: Image, node: vtkMRMLScalarVolumeNode | None = None
) -> vtkMRMLScalarVolumeNode:
    """A volume node with a copy of the image's voxels, in the same place; a given node is refilled."""
    if node is None:
        node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", image.name or "Scan")
    elif image.name:
        node.SetName(image.name)
    was_modifying = node.StartModify()
    node.SetAndObserveTransformNodeID(None)
    node.SetIJKToRASMatrix(ijk_to_ras(image.geometry))
    node.SetAndObserveImageData(_image_data(image.voxels))
    node.EndModify(was_modifying)
    if node.GetDisplayNode() is None:
        node.CreateDefaultDisplayNodes()
    return node


def volume_to_image(node: vtkMRMLScalarVolumeNode) -> Image:
    """The node's voxels (a copy) and where they lie in the world, linear parent transforms included.

    Raises UnusableInput for a volume without voxels, with several components, warped or sheared.
    """
    data = node.GetImageData()
    name = node.GetName() or "The volume"
    if data is None or data.GetPointData() is None or data.GetPointData().GetScalars() is None:
        raise UnusableInput(f"{name} holds no voxels; load the scan first")
    if data.GetNumberOfScalarComponents() != 1:
        raise UnusableInput(
            f"{name} has {data.GetNumberOfScalarComponents()} values per voxel; "
            "choose a scan with one value per voxel"
        )
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    shape = data.GetDimensions()[::-1]
    try:
        geometry = geometry_of(to_world(node) @ to_array(matrix), shape)
    except UnusableInput as error:
        raise UnusableInput(f"{name}: {error}") from error
    voxels = vtk_to_numpy(data.GetPointData().GetScalars()).reshape(shape).copy()
    return Image(voxels, geometry, node.GetName() or "")


def set_window(node: vtkMRMLScalarVolumeNode, low: float, high: float) -> None:
    """Grey values from low (black) to high (white)."""
    display = node.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(float(low), float(high))


def window_of(node: vtkMRMLScalarVolumeNode) -> tuple[float, float]:
    """The grey values shown as black and as white."""
    display = node.GetDisplayNode()
    return float(display.GetWindowLevelMin()), float(display.GetWindowLevelMax())


def usual_window(voxels: NDArray) -> tuple[float, float]:
    """Grey values that show most scans well: the 1st to 99.7th percentile of what is not background.

    Background is the lowest value (air, or what skull stripping leaves), if more than a tenth shares it.
    Taken from at most a million voxels, so that opening a large scan stays quick.
    """
    sample = voxels.ravel()[:: max(1, voxels.size // 1_000_000)]
    lowest = sample.min()
    inside = sample[sample > lowest]
    if inside.size and inside.size < 0.9 * sample.size:
        sample = inside
    low, high = (float(value) for value in np.percentile(sample, (1, 99.7)))
    return (low, high) if high > low else (float(voxels.min()), float(voxels.max()))


def _image_data(voxels: NDArray) -> vtk.vtkImageData:
    if voxels.dtype == bool:
        voxels = voxels.astype(np.uint8)
    elif voxels.dtype == np.float16:
        voxels = voxels.astype(np.float32)
    flat = np.ascontiguousarray(voxels).ravel()
    scalars = numpy_to_vtk(flat, deep=True, array_type=get_vtk_array_type(flat.dtype))
    scalars.SetName("voxels")
    data = vtk.vtkImageData()
    data.SetDimensions(voxels.shape[::-1])
    data.GetPointData().SetScalars(scalars)
    return data
