"""The panel as a clinician meets it: a real browser, the real server, the sample case and the shipped model.

With TUMORSEGROBUST_SCREENSHOTS=1 the pictures for the documentation are taken along the way.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from playwright.sync_api import Page, sync_playwright

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
# Without a sandbox (tests may run as root), without a GPU, and without any word to the outside.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SMALLEST_SCREEN = {"width": 1366, "height": 768}
PATIENCE_MS = 120_000  # for a machine that is busy with other things
AXIAL = ".layout-grid-item >> nth=0"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[str]:
    """The secret address of a panel that runs in a process of its own, on a free port."""
    home = tmp_path_factory.mktemp("home")
    environment = os.environ | {"XDG_DATA_HOME": str(home), "HOME": str(home), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "TumorSegRobustLib.cli", "app", "--no-browser"]
    log = (home / "server.log").open("w+")
    with subprocess.Popen(
        command, cwd=repository, env=environment, text=True, stdout=subprocess.PIPE, stderr=log
    ) as server:
        try:
            assert server.stdout is not None
            for line in server.stdout:
                if found := re.search(r"http://127\.0\.0\.1:\d+/\S*token=\S+", line):
                    yield found.group()
                    break
            else:
                log.seek(0)
                pytest.fail(f"The panel did not start:\n{log.read()[-3000:]}")
        finally:
            server.send_signal(signal.SIGINT)
            ended = server.wait(30)
            log.close()
    assert ended == 0, "Ctrl-C is the usual way to end the panel, not an error"


@pytest.fixture
def page() -> Iterator[Page]:
    """A browser window of the smallest screen that is supported."""
    if not Path(CHROMIUM).exists():
        pytest.fail(
            "chromium is not installed, so the panel cannot be tested: run `make test`, which installs it"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport=SMALLEST_SCREEN)
        page.set_default_timeout(PATIENCE_MS)
        yield page
        browser.close()


def test_from_the_sample_case_to_an_rtstruct(
    address: str, page: Page, tmp_path: Path, repository: Path
) -> None:
    asked: list[str] = []
    troubles: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    take = picture_taker(page, repository)

    # Open: the empty page says what to do, a wrong path gets one line, the token leaves the address.
    page.goto(address)
    page.wait_for_selector("text=Open a scan to begin")
    assert "token" not in page.url
    take("1-start")
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
    take("2-segmented")

    # Trust: the uncertainty is drawn over the scan, and taken away again.
    plain = warm_pixels(page)
    page.keyboard.press("u")
    page.wait_for_selector(".legend-bar")
    until(page, lambda: warm_pixels(page) > plain + 300)
    row, button = (page.locator(name).bounding_box() for name in (".overlay-line", "#next-place"))
    assert row is not None
    assert button is not None
    assert button["x"] + button["width"] <= row["x"] + row["width"] + 1, "nothing is cut off"
    take("3-uncertainty")
    page.keyboard.press("u")
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
    take("4-corrected")
    page.keyboard.press("Control+z")
    volume_becomes(page, lambda ml: ml == grown)
    page.click("#undo")
    volume_becomes(page, lambda ml: ml == proposed)
    page.keyboard.press("Control+Shift+Z")
    volume_becomes(page, lambda ml: ml == grown)
    page.keyboard.press("Escape")
    page.wait_for_selector("#exclude[aria-pressed=false]")

    # Everything fits on the smallest screen.
    assert page.evaluate("(() => { const e = document.querySelector('.steps');"
                         "return e.scrollHeight <= e.clientHeight; })()")  # fmt: skip

    # Compare: a reference beside the contour, whose errors follow what is done to it.
    page.fill("#folder", str(tmp_path / "saved"))
    page.click("#save:not([disabled])")
    status_becomes(page, r"Written: .*saved")
    page.click("#begin-compare")
    page.wait_for_selector("text=Choose a reference: a mask file on this scan")
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
    take("6-compared")
    page.keyboard.press("Control+Shift+Z")
    until(page, lambda: "1.00" in page.inner_text("#compare-rows"))
    page.click("#stop-comparing")
    page.wait_for_selector("#compare-rows", state="detached")

    # Export: accepted by name, written where asked, and downloaded.
    page.fill("#reviewer", "A. Clinician")
    page.click("#accept")
    page.wait_for_selector("text=Accepted by A. Clinician")
    take("5-accepted")
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
    page.click("#start-empty")
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


# ------------------------------------------------ waiting


def until(page: Page, true: Callable[[], bool]) -> None:
    """Poll until it is true; pictures come when the server has drawn them."""
    for _ in range(PATIENCE_MS // 200):
        if true():
            return
        page.wait_for_timeout(200)
    pytest.fail(f"This never became true: {true}")


def status_becomes(page: Page, pattern: str) -> None:
    page.wait_for_function(
        "p => new RegExp(p).test(document.querySelector('#status').innerText)", arg=pattern
    )


def volume_becomes(page: Page, wanted: Callable[[float], bool]) -> None:
    until(page, lambda: wanted(millilitres(page)))


def millilitres(page: Page) -> float:
    return float(page.inner_text("#volume").removesuffix(" ml"))


def other_slices(page: Page) -> list[str]:
    """Where the views lie, in words."""
    return page.locator(".view-offset").all_inner_texts()


# ------------------------------------------------ looking


def axial(page: Page) -> np.ndarray:
    """(rows, columns, 3) of the axial view without the words that lie over it."""
    pixels = np.asarray(Image.open(io.BytesIO(page.locator(AXIAL).screenshot())).convert("RGB")).astype(int)
    return pixels[30:-30, 25:-25]


def cyan_mask(page: Page) -> np.ndarray:
    red, green, blue = np.moveaxis(axial(page), -1, 0)
    return (green - red > 70) & (blue - red > 70)


def cyan_pixels(page: Page) -> int:
    return int(cyan_mask(page).sum())


def warm_pixels(page: Page) -> int:
    red, green, _ = np.moveaxis(axial(page), -1, 0)
    return int(((red - green > 30) & (red > 60)).sum())


def bright_pixels(page: Page) -> int:
    return int((axial(page).min(axis=-1) > 60).sum())


def left_end_of_contour(page: Page) -> tuple[float, float]:
    """Where, on the page, the contour in the axial view reaches farthest to the left."""
    rows, columns = np.nonzero(cyan_mask(page))
    box = page.locator(AXIAL).bounding_box()
    assert box is not None
    first = int(np.argmin(columns))
    return box["x"] + 25 + float(columns[first]), box["y"] + 30 + float(rows[first])


def assert_structure_set(path: Path, name: str) -> None:
    structures = pydicom.dcmread(path, force=True)
    assert structures.Modality == "RTSTRUCT"
    assert [roi.ROIName for roi in structures.StructureSetROISequence] == [name]
    (contours,) = structures.ROIContourSequence
    assert len(contours.ContourSequence) >= 3


def picture_taker(page: Page, repository: Path) -> Callable[[str], None]:
    """Writes Resources/Screenshots/<name>.png where pictures are wanted, else does nothing."""
    if not os.environ.get("TUMORSEGROBUST_SCREENSHOTS"):
        return lambda name: None
    folder = repository / "Resources" / "Screenshots"
    folder.mkdir(parents=True, exist_ok=True)

    def take(name: str) -> None:
        page.mouse.move(170, 760)
        page.wait_for_timeout(2500)  # the server sends the last picture in full quality when nothing moves
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        smaller = picture.point(lambda value: value & 0xFC)  # noise in the last bits is half of the file
        smaller.save(folder / f"panel-{name}.png", optimize=True)

    return take
