"""What the index of Slicer's extensions asks of a new entry, rule by rule, as far as a checkout can show it.

The rules are those of the index's submission checklist (tier 1, and what of tier 3 a file can prove), of the
script that checks its entries, and of the schema of its entries. Large files and the size of the models stand
in test_repository.py; that CMake's lists are complete, in test_desktop_package.py.
"""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from PIL import Image

NAME = "TumorSegRobust"
ENTRY = f"{NAME}.json"
# Facts of the entry schema 1.0.1: three keys are required, no other key than these is known.
SCHEMA = {
    "type": "object",
    "required": ["$schema", "category", "scm_url"],
    "additionalProperties": False,
    "properties": {
        **{key: {"type": "string"} for key in ("$schema", "category", "scm_url", "scm_revision")},
        "scm_type": {"enum": ["git", "local"]},
        "build_dependencies": {"type": "array", "items": {"type": "string"}},
        "build_subdirectory": {"type": "string"},
        "enabled": {"type": "boolean"},
        "tier": {"enum": [1, 3, 5]},
    },
}
SCHEMA_ADDRESS = re.compile(r"https://\S+/slicer-extension-catalog-entry-schema-v1\.0\.1\.json#?")
CATEGORIES = {"Segmentation", "Radiotherapy", "Neuroimaging"}  # those of the index that could be ours
VARIABLES = ("HOMEPAGE", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS")
FROM_A_TEMPLATE = re.compile(r"example\.(com|org)|john doe|anyware|simple extension|templatekey", re.I)
# Ways to the network in Python's library and in packages that ours bring along.
NETWORK = {
    *("aiohttp", "ftplib", "http", "httpx", "pynetdicom", "requests", "smtplib", "socket", "socketserver"),
    *("ssl", "urllib", "urllib3", "webbrowser", "websockets", "xmlrpc"),
}
MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def entry(repository: Path) -> dict[str, Any]:
    """Our entry, which is copied into the index as it is."""
    content: dict[str, Any] = json.loads((repository / ENTRY).read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="module")
def described(repository: Path) -> dict[str, str]:
    """EXTENSION_<key>: what CMakeLists.txt says, which the Extensions Manager shows."""
    text = (repository / "CMakeLists.txt").read_text(encoding="utf-8")
    return dict(re.findall(r'^set\(EXTENSION_(\w+) "([^"]*)"\)', text, re.MULTILINE))


@pytest.fixture(scope="module")
def readme(repository: Path) -> str:
    return (repository / "README.md").read_text(encoding="utf-8")


# ------------------------------------------------ the entry


def test_the_entry_is_valid(entry: dict[str, Any]) -> None:
    jsonschema.validate(entry, SCHEMA)
    assert SCHEMA_ADDRESS.fullmatch(entry["$schema"]), "name the published schema that this test knows"


@pytest.mark.parametrize(
    "change",
    [{"homepage": "https://here"}, {"scm_type": "svn"}, {"tier": 2}, {"build_dependencies": "PyTorch"},
     {"category": None}, {"enabled": 1}],
)  # fmt: skip
def test_the_schema_refuses_what_the_index_refuses(entry: dict[str, Any], change: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(entry | change, SCHEMA)


def test_the_entry_is_formatted_as_its_neighbours(repository: Path, entry: dict[str, Any]) -> None:
    text = (repository / ENTRY).read_text(encoding="utf-8")
    assert list(entry) == sorted(entry), "the index sorts keys"
    keys = re.findall(r'^( *)"[$\w]+":', text, re.MULTILINE)
    assert set(keys) == {"  "}, "two spaces, one key a line"
    assert text.endswith("}\n")
    assert "\t" not in text


def test_the_category_exists_and_is_the_module_s(entry: dict[str, Any], repository: Path) -> None:
    assert entry["category"] in CATEGORIES
    module = (repository / NAME / f"{NAME}.py").read_text(encoding="utf-8")
    here = f'"qSlicerAbstractCoreModule", "{entry["category"]}"'
    assert here in module, "the module stands elsewhere in Slicer's menu"


def test_the_repository_is_named_slicer_and_the_extension(entry: dict[str, Any]) -> None:
    address = re.fullmatch(r"https://[\w.-]+/[\w.-]+/(?P<name>[\w.-]+?)(\.git)?", entry["scm_url"])
    assert address, "a public address over https, readable without an account"
    assert address["name"] == f"Slicer{NAME}"
    assert entry["scm_type"] == "git"


def test_the_revision_is_a_branch(entry: dict[str, Any]) -> None:
    """A hash would ask for a new entry with every change."""
    assert not re.fullmatch(r"[0-9a-f]{7,40}", entry["scm_revision"])


# ------------------------------------------------ the name


def test_project_entry_and_module_have_one_name_that_does_not_begin_with_slicer(repository: Path) -> None:
    text = (repository / "CMakeLists.txt").read_text(encoding="utf-8")
    assert re.findall(r"project\s*\(\s*([^\s)]+)", text) == [NAME]
    assert (repository / NAME / f"{NAME}.py").is_file()
    assert "slicer" not in NAME.lower(), "the name would be lost among those that begin alike"


# ------------------------------------------------ CMakeLists.txt


@pytest.mark.parametrize("key", VARIABLES)
def test_every_variable_is_filled_in_by_us(described: dict[str, str], key: str) -> None:
    assert described.get(key), f"EXTENSION_{key} is missing, or is not one line set(EXTENSION_{key} \"...\")"
    assert not FROM_A_TEMPLATE.search(described[key]), f"EXTENSION_{key} still says what the wizard wrote"


def test_the_description_is_short_and_names_licence_and_limits(described: dict[str, str]) -> None:
    text = described["DESCRIPTION"]
    assert "\n" not in text
    assert len(text) <= 320, "the catalogue wants one or two sentences"
    assert "Apache-2.0" in text
    assert "not a medical device" in text


def test_entry_and_project_depend_on_the_same_extensions(
    entry: dict[str, Any], described: dict[str, str]
) -> None:
    """PyTorch inside Slicer comes from that extension only."""
    assert described["DEPENDS"].split() == entry["build_dependencies"] == ["PyTorch"]


def test_homepage_and_pictures_are_of_the_entry_s_repository(
    entry: dict[str, Any], described: dict[str, str]
) -> None:
    home = entry["scm_url"].removesuffix(".git")
    assert described["HOMEPAGE"].removesuffix("#readme") == home
    assert list(paths_of(described["ICONURL"], entry)), "give the raw address of the file, not its web page"
    assert list(paths_of(described["SCREENSHOTURLS"], entry)), "at least one screenshot"


def test_the_icon_is_a_png_of_128_by_128(
    described: dict[str, str], entry: dict[str, Any], repository: Path
) -> None:
    (path,) = paths_of(described["ICONURL"], entry)
    with Image.open(repository / path) as icon:
        assert (icon.format, icon.size) == ("PNG", (128, 128))


def test_every_screenshot_is_a_picture_in_the_repository(
    described: dict[str, str], entry: dict[str, Any], repository: Path
) -> None:
    for path in paths_of(described["SCREENSHOTURLS"], entry):
        assert (repository / path).is_file(), f"EXTENSION_SCREENSHOTURLS names {path}, which does not exist"
        with Image.open(repository / path) as picture:
            assert picture.format in ("PNG", "JPEG", "GIF"), path
            assert min(picture.size) >= 300, f"{path} is too small to show anything"


# ------------------------------------------------ the homepage: README.md


def test_the_readme_begins_with_the_name_and_one_or_two_sentences(readme: str) -> None:
    lines = readme.splitlines()
    assert lines[0] == f"# {NAME}"
    summary = " ".join(readme.split("\n\n")[1].split())
    assert 1 <= summary.count(". ") + summary.count(".**") <= 3
    assert len(summary) < 400


def test_the_readme_shows_a_screenshot_that_exists(readme: str, repository: Path) -> None:
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", readme)
    assert pictures, "at least one informative picture"
    assert [name for name in pictures if not (repository / name).is_file()] == []


@pytest.mark.parametrize(
    "heading", ["Modules", "Tutorial", "Licence", "How to cite", "What it is not", "Questions"]
)
def test_the_readme_has_every_section_that_the_checklist_asks_for(readme: str, heading: str) -> None:
    body = section(readme, heading)
    assert len(body.split()) >= 8, f"## {heading} is missing or says next to nothing"


def test_every_module_of_the_extension_is_described(readme: str, repository: Path) -> None:
    text = (repository / "CMakeLists.txt").read_text(encoding="utf-8")
    modules = re.findall(r"^add_subdirectory\((\w+)\)", text, re.MULTILINE)
    assert modules == [NAME]
    assert [name for name in modules if f"**{name}**" not in section(readme, "Modules")] == []


def test_the_readme_names_the_licence_of_the_code_and_of_every_model(readme: str, repository: Path) -> None:
    text = section(readme, "Licence")
    assert "Apache-2.0" in text
    for folder in sorted((repository / "Resources" / "Models").iterdir()):
        licence = json.loads((folder / "configs" / "package.json").read_text(encoding="utf-8"))["licence"]
        assert f"`{folder.name}`" in text, f"the licence of {folder.name} is not told"
        assert plain(licence) in plain(text), f"{folder.name} is {licence}; the README says something else"


def test_the_tutorial_is_linked_and_says_where_the_data_come_from(readme: str, repository: Path) -> None:
    assert "docs/tutorial.md" in section(readme, "Tutorial")
    assert "Resources/SampleCase" in (repository / "docs" / "tutorial.md").read_text(encoding="utf-8")


# ------------------------------------------------ licence


def test_the_licence_file_has_a_name_that_the_index_looks_for(repository: Path) -> None:
    text = (repository / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0" in text
    assert len(text.splitlines()) > 150, "the whole text, not a reference to it"


def test_every_model_package_carries_its_licence(repository: Path) -> None:
    folders = sorted((repository / "Resources" / "Models").iterdir())
    assert folders
    assert [folder.name for folder in folders if not (folder / "LICENSE").is_file()] == []


# ------------------------------------------------ safe, and small


def test_only_the_browser_panel_knows_the_network(repository: Path) -> None:
    """It serves this computer; nothing else opens a connection, sends or downloads anything."""
    panel = repository / "TumorSegRobustLib" / "app"
    found = {path: names for path in python_files(repository) if (names := imported(path) & NETWORK)}
    assert found, "the list of network packages misses what the panel's server is made of"
    assert {str(path): names for path, names in found.items() if panel not in path.parents} == {}


def test_packages_are_installed_in_one_place_only(repository: Path) -> None:
    wanted = re.compile(r"pip_install|pip_ensure|ensurepip|-m[\"', ]+pip\b")
    found = {path.name for path in python_files(repository) if wanted.search(path.read_text("utf-8"))}
    assert found == {"dependencies.py"}, "installing asks first, and never touches Slicer's own packages"


def test_no_binary_lies_in_the_repository_but_pictures_scans_and_weights(repository: Path) -> None:
    endings = {".png", ".dcm", ".gz", ".safetensors"}
    listing = git(repository, "ls-files", "--eol").splitlines()
    binary = [line.split("\t")[1] for line in listing if line.startswith("i/-text")]
    assert binary
    assert [name for name in binary if Path(name).suffix not in endings] == []


def test_line_endings_do_not_depend_on_the_system(repository: Path) -> None:
    """A checkout on Windows holds the same bytes: hashes of packages and scripts for Linux stay right."""
    assert "* text=auto eol=lf" in (repository / ".gitattributes").read_text(encoding="utf-8").splitlines()
    listing = [line.split() for line in git(repository, "ls-files", "--eol").splitlines()]
    assert [line[-1] for line in listing if line[0] not in ("i/lf", "i/-text", "i/none")] == []


def test_a_clone_with_its_history_is_smaller_than_100_mb(repository: Path) -> None:
    history = int(git(repository, "rev-list", "--disk-usage", "--objects", "HEAD"))
    paths = [repository / name for name in git(repository, "ls-files", "-z").split("\0") if name]
    files = sum(path.stat().st_size for path in paths if path.is_file())
    told = f"history {history / MEGABYTE:.0f} MB and files {files / MEGABYTE:.0f} MB"
    assert history + files < 100 * MEGABYTE, told


def test_the_module_s_files_do_nothing_when_slicer_imports_them(repository: Path) -> None:
    """Imports, definitions and constants; in the module's own file also the path to the library."""
    harmless = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign, ast.If)
    found = [
        ast.unparse(node)
        for path in sorted((repository / NAME).rglob("*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if not isinstance(node, harmless) and not is_docstring(node)
    ]
    assert [line for line in found if not line.startswith("sys.path += ")] == []


# ------------------------------------------------ helpers


def paths_of(addresses: str, entry: dict[str, Any]) -> Iterator[str]:
    """The files of our repository and branch that raw addresses, parted by spaces, stand for."""
    owner_and_name = "/".join(entry["scm_url"].removesuffix(".git").split("/")[-2:])
    begin = f"https://raw.githubusercontent.com/{owner_and_name}/{entry['scm_revision']}/"
    for address in addresses.split():
        assert address.startswith(begin), f"{address} is not {begin}..."
        assert "?" not in address, "the index knows no parameters in addresses"
        yield address.removeprefix(begin)


def section(text: str, heading: str) -> str:
    """What stands below `## heading`, up to the next heading of that level."""
    found = re.search(rf"^## {re.escape(heading)}[^\n]*\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def plain(text: str) -> str:
    """Letters and digits only: CC BY-NC-SA 4.0 is CC-BY-NC-SA-4.0."""
    return re.sub(r"[^a-z0-9.]", "", text.lower())


def git(repository: Path, *words: str) -> str:
    if shutil.which("git") is None or not (repository / ".git").exists():
        pytest.skip("not a git checkout")
    return subprocess.run(["git", *words], cwd=repository, check=True, capture_output=True, text=True).stdout


def python_files(repository: Path) -> Iterator[Path]:
    for folder in (NAME, f"{NAME}Lib"):
        yield from sorted((repository / folder).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """The first names of every import of a file, at any depth."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(str(node.module).split(".")[0])
    return names


def is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
