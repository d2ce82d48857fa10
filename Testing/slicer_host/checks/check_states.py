"""Every state enables just what it should; every control has a tooltip; keys clash with none of Slicer's."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from panel import MISSED, Panel, add_phantom, enabled_buttons

# Buttons that give commands, by the states in which they may be pressed (a scan that is not from DICOM).
ALWAYS = {"sampleButton"}
READY = ALWAYS | {"segmentButton", "emptyButton"}
TOOLS = {"includeButton", "excludeButton", "editorButton"}
REVIEW = READY | TOOLS | {"acceptButton", "saveButton", "referenceButton"}
CORRECTED = REVIEW | {"undoButton", "nextPlaceButton"}
STEPS = ["scanSection", "segmentSection", "trustSection", "correctSection", "compareSection", "exportSection"]


def start(panel: Panel) -> None:
    """Nothing is open."""


def opened(panel: Panel) -> None:
    panel.open_phantom()


def segmented(panel: Panel) -> None:
    opened(panel)
    panel.press("segmentButton")


def from_nothing(panel: Panel) -> None:
    opened(panel)
    panel.press("emptyButton")


def corrected(panel: Panel) -> None:
    segmented(panel)
    panel.press("includeButton")
    panel.place("include", MISSED)


def undone(panel: Panel) -> None:
    corrected(panel)
    panel.press("undoButton")


def accepted(panel: Panel) -> None:
    corrected(panel)
    panel.ui.readerEdit.text = "Dr Example"
    panel.press("acceptButton")


@pytest.mark.parametrize(
    ("way", "buttons", "open_steps"),
    [
        (start, ALWAYS, "1"),
        (opened, READY, "12"),
        (from_nothing, REVIEW, "2346"),
        (segmented, REVIEW | {"nextPlaceButton"}, "2346"),
        (corrected, CORRECTED, "2346"),
        (undone, REVIEW | {"redoButton", "nextPlaceButton"}, "2346"),
        (accepted, CORRECTED - {"acceptButton"}, "2346"),
    ],
)
def test_every_state_enables_just_what_it_should(
    panel: Panel, way: Callable[[Panel], None], buttons: set[str], open_steps: str
) -> None:
    way(panel)
    assert enabled_buttons(panel) == buttons
    sections = [getattr(panel.ui, name) for name in STEPS]
    assert [not section.collapsed for section in sections] == [name in open_steps for name in "123456"]
    contour = open_steps == "2346"
    assert [section.enabled for section in sections] == [contour or name in open_steps for name in "123456"]
    assert panel.ui.scanSection.text == ("1. Scan: Phantom" if contour else "1. Scan")


def test_while_the_networks_run_nothing_but_cancel_may_be_pressed(panel: Panel) -> None:
    opened(panel)
    panel.networks.go_on.clear()
    panel.ui.segmentButton.click()
    while panel.state.progress is None or panel.state.progress < 0.2:
        panel.breathe()
    assert enabled_buttons(panel) == {"cancelButton"}
    selectors = ("scanSelector", "modelSelector", "deviceSelector", "segmentSelector")
    for name in (*selectors, "seriesButton", "segmentEdit"):
        assert not getattr(panel.ui, name).enabled, name
    panel.press("cancelButton")


def test_there_is_a_choice_of_uncertainty_while_it_is_drawn_and_known(panel: Panel) -> None:
    opened(panel)
    assert not panel.ui.overlayKindSelector.enabled
    panel.press("segmentButton")
    assert not panel.ui.overlayKindSelector.enabled
    panel.press("overlayCheckBox")
    assert panel.ui.overlayKindSelector.enabled
    panel.press("emptyButton")
    assert not panel.ui.overlayKindSelector.enabled
    assert "only the entropy is known" in panel.ui.overlayKindSelector.toolTip
    panel.press("segmentButton")
    panel.press("overlayCheckBox")
    assert not panel.ui.overlayKindSelector.enabled


def test_what_cannot_be_pressed_says_why(panel: Panel) -> None:
    from TumorSegRobustDesktop.view import BUTTONS

    opened(panel)
    for name in BUTTONS:
        button = getattr(panel.ui, name)
        if not button.enabled:
            assert button.toolTip == panel.state.why_not[BUTTONS[name]]


def test_a_step_that_the_user_has_opened_or_closed_stays_so(panel: Panel) -> None:
    segmented(panel)
    panel.ui.trustSection.collapsed = True
    panel.ui.scanSection.collapsed = False
    panel.press("includeButton")
    panel.place("include", MISSED)
    assert panel.ui.trustSection.collapsed
    assert not panel.ui.scanSection.collapsed


def test_the_first_step_opens_again_with_the_next_scan(panel: Panel) -> None:
    segmented(panel)
    assert panel.ui.scanSection.collapsed
    panel.ui.scanSelector.setCurrentNode(add_phantom(panel.scene, "Second"))
    panel.settle()
    assert not panel.ui.scanSection.collapsed


def test_what_a_correction_needs_fits_on_a_small_screen(panel: Panel) -> None:
    """1366x768: some 560 points are left for the panel; the steps up to Correct do with them."""
    corrected(panel)
    parent = panel.widget.parent
    for _turn in range(3):
        parent.resize(400, max(parent.heightForWidth(400), parent.sizeHint().height()))
        parent.show()
        panel.breathe()
    bottom = panel.ui.correctSection.mapTo(parent, panel.ui.correctSection.rect.bottomRight())
    assert bottom.y() <= 560


# ------------------------------------------------ tooltips, keys, looks

PRESSED = ("QPushButton", "QToolButton", "QCheckBox", "QComboBox", "QLineEdit", "QListWidget")
OTHERS = ("qMRMLNodeComboBox", "ctkSliderWidget", "ctkRangeWidget", "QProgressBar")


def test_every_control_has_a_tooltip(panel: Panel) -> None:
    segmented(panel)
    controls = [
        widget for widget in vars(panel.ui).values() if widget.className() in (*PRESSED, *OTHERS)
    ]
    assert len(controls) > 40
    assert [widget.name for widget in controls if not widget.toolTip.strip()] == []


def test_every_control_is_used_in_some_check(panel: Panel) -> None:
    """A control that nobody handles here would be one of which nobody knows whether it does anything."""
    text = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("check_*.py"))
    kinds = {"QProgressBar", *PRESSED, *OTHERS}
    named = [widget.name for widget in vars(panel.ui).values() if widget.className() in kinds]
    assert [name for name in named if f'"{name}"' not in text and f"ui.{name}" not in text] == []


# Slicer's own keys: https://slicer.readthedocs.io/en/latest/user_guide/user_interface.html (Mouse & Keyboard
# Shortcuts), generic ones and those of slice and 3D views. Its main window knows Ctrl+Z and Ctrl+Y too, for
# an undo of the scene that no menu offers. The Segment Editor's keys hold while that module is open, and then
# this one is not.
SLICERS = {
    *"BFVRGT[]{}+-",
    *(f"Ctrl+{key}" for key in "FOSW012345HBGV`"),
    *("Left", "Right", "Up", "Down", "Home", "End", "PgDown", "Ins", "Tab"),
}
BROWSERS = {
    "includeButton": "I",
    "excludeButton": "E",
    "editorButton": "P",
    "overlayCheckBox": "U",
    "nextPlaceButton": "N",
    "emptyButton": "0",
    "undoButton": "Ctrl+Z",
    "redoButton": "Ctrl+Y",
}


def test_keys_are_those_of_the_browser_panel_and_none_of_slicers(panel: Panel) -> None:
    keys = {name: getattr(panel.ui, name).shortcut.toString() for name in BROWSERS}
    assert keys == BROWSERS
    assert SLICERS.isdisjoint(keys.values())
    further = [shortcut.key.toString() for shortcut in _shortcuts(panel)]
    assert sorted(further) == ["Ctrl+Shift+Z", "Esc"]


def test_escape_is_slicers_while_no_tool_is_in_hand(panel: Panel) -> None:
    from_nothing(panel)
    escape = next(one for one in _shortcuts(panel) if one.key.toString() == "Esc")
    assert not escape.enabled
    panel.press("includeButton")
    assert escape.enabled
    escape.activated.emit()
    assert panel.state.tool == "none"
    assert not escape.enabled


def _shortcuts(panel: Panel) -> list:
    from PySide6 import QtCore, QtGui

    found = QtCore.QObject.findChildren(panel.widget.parent, QtGui.QShortcut)
    return [_Plain(shortcut) for shortcut in found if not shortcut.parent().inherits("QAbstractButton")]


class _Plain:
    """A shortcut whose properties are attributes, as under PythonQt."""

    def __init__(self, shortcut: object) -> None:
        self._shortcut = shortcut

    def __getattr__(self, name: str) -> object:
        value = getattr(self._shortcut, {"enabled": "isEnabled"}.get(name, name))
        return value() if name in ("key", "enabled") else value


THEMES = pytest.mark.parametrize(("text", "ground"), [("#101010", "#f0f0f0"), ("#f0f0f0", "#303030")])


def put_on(panel: Panel, text: str, ground: str) -> None:
    """Give the panel a theme, and enter the module."""
    from PySide6 import QtGui

    palette, role = QtGui.QPalette(), QtGui.QPalette.ColorRole
    for one in (role.ButtonText, role.WindowText, role.Text):
        palette.setColor(one, QtGui.QColor(text))
    for one in (role.Button, role.Window, role.Base, role.Midlight):
        palette.setColor(one, QtGui.QColor(ground))
    panel.widget.parent.setPalette(palette)
    panel.widget.enter()


@THEMES
def test_icons_are_drawn_in_the_colour_of_the_text(panel: Panel, text: str, ground: str) -> None:
    from TumorSegRobustDesktop.theme import ICONS

    put_on(panel, text, ground)
    for name in ICONS:
        image = getattr(panel.ui, name).icon.pixmap(48, 48).toImage()
        pixels = [image.pixelColor(x, y) for x in range(image.width()) for y in range(image.height())]
        assert {pixel.name() for pixel in pixels if pixel.alpha() == 255} == {text}, name
    assert ("#ff8a80" in panel.ui.errorLabel.styleSheet) == (text > ground)


@THEMES
def test_what_is_grey_can_be_read(panel: Panel, text: str, ground: str) -> None:
    """Titles of steps that wait, and what is said beside the point: grey, with a contrast of 4.5 at least."""
    from PySide6 import QtGui
    from TumorSegRobustDesktop.theme import BESIDE, WAITING, contrast

    put_on(panel, text, ground)
    off, role = QtGui.QPalette.ColorGroup.Disabled, QtGui.QPalette.ColorRole
    behind = QtGui.QColor(ground).getRgb()[:3]
    for name in WAITING:
        section = getattr(panel.ui, name)
        assert not section.enabled
        for one in (role.WindowText, role.ButtonText):
            grey = section.palette.color(off, one)
            assert grey.name() not in (text, ground), name
            assert contrast(grey.getRgb()[:3], behind) >= 4.5, name
    for name in BESIDE:
        numbers = re.findall(r"\d+", getattr(panel.ui, name).styleSheet)
        assert contrast(tuple(map(int, numbers)), behind) >= 4.5, name


def test_contrast_is_that_of_the_standard() -> None:
    from TumorSegRobustDesktop.theme import contrast, readable_grey

    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)
    assert readable_grey((120, 120, 120), (255, 255, 255)) == (120, 120, 120)  # pale already: not paler still
