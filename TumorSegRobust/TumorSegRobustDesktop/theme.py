"""Icons and colours that can be seen in Slicer's light and dark theme."""

from __future__ import annotations

from pathlib import Path
from typing import Any

# Button -> its drawing in Resources/Icons, drawn in the colour of the button's text.
ICONS = {
    "includeButton": "include",
    "excludeButton": "exclude",
    "undoButton": "undo",
    "redoButton": "redo",
    "editorButton": "brush",
    "moveClickButton": "move",
    "deleteClickButton": "delete",
    "nextPlaceButton": "next",
    "nextErrorButton": "next",
    "tumourButton": "tumour",
    "fourUpButton": "four-up",
    "axialLargeButton": "axial-large",
}
_COLOURED = ("includeButton", "excludeButton")  # when they are chosen: white on green or red
_SIZE = 48  # pixels, scaled down to the size of the button's icon: sharp on screens of twice the density
_RED = {False: "#b3261e", True: "#ff8a80"}


def is_dark(widget: Any) -> bool:
    """Whether text on this widget is lighter than what lies behind it."""
    palette = widget.palette
    text, ground = palette.color(widget.foregroundRole()), palette.color(widget.backgroundRole())
    return bool(text.lightness() > ground.lightness())


def dress(ui: Any, folder: Path) -> None:
    """Draw every icon of `folder` and the error line for the theme of this moment."""
    import qt

    plain = ui.undoButton  # one without a style sheet, which would hide the colours of the theme
    colour = plain.palette.color(qt.QPalette.Active, plain.foregroundRole()).name()
    for name, icon in ICONS.items():
        drawing = (folder / f"{icon}.svg").read_text(encoding="utf-8")
        drawing = drawing.replace('width="24" height="24"', f'width="{_SIZE}" height="{_SIZE}"', 1)
        drawn = qt.QIcon(_picture(drawing, colour))
        if name in _COLOURED:
            drawn.addPixmap(_picture(drawing, "#ffffff"), qt.QIcon.Normal, qt.QIcon.On)
        getattr(ui, name).setIcon(drawn)
    red = _RED[is_dark(plain)]
    ui.errorLabel.setStyleSheet(f"color: {red}; font-weight: bold;")


def _picture(drawing: str, colour: str) -> Any:
    """An empty one where the application cannot read SVG: buttons then show their words only."""
    import qt

    picture = qt.QPixmap()
    picture.loadFromData(qt.QByteArray(drawing.replace("currentColor", colour).encode()), "SVG")
    return picture
