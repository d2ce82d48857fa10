"""The pages are true as far as a machine can see: links lead somewhere, commands run, buttons exist."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest
from fixtures_panels import UI, browser_sections
from PIL import Image

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
# Blocks of the tutorial that begin with ```sh are run here; those without a language install something.
RUN = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
# What the tutorial sets in bold and what is no button of the browser panel.
PLACES = {"In the browser", "In 3D Slicer"}
OF_SLICER = {"Install…", "Choose a reference…"}
NO_BUTTON = {*PLACES, *OF_SLICER, "Review", "Reject", "Research software, not a medical device:"}
LARGEST_PICTURE = 400_000  # bytes; the pictures are renewed often and stay in the history


def pages(repository: Path) -> list[Path]:
    return [repository / "README.md", *sorted((repository / "docs").rglob("*.md"))]


def links(page: Path) -> list[str]:
    return [target for target in LINK.findall(FENCED.sub("", page.read_text("utf-8"))) if "://" not in target]


@pytest.fixture
def tutorial(repository: Path) -> str:
    return (repository / "docs" / "tutorial.md").read_text(encoding="utf-8")


def test_every_link_and_picture_of_every_page_exists(repository: Path) -> None:
    broken = [
        f"{page.relative_to(repository)}: {target}"
        for page in pages(repository)
        for target in links(page)
        if not leads_somewhere(page, target)
    ]
    assert broken == []


def leads_somewhere(page: Path, target: str) -> bool:
    """A file of the repository, and where a heading is named, that heading."""
    name, _, heading = target.partition("#")
    path = (page.parent / name).resolve() if name else page
    if not path.exists():
        return False
    titles = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE) if heading else []
    return not heading or heading in {re.sub(r"[^\w -]", "", t.lower()).replace(" ", "-") for t in titles}


def test_every_picture_in_the_repository_is_shown_on_a_page(repository: Path) -> None:
    shown = {(page.parent / target).resolve() for page in pages(repository) for target in links(page)}
    pictures = [*(repository / "Resources" / "Screenshots").iterdir(), *(repository / "docs").rglob("*.png")]
    assert [path.name for path in pictures if path.resolve() not in shown] == []


def test_pictures_are_pictures_and_not_too_large(repository: Path) -> None:
    for path in (repository / "Resources" / "Screenshots").iterdir():
        with Image.open(path) as picture:
            assert picture.width >= 400, path.name
            assert len(set(picture.convert("L").resize((40, 40)).tobytes())) > 8, f"{path.name} shows nothing"
        assert path.stat().st_size < LARGEST_PICTURE, path.name


def test_what_the_tutorial_tells_to_press_is_on_a_button(tutorial: str, repository: Path) -> None:
    """That both panels have the same words is held by test_panels.py."""
    pressed = {" ".join(words.split()) for words in re.findall(r"\*\*([^*]+)\*\*", tutorial)}
    assert pressed >= NO_BUTTON, "the list of exceptions is longer than need be"
    buttons = {button for section in browser_sections() for button in section.buttons}
    assert pressed - NO_BUTTON - buttons == set()
    of_slicer = (repository / UI).read_text(encoding="utf-8")
    assert [words for words in OF_SLICER if f">{words}<" not in of_slicer] == []


def test_the_steps_of_the_tutorial_are_those_of_the_panel(tutorial: str) -> None:
    headings = re.findall(r"^## \d+\. (\w+)", tutorial, re.MULTILINE)
    assert headings == ["Install", *(section.title for section in browser_sections()), "The"]


@pytest.mark.timeout(600)
def test_the_commands_of_the_tutorial_run(tutorial: str, repository: Path, tmp_path: Path) -> None:
    """In an empty folder that sees the sample case as the repository does."""
    (tmp_path / "Resources").symlink_to(repository / "Resources")
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = {**os.environ, "PATH": path, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    commands = RUN.findall(tutorial)
    assert commands
    for block in commands:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, block + done.stdout + done.stderr
    (click,) = json.loads((tmp_path / "refined" / "refine.json").read_text())["clicks"]
    assert click["honoured"]
    structures = pydicom.dcmread(tmp_path / "gtv.dcm")
    assert [roi.ROIName for roi in structures.StructureSetROISequence] == ["GTVp"]
