"""What lies on the desk: the scan, its review, and the `State` that follows; tells everyone who looks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import messages
from .describing import describe
from .signal import Signal
from .state import State

if TYPE_CHECKING:
    from ..image import SeriesChoice
    from ..models import ModelPackage
    from .asking import Question
    from .case import Case
    from .journals import EarlierReview
    from .reviewing import Change, Look, Review


class Desk:
    """Changed only in the thread of the user interface (with `run_now`, by one thread at a time).

    `activity()` -> (line about what is running or "", corrections in the queue).
    """

    def __init__(self, activity: Callable[[], tuple[str, int]]) -> None:
        self.changed, self.contour_changed = Signal(), Signal()
        self.image_changed, self.assessment_changed = Signal(), Signal()
        self.case: Case | None = None
        self.review: Review | None = None
        self.look: Look | None = None
        self.earlier: tuple[EarlierReview, ...] = ()
        self.question: Question | None = None
        self.no_seg = ""
        self.gpu = ("", "")  # see `inference.devices.find_gpu`
        self.package: ModelPackage | None = None
        self.choices: tuple[SeriesChoice, ...] = ()
        self.state = State()
        self._activity = activity
        self._lock = threading.RLock()

    def update(self, **changes: Any) -> None:
        """Derive the state anew, with `changes` (message, error, tool, ...), and tell. A new message is as
        loud as `changes` say, by default not at all.
        """
        if "message" in changes:
            changes.setdefault("loud", False)
        with self._lock:
            running, edits = self._activity()
            self.state = describe(self.state, running, edits, self, changes)
            self.changed.emit(self.state)

    def show_case(self, case: Case, earlier: tuple[EarlierReview, ...]) -> None:
        """A new scan puts the review before aside; a channel or a header more of the same scan leaves it."""
        same_scan = self.case is not None and case.image.voxels is self.case.image.voxels
        self.case = case
        if not same_scan:
            self._put_aside()
            self.earlier = earlier
        self.update(message=messages.opened(case, earlier), error="")
        if not same_scan:
            self.image_changed.emit(case.image)
            self.assessment_changed.emit(None)
            self.contour_changed.emit(None, None)

    def show_review(self, review: Review, earlier: tuple[EarlierReview, ...]) -> None:
        """The review before, if there was anything in it, is among the `earlier` and can be opened again."""
        self._put_aside()
        self.review, self.look = review, review.look()
        self.earlier = tuple(one for one in earlier if one.path != review.session.journal_path)
        self.update(message=messages.begun(review.proposal, self.look.volume_ml), error="")
        self.assessment_changed.emit(review.proposal.assessment)
        self.contour_changed.emit(self.look.mask, None)

    def show_change(self, review: Review, change: Change) -> None:
        if review is not self.review:
            return
        self.look = change.look
        if change.entropy is not None:
            review.uncertainty.put(change.region, change.entropy)
        self.update(message=change.message, loud=change.loud, error="")
        if change.entropy is not None:
            self.contour_changed.emit(change.look.mask, change.region)

    def _put_aside(self) -> None:
        if self.review is not None:
            self.review.session.close()
        self.review = self.look = self.question = None
