"""What the models said before the first click, frozen into a small file beside the journal.

The journal names the file and its hash, so that the chain covers it; it is on the disk before the event
that names it.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.review.belief import BACKGROUND, Levels
from TumorSegRobustLib.review.click import box_shape
from TumorSegRobustLib.review.difference import bounding_box
from TumorSegRobustLib.review.journal import flush_folder

_FAST = 1  # zlib level: a head takes .05 s and some 50 kB


@dataclass(frozen=True)
class PriorFile:
    """Where a prior lies: `name` beside the journal, `sha256` of the file, `start`/`stop` of the box that
    it holds.

    Outside the box every voxel is background at the limit.
    """

    name: str
    sha256: str
    start: tuple[int, ...]
    stop: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        return {"file": self.name, "sha256": self.sha256, "start": list(self.start), "stop": list(self.stop)}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> PriorFile:
        return cls(stored["file"], stored["sha256"], tuple(stored["start"]), tuple(stored["stop"]))


def prior_path(journal: Path) -> Path:
    """The file that belongs to a journal: `journal.jsonl` -> `journal.prior`."""
    return journal.with_suffix(".prior")


def save_prior(levels: Levels, path: Path) -> PriorFile:
    """Write levels (k, j, i) completely or not at all, flushed to the disk."""
    box = bounding_box(levels != BACKGROUND) or (slice(0, 1), slice(0, 1), slice(0, 1))
    content = zlib.compress(np.ascontiguousarray(levels[box]).tobytes(), _FAST)
    draft = path.with_name(path.name + ".part")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        flush_folder(path.parent)
    except OSError as reason:
        draft.unlink(missing_ok=True)
        raise UnusableInput(
            f"Cannot write {path} ({reason.strerror}); the review was not started: "
            "make room or choose another folder."
        ) from reason
    digest = hashlib.sha256(content).hexdigest()
    return PriorFile(path.name, digest, tuple(s.start for s in box), tuple(s.stop for s in box))


def check_prior(stored: PriorFile, folder: Path) -> bytes:
    """The file's bytes; UnusableInput where it is absent or not the one that the journal names."""
    path = folder / stored.name
    if Path(stored.name).name != stored.name:
        raise UnusableInput(
            f"The journal names a prediction outside its own folder ({stored.name}); do not trust it."
        )
    try:
        content = path.read_bytes()
    except OSError as reason:
        raise UnusableInput(
            f"The prediction {path} that the journal starts from is missing ({reason.strerror}); "
            "put it back beside the journal."
        ) from reason
    if hashlib.sha256(content).hexdigest() != stored.sha256:
        raise UnusableInput(
            f"{path} was changed: its hash is not the one in the journal; restore it from a copy."
        )
    return content


def load_prior(stored: PriorFile, folder: Path, shape: tuple[int, ...]) -> Levels:
    """The levels (k, j, i), int8, of an image of `shape`. Errors as `check_prior`."""
    content = check_prior(stored, folder)
    levels = np.full(shape, BACKGROUND, np.int8)
    k, j, i = (slice(a, b) for a, b in zip(stored.start, stored.stop, strict=True))
    try:
        levels[k, j, i] = np.frombuffer(zlib.decompress(content), np.int8).reshape(box_shape((k, j, i)))
    except (ValueError, zlib.error) as reason:
        raise UnusableInput(
            f"{folder / stored.name} cannot be read ({reason}); restore it from a copy."
        ) from reason
    return levels
