"""The words of both panels, section by section: from the page that trame makes, and from Qt's .ui file."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from unittest.mock import MagicMock

UI = Path("TumorSegRobust/Resources/UI/TumorSegRobust.ui")
# What a person presses; a field or a selector has a label beside it.
PRESSED = {"QPushButton", "QToolButton", "QCheckBox", "QRadioButton"}
KEY = re.compile(r"\s*\((?:Ctrl\+)?\w\)$")


@dataclass
class Section:
    """One step: its title without the number, and what can be pressed in it, from top to bottom.

    icons: buttons that show a picture only; their words are read aloud and stand in the tooltip.
    """

    title: str
    buttons: list[str] = field(default_factory=list)
    icons: list[str] = field(default_factory=list)


def desktop_sections(repository: Path) -> list[Section]:
    """The collapsible sections of the .ui file, in its order, which is the order on the screen."""
    tree = ElementTree.parse(repository / UI)
    sections = []
    for widget in tree.iter("widget"):
        if widget.get("class") == "ctkCollapsibleButton":
            inside = [inner for inner in widget.iter("widget") if inner.get("class") in PRESSED]
            sections.append(Section(plain(text_of(widget)), [plain(text_of(inner)) for inner in inside]))
    return sections


def text_of(widget: ElementTree.Element) -> str:
    found = widget.find("property[@name='text']/string")
    return (found.text or "") if found is not None else ""


def browser_page() -> str:
    """The page as trame writes it, every state of it at once; nothing is started for that."""
    from trame.app import get_server

    from TumorSegRobustLib.app.page import build_page

    server = get_server("words of the panel", client_type="vue3")
    page = build_page(server, MagicMock(), MagicMock(), MagicMock(), MagicMock())
    return str(page.html)


def browser_sections() -> list[Section]:
    """The steps of the page."""
    reader = _Page()
    reader.feed(browser_page())
    return reader.sections


class _Page(HTMLParser):
    """Collects <section> elements: the words of the title, of buttons and of switches."""

    def __init__(self) -> None:
        super().__init__()
        self.sections: list[Section] = []
        self._inside = ""  # "title" or "button" while their words are read
        self._words: list[str] = []
        self._label = ""
        self._in_section = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        if tag == "section":
            self._in_section = True
            self.sections.append(Section(""))
        elif not self._in_section:
            return
        elif tag == "h2":
            self._begin("title")
        elif tag == "vbtn" or (tag == "a" and "id" in named):
            self._begin("button")
            self._label = named.get("aria-label") or named.get("title") or ""
        elif tag == "button" and named.get("aria-label"):
            self.sections[-1].icons.append(plain(str(named["aria-label"])))
        elif tag in ("vswitch", "vcheckbox"):
            self.sections[-1].buttons.append(plain(str(named.get("label"))))
        elif tag == "kbd":
            self._words.append("\0")  # the key stands beside the word

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        self.handle_endtag(tag)

    def handle_data(self, data: str) -> None:
        words = data.split("{{")[0].strip(" \n(")  # without what the state fills in
        if self._inside and words and not words.startswith("mdi-") and "\0" not in self._words:
            self._words.append(words)

    def handle_endtag(self, tag: str) -> None:
        if tag == "section":
            self._in_section = False
        elif tag == "h2" and self._inside == "title":
            self.sections[-1].title = self._end()
        elif tag in ("vbtn", "a") and self._inside == "button":
            words = self._end()
            kind = self.sections[-1].buttons if words else self.sections[-1].icons
            kind.append(words or plain(self._label))

    def _begin(self, what: str) -> None:
        self._inside, self._words = what, []

    def _end(self) -> str:
        self._inside = ""
        return plain(" ".join(word for word in self._words if word.strip("\0")))


def plain(text: str) -> str:
    """Without number, sign, key and dots: "3. Trust" is Trust, "+ Include (I)" Include, "Folder…" Folder."""
    text = re.sub(r"^\s*(?:\d+\.|[+−–-])\s+", "", text).replace("&", "").replace("…", "")
    return KEY.sub("", " ".join(text.split()))
