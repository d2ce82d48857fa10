"""A DICOM object to disk, complete or not at all."""

from __future__ import annotations

import os
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset

from TumorSegRobustLib.errors import UnusableInput


def save(dataset: Dataset, path: Path) -> None:
    """Write beside the destination, flush to the disk and rename; missing folders are made.

    Raises UnusableInput when the place cannot be written, and leaves nothing behind then.
    """
    content = _encode(dataset)
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".", suffix=".dcm", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise UnusableInput(
            f"{path} cannot be written: {error.strerror or error}; choose another place"
        ) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _encode(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    options: dict[str, Any] = {"enforce_file_format": True}
    if int(pydicom.__version__.split(".")[0]) < 3:  # Slicer 5.10 ships pydicom 2.4
        options = {"write_like_original": False}
        syntax = dataset.file_meta.TransferSyntaxUID
        dataset.is_little_endian, dataset.is_implicit_VR = True, syntax.is_implicit_VR
    pydicom.dcmwrite(buffer, dataset, **options)
    return buffer.getvalue()


def _umask() -> int:
    """The process's mask of file permissions; mkstemp makes files private, contours are to be shared."""
    current = os.umask(0)
    os.umask(current)
    return current
