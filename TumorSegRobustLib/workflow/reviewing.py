"""One review as the workflow sees it: a session, the proposal it began with, what each correction did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnusableInput
from . import messages, results, segment_files
from .overlay import EVERYWHERE, Box, Uncertainty
from .proposal import Proposal
from .state import SegmentState

if TYPE_CHECKING:
    from ..image import Image
    from ..review import Click, ClickResult, ReviewSession

Position = tuple[float, float, float]
# From nothing, over real heads (a throw-away look): 12 of 14 first clicks in the tumour stay below 200 ml
# (the others drew far too much), 23 of 56 stray ones do not.
_MUCH_ML, _MUCH_FROM_NOTHING_ML = 30.0, 200.0
FIRST = 1
"""Id of the segment that the networks propose."""


@dataclass(frozen=True)
class Look:
    """What the panels need to know of a session, taken by the worker so that no panel reads it meanwhile.

    masks: by id of the segment. mask, clicks (by number), volume_ml: of the active segment.
    """

    mask: NDArray
    masks: Mapping[int, NDArray]
    segments: tuple[SegmentState, ...]
    clicks: Mapping[int, Click]
    volume_ml: float
    can_undo: bool
    can_redo: bool
    accepted_by: str


@dataclass(frozen=True)
class Change:
    """After one command: the look, and what to tell.

    entropy: the uncertainty inside `region` now, None when no contour was touched.
    region: nothing outside it changed (None: anything may have).
    loud: whether the message is a warning.
    """

    look: Look
    message: str
    region: Box | None = None
    entropy: NDArray | None = None
    loud: bool = False


_UNMEASURED: dict[str, Any] = {"honoured": None, "changed_ml": None, "seconds": None}
_NOWHERE: Box = (slice(0, 1), slice(0, 1), slice(0, 1))


class Review:
    """Runs corrections on a session, in the worker; the user interface reads `proposal` and `uncertainty`.

    `active`: id of the segment that clicks and painting are about.
    """

    def __init__(self, image: Image, session: ReviewSession, proposal: Proposal) -> None:
        self.image = image
        self.session = session
        self.proposal = proposal
        self.active = FIRST
        self.touched = proposal.started_from != "networks"  # whether there is anything beyond the proposal
        initial = session.probability if proposal.probability is not None else None
        self.uncertainty = Uncertainty(proposal.maps, initial)
        self._regions: list[Box | None] = []  # of the steps that undo takes back, as far as done here
        self._undone: list[Box | None] = []
        self._measured: dict[tuple[int, Position], dict[str, Any]] = {}

    def look(self) -> Look:
        session = self.session
        masks = {segment.id: session.mask_of(segment.id) for segment in session.segments}
        if self.active not in masks:
            self.active = FIRST
        segments = tuple(
            SegmentState(s.id, s.name, s.colour, session.volume_of(s.id), s.locked, s.id == self.active)
            for s in session.segments
        )
        return Look(
            masks[self.active],
            masks,
            segments,
            session.clicks_of(self.active),
            session.volume_of(self.active),
            session.can_undo,
            session.can_redo,
            session.accepted.name if session.accepted else "",
        )

    # Corrections of the active segment

    def click(self, click: Click) -> Change:
        before_ml = self.session.volume_of(self.active)
        result = self.session.click(click, self.active)
        self._remember(result.region)
        self._measure(list(self.session.clicks_of(self.active))[-1], result)
        look = self.look()
        contour = messages.contour_of(look.segments)
        loud = is_much(result.changed_ml, before_ml)
        text = messages.clicked(click.include, result.honoured, result.changed_ml, contour, loud)
        return replace(self._change(look, text, result.region), loud=loud)

    def remove_click(self, number: int) -> Change:
        result = self.session.remove_click(number)
        self._remember(result.region)
        return self._told("The click was deleted.", result.region)

    def move_click(self, number: int, position_mm: Position) -> Change:
        result = self.session.move_click(number, position_mm)
        self._remember(result.region)
        self._measure(number, result)
        return self._told("The click was moved.", result.region)

    def paint(self, mask: NDArray, segment: int | None = None) -> Change:
        """`segment`: its id; without it, the active one."""
        painted = self.active if segment is None else segment
        return self._painted(mask, painted, lambda: self.session.paint(mask, painted))

    def stroke(self, along: Sequence[Position], radius_mm: float, add: bool) -> Change:
        from ..review.brush import stroke

        before, drawn = self.session.mask_of(self.active), stroke(self.image.geometry, along, radius_mm)
        mask, segment = before | drawn if add else before & ~drawn, self.active
        return self._painted(mask, segment, lambda: self.session.stroke(along, radius_mm, add, segment))

    # Segments

    def add_segment(self, name: str) -> Change:
        """The new segment becomes the active one."""
        self.active = self.session.add_segment(name)
        self._remember(_NOWHERE)
        return Change(self.look(), f"{name.strip()} was added: choose Include and click in it.")

    def choose_segment(self, segment: int) -> Change:
        self.session.mask_of(segment)  # complains where there is none
        self.active = segment
        look = self.look()
        return Change(look, f"Clicks and painting are about {messages.contour_of(look.segments)}")

    def rename_segment(self, segment: int, name: str) -> Change:
        def act() -> None:
            self.session.rename_segment(segment, name)

        return self._about_segments(act, "The segment was renamed.")

    def lock_segment(self, segment: int, locked: bool) -> Change:
        def act() -> None:
            self.session.lock_segment(segment, locked)

        state = "locked: no other segment takes from it" if locked else "unlocked: others may take from it"
        return self._about_segments(act, f"The segment is {state}.")

    def remove_segment(self, segment: int) -> Change:
        region = _box_of(self.session.mask_of(segment)) or _NOWHERE
        self.session.remove_segment(segment)
        self._remember(region)
        return self._told("The segment was removed; Undo brings it back.", region)

    # Back and forth, and the end

    def undo(self) -> Change:
        return self._step(self.session.undo, self._regions, self._undone, "Undone")

    def redo(self) -> Change:
        return self._step(self.session.redo, self._undone, self._regions, "Redone")

    def accept(self, name: str, comment: str, no_tumour: bool = False) -> Change:
        """UnusableInput where `no_tumour` is stated of a contour, or not stated of an empty one. It stands in
        the comment, for whoever reads the acceptance without the masks.
        """
        volume = sum(self.session.volume_of(segment.id) for segment in self.session.segments)
        if name and no_tumour != (volume <= 0):
            raise UnusableInput(messages.not_acceptable(no_tumour))
        self.session.accept(name, ". ".join(part for part in ("No tumour" * no_tumour, comment) if part))
        self.touched = True
        look = self.look()
        what = "tumour" if len(look.segments) == 1 else f"{len(look.segments)} segments"
        told = "no tumour" if no_tumour else f"{what} of {volume:.1f} ml"
        return Change(look, f"Accepted by {name}: {told}.")

    @property
    def algorithm(self) -> str:
        """How the first contour came about, in DICOM's words (ROI Generation Algorithm)."""
        if self.proposal.started_from == "nothing" and not self.session.clicks:
            return "MANUAL"
        return "SEMIAUTOMATIC" if self.touched else "AUTOMATIC"

    def algorithm_of(self, segment: int) -> str:
        """As `algorithm`: the networks propose the first segment only."""
        if segment == FIRST:
            return self.algorithm
        return "SEMIAUTOMATIC" if self.session.clicks_of(segment) else "MANUAL"

    @property
    def model(self) -> str:
        """Id and version of the model package that proposed the contour, "" where none did."""
        model = self.proposal.result.get("model")
        return f"{model['id']} {model['version']}" if model else ""

    @property
    def provenance(self) -> str:
        """Who made the contour and who accepted it: one line for those who receive it."""
        made = f"Proposed by model {self.model}" if self.model else "Made by hand"
        accepted = self.session.accepted
        by = f"accepted by {accepted.name}, {accepted.time}" if accepted else "not accepted by anyone yet"
        return f"{made}, {len(self.session.clicks)} clicks, {by}."

    def entropy(self, box: Box = EVERYWHERE) -> NDArray:
        """The uncertainty (k, j, i) inside `box` as the session is now; `uncertainty` shows it once the user
        interface has taken the change in.
        """
        return self.uncertainty.entropy_at(box, self.session.probability_in(box))

    def document(self) -> dict[str, Any]:
        """refine.json: the clicks in force, oldest first, what each did (null for those before a resume)."""
        session = self.session
        several = len(session.segments) > 1
        owner = {n: segment.name for segment in session.segments for n in session.clicks_of(segment.id)}
        told = [
            {
                "position_lps_mm": click.position_mm,
                "include": click.include,
                **({"segment": owner[number]} if several else {}),
                **self._measured.get((number, click.position_mm), _UNMEASURED),
            }
            for number, click in session.clicks_of().items()
        ]
        segments = segment_files.told(segment_files.saved_segments(session), self.image.geometry)
        return results.of_review(
            told, session, self.image.geometry, self.proposal.started_from, segments
        )

    def _painted(self, mask: NDArray, segment: int, act: Callable[[], None]) -> Change:
        """`region` is where the host drew, whether or not it was taken: the host shows what it drew."""
        before = self.session.mask_of(segment)
        asked = before != mask if mask.shape == before.shape else np.zeros(before.shape, bool)
        act()
        changed = np.count_nonzero(self.session.mask_of(segment) != before)
        region = _box_of(asked)
        if changed:
            self._remember(region)
        look, voxel_ml = self.look(), self.image.geometry.voxel_ml
        contour = messages.contour_of(look.segments)
        text = messages.painted(np.count_nonzero(asked) * voxel_ml, changed * voxel_ml, contour)
        return Change(look, text) if region is None else self._change(look, text, region)

    def _about_segments(self, act: Callable[[], None], text: str) -> Change:
        """A step that moves no voxel; nothing to remember where it changed nothing."""
        before = self.session.segments
        act()
        if self.session.segments != before:
            self._remember(_NOWHERE)
        return Change(self.look(), text)

    def _step(
        self, act: Callable[[], bool], source: list[Box | None], target: list[Box | None], word: str
    ) -> Change:
        if not act():
            return Change(self.look(), f"There is nothing more to be {word.lower()}.")
        region = source.pop() if source else None
        target.append(region)
        self.touched = True
        return self._told(f"{word}.", region)

    def _remember(self, region: Box | None) -> None:
        self._regions.append(region)
        self._undone.clear()
        self.touched = True

    def _measure(self, number: int, result: ClickResult) -> None:
        place = self.session.clicks_of()[number].position_mm
        told = {"honoured": result.honoured, "changed_ml": result.changed_ml, "seconds": result.seconds}
        self._measured[number, place] = told

    def _told(self, what: str, region: Box | None) -> Change:
        look = self.look()
        return self._change(look, f"{what} {messages.contour_of(look.segments)}", region)

    def _change(self, look: Look, message: str, region: Box | None) -> Change:
        return Change(look, message, region, self.entropy(EVERYWHERE if region is None else region))


def is_much(changed_ml: float, before_ml: float) -> bool:
    """Whether one click did so much that it may have run away, to a contour of `before_ml`."""
    return changed_ml > max(before_ml, _MUCH_ML if before_ml > 0 else _MUCH_FROM_NOTHING_ML)


def _box_of(voxels: NDArray) -> Box | None:
    if not voxels.any():
        return None
    spans = (np.flatnonzero(voxels.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))
    k, j, i = (slice(int(hit[0]), int(hit[-1]) + 1) for hit in spans)
    return k, j, i
