"""What Slicer's Segment Editor, or another host, does to a review's nodes, as commands to the workflow."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from TumorSegRobustLib.scene.segment_nodes import SegmentNodes
    from TumorSegRobustLib.workflow import Workflow


class HostEdits:
    """Each edit becomes a step of the review; where it may not, it is told and the node becomes as it was."""

    def __init__(
        self, workflow: Workflow, nodes: Callable[[], SegmentNodes | None], follow: Callable[[], None]
    ) -> None:
        """nodes: those under way. follow: shows the segments as the workflow has them."""
        self._workflow, self._nodes, self._follow = workflow, nodes, follow
        self._asked = False

    @property
    def ahead(self) -> bool:
        """Whether the node holds painting whose turn has not come: what the workflow shows by now is older,
        and would wipe it off the node before the next stroke is read there.
        """
        return self._asked and self._workflow.state.pending > 0

    def caught_up(self) -> bool:
        """Whether the node was ahead until now; asked once."""
        if not self._asked or self._workflow.state.pending > 0:
            return False
        self._asked = False
        return True

    def painted(self) -> None:
        """Some masks of the node may differ from those of the review."""
        workflow, nodes = self._workflow, self._nodes()
        if nodes is None or workflow.image is None:
            return
        painted = nodes.painted(workflow.masks, workflow.image.geometry)
        refused = workflow.state.why_not.get("paint")
        try:
            if refused is not None and painted:
                workflow.refuse(refused)
                painted.clear()
            for segment, mask in painted.items():
                self._asked = True
                workflow.paint(mask, segment)
        finally:
            if not painted:
                self._follow()

    def renamed(self, segment: int, name: str) -> None:
        self._command(lambda: self._workflow.rename_segment(segment, name))

    def added(self, name: str) -> None:
        self._command(lambda: self._workflow.add_segment(name))

    def removed(self, segment: int) -> None:
        """The first one comes back, since the review cannot be without it."""
        first = next((s for s in self._workflow.state.segments), None)
        if first is not None and segment == first.id:
            try:
                self._workflow.refuse(f"{first.name} stays: the review began with it. Erase it instead.")
            finally:
                self._follow()
        else:
            self._command(lambda: self._workflow.remove_segment(segment))

    def _command(self, give: Callable[[], None]) -> None:
        refused = "paint" in self._workflow.state.why_not
        try:
            give()
        finally:
            if refused:
                self._follow()
