"""Both panels say the same: the same steps, and on the buttons the same words, in the same order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fixtures_panels import UI, Section, browser_page, browser_sections, desktop_sections

Panels = tuple[dict[str, Section], dict[str, Section]]
STEPS = ["Scan", "Segment", "Trust", "Correct", "Compare", "Export"]
# What only one panel has, because the other's surroundings bring it along.
ONLY_BROWSER = {
    # Slicer has selectors of volumes; a scan is changed by choosing another one.
    "Scan": {"Change", "Open", "Back", "Choose a volume for this channel", "Remove this channel",
             "Choose on this computer"},
    # Slicer's Segment Editor, to which Paint leads, has an effect that erases.
    "Correct": {"Erase"},
    # A page saves a file to where the browser keeps downloads.
    "Export": {"Download the RTSTRUCT"},
    # Slicer asks for a file in a dialog, and compares at once; its sections open by their titles.
    "Compare": {"Open or close Compare", "Choose on this computer", "Compare"},
}  # fmt: skip
ONLY_DESKTOP = {
    # The page has the arrangements of the views, and the way to the tumour, in the bar above them.
    "Scan": {"Folder", "Four-up", "Axial large"},
    "Trust": {"Go to tumour"},
    "Compare": {"Choose a reference"},
}
# While the networks run it takes the place of the buttons in the page, and stands below them in Slicer.
INSTEAD = "Cancel"


@pytest.fixture(scope="module")
def panels(repository: Path) -> Panels:
    """Title -> section, of the browser panel and of the desktop panel."""
    browser, desktop = browser_sections(), desktop_sections(repository)
    return {one.title: one for one in browser}, {one.title: one for one in desktop}


def test_both_have_the_same_steps_in_the_same_order(panels: Panels) -> None:
    assert [list(panel) for panel in panels] == [STEPS, STEPS]


@pytest.mark.parametrize("step", STEPS)
def test_buttons_say_the_same_in_the_same_order(step: str, panels: Panels) -> None:
    """Where the page shows icons, only that Slicer has the same buttons, which begin with the same word."""
    browser, desktop = panels[0][step], panels[1][step]
    icons = {first_word(words, desktop.buttons) for words in browser.icons} - ONLY_BROWSER.get(step, set())
    assert icons - set(desktop.buttons) == set(), f"icons of the page in {step} that Slicer has no button for"
    here = {INSTEAD} | ONLY_BROWSER.get(step, set())
    there = {INSTEAD} | ONLY_DESKTOP.get(step, set()) | icons
    assert [words for words in browser.buttons if words not in here] == [
        words for words in desktop.buttons if words not in there
    ]


def test_exceptions_are_no_more_than_there_are(panels: Panels) -> None:
    for panel, exceptions in zip(panels, (ONLY_BROWSER, ONLY_DESKTOP), strict=True):
        for step, words in exceptions.items():
            assert words - {*panel[step].buttons, *panel[step].icons} == set(), step
    assert all(INSTEAD in panel["Segment"].buttons for panel in panels)


def test_both_say_the_same_about_adapting(repository: Path) -> None:
    from TumorSegRobustLib.workflow import ABOUT_ADAPTING

    assert f"<string>{ABOUT_ADAPTING}</string>" in (repository / UI).read_text(encoding="utf-8")


def test_every_icon_says_what_it_does(panels: Panels) -> None:
    for section in panels[0].values():
        assert all(section.icons), f"a button in {section.title} has neither words nor a label"


def first_word(words: str, buttons: list[str]) -> str:
    """"Remove this segment" is read aloud where the other panel has a button "Remove"."""
    return words.split()[0] if words and words not in buttons and words.split()[0] in buttons else words


def test_both_offer_the_same_kinds_of_uncertainty_between_the_switch_and_next_place(
    panels: Panels, repository: Path
) -> None:
    """The words of Slicer's list are compared with these in check_words: it is filled by the panel."""
    from TumorSegRobustLib.workflow import OVERLAY_KINDS

    page, slicer = browser_page(), (repository / UI).read_text(encoding="utf-8")
    told = [f'value="{kind.value}">\n{kind.text}\n' for kind in OVERLAY_KINDS]
    places = [page.index(text) for text in ('id="overlay"', 'id="overlay-kind"', *told, 'id="next-place"')]
    assert places == sorted(places)
    names = ("overlayCheckBox", "overlayKindSelector", "nextPlaceButton")
    places = [slicer.index(f'name="{name}"') for name in names]
    assert places == sorted(places)


def test_both_have_the_device_in_the_first_step(repository: Path) -> None:
    slicer = (repository / UI).read_text(encoding="utf-8")
    names = ("scanSection", "deviceSelector", "willHappenLabel", "segmentSection")
    places = [slicer.index(f'name="{name}"') for name in names]
    assert places == sorted(places)
    page = browser_page()
    ids = ("step-scan", "device", "step-segment", "will-happen")
    places = [page.index(f'id="{name}"') for name in ids]
    assert places == sorted(places)


def test_every_list_of_the_page_shows_what_is_chosen() -> None:
    """trame leaves out attributes that it does not know: a list would then always show its first option."""
    lists = re.findall(r"<select[^>]*id=\"([\w-]+)\".*?</select>", browser_page(), flags=re.DOTALL)
    assert lists == ["first-channel", "device", "target", "overlay-kind"]
    chosen = re.findall(r"<select.*? :value=\"([\w.]+)\".*?</select>", browser_page(), flags=re.DOTALL)
    assert chosen == ["panel.first_channel", "panel.device", "panel.target", "panel.overlay.shown"]
