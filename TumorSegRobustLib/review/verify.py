"""Has anybody touched the journal?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.review.chain import GENESIS, unseal
from TumorSegRobustLib.review.events import read_opening
from TumorSegRobustLib.review.prior import check_prior


@dataclass(frozen=True)
class JournalReport:
    """`events`: how many lines are sound. `first_bad_line`: counted from 1, None where all are. `head`:
    last sound hash.
    """

    ok: bool
    events: int
    first_bad_line: int | None
    message: str
    head: str = GENESIS


def verify_journal(path: Path, head: str | None = None) -> JournalReport:
    """Check every line of a journal, and the prediction beside it, against the hash chain.

    Finds any changed byte, and lines removed, added, doubled or reordered. A chain cannot tell that whole
    lines are missing at the very end, unless `head`, the last hash as noted elsewhere (`refine.json`), is
    given; nor that somebody who knows the format wrote the whole file anew. UnusableInput where the file
    cannot be read.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as reason:
        raise UnusableInput(f"Cannot read the journal {path}: {reason.strerror}.") from reason
    *lines, torn = content.split(b"\n")
    previous, first = GENESIS, None
    for number, line in enumerate(lines):
        try:
            record = unseal(line, number, previous)
        except ValueError as reason:
            return JournalReport(False, number, number + 1, f"Line {number + 1}: {reason}.", previous)
        first = first or record
        previous = record.sha256
    count = len(lines)
    if torn:
        message = (
            f"Line {count + 1} is incomplete: a crash or somebody cut it short ({len(torn)} bytes are left)."
        )
        return JournalReport(False, count, count + 1, message, previous)
    if first is None:
        return JournalReport(False, 0, 1, "The file holds no event.", previous)
    try:
        opening = read_opening(first)
        if opening.prior is not None:
            check_prior(opening.prior, path.parent)
    except UnusableInput as reason:
        return JournalReport(False, count, 1, str(reason), previous)
    if head is not None and head != previous:
        message = f"The last hash is {previous[:12]}..., not {head[:12]}... as noted: the end is missing."
        return JournalReport(False, count, count + 1, message, previous)
    return JournalReport(
        True, count, None, f"{count} events, every line sound, last hash {previous}.", previous
    )
