"""What a newcomer finds in the checkout: small, clean, licensed, its two commands on the first page."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

MEGABYTE = 1024 * 1024
# Written in pieces, or this file would be its own first finding.
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:wor" + r"k|roo" + r"t|hom" + r"e/\w+|User" + r"s/\w+)/")
REGISTRIES = re.compile(r"pyp" + r"i\.org|pythonhost" + r"ed|download\.pytorc" + r"h|cond" + r"a\.anaconda")
UNFINISHED = re.compile("TO" + "DO|FIX" + "ME|NotImplemented" + "Error")


@pytest.fixture(scope="module")
def tracked(repository: Path) -> list[Path]:
    """Every file under version control that is still in the tree."""
    if shutil.which("git") is None or not (repository / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "-z"]
    listing = subprocess.run(command, cwd=repository, check=True, capture_output=True, text=True).stdout
    return [path for name in listing.split("\0") if name and (path := repository / name).is_file()]


@pytest.fixture(scope="module")
def texts(tracked: list[Path]) -> dict[Path, str]:
    """The tracked files that are text, by path."""
    contents = {path: path.read_bytes() for path in tracked}
    return {path: data.decode("utf-8") for path, data in contents.items() if _is_text(data)}


def test_no_file_is_larger_than_8_mb(tracked: list[Path]) -> None:
    assert [f"{path}: {path.stat().st_size}" for path in tracked if path.stat().st_size > 8 * MEGABYTE] == []


def test_all_models_together_stay_below_40_mb(tracked: list[Path], repository: Path) -> None:
    models = repository / "Resources" / "Models"
    assert sum(path.stat().st_size for path in tracked if models in path.parents) < 40 * MEGABYTE


def test_the_licence_is_apache_2(repository: Path) -> None:
    text = (repository / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0" in text


def test_the_readme_shows_the_two_commands_and_says_what_it_is_not(repository: Path) -> None:
    text = (repository / "README.md").read_text(encoding="utf-8")
    assert "make demo" in text
    assert "make test" in text
    assert "not a medical device" in text


def test_every_link_of_the_readme_to_a_file_resolves(repository: Path) -> None:
    text = (repository / "README.md").read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in target]
    assert targets
    assert [target for target in targets if not (repository / target).exists()] == []


def test_no_path_of_one_machine_is_written_down(texts: dict[Path, str]) -> None:
    assert _findings(MACHINE_PATHS, texts) == []


def test_no_package_registry_is_named(texts: dict[Path, str]) -> None:
    assert _findings(REGISTRIES, texts) == []


def test_nothing_is_marked_as_unfinished(texts: dict[Path, str]) -> None:
    assert _findings(UNFINISHED, texts) == []


def test_lines_end_with_lf_and_files_with_a_newline(texts: dict[Path, str]) -> None:
    assert [str(path) for path, text in texts.items() if "\r\n" in text] == []
    code = {path: text for path, text in texts.items() if path.suffix == ".py" and text}
    assert [str(path) for path, text in code.items() if not text.endswith("\n")] == []


def test_every_file_of_the_library_is_one_idea(texts: dict[Path, str], repository: Path) -> None:
    rooms = (repository / "TumorSegRobustLib", repository / "TumorSegRobust")
    lines = {
        path: text.count("\n")
        for path, text in texts.items()
        if path.suffix == ".py" and any(room in path.parents for room in rooms)
    }
    assert lines
    assert {path: count for path, count in lines.items() if count >= 400} == {}


def _is_text(data: bytes) -> bool:
    if b"\0" in data[:8192]:
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _findings(pattern: re.Pattern[str], texts: dict[Path, str]) -> list[str]:
    return [
        f"{path}:{number}: {line.strip()[:100]}"
        for path, text in texts.items()
        if path.name != "LICENSE"
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
