"""The steps of the panel, top to bottom, each in a file of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from .channels_view import ChannelsView
from .compare_view import CompareView
from .correct_view import CorrectView
from .finish_view import FinishView
from .scan_view import ScanView
from .segments_view import SegmentsView
from .trust_view import TrustView

if TYPE_CHECKING:
    from TumorSegRobustLib.workflow import State

Slot = Callable[..., None]


@dataclass(frozen=True)
class Steps:
    """Each draws itself from the state; its widgets give the workflow's commands."""

    scan: ScanView
    channels: ChannelsView
    trust: TrustView
    correct: CorrectView
    segments: SegmentsView
    compare: CompareView
    finish: FinishView

    @classmethod
    def of(cls, ui: Any, panel: Any, logic: Callable[[], Any], guarded: Callable[[Slot], Slot]) -> Steps:
        """ui: widgets of `panel` by name. logic: holds `workflow` and `binding`. guarded: makes a slot."""
        return cls(
            ScanView(ui, logic, guarded),
            ChannelsView(ui, logic, guarded),
            TrustView(ui, logic, guarded),
            CorrectView(ui, panel, logic, guarded),
            SegmentsView(ui, lambda: logic().workflow, guarded),
            CompareView(ui, logic, guarded),
            FinishView(ui, lambda: logic().workflow, guarded),
        )

    def draw(self, state: State) -> None:
        for step in self:
            step.draw(state)

    def __iter__(self) -> Iterator[Any]:
        return (getattr(self, field.name) for field in fields(self))
