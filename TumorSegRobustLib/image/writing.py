"""Write an image so that the file appears complete or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import SimpleITK as sitk

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image.volume import Image, to_sitk

SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")


def write_image(image: Image, path: str | Path) -> None:
    """Write NIfTI, NRRD or MHA, chosen by the extension; bool is stored as uint8.

    The file is written beside its destination and renamed, so a reader never sees half of it. Raises UnusableInput
    when the extension is unknown or the disk refuses.
    """
    path = Path(path)
    suffix = next((known for known in SUFFIXES if path.name.lower().endswith(known)), None)
    if suffix is None:
        raise UnusableInput(f"{path.name} has no known image extension; use {', '.join(SUFFIXES)}")
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=".", suffix=suffix, dir=path.parent)
        os.close(handle)
        sitk.WriteImage(to_sitk(image), temporary, useCompression=suffix != ".nii")
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise UnusableInput(f"{path} cannot be written: {error.strerror or error}") from error
    except RuntimeError as error:
        raise UnusableInput(f"{path} cannot be written: {str(error).strip().splitlines()[-1]}") from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
