"""What the file picker shows of a folder on this machine: folders and scans, nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from TumorSegRobustLib.errors import UnusableInput

_SCANS = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
_LONGEST = 500  # entries; a longer list is of no use in a dialog
_FEW = 8  # files or folders: who holds DICOM holds little else, so a few looks are enough
_DICOM_MARK = b"DICM"  # at byte 128 of every DICOM file (PS3.10, 7.1)


@dataclass(frozen=True)
class Entry:
    """One line of the picker. kind: "folder" or "scan"."""

    name: str
    path: str
    kind: str


@dataclass(frozen=True)
class Listing:
    """A folder: where it is, what is above and in it, and whether it or a folder in it holds DICOM."""

    folder: str
    parent: str
    entries: tuple[Entry, ...]
    holds_dicom: bool
    shortened: bool

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"entries": [asdict(entry) for entry in self.entries]}


def list_folder(path: str | Path, also: tuple[str, ...] = ()) -> Listing:
    """Folders first, then scans, each by name; hidden ones are left out. Of a file, the folder it lies in.
    also: further endings of files to list, such as ".dcm".

    Raises UnusableInput when the folder does not exist or may not be read.
    """
    folder = Path(path).expanduser()
    if folder.is_file():
        folder = folder.parent
    try:
        folder = folder.resolve(strict=True)
        children = sorted(folder.iterdir(), key=lambda child: (child.name.lower(), child.name))
    except OSError as error:
        raise UnusableInput(f"{folder} cannot be shown ({error.strerror}); choose another folder") from error
    visible = [child for child in children if not child.name.startswith(".")]
    folders = [child for child in visible if _is(child, "dir")]
    files = [child for child in visible if _is(child, "file")]
    entries = [Entry(child.name, str(child), "folder") for child in folders]
    entries += [Entry(child.name, str(child), "scan") for child in files if _is_scan(child, also)]
    others = (child for child in files if not _is_scan(child))
    return Listing(
        str(folder),
        str(folder.parent),
        tuple(entries[:_LONGEST]),
        _any_dicom(others) or any(_any_dicom(_files_of(child)) for child in folders[:_FEW]),
        len(entries) > _LONGEST,
    )


def _is(path: Path, kind: str) -> bool:
    try:
        return path.is_dir() if kind == "dir" else path.is_file()
    except OSError:
        return False  # a link or a mount that leads nowhere


def _is_scan(path: Path, also: tuple[str, ...] = ()) -> bool:
    return path.name.lower().endswith((*_SCANS, *also))


def _files_of(folder: Path) -> Iterator[Path]:
    try:
        yield from (child for child in islice(folder.iterdir(), _FEW) if _is(child, "file"))
    except OSError:
        return  # one that may not be read


def _any_dicom(files: Iterator[Path]) -> bool:
    """Whether one of the first files is DICOM."""
    for path in islice(files, _FEW):
        try:
            with path.open("rb") as stream:
                stream.seek(128)
                if stream.read(4) == _DICOM_MARK:
                    return True
        except OSError:
            continue
    return False
