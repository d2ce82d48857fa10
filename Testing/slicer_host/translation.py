"""`slicer.i18n` without a translation file: every text comes back as it was written."""

from __future__ import annotations


def tr(text: str) -> str:
    return text


def translate(context: str, text: str, disambiguation: str | None = None, n: int = -1) -> str:
    return text


def getContext(source_file: str) -> str:
    from pathlib import Path

    return Path(source_file).stem
