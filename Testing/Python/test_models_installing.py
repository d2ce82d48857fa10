"""Packages that a user adds: found beside those that ship, the newer one of two, and only when whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fixtures_cli import call
from fixtures_inference import tiny_package

from TumorSegRobustLib.models import find_package, list_packages
from TumorSegRobustLib.models.installing import install_packages


@pytest.fixture(autouse=True)
def user_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "TumorSegRobust" / "models"


def in_version(folder: Path, version: str) -> None:
    file = folder / "configs" / "package.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "version": version}))


def test_a_package_is_added_and_found_by_its_id(tmp_path: Path, user_data: Path) -> None:
    tiny_package(tmp_path / "some" / "folder", id="liver-ct")
    assert install_packages(tmp_path / "some").new[0].startswith("liver-ct ")
    assert find_package("liver-ct").folder == user_data / "liver-ct"
    assert find_package("liver-ct").verify() == []
    assert install_packages(tmp_path / "some" / "folder").new == (), "it is there already"


def test_a_damaged_package_is_refused_by_name(tmp_path: Path, user_data: Path) -> None:
    package = tiny_package(tmp_path / "some" / "liver", id="liver-ct")
    weights = package.folder / package.members[0].weights
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    done = install_packages(tmp_path / "some")
    assert done.new == ()
    assert done.refused[0].startswith("The model liver-ct was not installed: ")
    assert not user_data.exists()


def test_an_id_cannot_lead_elsewhere(tmp_path: Path, user_data: Path) -> None:
    package = tiny_package(tmp_path / "some" / "liver", id="liver-ct")
    file = package.folder / "configs" / "package.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "id": "../liver"}))
    done = install_packages(tmp_path / "some")
    assert (done.new, len(done.refused)) == ((), 1)
    assert not (user_data.parent / "liver").exists()


def test_of_a_shipped_and_an_added_package_the_newer_one_is_taken(tmp_path: Path, user_data: Path) -> None:
    shipped = find_package()
    newer = tiny_package(tmp_path / "new", id=shipped.id).folder
    in_version(newer, "99.10.0")
    assert install_packages(newer).new == (f"{shipped.id} 99.10.0",)
    assert find_package().folder == user_data / shipped.id
    in_version(user_data / shipped.id, "0.0.1")
    assert find_package().folder == shipped.folder
    in_version(newer, "0.0.2")
    assert install_packages(newer).new == (), "an older one takes no place"
    assert [package.id for package in list_packages()].count(shipped.id) == 1


def test_the_command_line_adds_packages_too(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tiny_package(tmp_path / "some" / "liver", id="liver-ct")
    answer = call(capfd, "models", "install", tmp_path / "some", "--json")
    assert answer.document["installed"][0].startswith("liver-ct ")
    assert "liver-ct" in [one["id"] for one in call(capfd, "models", "list", "--json").document]
    nothing = call(capfd, "models", "install", tmp_path)
    assert nothing.code == 2
    assert "holds no model package" in nothing.err
