"""An offline bundle of `make offline-bundle`: a folder or ZIP file with wheels and model packages."""

from __future__ import annotations

import json
import platform
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

DESCRIPTION = "bundle.json"
FILTER = f"Offline bundle (*.zip {DESCRIPTION})"


@dataclass(frozen=True)
class Bundle:
    """wheels, models: its folders, None where it has none. unfit: why its wheels do not fit this computer."""

    wheels: Path | None
    models: Path | None
    unfit: str = ""


def open_bundle(bundle: Path, scratch: Path) -> Bundle:
    """What the bundle holds; a ZIP file is unpacked into `scratch`.

    bundle: the ZIP file, the folder, or the description inside the folder. UnusableInput (one line) when it
    is none of these, or holds nothing to install.
    """
    if bundle.suffix.lower() == ".zip" and bundle.is_file():
        folder = scratch
        _unpack(bundle, folder)
    else:
        folder = bundle.parent if bundle.name == DESCRIPTION else bundle
    wheels = folder / "wheels" if any(folder.glob("wheels/*.whl")) else None
    models = folder / "models" if any(folder.glob("models/*/*")) else None
    if wheels is None and models is None:
        from TumorSegRobustLib.errors import UnusableInput

        raise UnusableInput(
            f"{bundle} is no offline bundle (it holds no wheels and no models); choose the ZIP file that "
            "`make offline-bundle` wrote, or the file bundle.json of its folder."
        )
    return Bundle(wheels, models, unfit(_described(folder / DESCRIPTION)))


def this_python() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def this_platform() -> str:
    """linux, windows, macos-arm64 or macos-intel: what a bundle calls this computer."""
    if sys.platform == "win32":
        return "windows"
    if sys.platform == "darwin":
        return "macos-arm64" if platform.machine() == "arm64" else "macos-intel"
    return "linux"


def unfit(description: dict[str, Any]) -> str:
    """Why the wheels of a bundle do not fit this computer, in one line; "" where nothing says so."""
    python, platforms = str(description.get("python", "")), [*map(str, description.get("platforms", ()))]
    here = (not python or python == this_python(), not platforms or this_platform() in platforms)
    if all(here):
        return ""
    made = f"Python {python or '?'} on {', '.join(platforms) or '?'}"
    wanted = f"--python {this_python()} --platform {this_platform()}"
    return (
        f"The bundle's packages are for {made}, this is Python {this_python()} on {this_platform()}: "
        f"make one with `make offline-bundle OPTIONS='{wanted}'`."
    )


def _described(path: Path) -> dict[str, Any]:
    """Nothing where it cannot be read: pip then says what does not fit."""
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return description if isinstance(description, dict) else {}


def _unpack(bundle: Path, folder: Path) -> None:
    """Wheels by their bare names, models by their paths below `models`, so that nothing can lie elsewhere."""
    try:
        with zipfile.ZipFile(bundle) as archive:
            for entry in archive.infolist():
                target = None if entry.is_dir() else _target(PurePosixPath(entry.filename))
                if target is not None:
                    path = folder.joinpath(*target.parts)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(archive.read(entry))
    except zipfile.BadZipFile:
        return  # as one that holds nothing


def _target(entry: PurePosixPath) -> PurePosixPath | None:
    """Where a file of the archive is to lie; None where it is nothing to install."""
    if entry.name.endswith(".whl"):
        return PurePosixPath("wheels", entry.name)
    if entry.name == DESCRIPTION:
        return PurePosixPath(DESCRIPTION)
    if "models" not in entry.parts:
        return None
    below = entry.parts[entry.parts.index("models") :]
    safe = len(below) > 2 and not any(part in ("..", ".") or set(part) & set('\\:') for part in below)
    return PurePosixPath(*below) if safe else None
