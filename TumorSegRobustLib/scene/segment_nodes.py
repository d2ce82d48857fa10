"""A review's segments in one segmentation node: shown as the workflow has them, read when a host paints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import slicer
from numpy.typing import NDArray
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode

from TumorSegRobustLib.image import Geometry
from TumorSegRobustLib.scene.segments import create_segmentation, mask_to_segment, segment_to_mask
from TumorSegRobustLib.scene.surface import create_surface, update_surface

if TYPE_CHECKING:
    from TumorSegRobustLib.workflow import SegmentState

Masks = Mapping[int, NDArray[np.bool_]]
_BESIDE = 0.55  # opacity of the outlines of segments that are not active


class SegmentNodes:
    """`node` holds the segments.

    ids: id of the review's segment -> id of the node's. surfaces: by the same id, models for the 3D view.
    `on_painted()` is called when somebody else has changed a segment: Slicer's segment editor, say.
    """

    def __init__(
        self,
        scene: vtkMRMLScene,
        volume: vtkMRMLScalarVolumeNode,
        first: SegmentState,
        on_painted: Callable[[], None],
    ) -> None:
        self._scene = scene
        self.node: vtkMRMLSegmentationNode
        self.node, segment_id = create_segmentation(
            scene, volume, segment=first.name, colour=_fractions(first.colour)
        )
        self.ids: dict[int, str] = {first.id: segment_id}
        self.surfaces: dict[int, slicer.vtkMRMLModelNode] = {}
        self._shown: dict[int, NDArray[np.bool_]] = {}
        self._in_3d: dict[int, NDArray[np.bool_]] = {}
        self._writing = False
        self._on_painted = on_painted
        event = slicer.vtkSegmentation.SourceRepresentationModified
        self._segmentation = self.node.GetSegmentation()
        self._tag = self._segmentation.AddObserver(event, self._modified)

    def show(self, segments: Sequence[SegmentState], masks: Masks, geometry: Geometry) -> None:
        """Bring the node up to date; only voxels of masks that are new arrays are handed over."""
        with self._write():
            for gone in self.ids.keys() - {segment.id for segment in segments}:
                self._segmentation.RemoveSegment(self.ids.pop(gone))
                self._shown.pop(gone, None)
            for segment in segments:
                self._describe(segment)
                mask = masks.get(segment.id)
                if mask is not None and self._shown.get(segment.id) is not mask:
                    mask_to_segment(self.node, self.ids[segment.id], mask, geometry)
                    self._shown[segment.id] = mask

    def show_surfaces(self, segments: Sequence[SegmentState], masks: Masks, geometry: Geometry) -> None:
        """Bring the 3D surfaces up to date (see scene.surface)."""
        for gone in self.surfaces.keys() - {segment.id for segment in segments}:
            self._scene.RemoveNode(self.surfaces.pop(gone))
            self._in_3d.pop(gone, None)
        for segment in segments:
            if segment.id not in self.surfaces:
                self.surfaces[segment.id] = create_surface(self._scene)
            self.surfaces[segment.id].GetDisplayNode().SetColor(*_fractions(segment.colour))
            mask = masks.get(segment.id)
            if mask is not None and self._in_3d.get(segment.id) is not mask:
                update_surface(self.surfaces[segment.id], mask, geometry)
                self._in_3d[segment.id] = mask

    def painted(self, masks: Masks, geometry: Geometry) -> dict[int, NDArray[np.bool_]]:
        """What a host has painted: id -> the whole mask, for each segment that differs from `masks`.

        A host that paints one segment may erase another under the brush. What one segment lost and another
        gained is no erasing: the review decides who may take from whom. From now on the node counts as not up
        to date.
        """
        now = {id_: segment_to_mask(self.node, self.ids[id_], geometry) for id_ in masks if id_ in self.ids}
        changed = {id_ for id_, mask in now.items() if not np.array_equal(mask, masks[id_])}
        for id_ in changed:
            self._shown.pop(id_, None)
        gained = {id_: now[id_] & ~masks[id_] for id_ in changed}
        meant = {}
        for id_ in changed:
            for other in changed - {id_}:
                now[id_] |= masks[id_] & gained[other]
            if not np.array_equal(now[id_], masks[id_]):
                meant[id_] = now[id_]
        return meant

    def close(self) -> None:
        """Listen to the host no more; the nodes stay."""
        self._segmentation.RemoveObserver(self._tag)

    def remove(self) -> None:
        """Take everything out of the scene."""
        self.close()
        for node in (self.node, *self.surfaces.values()):
            self._scene.RemoveNode(node)
        self.surfaces.clear()

    def _describe(self, segment: SegmentState) -> None:
        there = self._segmentation.GetSegment(self.ids.get(segment.id, ""))
        if there is None:
            colour = _fractions(segment.colour)
            self.ids[segment.id] = self._segmentation.AddEmptySegment("", segment.name, colour)
            self._shown.pop(segment.id, None)
        elif there.GetName() != segment.name:
            there.SetName(segment.name)
        opacity = 1.0 if segment.active else _BESIDE
        self.node.GetDisplayNode().SetSegmentOpacity2DOutline(self.ids[segment.id], opacity)

    def _modified(self, *_: object) -> None:
        if not self._writing:
            self._on_painted()

    @contextmanager
    def _write(self) -> Iterator[None]:
        before, self._writing = self._writing, True
        try:
            yield
        finally:
            self._writing = before


def _fractions(colour: Sequence[int]) -> list[float]:
    return [value / 255 for value in colour]
