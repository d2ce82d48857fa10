"""Files that appear complete or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from TumorSegRobustLib.errors import UnusableInput


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`, with the same ending; when the block ends it takes its place.

    When the block fails, nothing is left behind and an earlier file at `path` stays as it was. An OSError
    (full disk, missing folder, no permission) becomes UnusableInput with its reason.
    """
    path = Path(path)
    # Same folder, so that the rename cannot cross file systems; the ending last, since writers look at it.
    ending = "".join(path.suffixes[-2:])
    temporary = path.with_name(f".{os.getpid()}-{secrets.token_hex(6)}{ending}")
    try:
        yield temporary
        _flush_to_disk(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise UnusableInput(f"{path} cannot be written: {_reason(error, path)}") from error
    finally:
        with suppress(OSError):  # renamed, never made, or its folder is none
            temporary.unlink()


def _flush_to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _reason(error: OSError, path: Path) -> str:
    if path.is_dir():
        return "it is a folder; give a file name"
    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist; create it first"
    return f"{error.strerror or error}; free space there or choose another folder"
