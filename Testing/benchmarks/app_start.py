"""What a clinician waits for in the browser panel, as the browser shows it.

App start -> first image: from the command to the scan drawn in a browser window that is open already.
First image -> contour: Segment is pressed at once, while the networks may still be loading.

`python -m Testing.benchmarks.app_start [RUNS]` prints one JSON document. Needs chromium and both extras.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from .measuring import REPOSITORY, Figures, spread, two_cores

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
)
PATIENCE_S = 300.0
AXIAL = ".layout-grid-item >> nth=0"
BRIGHT, ENOUGH = 60, 2000  # grey value and number of pixels that only a drawn scan has
COLOURED, A_CONTOUR = 70, 100  # by how much blue and green exceed red, and number of pixels, of a contour
SCANS = ("sample", "head")


def measure(runs: int) -> Figures:
    """Server and browser share the two cores. The first run may read files that no cache holds yet."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or "/usr/bin/chromium"
    seconds: dict[str, list[float]] = {}
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as home:
        scans = {"sample": REPOSITORY / "Resources" / "SampleCase", "head": _head(Path(home))}
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        for name in SCANS:
            for _ in range(runs):
                page = browser.new_page(viewport={"width": 1366, "height": 768})
                page.set_default_timeout(PATIENCE_S * 1000)
                for what, value in _wait(page, home, scans[name]).items():
                    seconds.setdefault(f"{name}_{what}", []).append(value)
                page.close()
        browser.close()
    return {name: spread(values) for name, values in seconds.items()}


def _wait(page: Any, home: str, scan: Path) -> dict[str, float]:
    """One start of the panel with `scan`, and one press of Segment."""
    began = perf_counter()
    with _panel(home, scan) as address:
        answered = perf_counter()
        page.goto(address)
        page.wait_for_selector("#scan-name")
        _until(page, lambda: _bright_pixels(page) >= ENOUGH, "No image was drawn.")
        drawn = perf_counter()
        page.click("#segment:not([disabled])")
        _until(page, lambda: _contour_pixels(page) >= A_CONTOUR, "No contour was drawn.")
        contoured = perf_counter()
    return {"answers_s": answered - began, "first_image_s": drawn - began, "contour_s": contoured - drawn}


def _head(folder: Path) -> Path:
    """The 1 mm head of the budgets, as a file."""
    from TumorSegRobustLib.image import write_image

    from . import volumes

    path = folder / "head.nii.gz"
    write_image(volumes.head(), path)
    return path


def _until(page: Any, true: Callable[[], bool], otherwise: str) -> None:
    began = perf_counter()
    while not true():
        if perf_counter() - began > PATIENCE_S:
            raise RuntimeError(otherwise)
        page.wait_for_timeout(20)


@contextmanager
def _panel(home: str, scan: Path) -> Iterator[str]:
    """The address of a panel that opens `scan`."""
    command = [sys.executable, "-m", "TumorSegRobustLib.cli", "app", "--no-browser", str(scan)]
    environment = os.environ | {"XDG_DATA_HOME": home, "PYTHONUNBUFFERED": "1"}
    log = Path(home) / "server.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command, cwd=REPOSITORY, env=environment, text=True, stdout=subprocess.PIPE, stderr=errors
        ) as server,
    ):
        try:
            for line in server.stdout or ():
                if found := re.search(r"http://127\.0\.0\.1:\d+/\S*token=\S+", line):
                    yield found.group()
                    break
            else:
                raise RuntimeError(f"The panel did not start:\n{log.read_text()[-2000:]}")
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)


def _bright_pixels(page: Any) -> int:
    return int((_axial(page).min(axis=-1) > BRIGHT).sum())


def _contour_pixels(page: Any) -> int:
    red, green, blue = np.moveaxis(_axial(page), -1, 0)
    return int(((green - red > COLOURED) & (blue - red > COLOURED)).sum())


def _axial(page: Any) -> np.ndarray:
    """(rows, columns, 3) of the axial view."""
    from PIL import Image

    picture = Image.open(io.BytesIO(page.locator(AXIAL).screenshot())).convert("RGB")
    return np.asarray(picture).astype(int)


if __name__ == "__main__":
    two_cores()
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 3)))
