"""Where the journals of reviews lie, and which of them were never finished."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..errors import UnusableInput

APPLICATION = "TumorSegRobust"
_LOG = logging.getLogger(__name__)
# event -> how many corrections it adds to those in force; all others of `STEPS` add one
_OTHERWISE = {"redo": 1, "undo": -1, "accept": 0}


def default_work_folder() -> Path:
    """The platform's place for a user's application data; never the place of the scans or of the program."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / APPLICATION
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / APPLICATION
    return Path(os.environ.get("XDG_DATA_HOME", home / ".local" / "share")) / APPLICATION


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
class Unfinished:
    """A review that was corrected but never accepted: what `Workflow.resume` can continue."""

    path: Path
    started: datetime
    edits: int

    def __str__(self) -> str:
        corrections = "1 correction" if self.edits == 1 else f"{self.edits} corrections"
        return f"{self.started.astimezone():%d %b %Y %H:%M}, {corrections}"


def unfinished_reviews(work_folder: Path, digest: str) -> tuple[Unfinished, ...]:
    """Reviews of the scan `digest` that were corrected and not accepted since, the newest first.

    A journal that cannot be read is left out: `tumorsegrobust journal verify` says what is wrong with it.
    """
    from ..review.journal import read_journal
    from ..review.step_events import STEPS

    counts = dict.fromkeys(STEPS, 1) | _OTHERWISE
    found = []
    for path in (work_folder / "journals").glob(f"{digest}-*.jsonl"):
        try:
            records = read_journal(path)
        except UnusableInput as error:
            _LOG.warning("%s", error)
            continue
        steps = [record.event for record in records if record.event in counts]
        edits = sum(counts[event] for event in steps)
        if edits > 0 and steps[-1] != "accept":
            found.append(Unfinished(path, datetime.fromisoformat(records[0].time), edits))
    return tuple(sorted(found, key=lambda review: review.started, reverse=True))
