"""What the module's parameter node keeps, so that a saved scene opens where it was left."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from TumorSegRobustLib.workflow import State

SCAN, PACKAGE, JOURNAL, REVIEW, SEGMENT = "Scan", "Package", "Journal", "Review", "Segment"


class SceneMemory:
    """Scan, model package, journal, review and chosen segment on the parameter node.

    Each scan's own review stands on its segmentation node (`scene.kept_review`), so that several scans keep
    theirs; the parameter node says which of them was open.
    """

    def __init__(self, parameters: Any, logic: Any, later: Callable[[Callable[[], None]], None]) -> None:
        """later: runs a call when the workflow has finished telling what it is about to tell."""
        self.parameters = parameters
        self._offered = ""
        self._logic = logic
        self._later = later

    def note(self, state: State) -> None:
        """Bring the parameter node up to date."""
        from TumorSegRobustLib.scene import place_of

        session = self._logic.workflow.session
        active = next((str(s.id) for s in state.segments if s.active), "")
        journal = place_of(session.journal_path) if session is not None else ""
        name = session.journal_path.stem if session is not None else ""
        for key, value in ((JOURNAL, journal), (REVIEW, name), (SEGMENT, active), (PACKAGE, state.package)):
            if self.parameters.GetParameter(key) != value and (value or key != PACKAGE):
                self.parameters.SetParameter(key, value)

    def scan_opened(self) -> None:
        """Note the scan, and go on with the review of it that the scene shows, if there is one."""
        volume = self._logic.binding.volume
        self.parameters.SetNodeReferenceID(SCAN, volume.GetID() if volume is not None else None)
        self._later(self._resume)

    def scan(self) -> Any:
        """The scan that was open when the scene was saved, None where there was none."""
        return self.parameters.GetNodeReference(SCAN)

    def package(self) -> str:
        """The model package that was chosen, "" where none was."""
        return str(self.parameters.GetParameter(PACKAGE) or "")

    def package_to_offer(self, known: Iterable[str]) -> str:
        """The same where it is among the `known` ones, once: who refuses its licence is not asked again."""
        stored, before = self.package(), self._offered
        if stored not in known or stored == before:
            return ""
        self._offered = stored
        return stored

    def _resume(self) -> None:
        if self._logic.workflow is not None and self._logic.workflow.state.phase == "ready":
            self._logic.binding.resume_kept()
