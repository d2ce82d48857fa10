"""What the transforms above a node do to it."""

from __future__ import annotations

import numpy as np
import vtk
from numpy.typing import NDArray
from slicer import vtkMRMLTransformableNode

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.scene.space import to_array


def to_world(node: vtkMRMLTransformableNode) -> NDArray[np.float64]:
    """4x4 matrix (RAS mm) from the node's own space to the world, through all its parent transforms.

    Raises UnusableInput when one of them bends space: a warped grid is no longer a grid.
    """
    parent = node.GetParentTransformNode()
    if parent is None:
        return np.eye(4)
    if not parent.IsTransformToWorldLinear():
        raise UnusableInput(
            f"{node.GetName()} lies under the non-linear transform {parent.GetName()}; "
            "harden the transform or take the volume out of it"
        )
    matrix = vtk.vtkMatrix4x4()
    parent.GetMatrixTransformToWorld(matrix)
    return to_array(matrix)
