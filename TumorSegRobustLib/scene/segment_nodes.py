"""A review's segments in one segmentation node: shown as the workflow has them, read when a host edits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSegmentationNode, vtkSegment, vtkSegmentation

from TumorSegRobustLib.image import Geometry
from TumorSegRobustLib.scene.kept_review import number_segment, numbered_segments
from TumorSegRobustLib.scene.segments import create_segmentation, mask_to_segment, segment_to_mask
from TumorSegRobustLib.scene.surface import create_surface, update_surface
from TumorSegRobustLib.scene.terminology import name_what_it_is

if TYPE_CHECKING:
    from TumorSegRobustLib.workflow import SegmentState

Masks = Mapping[int, NDArray[np.bool_]]
_BESIDE = 0.55  # opacity of the outlines of segments that are not active


class Host(Protocol):
    """Is told what somebody else did to the node: Slicer's Segment Editor, say. Segments by review number."""

    def painted(self) -> None: ...

    def renamed(self, segment: int, name: str) -> None: ...

    def added(self, name: str) -> None: ...

    def removed(self, segment: int) -> None: ...


class SegmentNodes:
    """`node` holds the segments.

    ids: number of the review's segment -> id of the node's. surfaces: by the same number, models for the 3D
    view.
    """

    def __init__(
        self,
        scene: vtkMRMLScene,
        volume: vtkMRMLScalarVolumeNode,
        first: SegmentState,
        host: Host,
        node: vtkMRMLSegmentationNode | None = None,
    ) -> None:
        """node: one that showed a review of this volume before; without it a new one is made."""
        self._scene = scene
        if node is None:
            node, made = create_segmentation(
                scene, volume, segment=first.name, colour=_fractions(first.colour)
            )
            number_segment(node.GetSegmentation().GetSegment(made), first.id)
        self.node: vtkMRMLSegmentationNode = node
        self.ids: dict[int, str] = numbered_segments(node)
        self.surfaces: dict[int, slicer.vtkMRMLModelNode] = {}
        self._shown: dict[int, NDArray[np.bool_]] = {}
        self._in_3d: dict[int, NDArray[np.bool_]] = {}
        self._named: dict[int, str] = {}
        self._offered: dict[str, str] = {}  # name -> id of a segment that a host has added, until it is known
        self._writing = False
        self._host = host
        self._segmentation = self.node.GetSegmentation()
        self._tags = [
            self._segmentation.AddObserver(event, act)
            for event, act in (
                (vtkSegmentation.SourceRepresentationModified, self._painted_event),
                (vtkSegmentation.SegmentModified, self._described_event),
                (vtkSegmentation.SegmentAdded, self._added_event),
                (vtkSegmentation.SegmentRemoved, self._removed_event),
            )
        ]

    def show(self, segments: Sequence[SegmentState], masks: Masks, geometry: Geometry) -> None:
        """Bring the node up to date; only voxels of masks that are new arrays are handed over."""
        adopted = False
        with self._write():
            for gone in self.ids.keys() - {segment.id for segment in segments}:
                if self._segmentation.GetSegment(self.ids[gone]) is not None:
                    self._segmentation.RemoveSegment(self.ids[gone])
                for known in (self.ids, self._shown, self._named):
                    known.pop(gone, None)
            for segment in segments:
                mask = masks.get(segment.id)
                if self._describe(segment) and mask is not None:
                    adopted, self._shown[segment.id] = True, mask
                if mask is not None and self._shown.get(segment.id) is not mask:
                    mask_to_segment(self.node, self.ids[segment.id], mask, geometry)
                    self._shown[segment.id] = mask
        if adopted:  # a host's own segment may hold something already
            self._host.painted()

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
        """What a host has painted: number -> the whole mask, for each segment that differs from `masks`.

        A host that paints one segment may erase another under the brush. What one segment lost and another
        gained is no erasing: the review decides who may take from whom. From now on the node counts as not up
        to date.
        """
        there = [n for n in masks if self._segmentation.GetSegment(self.ids.get(n, "")) is not None]
        now = {id_: segment_to_mask(self.node, self.ids[id_], geometry) for id_ in there}
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
        for tag in self._tags:
            self._segmentation.RemoveObserver(tag)
        self._tags.clear()

    def put_aside(self) -> None:
        """Leave the segments in the scene, out of sight, until the scan is chosen again."""
        self.close()
        self.remove_surfaces()
        if self.node.GetDisplayNode() is not None:
            self.node.GetDisplayNode().SetVisibility(False)

    def remove(self) -> None:
        """Take everything out of the scene."""
        self.close()
        self.remove_surfaces()
        self._scene.RemoveNode(self.node)

    def remove_surfaces(self) -> None:
        """Take the models of the 3D view out of the scene."""
        for surface in self.surfaces.values():
            self._scene.RemoveNode(surface)
        self.surfaces.clear()

    def _describe(self, segment: SegmentState) -> bool:
        """Name, number, codes and outline; whether the node's segment was made by a host just now."""
        offered = None
        if self._segmentation.GetSegment(self.ids.get(segment.id, "")) is None:
            offered = self._offered.pop(segment.name, None)
            self.ids[segment.id] = offered or self._segmentation.AddEmptySegment(
                "", segment.name, _fractions(segment.colour)
            )
            self._shown.pop(segment.id, None)
        there: vtkSegment = self._segmentation.GetSegment(self.ids[segment.id])
        if there.GetName() != segment.name:
            there.SetName(segment.name)
        if self._named.get(segment.id) != segment.name:
            number_segment(there, segment.id)
            name_what_it_is(there, segment.name, self._named.get(segment.id, ""))
            self._named[segment.id] = segment.name
        opacity = 1.0 if segment.active else _BESIDE
        self.node.GetDisplayNode().SetSegmentOpacity2DOutline(self.ids[segment.id], opacity)
        return offered is not None

    def _painted_event(self, *_: object) -> None:
        if not self._writing:
            self._host.painted()

    def _described_event(self, *_: object) -> None:
        if self._writing:
            return
        for number, id_ in list(self.ids.items()):
            there, known = self._segmentation.GetSegment(id_), self._named.get(number)
            if there is not None and known is not None and there.GetName() != known:
                self._host.renamed(number, there.GetName())

    @vtk.calldata_type(vtk.VTK_STRING)
    def _added_event(self, _segmentation: object, _event: str, id_: str) -> None:
        if not self._writing:
            name = self._segmentation.GetSegment(id_).GetName() or id_
            self._offered[name] = id_
            self._host.added(name)

    @vtk.calldata_type(vtk.VTK_STRING)
    def _removed_event(self, _segmentation: object, _event: str, id_: str) -> None:
        number = next((n for n, known in self.ids.items() if known == id_), None)
        if not self._writing and number is not None:
            self._host.removed(number)

    @contextmanager
    def _write(self) -> Iterator[None]:
        before, self._writing = self._writing, True
        try:
            yield
        finally:
            self._writing = before


def _fractions(colour: Sequence[int]) -> list[float]:
    return [value / 255 for value in colour]
