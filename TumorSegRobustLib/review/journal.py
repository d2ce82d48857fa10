"""The append-only file behind a review: an event counts only once its line is on the disk."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.review.chain import GENESIS, Record, seal, unseal
from TumorSegRobustLib.review.lock import lock


class Journal:
    """A hash-chained JSON-lines file, held by one session at a time.

    `append` returns after `fsync`; if the disk refuses, the file is cut back to its last whole line and
    the event did not happen. A torn last line, which a crash can leave, is cut off on opening and reported
    in `notices`.
    """

    def __init__(
        self, path: Path, descriptor: int, records: list[Record], size: int, notices: Sequence[str]
    ) -> None:
        self.path = path
        self.notices = tuple(notices)
        self._descriptor: int | None = descriptor
        self._records = records
        self._size = size

    @classmethod
    def create(cls, path: Path) -> Journal:
        """A journal without events. UnusableInput where one with events exists already."""
        journal = cls._open(path, os.O_RDWR | os.O_CREAT)
        if journal.records:
            journal.close()
            raise UnusableInput(f"{path} already holds a review; resume it, or name another file.")
        flush_folder(path.parent)
        return journal

    @classmethod
    def open(cls, path: Path) -> Journal:
        """An existing journal, checked line by line. UnusableInput where it is absent, locked, empty or
        tampered with.
        """
        journal = cls._open(path, os.O_RDWR)
        if not journal.records:
            journal.close()
            raise UnusableInput(f"{path} holds no event; start a new review instead.")
        return journal

    @classmethod
    def _open(cls, path: Path, flags: int) -> Journal:
        try:
            descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o644)
        except OSError as reason:
            raise UnusableInput(f"Cannot open the journal {path}: {reason.strerror}.") from reason
        try:
            if not lock(descriptor):
                raise UnusableInput(f"{path} is in use by another review session; close that one first.")
            content = _read_all(descriptor)
            records, size = parse(content, path)
            notices = []
            if size < len(content):
                notices.append(
                    f"The last line of {path.name} was incomplete ({len(content) - size} bytes, an event "
                    "that was never acknowledged) and was cut off."
                )
                os.ftruncate(descriptor, size)
                os.fsync(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(path, descriptor, records, size, notices)

    @property
    def records(self) -> tuple[Record, ...]:
        return tuple(self._records)

    @property
    def next_number(self) -> int:
        """The number that the next event will have."""
        return len(self._records)

    @property
    def head(self) -> str:
        """Hash of the last line. Note it elsewhere to be able to tell whether the end was cut off later."""
        return self._records[-1].sha256 if self._records else GENESIS

    def append(self, event: str, data: dict[str, Any]) -> Record:
        """Add one event; when this returns it is on the disk. UnusableInput where it cannot be written."""
        if self._descriptor is None:
            raise UnusableInput(f"The review {self.path} is closed; resume it to go on.")
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        record, line = seal(len(self._records), time, event, data, self.head)
        try:
            os.ftruncate(self._descriptor, self._size)  # drops what an earlier failed write may have left
            os.lseek(self._descriptor, self._size, os.SEEK_SET)
            _write_all(self._descriptor, line)
            os.fsync(self._descriptor)
        except OSError as reason:
            self._cut_back()
            raise UnusableInput(
                f"The journal {self.path} cannot be written ({reason.strerror}); the last step was not done: "
                "make room or choose another folder, then repeat it."
            ) from reason
        self._size += len(line)
        self._records.append(record)
        return record

    def _cut_back(self) -> None:
        assert self._descriptor is not None
        try:
            os.ftruncate(self._descriptor, self._size)
            os.fsync(self._descriptor)
        except OSError:
            # The rest of the line has no newline, so the next append or the next opening cuts it off.
            return

    def close(self) -> None:
        """Give the file and its lock back; may be called twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __del__(self) -> None:
        self.close()


def read_journal(path: Path) -> tuple[Record, ...]:
    """All whole events of a journal, checked, without taking its lock. UnusableInput where it is absent or
    damaged.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as reason:
        raise UnusableInput(f"Cannot read the journal {path}: {reason.strerror}.") from reason
    return tuple(parse(content, Path(path))[0])


def parse(content: bytes, path: Path) -> tuple[list[Record], int]:
    """The events of `content` and the number of bytes they take; what follows the last newline is a torn
    line.
    """
    size = content.rfind(b"\n") + 1
    records: list[Record] = []
    previous = GENESIS
    for number, line in enumerate(content[:size].split(b"\n")[:-1]):
        try:
            record = unseal(line, number, previous)
        except ValueError as reason:
            raise UnusableInput(
                f"The journal {path} is damaged at line {number + 1}: {reason}; restore it from a copy."
            ) from reason
        records.append(record)
        previous = record.sha256
    return records, size


def flush_folder(folder: Path) -> None:
    """Make a new file's name survive a power cut; a no-op where folders cannot be opened (Windows)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_all(descriptor: int) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)
    parts = []
    while part := os.read(descriptor, 1 << 20):
        parts.append(part)
    return b"".join(parts)


def _write_all(descriptor: int, line: bytes) -> None:
    rest = memoryview(line)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
