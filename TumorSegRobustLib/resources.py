"""Where the files that ship with the product lie."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource(*parts: str) -> Path:
    """`Resources/<parts>`: in the wheel, or beside the package in a checkout and in a Slicer installation."""
    inside = _PACKAGE / "Resources"
    root = inside if inside.is_dir() else _PACKAGE.parent / "Resources"
    return root.joinpath(*parts)
