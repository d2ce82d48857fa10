"""LPS (ours, DICOM, ITK) and RAS (Slicer): the only place where the two meet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import vtk
from numpy.typing import ArrayLike, NDArray

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Geometry

_FLIP = np.array([-1.0, -1.0, 1.0])  # its own inverse


def ras_of(position_lps_mm: ArrayLike) -> NDArray[np.float64]:
    """RAS mm of LPS mm; shape (..., 3) in and out."""
    return np.asarray(position_lps_mm, dtype=np.float64) * _FLIP


def lps_of(position_ras_mm: ArrayLike) -> tuple[float, float, float]:
    """LPS mm of one RAS position."""
    x, y, z = (np.asarray(position_ras_mm, dtype=np.float64) * _FLIP).tolist()
    return x, y, z


def place_in_words(position_lps_mm: ArrayLike) -> str:
    """A place in patient directions, in whole mm: "L33 A21 S12" is left, anterior and superior."""
    x, y, z = np.asarray(position_lps_mm, dtype=np.float64).tolist()
    signs = (("L", "R", x), ("P", "A", y), ("S", "I", z))
    return " ".join(f"{plus if value >= 0 else minus}{abs(value):.0f}" for plus, minus, value in signs)


def ijk_to_ras(geometry: Geometry) -> vtk.vtkMatrix4x4:
    """The matrix that Slicer calls IJKToRAS, for one of our grids."""
    return to_vtk(np.diag([*_FLIP, 1.0]) @ geometry.affine)


def geometry_of(matrix_ijk_to_ras: NDArray[np.float64], shape: Sequence[int]) -> Geometry:
    """The grid of a Slicer volume; shape in array order (k, j, i). Raises UnusableInput when sheared."""
    affine = np.diag([*_FLIP, 1.0]) @ np.asarray(matrix_ijk_to_ras, dtype=np.float64)
    columns = affine[:3, :3]
    spacing = np.linalg.norm(columns, axis=0)
    if not spacing.all():
        raise UnusableInput(
            "The volume's axes have no length (a singular IJK to RAS matrix); repair its geometry"
        )
    k, j, i = (int(count) for count in shape)
    return Geometry(
        (k, j, i),
        tuple(spacing.tolist()),
        tuple(affine[:3, 3].tolist()),
        tuple((columns / spacing).ravel().tolist()),
    )


def to_vtk(matrix: NDArray[np.float64]) -> vtk.vtkMatrix4x4:
    """A 4x4 array as a vtkMatrix4x4."""
    result = vtk.vtkMatrix4x4()
    result.DeepCopy(np.asarray(matrix, dtype=np.float64).ravel().tolist())
    return result


def to_array(matrix: vtk.vtkMatrix4x4) -> NDArray[np.float64]:
    """A vtkMatrix4x4 as a 4x4 array."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])
