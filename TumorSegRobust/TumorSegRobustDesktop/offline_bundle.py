"""An offline bundle of `make offline-bundle`: a folder or ZIP file with the wheels that Slicer lacks."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath

DESCRIPTION = "bundle.json"
FILTER = f"Offline bundle (*.zip {DESCRIPTION})"


def wheels_of(bundle: Path, scratch: Path) -> Path:
    """The folder of the bundle's wheels; those of a ZIP file are unpacked into `scratch`.

    bundle: the ZIP file, the folder, or the description inside the folder. UnusableInput (one line) when it
    is none of these, or holds no wheel.
    """
    if bundle.suffix.lower() == ".zip" and bundle.is_file():
        folder = scratch / "wheels"
        folder.mkdir()
        _unpack(bundle, folder)
    else:
        folder = (bundle.parent if bundle.name == DESCRIPTION else bundle) / "wheels"
    if not any(folder.glob("*.whl")):
        from TumorSegRobustLib.errors import UnusableInput

        raise UnusableInput(
            f"{bundle} is no offline bundle (it holds no wheels); choose the ZIP file that "
            "`make offline-bundle` wrote, or the file bundle.json of its folder."
        )
    return folder


def _unpack(bundle: Path, folder: Path) -> None:
    """Only the wheels, by their bare names, so that nothing can lie elsewhere."""
    try:
        with zipfile.ZipFile(bundle) as archive:
            for entry in archive.infolist():
                name = PurePosixPath(entry.filename).name
                if name.endswith(".whl"):
                    (folder / name).write_bytes(archive.read(entry))
    except zipfile.BadZipFile:
        return  # as one without wheels
