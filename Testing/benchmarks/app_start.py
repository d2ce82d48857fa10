"""App start -> first image: from the command to the scan drawn in a browser window that is open already.

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
from collections.abc import Iterator
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


def measure(runs: int) -> Figures:
    """Server and browser share the two cores. The first run may read files that no cache holds yet."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or "/usr/bin/chromium"
    answered: list[float] = []
    drawn: list[float] = []
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as home:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        for _ in range(runs):
            page = browser.new_page(viewport={"width": 1366, "height": 768})
            page.set_default_timeout(PATIENCE_S * 1000)
            began = perf_counter()
            with _panel(home) as address:
                answered.append(perf_counter() - began)
                page.goto(address)
                page.wait_for_selector("#scan-name")
                while _bright_pixels(page) < ENOUGH:
                    if perf_counter() - began > PATIENCE_S:
                        raise RuntimeError("No image was drawn.")
                    page.wait_for_timeout(20)
                drawn.append(perf_counter() - began)
                page.close()
        browser.close()
    return {"answers_s": spread(answered), "first_image_s": spread(drawn)}


@contextmanager
def _panel(home: str) -> Iterator[str]:
    """The address of a panel that opens the sample case."""
    sample = str(REPOSITORY / "Resources" / "SampleCase")
    command = [sys.executable, "-m", "TumorSegRobustLib.cli", "app", "--no-browser", sample]
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
    from PIL import Image

    picture = Image.open(io.BytesIO(page.locator(AXIAL).screenshot())).convert("L")
    return int((np.asarray(picture) > BRIGHT).sum())


if __name__ == "__main__":
    two_cores()
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 3)))
