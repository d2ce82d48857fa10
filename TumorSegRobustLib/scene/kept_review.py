"""What a saved scene knows of a review: which journal it is, and which segment was chosen.

It stands on the segmentation node, one for each scan of the scene, so that it survives saving, loading, and
merging scenes, where identifiers change. The journal itself lies in the user's work folder: the scene shows
what was, the journal says it. Only its place in that folder is noted, for a scene is passed on and the names
of folders tell who somebody is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import vtk
from slicer import vtkMRMLScene, vtkMRMLSegmentationNode, vtkMRMLVolumeNode, vtkSegment

JOURNAL = "TumorSegRobust.Journal"
CHOSEN = "TumorSegRobust.Segment"  # on the node: the chosen segment; as tag of a segment: its number


@dataclass(frozen=True)
class KeptReview:
    """A review that the scene shows. journal: below the work folder. segment: number of the chosen one."""

    node: vtkMRMLSegmentationNode
    journal: PurePosixPath
    segment: int

    @property
    def name(self) -> str:
        """The review's name: the scan and the moment it began."""
        return self.journal.stem

    def journal_here(self, work_folder: Path) -> Path | None:
        """The journal on this computer; None where it is not."""
        place = work_folder / self.journal.parent.name / self.journal.name
        return place if place.is_file() else None


def place_of(journal: Path) -> str:
    """Where a journal lies below the work folder: "journals/<scan>-<moment>.jsonl"."""
    return f"{journal.parent.name}/{journal.name}"


def keep(node: vtkMRMLSegmentationNode, journal: Path, segment: int) -> None:
    """Note on the node which review it shows."""
    for attribute, value in ((JOURNAL, place_of(journal)), (CHOSEN, str(segment))):
        if node.GetAttribute(attribute) != value:
            node.SetAttribute(attribute, value)


def kept_review(scene: vtkMRMLScene, volume: vtkMRMLVolumeNode | None) -> KeptReview | None:
    """The review of this volume that the scene shows, None where there is none."""
    for kept in kept_reviews(scene):
        role = kept.node.GetReferenceImageGeometryReferenceRole()
        if volume is not None and kept.node.GetNodeReference(role) is volume:
            return kept
    return None


def kept_reviews(scene: vtkMRMLScene) -> Iterator[KeptReview]:
    """Every review that the scene shows, whichever scan it is of."""
    for number in range(scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")):
        node = scene.GetNthNodeByClass(number, "vtkMRMLSegmentationNode")
        journal = node.GetAttribute(JOURNAL)
        if journal:
            yield KeptReview(node, PurePosixPath(journal), int(node.GetAttribute(CHOSEN) or 0))


def disown(node: vtkMRMLSegmentationNode) -> None:
    """Leave the node as it is, for good: its review cannot go on here, and none shall be drawn over it."""
    for attribute in (JOURNAL, CHOSEN):
        node.RemoveAttribute(attribute)
    node.SetName(f"{node.GetName()} (saved)")
    if node.GetDisplayNode() is not None:
        node.GetDisplayNode().SetVisibility(True)


def number_segment(segment: vtkSegment, number: int) -> None:
    """Note which segment of the review this is."""
    segment.SetTag(CHOSEN, str(number))


def numbered_segments(node: vtkMRMLSegmentationNode) -> dict[int, str]:
    """Number in the review -> id in the node, of the segments that came from a review."""
    segmentation, found = node.GetSegmentation(), {}
    for index in range(segmentation.GetNumberOfSegments()):
        text = vtk.reference("")
        if segmentation.GetNthSegment(index).GetTag(CHOSEN, text):
            found[int(str(text))] = segmentation.GetNthSegmentID(index)
    return found
