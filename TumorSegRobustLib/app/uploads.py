"""Files that were dropped on the page: checked, and kept in a private folder until the panel ends."""

from __future__ import annotations

import asyncio
import errno
import re
import secrets
import shutil
import tempfile
import unicodedata
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from TumorSegRobustLib.errors import UnusableInput

LIMIT_BYTES, MOST_FILES = 4_000_000_000, 20_000
_SPARE_BYTES = 500_000_000  # stays free on the disk, for journals and results
_VOLUMES = (".nii", ".nii.gz", ".nrrd", ".mha")
_HALVES = (".nhdr", ".mhd")  # name another file that holds the voxels: any file of this computer
_MARK_AT, _DICOM_MARK = 128, b"DICM"  # PS3.10, 7.1
_DEEPEST, _LONGEST = 8, 80
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)  # by Windows
_HEADER_BYTES = 1 << 16
_WANTED = "drop a NIfTI, NRRD or MHA file, or DICOM files or folders"


class Refused(UnusableInput):
    """An upload that ends here. status: of the answer to the browser."""

    def __init__(self, line: str, status: int = 400) -> None:
        super().__init__(line)
        self.status = status


@dataclass
class Batch:
    """What was dropped at once. names, sizes: as announced. kept: volumes and DICOM files that are whole."""

    id: str
    folder: Path
    names: tuple[Path, ...]
    sizes: tuple[int, ...]
    received: int = 0
    seen: set[int] = field(default_factory=set)
    volumes: list[Path] = field(default_factory=list)
    dicom: list[Path] = field(default_factory=list)
    cancelled: bool = False

    @property
    def total(self) -> int:
        return sum(self.sizes)

    @property
    def share(self) -> float:
        """0..1 of the bytes."""
        return self.received / self.total if self.total else 1.0


class Uploads:
    """begin -> receive every file -> finish. The folder is for this user alone; `close` removes it."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._folder: Path | None = None
        self._batches: dict[str, Batch] = {}

    def begin(self, files: Sequence[Mapping[str, Any]]) -> Batch:
        """files: {name: path as dropped, size: bytes}. Refused: too large, too many, or none."""
        names = _distinct([safe_path(str(one.get("name", ""))) for one in files])
        sizes = tuple(max(0, int(one.get("size", 0))) for one in files)
        if not names:
            raise Refused(f"Nothing was dropped that can be read: {_WANTED}.")
        if len(names) > MOST_FILES:
            raise Refused(f"{len(names)} files are too many (at most {MOST_FILES}): drop one series.", 413)
        total = sum(sizes)
        if total > self._limit:
            raise Refused(
                f"What was dropped is too large ({_gb(total)}; at most {_gb(self._limit)}): "
                "choose it with the folder button, which copies nothing.",
                413,
            )
        folder = self._private()
        free = shutil.disk_usage(folder).free
        if total + _SPARE_BYTES > free:
            raise Refused(_full(free), 507)
        key = secrets.token_urlsafe(12)
        batch = Batch(key, folder / key / "dropped", names, sizes)
        self._batches[key] = batch
        return batch

    def find(self, key: str) -> Batch:
        """The batch that is being received; Refused where there is none (any more)."""
        batch = self._batches.get(key)
        if batch is None or batch.cancelled:
            raise Refused("This upload was cancelled or is over: drop the files again.", 410)
        return batch

    async def receive(self, key: str, number: int, chunks: AsyncIterator[bytes]) -> Batch:
        """Write one file of a batch; of a file that is not whole, nothing stays."""
        batch = self.find(key)
        if not 0 <= number < len(batch.names) or number in batch.seen:
            raise Refused("This file was not announced: drop the files again.")
        batch.seen.add(number)
        path = batch.folder / batch.names[number]
        try:
            kind = await self._write(batch, number, path, chunks)
            if kind == "volume":
                await asyncio.to_thread(_refuse_halves, path)
                batch.volumes.append(path)
            elif kind == "dicom":
                batch.dicom.append(path)
            return batch
        except BaseException as error:
            path.unlink(missing_ok=True)
            self.drop(key)
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise Refused(_full(shutil.disk_usage(batch.folder.parents[1]).free), 507) from error
            if isinstance(error, OSError) and not isinstance(error, ConnectionError):
                raise Refused(f"{path.name} cannot be kept ({error.strerror}): try again.", 507) from error
            raise

    def finish(self, key: str) -> tuple[Path, ...]:
        """What can be opened: every volume, and the folder of the DICOM files. Refused where nothing can."""
        batch = self.find(key)
        del self._batches[key]
        found = sorted(batch.volumes)
        if batch.dicom:
            found.append(_common_folder(batch.dicom))
        if not found:
            self._remove(batch)
            raise Refused(f"Nothing was dropped that can be read: {_WANTED}.")
        return tuple(found)

    def drop(self, key: str) -> None:
        """Forget a batch and remove its files."""
        batch = self._batches.pop(key, None)
        if batch is not None:
            batch.cancelled = True
            self._remove(batch)

    def close(self) -> None:
        """Remove everything that was dropped in this session."""
        for key in list(self._batches):
            self.drop(key)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    async def _write(self, batch: Batch, number: int, path: Path, chunks: AsyncIterator[bytes]) -> str:
        """"volume", "dicom", or "" for a file that nobody here reads, of which nothing is written."""
        is_volume = path.name.lower().endswith(_VOLUMES)
        if path.name.lower().endswith(_HALVES):
            raise Refused(f"{path.name} leaves its voxels to another file: choose it with the folder button.")
        head, size, kind = b"", 0, "volume" if is_volume else "unknown"
        stream = None
        try:
            async for chunk in chunks:
                if batch.cancelled:
                    raise Refused("The upload was cancelled.", 410)
                size += len(chunk)
                batch.received += len(chunk)
                if size > batch.sizes[number]:
                    raise Refused(f"{path.name} is larger than was announced: drop it again.", 413)
                if kind == "":
                    continue
                if kind == "unknown":
                    head += chunk
                    if len(head) < _MARK_AT + len(_DICOM_MARK):
                        continue
                    chunk, kind = head, "dicom" if head[_MARK_AT:].startswith(_DICOM_MARK) else ""
                    if kind == "":
                        continue
                if stream is None:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    stream = path.open("xb")
                await asyncio.to_thread(stream.write, chunk)
            if size < batch.sizes[number]:
                raise Refused(f"{path.name} arrived cut off: drop it again.")
        finally:
            if stream is not None:
                stream.close()
        return kind if stream is not None else ""

    def _private(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="tumorsegrobust-"))  # for this user alone
        return self._folder

    @staticmethod
    def _remove(batch: Batch) -> None:
        shutil.rmtree(batch.folder.parent, ignore_errors=True)


def safe_path(dropped: str) -> Path:
    """A relative path that every file system takes and that leads nowhere else: "../../a?" is a_."""
    parts = [part for part in PurePosixPath(dropped.replace("\\", "/")).parts if part.strip("./ ")]
    return Path(*[_safe(part) for part in parts[-_DEEPEST:]]) if parts else Path("file")


def _safe(part: str) -> str:
    kept = re.sub(r"[^\w.\-+() ]", "_", unicodedata.normalize("NFC", part)).strip(" .")
    kept = f"_{kept}" if _RESERVED.match(kept) else kept
    return kept[-_LONGEST:].strip(" .") or "file"


def _distinct(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The same paths, with a number before the name where two would be one file."""
    taken: set[str] = set()
    distinct = []
    for number, path in enumerate(paths):
        if str(path).casefold() in taken:
            path = path.with_name(f"{number}-{path.name}")
        taken.add(str(path).casefold())
        distinct.append(path)
    return tuple(distinct)


def _refuse_halves(path: Path) -> None:
    """An NRRD or MetaImage file may name another file for its voxels, which must not be one of ours; and so
    may one whose header has no end within reach.
    """
    name = path.name.lower()
    if not name.endswith((".nrrd", ".mha")):
        return
    with path.open("rb") as stream:
        header = stream.read(_HEADER_BYTES)
    if name.endswith(".nrrd"):
        lines, end, _ = re.sub(rb"\r\n", b"\n", header).partition(b"\n\n")
        here = bool(end) and re.search(rb"(?im)^[ \t]*data ?file\s*:", lines) is None
    else:  # the last line of the header; MetaIO takes a colon for an equals sign
        places = re.findall(rb"(?im)^[ \t]*ElementDataFile[ \t]*[=:]([^\r\n]*)", header)
        here = {place.strip().upper() for place in places} == {b"LOCAL"}
    if not here:
        raise Refused(f"{path.name} leaves its voxels to another file: choose it with the folder button.")


def _common_folder(files: Sequence[Path]) -> Path:
    """The deepest folder that holds them all."""
    parents = [path.parent for path in files]
    first = parents[0]
    while not all(parent == first or first in parent.parents for parent in parents):
        first = first.parent
    return first


def _gb(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def _full(free: float) -> str:
    return (
        f"The disk is full ({_gb(free)} free): free some space, or choose the scan with the folder button, "
        "which copies nothing."
    )
