"""Where the files that ship with the product lie, and where a user's own do."""

from __future__ import annotations

import os
import sys
from pathlib import Path

APPLICATION = "TumorSegRobust"
_PACKAGE = Path(__file__).resolve().parent


def resource(*parts: str) -> Path:
    """`Resources/<parts>`: in the wheel, or beside the package in a checkout and in a Slicer installation."""
    inside = _PACKAGE / "Resources"
    root = inside if inside.is_dir() else _PACKAGE.parent / "Resources"
    return root.joinpath(*parts)


def user_folder() -> Path:
    """The platform's place for a user's application data; never the place of the scans or of the program."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / APPLICATION
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / APPLICATION
    return Path(os.environ.get("XDG_DATA_HOME", home / ".local" / "share")) / APPLICATION
