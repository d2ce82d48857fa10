"""What the slice views show and where they look; found through their nodes, so that every host will do."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from slicer import (
    vtkMRMLCrosshairNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLScene,
    vtkMRMLSliceCompositeNode,
    vtkMRMLSliceNode,
    vtkMRMLVolumeNode,
)

from TumorSegRobustLib.image import Geometry
from TumorSegRobustLib.scene.segments import bounding_box
from TumorSegRobustLib.scene.space import ras_of


def show_in_slices(
    scene: vtkMRMLScene,
    background: vtkMRMLScalarVolumeNode | None,
    overlay: vtkMRMLScalarVolumeNode | None = None,
    opacity: float = 0.5,
) -> None:
    """The scan behind, the overlay (if any) in front with the given opacity (0..1), in every slice view."""
    for composite in _composites(scene):
        composite.SetBackgroundVolumeID(background.GetID() if background else None)
        composite.SetForegroundVolumeID(overlay.GetID() if overlay else None)
        composite.SetForegroundOpacity(float(opacity) if overlay else 0.0)


def label_in_slices(scene: vtkMRMLScene, label: vtkMRMLVolumeNode | None, opacity: float) -> None:
    """A label map above scan and overlay in every slice view, opacity 0..1; None: no longer."""
    for composite in _composites(scene):
        composite.SetLabelVolumeID(label.GetID() if label else None)
        composite.SetLabelOpacity(float(opacity))


def jump_to(scene: vtkMRMLScene, position_lps_mm: ArrayLike) -> None:
    """Move every slice view to the plane through an LPS position, without panning it."""
    position = ras_of(position_lps_mm).tolist()
    for node in slice_nodes(scene):
        node.JumpSliceByOffsetting(*position)


def point_at(scene: vtkMRMLScene, position_lps_mm: ArrayLike | None) -> None:
    """Move every slice view to a place (LPS) and mark it with the crosshair; None: mark nothing any more."""
    crosshair = scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    if position_lps_mm is not None:
        jump_to(scene, position_lps_mm)
    if crosshair is None:
        return
    if position_lps_mm is None:
        crosshair.SetCrosshairMode(vtkMRMLCrosshairNode.NoCrosshair)
    else:
        crosshair.SetCrosshairRAS(*ras_of(position_lps_mm).tolist())
        crosshair.SetCrosshairMode(vtkMRMLCrosshairNode.ShowSmallBasic)


def slice_nodes(scene: vtkMRMLScene) -> list[vtkMRMLSliceNode]:
    """Every slice view's node."""
    return [
        scene.GetNthNodeByClass(index, "vtkMRMLSliceNode")
        for index in range(scene.GetNumberOfNodesByClass("vtkMRMLSliceNode"))
    ]


def heart_of(mask: NDArray, geometry: Geometry) -> tuple[float, float, float] | None:
    """LPS mm of the tumour voxel nearest to the tumour's centre of mass, where a reader wants to look first.

    It lies in the tumour even when the centre of mass does not (a ring, two lesions). None for an empty mask.
    """
    box = bounding_box(mask)
    if box is None:
        return None
    inside = np.argwhere(mask[box])
    spacing = np.array(geometry.spacing_mm[::-1])
    nearest = np.argmin((((inside - inside.mean(axis=0)) * spacing) ** 2).sum(axis=1))
    x, y, z = geometry.position_of(inside[nearest] + [part.start for part in box]).tolist()
    return x, y, z


def _composites(scene: vtkMRMLScene) -> Iterator[vtkMRMLSliceCompositeNode]:
    for index in range(scene.GetNumberOfNodesByClass("vtkMRMLSliceCompositeNode")):
        yield scene.GetNthNodeByClass(index, "vtkMRMLSliceCompositeNode")
