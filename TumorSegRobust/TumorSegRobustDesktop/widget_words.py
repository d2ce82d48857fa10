"""Small helpers of every part of the panel: filling lists quietly, text that wraps."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_LONG_WORD = re.compile(r"[^\s/\u200b]{24}")


def fill(combo: Any, items: Iterable[tuple[str, Any]], chosen: Any) -> None:
    """Show these items, quietly: the user has chosen nothing. A list that is the same already stays open."""
    wanted = list(items)
    blocked = combo.blockSignals(True)
    if [(combo.itemText(row), combo.itemData(row)) for row in range(combo.count)] != wanted:
        combo.clear()
        for text, data in wanted:
            combo.addItem(text, data)
    if chosen is not None and combo.currentData != chosen:
        combo.setCurrentIndex(combo.findData(chosen))
    combo.blockSignals(blocked)


def set_quietly(widget: Any, setter: str, value: Any) -> None:
    """Show a value without the widget answering as if the user had chosen it."""
    blocked = widget.blockSignals(True)
    getattr(widget, setter)(value)
    widget.blockSignals(blocked)


def breakable(text: str) -> str:
    """Lets a label wrap at backslashes, as it does at slashes, and within words that are very long: a path or
    the name of a file would widen the panel.
    """
    return _LONG_WORD.sub("\\g<0>\u200b", text.replace("\\", "\\\u200b"))


def sentence(text: str) -> str:
    """With a capital letter."""
    text = text.strip()
    return text[:1].upper() + text[1:]
