"""One review as the workflow sees it: a session, the proposal it began with, what each correction did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import messages, results
from .overlay import EVERYWHERE, Box, Uncertainty
from .proposal import Proposal

if TYPE_CHECKING:
    from ..image import Image
    from ..review import Click, ReviewSession


@dataclass(frozen=True)
class Look:
    """What the panels need to know of a session, taken by the worker so that no panel reads it meanwhile."""

    mask: NDArray
    clicks: tuple[Click, ...]
    volume_ml: float
    can_undo: bool
    can_redo: bool
    accepted_by: str


@dataclass(frozen=True)
class Change:
    """After one command: the look, and what to tell.

    entropy: the uncertainty inside `region` now, None when the contour was not touched.
    region: nothing outside it changed (None: anything may have).
    """

    look: Look
    message: str
    region: Box | None = None
    entropy: NDArray | None = None


@dataclass(frozen=True)
class _Edit:
    """A step that undo takes back: its region, and for a click what it did (as in refine.json)."""

    region: Box | None
    measured: dict[str, Any] | None = None


_UNMEASURED: dict[str, Any] = {"honoured": None, "changed_ml": None, "seconds": None}


class Review:
    """Runs corrections on a session, in the worker; the user interface reads `proposal` and `uncertainty`."""

    def __init__(self, image: Image, session: ReviewSession, proposal: Proposal) -> None:
        self.image = image
        self.session = session
        self.proposal = proposal
        self.touched = proposal.started_from != "networks"  # whether there is anything beyond the proposal
        initial = session.probability if proposal.probability is not None else None
        self.uncertainty = Uncertainty(proposal.maps, initial)
        self._done: list[_Edit] = []
        self._undone: list[_Edit] = []

    def look(self) -> Look:
        session = self.session
        return Look(
            session.mask,
            tuple(session.clicks),
            results.volume_ml(session.mask, self.image.geometry),
            session.can_undo,
            session.can_redo,
            session.accepted.name if session.accepted else "",
        )

    def click(self, click: Click) -> Change:
        result = self.session.click(click)
        measured = {"honoured": result.honoured, "changed_ml": result.changed_ml, "seconds": result.seconds}
        self._remember(_Edit(result.region, measured))
        look = self.look()
        text = messages.clicked(click.include, result.honoured, result.changed_ml, look.volume_ml)
        return self._change(look, text, result.region)

    def paint(self, mask: NDArray) -> Change:
        region = None if mask.shape != self.session.mask.shape else _differing(self.session.mask, mask)
        self.session.paint(mask)
        if region is None:
            return Change(self.look(), "The painted contour is the same as before.")
        self._remember(_Edit(region))
        look = self.look()
        return self._change(look, f"Painted. Tumour of {look.volume_ml:.1f} ml.", region)

    def undo(self) -> Change:
        return self._step(self.session.undo, self._done, self._undone, "Undone")

    def redo(self) -> Change:
        return self._step(self.session.redo, self._undone, self._done, "Redone")

    def accept(self, name: str, comment: str) -> Change:
        self.session.accept(name, comment)
        self.touched = True
        look = self.look()
        return Change(look, f"Accepted by {name}: tumour of {look.volume_ml:.1f} ml.")

    @property
    def algorithm(self) -> str:
        """How the contour came about, in DICOM's words (ROI Generation Algorithm)."""
        if self.proposal.started_from == "nothing" and not self.session.clicks:
            return "MANUAL"
        return "SEMIAUTOMATIC" if self.touched else "AUTOMATIC"

    @property
    def provenance(self) -> str:
        """Who made the contour and who accepted it: one line for those who receive it."""
        model = self.proposal.result.get("model")
        made = f"Proposed by model {model['id']} {model['version']}" if model else "Made by hand"
        accepted = self.session.accepted
        by = f"accepted by {accepted.name}, {accepted.time}" if accepted else "not accepted by anyone yet"
        return f"{made}, {len(self.session.clicks)} clicks, {by}."

    def document(self) -> dict[str, Any]:
        """refine.json: the clicks in force, oldest first, what each did (null for those before a resume)."""
        clicks = self.session.clicks
        measured = [edit.measured for edit in self._done if edit.measured is not None]
        padded = [_UNMEASURED] * (len(clicks) - len(measured)) + measured
        told = [
            {"position_lps_mm": click.position_mm, "include": click.include, **what}
            for click, what in zip(clicks, padded, strict=True)
        ]
        return results.of_review(told, self.session, self.image.geometry, self.proposal.started_from)

    def _step(self, act: Callable[[], bool], source: list[_Edit], target: list[_Edit], word: str) -> Change:
        if not act():
            return Change(self.look(), f"There is nothing more to be {word.lower()}.")
        edit = source.pop() if source else _Edit(None)
        target.append(edit)
        self.touched = True
        look = self.look()
        return self._change(look, f"{word}. Tumour of {look.volume_ml:.1f} ml.", edit.region)

    def _remember(self, edit: _Edit) -> None:
        self._done.append(edit)
        self._undone.clear()
        self.touched = True

    def _change(self, look: Look, message: str, region: Box | None) -> Change:
        box = EVERYWHERE if region is None else region
        entropy = self.uncertainty.entropy_at(box, self.session.probability_in(box))
        return Change(look, message, region, entropy)


def _differing(before: NDArray, after: NDArray) -> Box | None:
    differs = before != after
    if not differs.any():
        return None
    spans = (np.flatnonzero(differs.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))
    k, j, i = (slice(int(hit[0]), int(hit[-1]) + 1) for hit in spans)
    return k, j, i
