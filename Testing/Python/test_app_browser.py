"""The panel as a clinician meets it: a real browser, the real server, the sample case and the shipped model.

The pictures for the documentation are taken by take_panel_pictures.py.
"""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from fixtures_browser import (
    AXIAL,
    a_browser,
    a_page,
    a_panel,
    axial,
    bright_pixels,
    cyan_pixels,
    left_end_of_contour,
    millilitres,
    other_slices,
    status_becomes,
    until,
    volume_becomes,
    warm_pixels,
)
from playwright.sync_api import Page


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The secret address of a panel that runs in a process of its own, on a free port."""
    with a_panel(tmp_path_factory.mktemp("home")) as panel:
        yield panel.address


@pytest.fixture
def page() -> Iterator[Page]:
    """A browser window of the smallest screen that is supported."""
    with a_browser() as browser:
        yield a_page(browser)


def test_from_the_sample_case_to_an_rtstruct(address: str, page: Page, tmp_path: Path) -> None:
    asked: list[str] = []
    troubles: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: troubles.append(str(error)))

    # Open: the empty page says what to do, a wrong path gets one line, the token leaves the address.
    page.goto(address)
    page.wait_for_selector("text=Open a scan to begin")
    assert "token" not in page.url
    page.fill("#path", "/nowhere/scan.nii.gz")
    page.press("#path", "Enter")
    status_becomes(page, r"/nowhere/scan\.nii\.gz does not exist")
    page.click("#welcome-sample")
    page.wait_for_selector("#scan-name")
    until(page, lambda: bright_pixels(page) > 2000)
    assert cyan_pixels(page) < 20
    assert page.locator("#include").count() == 0, "there is nothing to correct yet"

    # Segment: progress, then a contour in the view, and how far to trust it.
    page.click("#segment")
    page.wait_for_selector("#progress", state="attached")
    page.wait_for_selector("#volume")
    until(page, lambda: cyan_pixels(page) > 100)
    proposed = millilitres(page)
    assert proposed > 1
    assert page.inner_text("#triage") in ("Accept", "Review", "Reject")
    assert re.fullmatch(r"[01]\.\d\d", page.inner_text("#dice"))
    assert page.inner_text("#guess") == "not calibrated"

    # Trust: the uncertainty is drawn over the scan, and taken away again.
    plain = warm_pixels(page)
    page.keyboard.press("u")
    page.wait_for_selector(".legend-bar")
    until(page, lambda: warm_pixels(page) > plain + 300)
    for line, last in ((".overlay-line", "#overlay-kind"), (".next-line", "#next-place")):
        row, button = (page.locator(name).bounding_box() for name in (line, last))
        assert row is not None
        assert button is not None
        assert button["x"] + button["width"] <= row["x"] + row["width"] + 1, "nothing is cut off"
    assert too_large(page) == []

    # Which uncertainty: another one looks otherwise, and is still chosen after a reload.
    entropy = axial(page)
    page.select_option("#overlay-kind", "mutual_information")
    page.wait_for_selector("#overlay-kind[title^='Mutual information: ']")
    until(page, lambda: int((abs(axial(page) - entropy).max(axis=-1) > 60).sum()) > 100)
    page.reload()
    page.wait_for_selector("#overlay-kind:enabled")
    assert page.input_value("#overlay-kind") == "mutual_information"
    page.select_option("#overlay-kind", "entropy")
    page.keyboard.press("u")
    page.wait_for_selector("#overlay-kind:disabled")
    until(page, lambda: warm_pixels(page) < plain + 100)

    # Where to look next: the key moves the views, the list marks where they are.
    before = other_slices(page)
    page.keyboard.press("n")
    page.wait_for_selector(".place-shown")
    assert re.match(r"Place 1 of \d+: ", page.inner_text("#status"))
    until(page, lambda: other_slices(page) != before)
    page.click("#go-to-tumour")
    until(page, lambda: other_slices(page) == before)

    # Correct: what is clicked is done, and undone; without a tool a click changes nothing.
    x, y = left_end_of_contour(page)
    looked_at = other_slices(page)
    page.mouse.click(x - 25, y)
    until(page, lambda: other_slices(page) != looked_at)
    page.keyboard.press("i")
    page.wait_for_selector("#include[aria-pressed=true]")
    page.mouse.click(x - 12, y)
    page.wait_for_selector("text=1 click")
    volume_becomes(page, lambda ml: ml > proposed)
    grown = millilitres(page)
    page.click("#exclude")
    page.wait_for_selector("#exclude[aria-pressed=true]")
    page.mouse.click(x + 8, y)
    page.wait_for_selector("text=2 clicks")
    volume_becomes(page, lambda ml: ml < grown)
    page.keyboard.press("Control+z")
    volume_becomes(page, lambda ml: ml == grown)
    page.click("#undo")
    volume_becomes(page, lambda ml: ml == proposed)
    page.keyboard.press("Control+Shift+Z")
    volume_becomes(page, lambda ml: ml == grown)
    page.keyboard.press("Escape")
    page.wait_for_selector("#exclude[aria-pressed=false]")

    # Everything fits on the smallest screen.
    assert too_large(page) == []

    # Compare: a reference beside the contour, whose errors follow what is done to it.
    usual = page.input_value("#folder")
    page.fill("#folder", str(tmp_path / "saved"))
    page.click("#save:not([disabled])")
    status_becomes(page, r"Written: .*saved")
    page.fill("#folder", usual)
    page.click("#begin-compare")
    page.wait_for_selector("text=Choose a reference: a mask file on this scan")

    # A long error, with or without places to break it, moves nothing and widens nothing.
    for path in ("/nowhere/" + "a_long_folder_name/" * 12, "/" + "x" * 240):
        page.fill("#reference", path)
        page.click("#compare:not([disabled])")
        status_becomes(page, path[:30])
        assert too_large(page) == []
    page.fill("#reference", str(tmp_path / "saved" / "segmentation.nii.gz"))
    page.click("#compare:not([disabled])")
    until(page, lambda: "1.00" in page.inner_text("#compare-rows"))
    assert page.locator("#errors").count() == 0
    page.keyboard.press("Control+z")
    page.wait_for_selector("#errors >> text=/Border too tight|Missed lesion/")
    page.click("#next-error:not([disabled])")
    status_becomes(page, r"Error 1 of \d+: ")
    page.wait_for_selector("#errors .place-shown")
    steps = page.locator(".steps")  # nothing is cut off at the side
    assert steps.evaluate("(e) => e.scrollWidth <= e.clientWidth")
    page.keyboard.press("Control+Shift+Z")
    until(page, lambda: "1.00" in page.inner_text("#compare-rows"))
    page.click("#stop-comparing")
    page.wait_for_selector("#compare-rows", state="detached")

    # Export: accepted by name, written where asked, and downloaded.
    page.fill("#reviewer", "A. Clinician")
    page.click("#accept")
    page.wait_for_selector("text=Accepted by A. Clinician")
    page.fill("#roi-name", "GTVp_test")
    page.fill("#folder", str(tmp_path / "plan"))
    page.click("#export-rtstruct:not([disabled])")
    status_becomes(page, r"Written: .*RTSTRUCT.*\.dcm")
    (written,) = (tmp_path / "plan").glob("*.dcm")
    assert_structure_set(written, "GTVp_test")
    page.click("#export-seg:not([disabled])")
    status_becomes(page, r"Written: .*SEG_.*\.dcm")
    (written,) = (tmp_path / "plan").glob("SEG_*.dcm")
    assert pydicom.dcmread(written).SegmentSequence[0].SegmentLabel == "GTVp_test"
    with page.expect_download() as download:
        page.click("#download")
    assert_structure_set(Path(download.value.path()), "GTVp_test")

    # A reloaded page is where it was, without the token in its address.
    page.reload()
    page.wait_for_selector("text=Accepted by A. Clinician")
    assert millilitres(page) == grown
    until(page, lambda: cyan_pixels(page) > 100)

    # Nothing left this computer, and nothing broke in the page.
    outside = [url for url in asked if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))]
    assert outside == []
    assert troubles == []


def test_a_second_segment_is_clicked_painted_locked_and_corrected(address: str, page: Page) -> None:
    page.goto(address)
    page.wait_for_selector("#welcome-sample, #scan-name")
    if page.locator("#welcome-sample").is_visible():
        page.click("#welcome-sample")
    page.wait_for_selector("#scan-name")
    worked_on = page.evaluate("window.trame.state.state.panel.click_count !== '0 clicks'")
    page.click("#start-empty")
    if worked_on:  # in the test before
        page.click("#question-yes")
    status_becomes(page, "Choose Include and click in the tumour")
    box = page.locator(AXIAL).bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    take_tool(page, "i", "include")
    page.mouse.click(x - 20, y - 10)
    page.wait_for_selector("text=1 click")
    first = millilitres(page)

    # A segment of its own for the second lesion; what is painted is a stroke of the brush, one step.
    page.click("#segment-add")
    page.fill("#segment-name", "GTVn")
    page.press("#segment-name", "Enter")
    status_becomes(page, "GTVn was added")
    take_tool(page, "p", "paint")
    page.mouse.move(x + 130, y + 90)  # where no first click reaches: the first segment is locked
    page.mouse.down()
    page.mouse.move(x + 150, y + 90, steps=4)
    page.mouse.up()
    status_becomes(page, r"Painted\. GTVn of ")
    assert millilitres(page) > 0

    # A click in the first segment is refused, and says how it would be done.
    take_tool(page, "i", "include")
    page.mouse.click(x - 20, y - 10)
    status_becomes(page, "belongs to GTVp, which is locked: choose GTVp")
    page.locator(".segment-choose >> nth=0").click()
    volume_becomes(page, lambda ml: ml == first)

    # One click is moved, then deleted, and undo brings it back.
    page.locator(".click-act >> nth=0").click()
    page.mouse.click(x - 30, y - 10)
    status_becomes(page, "The click was moved")
    page.locator(".click-act >> nth=1").click()
    status_becomes(page, r"The click was deleted\. GTVp of 0\.0 ml")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    volume_becomes(page, lambda ml: ml == first)
    page.keyboard.press("Escape")


def too_large(page: Page) -> list[str]:
    """What is wider than its place; "steps" too where not all of them, down to Export, are in sight."""
    return list(
        page.evaluate(
            "(() => [...document.querySelectorAll('.page, .steps, .step, .status')].filter((e) =>"
            " e.scrollWidth > e.clientWidth || (e.matches('.steps') && e.scrollHeight > e.clientHeight))"
            ".map((e) => `${e.id || e.className} ${e.scrollWidth} ${e.clientWidth} ${e.scrollHeight}`))()"
        )
    )


def take_tool(page: Page, key: str, tool: str) -> None:
    page.keyboard.press(key)
    page.wait_for_selector(f"#{tool}[aria-pressed=true]")


@pytest.mark.parametrize("token", ["", "?token=", "?token=guessed-by-somebody"])
def test_a_wrong_token_opens_neither_page_nor_websocket(address: str, page: Page, token: str) -> None:
    root = address.split("/index.html")[0]
    answer = page.goto(f"{root}/index.html{token}")
    assert answer is not None
    assert answer.status == 403
    assert "Refused" in page.inner_text("body")
    assert page.locator("#status").count() == 0
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
               "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}  # fmt: skip
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(f"{root}/ws{token}", headers=upgrade), timeout=30)
    assert refused.value.code == 403


def assert_structure_set(path: Path, name: str) -> None:
    structures = pydicom.dcmread(path, force=True)
    assert structures.Modality == "RTSTRUCT"
    assert [roi.ROIName for roi in structures.StructureSetROISequence] == [name]
    (contours,) = structures.ROIContourSequence
    assert len(contours.ContourSequence) >= 3
