"""Where the journals of reviews lie, and which of them can be opened again."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UnusableInput
from ..resources import user_folder

if TYPE_CHECKING:
    from ..review.chain import Record

_LOG = logging.getLogger(__name__)
# event -> how many corrections it adds to those in force; all others of `STEPS` add one
_OTHERWISE = {"redo": 1, "undo": -1, "accept": 0}


def default_work_folder() -> Path:
    """Where a user's application data lie."""
    return user_folder()


def new_journal(work_folder: Path, digest: str) -> Path:
    """A path that names the scan and the moment (UTC) and does not exist yet; its folder does."""
    folder = work_folder / "journals"
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{digest}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    path, count = folder / f"{stem}.jsonl", 1
    while path.exists():
        path, count = folder / f"{stem}-{count}.jsonl", count + 1
    return path


@dataclass(frozen=True)
class EarlierReview:
    """A review that `Workflow.resume` can open again: corrected and never accepted since, or accepted.

    started, last: times of its first and its last event. accepted: when, None where nobody did; by whom.
    """

    path: Path
    started: datetime
    last: datetime
    edits: int
    accepted: datetime | None = None
    accepted_by: str = ""

    def __str__(self) -> str:
        if self.accepted is not None:
            return f"accepted {_clock(self.accepted)} by {self.accepted_by}"
        corrections = "1 correction" if self.edits == 1 else f"{self.edits} corrections"
        return f"{self.started.astimezone():%d %b %Y %H:%M}, {corrections}"

    @property
    def offer(self) -> str:
        """What a button says that opens it."""
        again = "Open the review again"
        return "Continue the unfinished review" if self.accepted is None else again


def earlier_reviews(work_folder: Path, digest: str) -> tuple[EarlierReview, ...]:
    """Reviews of the scan `digest` in which somebody has done something, the last one first.

    A journal that cannot be read is left out: `tumorsegrobust journal verify` says what is wrong with it.
    """
    from ..review.journal import read_journal

    found = []
    for path in (work_folder / "journals").glob(f"{digest}-*.jsonl"):
        try:
            review = _review_of(path, read_journal(path))
        except UnusableInput as error:
            _LOG.warning("%s", error)
            continue
        if review is not None:
            found.append(review)
    return tuple(sorted(found, key=lambda review: review.last, reverse=True))


def _review_of(path: Path, records: Sequence[Record]) -> EarlierReview | None:
    """None where nothing was done that could be lost."""
    from ..review.step_events import STEPS

    counts = dict.fromkeys(STEPS, 1) | _OTHERWISE
    steps = [record for record in records if record.event in counts]
    edits = sum(counts[record.event] for record in steps)
    accepted = steps[-1] if steps and steps[-1].event == "accept" else None
    if edits <= 0 and accepted is None:
        return None
    started, last = (datetime.fromisoformat(record.time) for record in (records[0], steps[-1]))
    if accepted is None:
        return EarlierReview(path, started, last, edits)
    return EarlierReview(path, started, last, edits, last, str(accepted.data.get("name", "")))


def _clock(moment: datetime) -> str:
    """The time of day; of another day than today, the day too."""
    here = moment.astimezone()
    return f"{here:%H:%M}" if here.date() == datetime.now().astimezone().date() else f"{here:%d %b %Y %H:%M}"
