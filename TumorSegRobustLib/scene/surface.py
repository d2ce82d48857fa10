"""The tumour as a surface for the 3D view, in a model node of its own.

Not the closed surface of the segmentation: once that exists, every click re-converts it (60-110 ms for 100 ml
on one core, measured) before the slice views may show the new contour. A model can wait for a pause.
"""

from __future__ import annotations

import numpy as np
import vtk
from numpy.typing import NDArray
from slicer import vtkMRMLModelNode, vtkMRMLScene
from vtk.util.numpy_support import numpy_to_vtk

from TumorSegRobustLib.image import Geometry
from TumorSegRobustLib.scene.segments import CONTOUR_COLOUR, bounding_box
from TumorSegRobustLib.scene.space import ijk_to_ras

_LARGEST = 2_000_000  # voxels in the box; a larger tumour is drawn from every second voxel


def create_surface(scene: vtkMRMLScene, name: str = "Tumour surface") -> vtkMRMLModelNode:
    """An empty model node for 3D views only."""
    node = scene.AddNewNodeByClass("vtkMRMLModelNode", name)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetColor(*CONTOUR_COLOUR)
    display.SetVisibility2D(False)
    return node


def update_surface(node: vtkMRMLModelNode, mask: NDArray, geometry: Geometry) -> None:
    """Give the model the smoothed boundary of the mask (k, j, i), in RAS mm; an empty mask: an empty model.

    Smoothing: windowed sinc, 15 iterations, pass band 0.05 (Taubin 1996), which does not shrink.
    """
    box = bounding_box(mask)
    node.SetAndObserveMesh(vtk.vtkPolyData() if box is None else _surface(mask, box, geometry))


def _surface(mask: NDArray, box: tuple[slice, slice, slice], geometry: Geometry) -> vtk.vtkPolyData:
    step = 1 if np.prod([part.stop - part.start for part in box]) <= _LARGEST else 2
    crop = np.pad(
        mask[box][::step, ::step, ::step].astype(np.uint8), 1
    )  # closed at the border of the scan as well
    image = vtk.vtkImageData()
    image.SetDimensions(crop.shape[::-1])
    image.SetSpacing(step, step, step)
    image.SetOrigin(*(float(part.start - step) for part in reversed(box)))
    image.GetPointData().SetScalars(numpy_to_vtk(crop.ravel(), deep=True))
    edges = vtk.vtkDiscreteFlyingEdges3D()
    edges.SetInputData(image)
    edges.SetValue(0, 1)
    to_ras = vtk.vtkTransform()
    to_ras.SetMatrix(ijk_to_ras(geometry))
    place = vtk.vtkTransformPolyDataFilter()
    place.SetTransform(to_ras)
    place.SetInputConnection(edges.GetOutputPort())
    smooth = vtk.vtkWindowedSincPolyDataFilter()
    smooth.SetInputConnection(place.GetOutputPort())
    smooth.SetNumberOfIterations(15)
    smooth.SetPassBand(0.05)
    smooth.NonManifoldSmoothingOn()
    smooth.NormalizeCoordinatesOn()
    normals = vtk.vtkPolyDataNormals()
    normals.SetInputConnection(smooth.GetOutputPort())
    normals.SplittingOff()
    normals.AutoOrientNormalsOn()
    normals.Update()
    return normals.GetOutput()
