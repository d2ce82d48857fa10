"""Takes pictures of the browser panel in six states, on the sample case with the real networks.

python Testing/Python/take_panel_pictures.py [FOLDER]   without one: Resources/Screenshots/panel-1-start.png

The same states and places as in the pictures of the desktop panel (Testing/slicer_host/take_pictures.py).
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from fixtures_browser import AXIAL, a_browser, a_page, a_panel, cyan_pixels, status_becomes, until
from PIL import Image
from playwright.sync_api import Page

REPOSITORY = Path(__file__).resolve().parents[2]
Place = tuple[float, float, float]
# LPS mm, where the networks' contour leaves tumour out and where it takes in what is none, as in `demo`.
INCLUDED, EXCLUDED = (40.6, -14.4, 28.1), (39.4, 15.6, 31.9)
CORONAL = ".layout-grid-item >> nth=1"
AXES = {"R": (0, -1), "L": (0, 1), "A": (1, -1), "P": (1, 1), "I": (2, -1), "S": (2, 1)}


def tell(page: Page, take: Callable[[str], None]) -> None:
    """From the empty panel to the accepted contour."""
    page.wait_for_selector("#welcome-sample")
    take("1-start")
    page.click("#welcome-sample")
    page.click("#segment:not([disabled])")
    page.wait_for_selector("#volume")
    until(page, lambda: cyan_pixels(page) > 100)
    take("2-segmented")
    page.keyboard.press("u")
    page.wait_for_selector(".legend-bar")
    take("3-uncertainty")
    page.keyboard.press("u")
    click_at(page, INCLUDED, "include")
    click_at(page, EXCLUDED, "exclude")
    take("4-corrected")
    page.keyboard.press("Escape")
    page.click("#begin-compare")
    page.fill("#reference", "Resources/SampleCase/truth.nii.gz")
    page.click("#compare:not([disabled])")
    page.click("#next-error:not([disabled])")
    status_becomes(page, r"Error 1 of \d+: ")
    page.locator("#errors").scroll_into_view_if_needed()
    take("5-compared")
    page.click("#stop-comparing")
    page.click("#begin-compare")
    page.fill("#reviewer", "Dr Example")
    page.click("#accept:not([disabled])")
    page.wait_for_selector("#accepted")
    take("6-accepted")


def click_at(page: Page, place: Place, tool: str) -> None:
    """Look at the place in all views, then click there in the axial one."""
    page.keyboard.press("Escape")
    height = pixel_of(page, CORONAL, place, (0, 2))
    page.mouse.click(*height)
    until(page, lambda: abs(looked_at(page)[2] - place[2]) < 2)
    pixel = pixel_of(page, AXIAL, place, (0, 1))
    page.mouse.click(*pixel)
    until(page, lambda: all(abs(a - b) < 2 for a, b in zip(looked_at(page), place, strict=True)))
    page.keyboard.press(tool[0])
    page.wait_for_selector(f"#{tool}[aria-pressed=true]")
    page.mouse.click(*pixel)
    status_becomes(page, "Included" if tool == "include" else "Excluded")


def pixel_of(page: Page, view: str, place: Place, axes: tuple[int, int]) -> tuple[float, float]:
    """Where a place lies on the page: two clicks without a tool tell the scale of a view."""
    box = page.locator(view).bounding_box()
    assert box is not None
    pixels, places = [], []
    for share in (0.4, 0.6):
        pixel = (box["x"] + share * box["width"], box["y"] + share * box["height"])
        before = looked_at(page)
        page.mouse.click(*pixel)
        until(page, lambda before=before: looked_at(page) != before)  # type: ignore[misc]
        page.wait_for_timeout(500)
        pixels.append(pixel)
        places.append([looked_at(page)[axis] for axis in axes])
    scale = np.subtract(*pixels) / np.subtract(*places)
    x, y = pixels[0] + scale * ([place[axis] for axis in axes] - np.asarray(places[0]))
    return float(x), float(y)


def looked_at(page: Page) -> Place:
    """The place that all views show, from the words in their corners: "S 20.6 mm"."""
    found = [0.0, 0.0, 0.0]
    words = " ".join(page.locator(".view-offset").all_inner_texts())
    for letter, value in re.findall(r"([RLAPIS]) ([\d.]+) mm", words):
        axis, sign = AXES[letter]
        found[axis] = sign * float(value)
    return found[0], found[1], found[2]


def camera(page: Page, folder: Path) -> Callable[[str], None]:
    """Writes what the window shows to `panel-<name>.png`."""

    def take(name: str) -> None:
        page.mouse.move(170, 760)
        page.wait_for_timeout(2500)  # the server sends the last picture in full quality when nothing moves
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        smaller = picture.point(lambda value: value & 0xFC)  # noise in the last bits is half of the file
        path = folder / f"panel-{name}.png"
        smaller.save(path, optimize=True)
        print(path)

    return take


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "Resources" / "Screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, a_panel(Path(home)) as running, a_browser() as browser:
        page = a_page(browser)
        page.goto(running.address)
        tell(page, camera(page, folder))
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
