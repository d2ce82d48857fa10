"""A folder of results that appears complete or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UnusableInput
from .job import Job

_NO_ROOM = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}


@dataclass(frozen=True)
class Places:
    """Where a command writes: `results` becomes `out` at the end, `work` is thrown away."""

    results: Path
    work: Path
    out: Path

    def known_as(self, path: Path) -> Path:
        """Where a file of the results will lie for the user."""
        return self.out.absolute() / path.relative_to(self.results)


@contextmanager
def results_folder(out: Path, job: Job, stale: Collection[str] = ()) -> Iterator[Places]:
    """Hidden places to write to; at the end the results move to `out`, after an error nothing is left.

    Files of the same names in an existing `out` are replaced, those that match a pattern of `stale` are
    removed (they would belong to an earlier run), others stay. Raises `UnusableInput`: before any work is
    done when `out` cannot be a folder of ours, and when the disk fills up.
    """
    created = _create(out)
    staging = _staging(out, created)
    places = Places(staging / "results", staging / "work", out)

    def tidy_up() -> None:
        shutil.rmtree(staging, ignore_errors=True)
        _remove_empty(created)

    job.on_leaving_behind(tidy_up)
    try:
        places.results.mkdir()
        places.work.mkdir()
        yield places
        with job.finishing():
            for old in [path for pattern in stale for path in out.glob(pattern)]:
                old.unlink()
            for path in sorted(places.results.iterdir()):
                _move(path, out / path.name)
    except UnusableInput as error:
        # The hidden places are our affair; the user knows `out`.
        message = str(error).replace(str(places.results), str(out)).replace(str(places.work), str(out))
        raise UnusableInput(message) from error
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise UnusableInput(
                f"{out}: the results could not be written ({os.strerror(error.errno)}). "
                "Free some space, or choose another place with --out."
            ) from error
        raise
    finally:
        tidy_up()


@contextmanager
def results_file(out: Path, job: Job) -> Iterator[Path]:
    """The same for one file: a path to write to, which becomes `out` when all went well."""
    if out.is_dir():
        raise UnusableInput(f"{out}: is a folder. Give the file to write with --out.")
    with results_folder(out.absolute().parent, job) as places:
        yield places.results / out.name


def write_json(document: Mapping[str, Any], path: Path) -> None:
    path.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """A document of ours, just written."""
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def _create(out: Path) -> list[Path]:
    """Make `out` and its parents; returns the folders that were not there before, deepest first."""
    created: list[Path] = []
    try:
        if out.exists() and not out.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        for folder in [folder for folder in reversed((out, *out.parents)) if not folder.exists()]:
            folder.mkdir()
            created.insert(0, folder)
    except OSError as error:
        _remove_empty(created)
        raise _unusable(out, error) from error
    return created


def _staging(out: Path, created: list[Path]) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix=".unfinished-", dir=out))
    except OSError as error:
        _remove_empty(created)
        raise _unusable(out, error) from error


def _unusable(out: Path, error: OSError) -> UnusableInput:
    if isinstance(error, NotADirectoryError | FileExistsError):
        return UnusableInput(f"{out}: is a file, or lies below one. Choose a folder with --out.")
    return UnusableInput(f"{out}: cannot be written to ({error.strerror}). Choose another place with --out.")


def _move(source: Path, target: Path) -> None:
    """Replace a file, or merge a folder file by file."""
    if source.is_dir():
        target.mkdir(exist_ok=True)
        for path in sorted(source.iterdir()):
            _move(path, target / path.name)
    else:
        os.replace(source, target)


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
