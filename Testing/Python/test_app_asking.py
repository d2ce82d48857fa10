"""Questions on the page: an accepted review is not lost by one key, and nothing is not accepted by one press;
and the panel from the sample to a contour where PyTorch is not installed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures_browser import Running, a_browser, a_page, a_panel, millilitres, status_becomes
from fixtures_without import TORCH
from playwright.sync_api import Page

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The panel in a process that finds neither PyTorch nor MONAI."""
    with a_panel(tmp_path_factory.mktemp("home"), without=TORCH) as running:
        yield running


@pytest.fixture(scope="module")
def page(free: Running) -> Iterator[Page]:
    with a_browser() as browser:
        page = a_page(browser)
        page.goto(free.address)
        page.click("#welcome-sample:not([disabled])")
        page.wait_for_selector("#segment:not([disabled])")
        yield page


def journals(free: Running) -> list[Path]:
    return sorted(free.home.rglob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns)


def test_without_pytorch_the_panel_contours_the_sample(page: Page, free: Running) -> None:
    page.click("#segment")
    page.wait_for_selector("#triage >> text=/Accept|Review|Reject/")
    assert 10 < millilitres(page) < 90
    (journal,) = journals(free)
    source = json.loads(journal.read_text().splitlines()[0])["data"]["source"]
    assert source["result"]["backend"] == "openvino"


def test_the_key_for_nothing_asks_before_it_takes_an_accepted_contour_away(page: Page) -> None:
    before = millilitres(page)
    page.fill("#reviewer", "Dr Ada")
    page.click("#accept:not([disabled])")
    page.wait_for_selector("#accepted >> text=Dr Ada")
    page.locator("body").press("0")
    page.wait_for_selector("#question-text >> text=accepted by Dr Ada")
    page.click("#question-no")
    page.wait_for_selector("#question", state="hidden")
    assert page.inner_text("#accepted").endswith("Dr Ada")
    assert millilitres(page) == before


def test_after_yes_the_accepted_review_can_be_opened_again(page: Page) -> None:
    before = millilitres(page)
    page.locator("body").press("0")
    page.wait_for_selector("#question-text >> text=accepted by Dr Ada")
    page.click("#question-yes")
    page.wait_for_selector("#accept")
    assert millilitres(page) == 0
    page.click(".reopen >> text=/Open the review again .accepted .* by Dr Ada/")
    page.wait_for_selector("#accepted >> text=Dr Ada")
    assert millilitres(page) == before


def test_nothing_is_accepted_only_with_the_statement_that_there_is_no_tumour(page: Page) -> None:
    page.click("#start-empty:not([disabled])")
    page.click("#question-yes")
    page.wait_for_selector("#accept")
    page.fill("#reviewer", "Dr Eve")
    page.click("#accept:not([disabled])")
    page.wait_for_selector("#question-text >> text=no tumour in this scan?")
    page.click("#question-yes >> text=Accept: no tumour")
    status_becomes(page, "Accepted by Dr Eve: no tumour")
