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
# Steps whose titles are grey while they wait, and labels that say something beside the point.
WAITING = ("segmentSection", "trustSection", "correctSection", "compareSection", "exportSection")
BESIDE = ("licenceLabel", "disclaimerLabel")
READABLE = 4.5  # the least contrast of text (WCAG 2.1, 1.4.3)
Colour = tuple[int, int, int]


def is_dark(widget: Any) -> bool:
    """Whether text on this widget is lighter than what lies behind it."""
    palette = widget.palette
    text, ground = palette.color(widget.foregroundRole()), palette.color(widget.backgroundRole())
    return bool(text.lightness() > ground.lightness())


def contrast(one: Colour, other: Colour) -> float:
    """1 for the same colour, 21 for black on white (WCAG 2.1); colours are red, green, blue in 0..255."""
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def readable_grey(text: Colour, *grounds: Colour) -> Colour:
    """Half of the way from `text` to the ground, or as much of it as can still be read on all `grounds`."""
    ground = min(grounds, key=lambda one: contrast(text, one))
    for share in range(50, 0, -5):
        r, g, b = (round((t * (100 - share) + o * share) / 100) for t, o in zip(text, ground, strict=True))
        if contrast((r, g, b), ground) >= READABLE:
            return r, g, b
    return text


def dress(ui: Any, folder: Path) -> None:
    """Draw every icon of `folder`, the error line and what is grey for the theme of this moment."""
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
    _grey(ui)


def _grey(ui: Any) -> None:
    """Qt's own grey for what cannot be used is too pale for titles, which say what comes next."""
    import qt

    palette = ui.undoButton.palette

    def colour(role: Any) -> Colour:
        found = palette.color(qt.QPalette.Active, role)
        return found.red(), found.green(), found.blue()

    text = colour(qt.QPalette.WindowText)
    title = readable_grey(text, *map(colour, (qt.QPalette.Window, qt.QPalette.Button, qt.QPalette.Midlight)))
    for name in WAITING:
        section = getattr(ui, name)
        changed = section.palette
        for role in (qt.QPalette.WindowText, qt.QPalette.ButtonText):
            changed.setColor(qt.QPalette.Disabled, role, qt.QColor(*title))
        section.setPalette(changed)
    red, green, blue = readable_grey(text, colour(qt.QPalette.Window))
    for name in BESIDE:
        getattr(ui, name).setStyleSheet(f"color: rgb({red}, {green}, {blue});")


def _luminance(colour: Colour) -> float:
    parts = [part / 255 for part in colour]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _picture(drawing: str, colour: str) -> Any:
    """An empty one where the application cannot read SVG: buttons then show their words only."""
    import qt

    picture = qt.QPixmap()
    picture.loadFromData(qt.QByteArray(drawing.replace("currentColor", colour).encode()), "SVG")
    return picture
