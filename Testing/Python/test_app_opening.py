"""How scans get into the page, in a real browser: series, channels, dropped files, and after a crash."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import fixtures_app as head
import numpy as np
import pytest
from fixtures_browser import (
    AXIAL,
    Running,
    a_browser,
    a_page,
    a_panel,
    bright_pixels,
    millilitres,
    status_becomes,
    until,
)
from playwright.sync_api import Browser, Page

from TumorSegRobustLib.image import Geometry, Image, write_image


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with a_panel(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with a_browser() as opened:
        yield opened


@pytest.fixture
def page(panel: Running, browser: Browser) -> Iterator[Page]:
    opened = a_page(browser)
    opened.goto(panel.address)
    opened.wait_for_selector("#welcome-sample, #scan-name")
    yield opened
    opened.context.close()


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two series of one head, and a letter."""
    folder = tmp_path_factory.mktemp("data") / "study"
    head.write_dicom(head.a_head(), folder / "1", description="FLAIR axial")
    head.write_dicom(changed(head.a_head(), 0.5), folder / "2", description="T1c axial")
    (folder / "letter.txt").write_text("not a scan")
    return folder


def changed(image: Image, factor: float, name: str = "") -> Image:
    return replace(image, voxels=(image.voxels * factor).astype(np.float32), name=name)


def open_path(page: Page, path: Path) -> None:
    if page.locator("#change-scan").count():
        page.click("#change-scan:not([disabled])")
    page.fill("#path", str(path))
    page.press("#path", "Enter")


def scan_becomes(page: Page, name: str) -> None:
    page.wait_for_function("n => document.querySelector('#scan-name')?.innerText === n", arg=name)


def drop(page: Page, *paths: Path, on: str = "scan") -> None:
    """Let files and folders go over the page, as a file manager does."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    session.send("Input.dispatchDragEvent", {"type": "dragEnter", "x": 600, "y": 300, "data": data})
    page.wait_for_selector(".dragging .drop-zone")
    box = page.locator(f".drop-zone[data-where={on}]").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for kind in ("dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": x, "y": y, "data": data})
    page.wait_for_selector(".dragging", state="detached")


def files_in(folder: Path) -> list[Path]:
    """Files below `folder`, while the panel may remove folders there (where `rglob` raises)."""
    return [Path(top, name) for top, _, names in os.walk(folder) for name in names]


def uploaded(panel: Running) -> list[Path]:
    return [path for folder in panel.home.glob("tumorsegrobust-*") for path in files_in(folder)]


# ------------------------------------------------ series and channels


def test_a_folder_with_several_series_gives_a_list_to_choose_from(page: Page, study: Path) -> None:
    open_path(page, study)
    page.wait_for_selector("#series .picker-entry")
    assert page.locator("#series .picker-entry").all_inner_texts() == [
        "MR FLAIR axial, 40 images, 3x3x3 mm",
        "MR T1c axial, 40 images, 3x3x3 mm",
    ]
    assert page.inner_text("#series-question") == "study holds 2 series: choose one of them."
    for close in (lambda: page.click("#series-close"), lambda: page.keyboard.press("Escape")):
        close()
        page.wait_for_selector("#series", state="hidden")
        page.wait_for_function("() => !window.trame.state.state.panel.choices.length")
        open_path(page, study)
        page.wait_for_selector("#series .picker-entry")
    page.click("#series .picker-entry >> nth=0")
    scan_becomes(page, "FLAIR axial")
    until(page, lambda: bright_pixels(page) > 200)


def test_a_second_channel_is_added_named_and_removed(page: Page, study: Path) -> None:
    open_path(page, study / "1")
    scan_becomes(page, "FLAIR axial")
    page.wait_for_selector("#will-happen >> text=/^FLAIR: 3 networks on the processor .* of memory/")
    assert page.locator("#target").count() == 0, "without the T1c there is nothing to choose"

    page.click("#channel-browse-t1c")
    page.wait_for_selector(".picker-entry >> text='letter.txt'", state="detached")
    page.click("#picker-up")
    page.wait_for_selector(".picker-entry >> text='2'")
    page.click(".picker-entry >> text='2'")
    page.click("#picker-open-folder:not([disabled])")
    page.wait_for_selector("#channel-t1c >> text=T1c axial")
    page.wait_for_selector("#will-happen >> text=/^FLAIR and T1c: 3 networks/")
    assert page.inner_text("#scan-name") == "FLAIR axial"

    page.select_option("#target", "tumour core")
    status_becomes(page, "Segment will contour the tumour core")
    page.select_option("#target", "whole tumour")
    page.select_option("#first-channel", "t1c")
    page.wait_for_selector("#channel-flair >> text=T1c axial")
    status_becomes(page, "The scan is taken for T1c")
    page.click("#channel-remove-flair")
    page.wait_for_selector("#channel-flair >> text=none")


def test_scans_are_opened_in_turn_and_each_begins_anew(page: Page, study: Path) -> None:
    open_path(page, study / "1")
    scan_becomes(page, "FLAIR axial")
    page.click("#start-empty:not([disabled])")
    page.wait_for_selector("#volume")
    open_path(page, study / "2")
    scan_becomes(page, "T1c axial")
    assert page.locator("#volume").count() == 0


# ------------------------------------------------ dropped files


def test_a_file_that_is_dropped_is_opened(page: Page, panel: Running, tmp_path: Path) -> None:
    write_image(changed(head.a_head(), 1.1), tmp_path / "dropped head.nii.gz")
    drop(page, tmp_path / "dropped head.nii.gz")
    scan_becomes(page, "dropped head.nii.gz")
    page.wait_for_selector("#uploading", state="detached")
    (kept,) = [path for path in uploaded(panel) if path.name == "dropped head.nii.gz"]
    assert kept.stat().st_mode & 0o077 == 0 or kept.parents[2].stat().st_mode & 0o077 == 0


def test_a_folder_that_is_dropped_asks_for_the_series(page: Page, panel: Running, study: Path) -> None:
    drop(page, study)
    page.wait_for_selector("#series .picker-entry")
    assert page.inner_text("#series-question") == "study holds 2 series: choose one of them."
    page.click("#series .picker-entry >> nth=1")
    scan_becomes(page, "T1c axial")
    assert "letter.txt" not in [path.name for path in uploaded(panel)]


def test_a_second_channel_and_a_reference_are_dropped_where_they_belong(
    page: Page, study: Path, tmp_path: Path
) -> None:
    open_path(page, study / "1")
    scan_becomes(page, "FLAIR axial")
    drop(page, study / "2", on="t1c")
    page.wait_for_selector("#channel-t1c >> text=T1c axial")
    page.click("#start-empty:not([disabled])")
    page.wait_for_selector("#volume")
    mask = Image(head.truth().astype(np.uint8), head.GEOMETRY, "truth")
    write_image(mask, tmp_path / "truth.nii.gz")
    drop(page, tmp_path / "truth.nii.gz", on="reference")
    page.wait_for_selector("#compared-with >> text=truth.nii.gz")


def test_what_cannot_be_read_is_told_in_one_line_and_not_kept(
    page: Page, panel: Running, tmp_path: Path
) -> None:
    (tmp_path / "letter.pdf").write_bytes(b"%PDF-1.4" * 100)
    drop(page, tmp_path / "letter.pdf")
    status_becomes(page, "Nothing was dropped that can be read: drop a NIfTI, NRRD or MHA file")
    (tmp_path / "broken.nii.gz").write_bytes(b"\x1f\x8b" + b"x" * 500)
    drop(page, tmp_path / "broken.nii.gz")
    status_becomes(page, "broken.nii.gz")
    assert "letter.pdf" not in [path.name for path in uploaded(panel)]


def test_a_name_that_would_leave_the_folder_does_not(page: Page, panel: Running, tmp_path: Path) -> None:
    write_image(changed(head.a_head(), 1.2), tmp_path / "x.nii")
    content = (tmp_path / "x.nii").read_bytes()
    outcome = page.evaluate(
        """async (bytes) => {
            const body = new Uint8Array(bytes), name = "../../../../escaped.nii";
            const key = await window.trame.trigger("upload_begin", [[{ name, size: body.length }], "scan"]);
            const answer = await fetch(`/upload/${key}/0`, { method: "PUT", body });
            const strange = await fetch(`/upload/${key}/%2e%2e%2f0`, { method: "PUT", body });
            await window.trame.trigger("upload_finish", [key, "scan"]);
            return [answer.status, strange.status];
        }""",
        list(content),
    )
    assert outcome[0] == 204
    assert outcome[1] in (404, 405)
    scan_becomes(page, "escaped.nii")
    found = [path for path in files_in(panel.home.parent) if path.name == "escaped.nii"]
    assert found == [path for path in uploaded(panel) if path.name == "escaped.nii"]


def test_too_large_a_drop_is_refused_before_a_byte_is_sent(page: Page) -> None:
    key = page.evaluate("window.trame.trigger('upload_begin', [[{ name: 'a.nii', size: 5e9 }], 'scan'])")
    assert key == ""
    status_becomes(page, r"What was dropped is too large \(5\.0 GB; at most 4\.0 GB\)")


def test_an_upload_is_cancelled_by_its_button(page: Page, panel: Running) -> None:
    page.evaluate("window.trame.trigger('upload_begin', [[{ name: 'never.nii', size: 1000 }], 'scan'])")
    page.wait_for_selector("#uploading >> text=Copying never.nii")
    page.click("#cancel-upload")
    page.wait_for_selector("#uploading", state="detached")
    assert page.locator("#uploading").count() == 0


def test_an_upload_that_breaks_off_leaves_nothing(page: Page, panel: Running) -> None:
    key = page.evaluate("window.trame.trigger('upload_begin', [[{ name: 'half.nii', size: 9000 }], 'scan'])")
    port, token = urlsplit(panel.address).port, panel.address.rsplit("token=", 1)[1]
    with socket.create_connection(("127.0.0.1", port)) as stream:
        stream.sendall(
            f"PUT /upload/{key}/0 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 9000\r\n"
            f"Cookie: tumorsegrobust_{port}={token}\r\n\r\n".encode() + b"x" * 4500
        )
        until(page, lambda: [path.name for path in uploaded(panel)].count("half.nii") == 1)
    until(page, lambda: "half.nii" not in [path.name for path in uploaded(panel)])
    page.wait_for_selector("#uploading", state="detached")


# ------------------------------------------------ cancel, reload, crash


def a_large_head(folder: Path) -> Path:
    """Eighteen million voxels: the networks and their judgement take seconds."""
    fine = Geometry((240, 274, 274), (0.5, 0.7, 0.7), (-94.5, -94.5, -60.0))
    index = [np.minimum((np.arange(n) * s / 3).astype(int), m - 1)
             for n, s, m in zip(fine.shape, (0.5, 0.7, 0.7), head.GEOMETRY.shape, strict=True)]  # fmt: skip
    voxels = head.a_head().voxels[np.ix_(*index)].astype(np.int16)
    write_image(Image(voxels, fine, "large"), folder / "large.nii")
    return folder / "large.nii"


def test_segmenting_is_cancelled_and_nothing_has_changed(page: Page, tmp_path: Path) -> None:
    open_path(page, a_large_head(tmp_path))
    scan_becomes(page, "large.nii")
    page.click("#segment:not([disabled])")
    page.click("#cancel:not([disabled])")
    status_becomes(page, "Cancelled. Nothing was changed")
    assert page.locator("#volume").count() == 0
    page.wait_for_selector("#segment:not([disabled])")


def test_a_reload_in_the_middle_changes_nothing(page: Page, study: Path) -> None:
    open_path(page, study / "1")
    scan_becomes(page, "FLAIR axial")
    click_once(page)
    volume = millilitres(page)
    page.reload()
    page.wait_for_selector("text=1 click")
    assert millilitres(page) == volume
    assert page.locator(".elsewhere").count() == 0, "it is the same tab"
    page.keyboard.press("Control+z")
    page.wait_for_selector("text=1 click", state="detached")


def test_after_a_crash_the_review_is_offered_again(browser: Browser, study: Path, tmp_path: Path) -> None:
    page = a_page(browser)
    with a_panel(tmp_path, str(study / "1")) as crashing:
        page.goto(crashing.address)
        scan_becomes(page, "FLAIR axial")
        click_once(page)
        volume = millilitres(page)
        crashing.process.kill()
        crashing.process.wait()
    with a_panel(tmp_path) as again:
        page.goto(again.address)
        page.click("#recent >> text=/FLAIR axial.*, unfinished review/")
        scan_becomes(page, "FLAIR axial")
        page.click("#resume >> text=1 correction")
        page.wait_for_selector("text=1 click")
        assert millilitres(page) == volume
    page.context.close()


def click_once(page: Page) -> None:
    """One include click in the middle of the axial view, from nothing."""
    page.click("#start-empty:not([disabled])")
    page.wait_for_selector("#volume >> text='0.0 ml'")  # till then a review before shows its tools
    page.wait_for_selector("#include:not([disabled])")
    page.keyboard.press("i")
    page.wait_for_selector("#include[aria-pressed=true]")
    box = page.locator(AXIAL).bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("text=1 click")
    page.keyboard.press("Escape")
    page.wait_for_selector("#include[aria-pressed=false]")


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_everything_dropped_is_gone_when_the_panel_ends(browser: Browser, tmp_path: Path, end: int) -> None:
    write_image(head.a_head(), tmp_path / "head.nii.gz")
    page = a_page(browser)
    with a_panel(tmp_path) as running:
        page.goto(running.address)
        page.wait_for_selector("#welcome-sample")
        drop(page, tmp_path / "head.nii.gz")
        scan_becomes(page, "head.nii.gz")
        assert uploaded(running)
        running.process.send_signal(end)
        assert running.process.wait(30) == 0
    assert not list(tmp_path.glob("tumorsegrobust-*"))
    page.context.close()


# ------------------------------------------------ real data


@pytest.mark.parametrize(("folder", "modality"), [("mr-sarcoma", "MR"), ("ct-lung", "CT")])
def test_a_real_series_from_the_folder_to_an_rtstruct(
    page: Page, shared_data: Path, tmp_path: Path, folder: str, modality: str
) -> None:
    series = shared_data / "dicom" / folder
    if not series.is_dir():
        pytest.skip(f"the real series {folder} is not on this machine")
    open_path(page, series)
    page.wait_for_selector(f"text=/DICOM {modality}/")
    until(page, lambda: bright_pixels(page) > 500)
    page.click("#segment:not([disabled])")
    page.wait_for_selector("#triage >> text=/Accept|Review|Reject/")
    page.wait_for_selector("#start-empty:not([disabled])")
    click_once(page)
    page.fill("#reviewer", "A. Clinician")
    page.click("#accept:not([disabled])")
    page.wait_for_selector("#accepted >> text=A. Clinician")
    page.fill("#folder", str(tmp_path))
    page.click("#export-rtstruct:not([disabled])")
    status_becomes(page, r"Written: .*RTSTRUCT.*\.dcm")
    assert len(list(tmp_path.glob("RTSTRUCT*.dcm"))) == 1


def test_a_folder_with_two_real_series_gives_a_list(page: Page, shared_data: Path) -> None:
    if not (shared_data / "dicom" / "mr-sarcoma").is_dir():
        pytest.skip("the real series mr-sarcoma is not on this machine")
    open_path(page, shared_data / "dicom")
    page.wait_for_selector("#series .picker-entry")
    lines = page.locator("#series .picker-entry").all_inner_texts()
    assert all(re.fullmatch(r"(CT|MR) .*\d+ images, [\d.]+x[\d.]+x[\d.]+ mm", line) for line in lines)
    page.click("#series .picker-entry >> text=/^MR/")
    page.wait_for_selector("text=/DICOM MR/")


def test_a_real_series_is_dropped_whole(page: Page, shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "dicom" / "mr-sarcoma"
    if not source.is_dir():
        pytest.skip("the real series mr-sarcoma is not on this machine")
    shutil.copytree(source, tmp_path / "dropped series")
    drop(page, tmp_path / "dropped series")
    page.wait_for_selector("text=/DICOM MR/")
    assert re.search(r"\d+×\d+×\d+", page.inner_text("#step-scan"))
