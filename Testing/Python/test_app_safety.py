"""What nobody gets from the running panel: files of this computer, an upload, folders it may not use."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import fixtures_app as head
import pytest
from fixtures_browser import Running, a_browser, a_page, a_panel, status_becomes

from TumorSegRobustLib.app.reach import Reach
from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import write_image
from TumorSegRobustLib.version import __version__

ASSETS = f"tumorsegrobust_{__version__}"


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with a_panel(tmp_path_factory.mktemp("home")) as running:
        yield running


def ask(panel: Running, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    """A raw request, whose path no client tidies up; with the token's cookie unless another is given."""
    port = urlsplit(panel.address).port
    token = panel.address.rsplit("token=", 1)[1]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest(method, path, skip_host=True)
    usual = {"Host": f"127.0.0.1:{port}", "Cookie": f"tumorsegrobust_{port}={token}"}
    for name, value in (usual | headers).items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, answer.read()


TRAVERSALS = [
    "/../../../../../../etc/passwd",
    "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/..%2f..%2f..%2f..%2f..%2f..%2fetc/passwd",
    "/..%5c..%5c..%5cetc/passwd",
    "/index.html/../../../../../etc/passwd",
    "/{assets}/../../../../../../etc/passwd",
    "/{assets}/..%2f..%2f..%2f..%2f..%2fpyproject.toml",
    "/{assets}//etc/passwd",
    "//etc/passwd",
    "/file:///etc/passwd",
    "/upload/../../etc/passwd",
]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_path_leads_out_of_the_pages_own_files(panel: Running, path: str) -> None:
    status, body = ask(panel, path.replace("{assets}", ASSETS))
    assert status in (400, 403, 404, 405)
    assert b"root:" not in body
    assert b"[project]" not in body
    assert ask(panel, f"/{ASSETS}/panel.js")[0] == 200, "the page's own files are there"


@pytest.mark.parametrize("path", ["/upload/x/0", "/upload/x/-1", "/upload/../0", "/upload/x/0/../../../y"])
def test_an_upload_that_was_not_announced_is_refused(panel: Running, path: str) -> None:
    assert ask(panel, path, "PUT", **{"Content-Length": "0"})[0] in (404, 405, 410)


@pytest.mark.parametrize(
    "headers",
    [
        {"Cookie": "tumorsegrobust=x"},
        {"Host": "rebound.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
    ids=str,
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/index.html"), ("PUT", "/upload/x/0"), ("GET", "/ws")])
def test_strangers_get_neither_page_nor_upload(
    panel: Running, method: str, path: str, headers: dict[str, str]
) -> None:
    assert ask(panel, path, method, **headers)[0] == 403


def test_the_page_is_held_to_its_folders(tmp_path: Path) -> None:
    allowed, outside = tmp_path / "allowed", tmp_path / "outside"
    allowed.mkdir()
    outside.mkdir()
    write_image(head.a_head(), outside / "secret.nii.gz")
    write_image(head.a_head(), allowed / "head.nii.gz")
    (allowed / "link.nii.gz").symlink_to(outside / "secret.nii.gz")
    with a_panel(tmp_path, "--folder", str(allowed)) as running, a_browser() as browser:
        page = a_page(browser)
        page.goto(running.address)
        page.wait_for_selector("#welcome-sample")
        secret = outside / "secret.nii.gz"
        for path in (secret, allowed / ".." / "outside" / "secret.nii.gz", allowed / "link.nii.gz"):
            page.fill("#path", str(path))
            page.press("#path", "Enter")
            status_becomes(page, "lies outside .*allowed, which is all that this panel was started for")
            page.fill("#path", str(allowed / "nothing.nii"))
            page.press("#path", "Enter")
            status_becomes(page, r"nothing\.nii does not exist")
        page.fill("#path", "")
        page.click("#browse")
        page.wait_for_selector(".picker-entry >> text=head.nii.gz")
        assert page.locator("#picker-up").is_disabled()
        page.click(".picker-entry >> text=head.nii.gz")
        page.wait_for_selector("#scan-name")
        page.click("#start-empty")
        page.wait_for_selector("#volume")
        page.fill("#folder", str(outside))
        page.click("#save:not([disabled])")
        status_becomes(page, "lies outside")
        page.fill("#folder", str(allowed / "saved"))
        page.click("#save:not([disabled])")
        status_becomes(page, "Written: .*saved")
        assert [path.name for path in outside.iterdir()] == ["secret.nii.gz"]


def test_without_folders_everything_of_the_user_may_be_chosen(tmp_path: Path) -> None:
    assert Reach().check(tmp_path / "a.nii") == tmp_path / "a.nii"
    assert Reach().start == Path.home()


def test_a_folder_that_is_none_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match="nowhere is no folder; give the one that holds the scans"):
        Reach([tmp_path / "nowhere"])
