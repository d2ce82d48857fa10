"""Every control of the page: what it changes and when; tabs, touch, keys and views."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import fixtures_app as head
import pytest
from fixtures_browser import (
    AXIAL,
    Running,
    a_browser,
    a_page,
    a_panel,
    bright_pixels,
    other_slices,
    status_becomes,
    until,
)
from playwright.sync_api import Browser, Page

# Buttons of the page, and the command that each gives: it may be pressed when the command may.
COMMAND_OF = {
    "segment": "segment", "start-empty": "start_empty", "include": "click", "exclude": "click",
    "paint": "click", "erase": "click", "undo": "undo", "redo": "redo", "next-place": "next_place",
    "begin-compare": "compare", "segment-add": "paint", "download": "export", "change-scan": "open",
}  # fmt: skip


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scans")
    head.write_dicom(head.a_head(), folder / "series")
    return folder


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory, scans: Path) -> Iterator[Running]:
    with a_panel(tmp_path_factory.mktemp("home"), str(scans / "series")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with a_browser() as opened:
        yield opened


@pytest.fixture
def page(panel: Running, browser: Browser) -> Iterator[Page]:
    opened = opened_on(panel, browser)
    yield opened
    opened.context.close()


def opened_on(panel: Running, browser: Browser, **options: bool) -> Page:
    page = a_page(browser, **options)
    page.goto(panel.address)
    page.wait_for_selector("#welcome-sample, #scan-name")
    return page


def state_of(page: Page) -> dict:
    return page.evaluate("window.trame.state.state.panel")


def state_becomes(page: Page, expression: str) -> None:
    """Until what the server says of itself, `panel`, makes this true."""
    page.wait_for_function(f"() => {{ const panel = window.trame.state.state.panel; return {expression}; }}")


def buttons_follow(page: Page) -> list[str]:
    """Every button there is may be pressed exactly when its command may; the names of those there are."""
    page.wait_for_timeout(300)  # the page draws what it was told
    may = state_of(page)["can"]
    there = [name for name in COMMAND_OF if page.locator(f"#{name}").count()]
    pressable = {name: page.locator(f"#{name}").is_enabled() for name in there}
    assert pressable == {name: may[COMMAND_OF[name]] for name in there}
    return there


def emptied(page: Page) -> None:
    """A contour of nothing, no tool in hand; whether what the test before has drawn may go is answered."""
    page.click("#start-empty:not([disabled])")
    page.wait_for_timeout(200)
    answer = "(panel.question && document.querySelector('#question-yes')?.click())"
    empty = "!panel.question && panel.has_contour && !panel.clicks.length && panel.segments.length === 1"
    state_becomes(page, f"({answer}, {empty})")
    page.keyboard.press("Escape")


# ------------------------------------------------ every state, every control


def test_every_state_enables_just_what_it_should(panel: Running, browser: Browser, tmp_path: Path) -> None:
    page = a_page(browser)
    with a_panel(tmp_path) as empty:
        page.goto(empty.address)
        page.wait_for_selector("#welcome-sample")
        assert "segment" not in buttons_follow(page), "there is nothing to segment yet"
        assert page.locator("#open").is_disabled()
        page.fill("#path", "x")
        page.wait_for_selector("#open:not([disabled])")

        page.click("#welcome-sample")
        page.wait_for_selector("#scan-name")
        assert {"segment", "start-empty", "change-scan"} <= set(buttons_follow(page))
        assert page.locator("#include").count() == 0

        page.click("#segment")
        state_becomes(page, "panel.phase === 'review'")
        assert set(buttons_follow(page)) == set(COMMAND_OF)
        assert page.locator("#accept").is_disabled()
        page.fill("#reviewer", "A. Clinician")
        page.click("#accept:not([disabled])")
        state_becomes(page, "panel.phase === 'accepted'")
        buttons_follow(page)
        assert page.locator("#accept").count() == 0
    page.context.close()


@pytest.mark.parametrize(
    ("key", "tool"), [("i", "include"), ("e", "exclude"), ("p", "paint"), ("r", "erase")]
)
def test_a_tool_is_taken_by_its_button_and_its_key_and_put_away(page: Page, key: str, tool: str) -> None:
    emptied(page)
    page.click(f"#{tool}")
    state_becomes(page, f"panel.tool === '{tool}'")
    page.click(f"#{tool}")
    state_becomes(page, "panel.tool === 'none'")
    page.keyboard.press(key)
    state_becomes(page, f"panel.tool === '{tool}'")
    page.keyboard.press("Escape")
    state_becomes(page, "panel.tool === 'none'")


def test_what_is_typed_into_a_field_is_no_command(page: Page) -> None:
    emptied(page)
    page.click("#reviewer")
    page.keyboard.type("Pine 0")
    assert page.input_value("#reviewer") == "Pine 0"
    assert state_of(page)["tool"] == "none"


def test_a_click_undo_and_redo_by_mouse_and_keys(page: Page) -> None:
    emptied(page)
    page.keyboard.press("i")
    state_becomes(page, "panel.tool === 'include'")
    page.mouse.click(*middle(page))
    state_becomes(page, "panel.clicks.length === 1")
    for back, forth in (("Control+z", "Control+y"), ("#undo", "#redo")):
        press(page, back)
        state_becomes(page, "panel.clicks.length === 0 && panel.can.redo")
        press(page, forth)
        state_becomes(page, "panel.clicks.length === 1 && !panel.can.redo")
    page.keyboard.press("Escape")


def test_segments_are_added_renamed_locked_chosen_and_removed(page: Page) -> None:
    emptied(page)
    page.click("#segment-add")
    page.fill("#segment-name", "GTVn")
    page.press("#segment-name", "Enter")
    state_becomes(page, "panel.segments.length === 2 && panel.segments[1].active")
    page.click("#segment-rename")
    page.fill("#segment-name", "GTVn_1")
    page.press("#segment-name", "Enter")
    state_becomes(page, "panel.segments[1].name === 'GTVn_1'")
    page.click("#segment-lock-2")
    state_becomes(page, "!panel.segments[1].locked")
    page.locator(".segment-choose >> nth=0").click()
    state_becomes(page, "panel.segments[0].active")
    page.click("#segment-remove-2")
    state_becomes(page, "panel.segments.length === 1")


def test_the_overlay_switch_its_key_and_the_layout_buttons(page: Page) -> None:
    emptied(page)
    page.click("#overlay")
    page.wait_for_selector(".legend-bar")
    page.keyboard.press("u")
    page.wait_for_selector(".legend-bar", state="detached")
    page.click("[title='Axial large']")
    until(page, lambda: width(page) > 600)
    page.click("[title='Four-up']")
    until(page, lambda: width(page) < 600)


@pytest.mark.parametrize("overlay", [False, True])
def test_grey_values_are_dragged_and_come_back(page: Page, overlay: bool) -> None:
    emptied(page)
    until(page, lambda: bright_pixels(page) > 200)
    if overlay:
        page.keyboard.press("u")
        page.wait_for_selector(".legend-bar")
    page.click("#usual-window")
    usual = page.evaluate("window.trame.state.state.window")
    x, y = middle(page)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 30, steps=6)
    page.mouse.up()
    page.wait_for_function(
        "usual => window.trame.state.state.window.some((v, n) => Math.abs(v - usual[n]) > 1)", arg=usual
    )
    page.click("#usual-window")
    page.wait_for_function(
        "usual => window.trame.state.state.window.every((v, n) => Math.abs(v - usual[n]) < 1)", arg=usual
    )
    page.evaluate("window.trame.state.set('overlay_shown', false)")


@pytest.mark.parametrize(
    ("slider", "name", "part"),
    [("overlay-opacity", "overlay_opacity", 0), ("overlay-window", "overlay_percentile", 1)],
)
def test_how_the_uncertainty_is_drawn_follows_its_sliders(
    page: Page, slider: str, name: str, part: int
) -> None:
    emptied(page)
    page.click("#overlay")
    page.wait_for_selector(".legend-bar")
    before = page.evaluate(f"window.trame.state.state.{name}")
    page.locator(f".v-input:has(#{slider}) [role=slider], .v-input:has([id^='{slider}']) [role=slider]").nth(
        part
    ).press("ArrowLeft")
    page.wait_for_function(
        "([name, before]) => JSON.stringify(window.trame.state.state[name]) !== before",
        arg=[name, json.dumps(before, separators=(",", ":"))],
    )
    page.click("#overlay")


def test_the_brush_follows_its_slider(page: Page) -> None:
    emptied(page)
    page.click("#paint")
    page.locator(".v-input:has(#brush-radius) [role=slider]").press("ArrowRight")
    page.wait_for_function("() => window.trame.state.state.brush_mm === 5.5")
    page.locator(".v-input:has(#brush-radius) [role=slider]").press("ArrowLeft")
    page.wait_for_function("() => window.trame.state.state.brush_mm === 5")
    page.keyboard.press("Escape")


def test_a_slice_follows_its_slider_and_a_view_its_reset(page: Page) -> None:
    until(page, lambda: len(other_slices(page)) == 3)
    before = other_slices(page)[0]
    page.locator(".view-slider [role=slider]").nth(0).press("ArrowRight")
    until(page, lambda: other_slices(page)[0] != before)
    page.locator("[title='Show the whole scan']").nth(0).click()
    until(page, lambda: other_slices(page)[0] == before)


def test_another_model_is_chosen_from_the_list(page: Page) -> None:
    page.click("#change-scan")
    page.click(".package")
    page.click(".v-list-item >> text=/RESEARCH ONLY/")
    page.wait_for_selector("#question-text >> text=CC BY-NC-SA")
    page.click("#question-no")
    state_becomes(page, "!panel.question && panel.model.value === 'brain-mr'")
    page.click(".package")
    page.click(".v-list-item >> text=/RESEARCH ONLY/")
    page.click("#question-yes")
    state_becomes(page, "panel.model.value === 'brain-mr-research' && !panel.targets.length")
    status_becomes(page, "Model: RESEARCH ONLY")
    page.click(".package")
    page.click(".v-list-item >> text=/generated heads only/")
    state_becomes(page, "panel.model.value === 'brain-mr' && panel.targets.length === 2")
    page.click("#keep-scan")
    page.wait_for_selector("#scan-name")


# ------------------------------------------------ views


@pytest.mark.parametrize("name", ["Axial", "Coronal", "Sagittal", "3D"])
def test_one_view_alone_and_all_again(page: Page, name: str) -> None:
    page.click(f"#alone-{name}")
    until(page, lambda: page.locator(".view-name").all_inner_texts() == [name])
    assert width(page) > 900
    page.click(f"#alone-{name}")
    until(page, lambda: len(page.locator(".view-name").all_inner_texts()) == 4)


def test_keys_leaf_through_the_slices_and_show_one_view(page: Page) -> None:
    until(page, lambda: len(other_slices(page)) == 3)
    before = other_slices(page)
    page.keyboard.press("PageUp")
    until(page, lambda: other_slices(page)[0] != before[0])
    assert other_slices(page)[1:] == before[1:], "the axial view alone has moved"
    page.keyboard.press("PageDown")
    until(page, lambda: other_slices(page) == before)
    page.keyboard.press("m")
    until(page, lambda: page.locator(".view-name").all_inner_texts() == ["Axial"])
    page.keyboard.press("m")
    until(page, lambda: len(page.locator(".view-name").all_inner_texts()) == 4)


def test_the_wheel_leafs_and_a_click_moves_the_other_views_there(page: Page) -> None:
    until(page, lambda: len(other_slices(page)) == 3)
    before = other_slices(page)
    x, y = middle(page)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -240)
    until(page, lambda: other_slices(page)[0] != before[0])
    page.mouse.click(x + 40, y + 30)
    until(page, lambda: not set(other_slices(page)[1:]) & set(before[1:]))


def test_a_tap_is_a_click(panel: Running, browser: Browser) -> None:
    page = opened_on(panel, browser, has_touch=True)
    emptied(page)
    page.tap("#include")
    state_becomes(page, "panel.tool === 'include'")
    x, y = middle(page)
    page.touchscreen.tap(x, y)
    state_becomes(page, "panel.clicks.length === 1 && panel.clicks[0].include")
    page.tap("#include")
    before = other_slices(page)
    page.touchscreen.tap(x + 50, y + 40)
    until(page, lambda: other_slices(page)[1:] != before[1:])
    page.context.close()


# ------------------------------------------------ one tab


def test_one_tab_is_in_use_and_the_other_says_so(panel: Running, browser: Browser) -> None:
    first, second = opened_on(panel, browser), opened_on(panel, browser)
    first.wait_for_selector(".elsewhere >> text=In use in another tab")
    assert second.locator(".elsewhere").count() == 0
    first.keyboard.press("i")
    first.wait_for_timeout(500)
    assert state_of(second)["tool"] == "none", "the keys of the other tab do nothing"
    first.click("#use-here")
    second.wait_for_selector(".elsewhere")
    first.wait_for_selector(".elsewhere", state="detached")
    for page in (first, second):
        page.context.close()


# ------------------------------------------------ looking


def middle(page: Page) -> tuple[float, float]:
    """Of the axial view."""
    box = page.locator(AXIAL).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def width(page: Page) -> float:
    box = page.locator(AXIAL).bounding_box()
    return box["width"] if box else 0.0


def press(page: Page, what: str) -> None:
    if what.startswith("#"):
        page.click(f"{what}:not([disabled])")
    else:
        page.keyboard.press(what)
