"""The real panel in a process of its own, a browser to look at it with, and patience."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from fixtures_without import command_without
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

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
_REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Running:
    """address: with its token. process: the server. home: where it keeps journals."""

    address: str
    process: subprocess.Popen
    home: Path

    @property
    def root(self) -> str:
        return self.address.split("/index.html")[0]


@contextmanager
def a_panel(home: Path, *arguments: str, without: Sequence[str] = ()) -> Iterator[Running]:
    """`tumorsegrobust app` with these arguments, on a free port; Ctrl-C ends it unless it has ended. without:
    libraries that it does not find.
    """
    environment = os.environ | {
        "XDG_DATA_HOME": str(home), "HOME": str(home), "TMPDIR": str(home), "PYTHONUNBUFFERED": "1"
    }  # fmt: skip
    words = ["app", "--no-browser", *arguments]
    plain = [sys.executable, "-m", "TumorSegRobustLib.cli", *words]
    command = command_without(without, *words) if without else plain
    log = (home / "server.log").open("a+")
    with subprocess.Popen(
        command, cwd=_REPOSITORY, env=environment, text=True, stdout=subprocess.PIPE, stderr=log
    ) as server:
        try:
            assert server.stdout is not None
            for line in server.stdout:
                if found := re.search(r"http://127\.0\.0\.1:\d+/\S*token=\S+", line):
                    yield Running(found.group(), server, home)
                    break
            else:
                log.seek(0)
                pytest.fail(f"The panel did not start:\n{log.read()[-3000:]}")
        finally:
            killed = server.poll() is not None
            if not killed:
                server.send_signal(signal.SIGINT)
            ended = server.wait(30)
            log.close()
    assert killed or ended == 0, "Ctrl-C is the usual way to end the panel, not an error"


@contextmanager
def a_browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.fail(
            "chromium is not installed, so the panel cannot be tested: run `make test`, which installs it"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def a_page(browser: Browser, **options: bool) -> Page:
    """A window of the smallest screen that is supported."""
    page = browser.new_context(viewport=SMALLEST_SCREEN, **options).new_page()
    page.set_default_timeout(PATIENCE_MS)
    return page


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
