"""Going on with the review that a scene shows: after loading it, or when one of its scans is chosen again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from slicer import vtkMRMLScene, vtkMRMLSegmentationNode, vtkMRMLVolumeNode

from TumorSegRobustLib.scene.kept_review import disown, keep, kept_review, kept_reviews

if TYPE_CHECKING:
    from TumorSegRobustLib.workflow import Workflow


class GoingOn:
    """Notes in the scene which review it shows, and takes it up again.

    A segmentation that showed another review than the one that begins is never drawn over.
    """

    def __init__(self, scene: vtkMRMLScene, workflow: Workflow, several_scans: bool) -> None:
        """several_scans: see `SceneBinding`; without it nothing is noted and nothing goes on."""
        self._scene, self._workflow, self._several_scans = scene, workflow, several_scans
        self._chosen_in: tuple[Path, int] | None = None

    def resume(self, volume: vtkMRMLVolumeNode | None) -> bool:
        """Go on with the review of this volume; False where there is none, or where it is not here."""
        kept = kept_review(self._scene, volume)
        if kept is None:
            return False
        journal = kept.journal_here(self._workflow.work_folder)
        if journal is None:
            disown(kept.node)
            self._workflow.refuse(
                f"The review saved with this scene is not on this computer ({kept.journal.name}). Its "
                f"contour stays in the scene as {kept.node.GetName()}: compare with it, or start anew."
            )
            return False
        self._chosen_in = (journal, kept.segment)
        self._workflow.resume(journal)
        return True

    def note(self, node: vtkMRMLSegmentationNode) -> None:
        """The node shows the review under way."""
        session = self._workflow.session
        if self._several_scans and session is not None:
            active = next((s.id for s in self._workflow.state.segments if s.active), 0)
            keep(node, session.journal_path, active)

    def node_before(self, volume: vtkMRMLVolumeNode | None) -> vtkMRMLSegmentationNode | None:
        """The node that showed the review under way before, if there is one."""
        session = self._workflow.session
        if session is None or not self._several_scans:
            return None
        for kept in kept_reviews(self._scene):
            if kept.name == session.journal_path.stem:  # its volume may have been loaded anew
                kept.node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
                return kept.node
        other = kept_review(self._scene, volume)
        if other is not None:
            disown(other.node)
        return None

    def choose_again(self) -> None:
        """The segment that was chosen when the scene was saved is chosen again, once its review goes on."""
        chosen_in, self._chosen_in = self._chosen_in, None
        session, segments = self._workflow.session, self._workflow.state.segments
        if chosen_in is None or session is None or session.journal_path != chosen_in[0]:
            return
        if any(s.id == chosen_in[1] and not s.active for s in segments):
            self._workflow.choose_segment(chosen_in[1])

    def forget(self) -> None:
        """Another scan: nothing is to be chosen again."""
        self._chosen_in = None
