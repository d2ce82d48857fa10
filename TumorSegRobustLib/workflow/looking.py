"""Where to look next, and how good the contour may be by now: found again after every correction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .desk import Desk
from .reviewing import Review
from .running import Runner
from .signal import Signal

if TYPE_CHECKING:
    from ..review import Click
    from ..trust import LiveQuality, Place


def line_of(place: Place) -> str:
    """A place in words, the same in every panel: "the tumour may reach further (2.3 ml in doubt)"."""
    return f"{place.reason} ({place.size_ml:.1f} ml in doubt)"


@dataclass(frozen=True)
class _Found:
    review: Review
    places: tuple[Place, ...]
    quality: LiveQuality | None


class Looking:
    """Keeps `State.places` and `State.live_dice` in step with the contour that the networks proposed.

    The worker looks for places after a correction has been shown, once for all corrections that wait, so that
    no click waits for more than one search. `place_changed(Place)`: look here now.
    """

    def __init__(self, desk: Desk, runner: Runner) -> None:
        self.place_changed = Signal()
        self._desk, self._runner = desk, runner
        self._queued = False
        self._seen: list[tuple[float, float, float]] = []
        self._estimate: _Estimate | None = None
        desk.assessment_changed.connect(lambda *_: self._forget())
        desk.contour_changed.connect(lambda *_: self._refresh())

    def show(self, number: int | None = None) -> None:
        """Look at one place, numbered from 1: by default at the next one, and after the last at the first
        again. Nothing happens where there is none of this number.
        """
        places = self._desk.state.places
        if number is None and places:
            number = self._desk.state.place % len(places) + 1
        if number is None or not 1 <= number <= len(places):
            return
        place = places[number - 1]
        self._seen.append(place.position_mm)
        told = f"Place {number} of {len(places)}: {line_of(place)}."
        self._desk.update(place=number, message=told, error="")
        self.place_changed.emit(place)

    def _forget(self) -> None:
        self._seen.clear()
        self._estimate = None
        self._desk.update(places=(), place=0, live_dice=None, live_interval=None)

    def _refresh(self) -> None:
        review = self._desk.review
        if review is None or self._queued:
            return
        self._queued = True

        def work() -> _Found:
            self._queued = False
            return self._found(review)

        self._runner.quietly(work, self._show)

    def _found(self, review: Review) -> _Found:
        clicks = tuple(review.session.clicks)
        places = self._places(review, clicks)
        if self._estimate is None or self._estimate.review is not review:
            self._estimate = _Estimate(review)
        return _Found(review, places, self._estimate.now())

    def _places(self, review: Review, clicks: Sequence[Click]) -> tuple[Place, ...]:
        """Only the part of the scan that is open to doubt is looked at: a large scan would keep the next
        click waiting.
        """
        from ..trust import find_places, lean_of, surroundings

        session, whole = review.session, review.image.geometry
        open_box = session.open_box()
        if open_box is None:
            return ()
        box = surroundings(open_box, whole)
        return find_places(
            session.probability_in(box),
            session.mask[box],
            whole.cut(box),
            seen=[*self._seen, *(click.position_mm for click in clicks)],
            lean=lean_of([click.include for click in clicks]),
        )

    def _show(self, found: _Found) -> None:
        if found.review is not self._desk.review:
            return
        quality = found.quality
        self._desk.update(
            places=found.places,
            place=0,
            live_dice=quality.dice if quality else None,
            live_interval=quality.interval if quality else None,
        )


class _Estimate:
    """The quality along one review."""

    def __init__(self, review: Review) -> None:
        from ..trust import LiveQuality

        self.review = review
        told = review.proposal.result.get("quality") or {}
        dice, interval = told.get("predicted_dice"), told.get("interval")
        self._begin: LiveQuality | None = None
        if dice and interval:  # 0 stands for "no contour", about which nothing is known
            self._begin = LiveQuality(float(dice), (float(interval[0]), float(interval[1])))
        self._proposed = review.session.proposed  # not the mask, which a resumed review begins with

    def now(self) -> LiveQuality | None:
        """Of the contour as it is; None where nothing is known."""
        box = self.review.session.open_box()  # outside it, neither the proposal nor the contour has a voxel
        if self._begin is None or box is None:
            return self._begin
        return self._begin.after(self._proposed[box], self.review.session.mask[box])
