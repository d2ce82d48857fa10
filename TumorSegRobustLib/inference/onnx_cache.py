"""Converted networks in the user's cache folder: reading them back needs no PyTorch and saves 3 s a start."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path

from TumorSegRobustLib.models import Member

CACHE_VARIABLE = "TUMORSEGROBUST_CACHE"
_RECIPE = 2  # raise when `onnx_export` changes what it writes


def cache_folder() -> Path:
    """The user's cache folder by the system's convention, or what TUMORSEGROBUST_CACHE names."""
    if os.environ.get(CACHE_VARIABLE):
        return Path(os.environ[CACHE_VARIABLE])
    if sys.platform == "win32":
        root = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
    elif sys.platform == "darwin":
        root = Path.home() / "Library/Caches"
    else:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "tumorsegrobust"


def cached_onnx(member: Member) -> bytes | None:
    """The exported network, if the cache holds one of the same weights and network, unaltered."""
    for path in _folder().glob(f"{_key(member)}-*.onnx"):
        try:
            content = path.read_bytes()
        except OSError:
            continue
        if path.stem.endswith(hashlib.sha256(content).hexdigest()[:16]):
            return content
    return None


def store_onnx(member: Member, content: bytes) -> None:
    """Appear complete or not at all; a cache that cannot be written only slows the next start."""
    folder = _folder()
    target = folder / f"{_key(member)}-{hashlib.sha256(content).hexdigest()[:16]}.onnx"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=folder, suffix=".new")
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        os.replace(scratch, target)
    except OSError:
        return


def _folder() -> Path:
    return cache_folder() / "onnx"


def _key(member: Member) -> str:
    """Of what a network is, not of the exporter's version: each was checked before it was stored, and reading
    it back must not need PyTorch."""
    what = [member.sha256, member.network, _RECIPE]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:32]
