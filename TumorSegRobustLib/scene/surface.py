"""The tumour as a surface for the 3D view, in a model node of its own.

Not the closed surface of the segmentation: once that exists, every click re-converts it (60-110 ms for 100 ml
on one core, measured) before the slice views may show the new contour. A model can wait for a pause.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import vtk
from numpy.typing import NDArray
from slicer import vtkMRMLModelNode, vtkMRMLScene
from vtk.util.numpy_support import numpy_to_vtk

from TumorSegRobustLib.image import Geometry
from TumorSegRobustLib.scene.segments import CONTOUR_COLOUR, bounding_box
from TumorSegRobustLib.scene.space import ijk_to_ras

_MARGIN = (
    4  # voxels of nothing around the box: room to soften, and a closed surface at the border of the scan
)
_LARGEST = 2_000_000  # voxels in the box; a larger tumour is drawn from every second voxel


def create_surface(scene: vtkMRMLScene, name: str = "Tumour surface") -> vtkMRMLModelNode:
    """An empty model node for 3D views only."""
    node = scene.AddNewNodeByClass("vtkMRMLModelNode", name)
    node.SetSaveWithScene(False)  # made anew from the segment
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetColor(*CONTOUR_COLOUR)
    display.SetVisibility2D(False)
    return node


def update_surface(node: vtkMRMLModelNode, mask: NDArray, geometry: Geometry) -> None:
    """Give the model the smoothed boundary of the mask (k, j, i), in RAS mm; an empty mask: an empty model.

    Softened so that every voxel's centre keeps its side, hence nothing small is lost, then smoothed a little.
    """
    box = bounding_box(mask)
    node.SetAndObserveMesh(vtk.vtkPolyData() if box is None else _surface(mask, box, geometry))


def _surface(mask: NDArray, box: tuple[slice, slice, slice], geometry: Geometry) -> vtk.vtkPolyData:
    step = 1 if np.prod([part.stop - part.start for part in box]) <= _LARGEST else 2
    soft = _soften(np.pad(mask[box][::step, ::step, ::step], _MARGIN), geometry.spacing_mm[::-1])
    image = vtk.vtkImageData()
    image.SetDimensions(soft.shape[::-1])
    image.SetSpacing(step, step, step)
    image.SetOrigin(*(float(part.start - _MARGIN * step) for part in reversed(box)))
    image.GetPointData().SetScalars(numpy_to_vtk(soft.ravel(), deep=True))
    edges = vtk.vtkFlyingEdges3D()
    edges.SetInputData(image)
    edges.SetValue(0, 0.5)
    edges.ComputeNormalsOff()
    to_ras = vtk.vtkTransform()
    to_ras.SetMatrix(ijk_to_ras(geometry))
    place = vtk.vtkTransformPolyDataFilter()
    place.SetTransform(to_ras)
    place.SetInputConnection(edges.GetOutputPort())
    smooth = vtk.vtkWindowedSincPolyDataFilter()  # does not shrink (Taubin 1996)
    smooth.SetInputConnection(place.GetOutputPort())
    smooth.SetNumberOfIterations(15)
    smooth.SetPassBand(0.05)
    smooth.NormalizeCoordinatesOn()
    normals = vtk.vtkPolyDataNormals()
    normals.SetInputConnection(smooth.GetOutputPort())
    normals.SplittingOff()
    normals.ConsistencyOff()
    normals.Update()
    return normals.GetOutput()


def _soften(mask: NDArray, spacing_mm: Sequence[float]) -> NDArray[np.float32]:
    """The binomial kernel 1-2-1, thrice along the finest axis and less often along coarser ones (k, j, i).

    Every voxel stays clearly on its side of one half, so that no island and no single slice is thinned away.
    """
    soft: NDArray = mask.astype(np.float32)
    for axis, spacing in enumerate(spacing_mm):
        for _ in range(max(1, round(3 * min(spacing_mm) / spacing))):
            soft = (2 * soft + np.roll(soft, 1, axis) + np.roll(soft, -1, axis)) / 4
    return np.where(mask, np.maximum(soft, 0.56), np.minimum(soft, 0.44)).astype(np.float32)
