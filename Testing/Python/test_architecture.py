"""The rooms of the house: imports only go down, neighbours are strangers, nothing runs in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

LIBRARY = "TumorSegRobustLib"
FLOORS = {
    "image": 1,
    "models": 2,
    "export": 2,
    "inference": 3,
    "trust": 4,
    "review": 4,
    "evaluation": 5,
    "workflow": 6,
    "training": 6,
    "scene": 7,
    "app": 8,
    "TumorSegRobust": 8,  # the desktop module, outside the library
    "cli": 9,
}
GROUND = frozenset({"errors", "progress", "resources", "version"})
# Which rooms may know a toolkit; a toolkit that is not named here is free for all.
TOOLKITS = {
    "slicer": {"scene", "app", "TumorSegRobust"},
    "vtk": {"scene", "app", "TumorSegRobust"},
    "vtkmodules": {"scene", "app", "TumorSegRobust"},
    "slicer_core": {"scene", "app", "TumorSegRobust"},
    "qt": {"TumorSegRobust"},
    "ctk": {"TumorSegRobust"},
    "PySide6": {"TumorSegRobust"},
    "trame": {"app"},
    "trame_client": {"app"},
    "trame_server": {"app"},
    "trame_slicer": {"app"},
    "trame_vuetify": {"app"},
    "typer": {"cli"},
    "rich": {"cli"},
}


@dataclass(frozen=True)
class Arrow:
    """One import: from a module to a dotted name; `lazy` when it runs only inside a function."""

    source: str
    target: str
    line: int
    lazy: bool

    def __str__(self) -> str:
        return f"{self.source}:{self.line} imports {self.target}"


def test_imports_only_go_down(repository: Path) -> None:
    assert forbidden_rooms(arrows_of(repository)) == []


def test_toolkits_stay_in_their_rooms(repository: Path) -> None:
    assert forbidden_toolkits(arrows_of(repository)) == []


def test_no_module_imports_itself_in_a_circle(repository: Path) -> None:
    assert circles(arrows_of(repository)) == []


def test_every_room_has_a_floor(repository: Path) -> None:
    rooms = {path.parent.name for path in (repository / LIBRARY).glob("*/__init__.py")}
    assert rooms <= FLOORS.keys(), "a new room needs a floor in the plan of the house"
    modules = {path.stem for path in (repository / LIBRARY).glob("*.py")} - {"__init__"}
    assert modules <= GROUND, "only the ground floor lies outside the rooms"


# ------------------------------------------------ the test of the test: a bad house is noticed


@pytest.mark.parametrize(
    ("path", "code", "complaint"),
    [
        ("TumorSegRobustLib/image/a.py", "from ..trust import assess", "runs up"),
        ("TumorSegRobustLib/image/a.py", "import TumorSegRobustLib.cli.program", "runs up"),
        ("TumorSegRobustLib/trust/a.py", "def f():\n    from ..review.session import X", "same floor"),
        ("TumorSegRobustLib/workflow/a.py", "from .. import training", "same floor"),
        ("TumorSegRobustLib/app/a.py", "import TumorSegRobust", "same floor"),
        (
            "TumorSegRobustLib/image/a.py",
            "import importlib\nimportlib.import_module('TumorSegRobustLib.app')",
            "up",
        ),
        ("TumorSegRobustLib/progress.py", "from .image import Image", "runs up"),
        ("TumorSegRobustLib/image/a.py", "from TumorSegRobustLib import attic", "unknown room"),
        ("TumorSegRobust/TumorSegRobust.py", "from TumorSegRobustLib.cli import main", "runs up"),
    ],
)
def test_notices_a_forbidden_arrow(tmp_path: Path, path: str, code: str, complaint: str) -> None:
    write(tmp_path, path, code)
    found = forbidden_rooms(arrows_of(tmp_path))
    assert len(found) == 1
    assert complaint in found[0]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("TumorSegRobustLib/workflow/a.py", "import slicer"),
        ("TumorSegRobustLib/scene/a.py", "import qt"),
        ("TumorSegRobustLib/app/a.py", "def f():\n    from PySide6 import QtCore"),
        ("TumorSegRobustLib/review/a.py", "from vtkmodules.util import numpy_support"),
        ("TumorSegRobustLib/scene/a.py", "import trame.app"),
        ("TumorSegRobustLib/image/a.py", "__import__('slicer.util')"),
    ],
)
def test_notices_a_toolkit_in_the_wrong_room(tmp_path: Path, path: str, code: str) -> None:
    write(tmp_path, path, code)
    assert len(forbidden_toolkits(arrows_of(tmp_path))) == 1


def test_notices_a_circle_and_names_it(tmp_path: Path) -> None:
    write(tmp_path, "TumorSegRobustLib/image/a.py", "from .b import x")
    write(tmp_path, "TumorSegRobustLib/image/b.py", "from . import c")
    write(tmp_path, "TumorSegRobustLib/image/c.py", "import TumorSegRobustLib.image.a")
    (circle,) = circles(arrows_of(tmp_path))
    assert {part.rsplit(".", 1)[-1] for part in circle.split(" -> ")} == {"a", "b", "c"}


def test_a_lazy_import_closes_no_circle(tmp_path: Path) -> None:
    write(tmp_path, "TumorSegRobustLib/image/a.py", "from .b import x")
    write(tmp_path, "TumorSegRobustLib/image/b.py", "def f():\n    from .a import y")
    assert circles(arrows_of(tmp_path)) == []


def test_accepts_a_good_house(tmp_path: Path) -> None:
    write(tmp_path, "TumorSegRobustLib/errors.py", "")
    write(tmp_path, "TumorSegRobustLib/image/__init__.py", "from .a import x")
    write(tmp_path, "TumorSegRobustLib/image/a.py", "from ..errors import UnusableInput\nimport numpy")
    write(tmp_path, "TumorSegRobustLib/scene/a.py", "import slicer, vtk\nfrom ..image import x")
    write(tmp_path, "TumorSegRobustLib/scene/b.py", "from .. import __version__\nfrom . import a")
    write(tmp_path, "TumorSegRobust/TumorSegRobust.py", "import qt\nimport TumorSegRobustLib.scene.a")
    arrows = arrows_of(tmp_path)
    assert len(arrows) == 10
    assert forbidden_rooms(arrows) + forbidden_toolkits(arrows) + circles(arrows) == []


def write(root: Path, path: str, code: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(code + "\n", encoding="utf-8")


# ------------------------------------------------ how the plan is read


def arrows_of(root: Path) -> list[Arrow]:
    """Every import in the library and in the desktop module below `root`, absolute."""
    return [
        arrow
        for top in (LIBRARY, "TumorSegRobust")
        for path in sorted((root / top).rglob("*.py"))
        for arrow in _imports(path, root)
    ]


def forbidden_rooms(arrows: list[Arrow]) -> list[str]:
    return [
        f"{arrow} ({why})"
        for arrow in arrows
        if (why := _objection(room_of(arrow.source), room_of(arrow.target)))
    ]


def forbidden_toolkits(arrows: list[Arrow]) -> list[str]:
    return [
        f"{arrow}, allowed only in {sorted(TOOLKITS[toolkit])}"
        for arrow in arrows
        if (toolkit := arrow.target.split(".")[0]) in TOOLKITS
        and room_of(arrow.source) not in TOOLKITS[toolkit]
    ]


def circles(arrows: list[Arrow]) -> list[str]:
    """The circles among the modules' import-time imports, each once, as 'a -> b -> a'."""
    modules = {arrow.source for arrow in arrows}
    graph: dict[str, set[str]] = {module: set() for module in modules}
    for arrow in arrows:
        if not arrow.lazy and arrow.target in modules and arrow.target != arrow.source:
            graph[arrow.source].add(arrow.target)
    found: dict[frozenset[str], str] = {}
    done: set[str] = set()

    def visit(module: str, way: list[str]) -> None:
        if module in way:
            circle = way[way.index(module) :]
            found.setdefault(frozenset(circle), " -> ".join([*circle, module]))
            return
        if module not in done:
            for following in sorted(graph[module]):
                visit(following, [*way, module])
            done.add(module)

    for module in sorted(modules):
        visit(module, [])
    return list(found.values())


def room_of(name: str) -> str:
    """'TumorSegRobustLib.image.reading' -> 'image'; 'TumorSegRobustLib' and other packages -> ''."""
    parts = name.split(".")
    if parts[0] == "TumorSegRobust":
        return "TumorSegRobust"
    return parts[1] if parts[0] == LIBRARY and len(parts) > 1 else ""


def _objection(source: str, target: str) -> str:
    if target in GROUND or target in ("", source):
        return ""
    if target not in FLOORS:
        return "" if target.startswith("__") else "unknown room"
    floor = FLOORS.get(source, 0)
    if FLOORS[target] > floor:
        return "runs up"
    return "same floor" if FLOORS[target] == floor else ""


def _imports(path: Path, root: Path) -> Iterator[Arrow]:
    parts = path.relative_to(root).with_suffix("").parts
    package = parts[:-1]
    source = ".".join(package if parts[-1] == "__init__" else parts)
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    late = _late_nodes(tree)
    for node in ast.walk(tree):
        for target in _targets(node, package, root):
            yield Arrow(source, target, getattr(node, "lineno", 0), id(node) in late)


def _late_nodes(tree: ast.AST) -> set[int]:
    """The nodes that do not run at import time: bodies of functions, and what only a type checker reads."""
    late: set[int] = set()
    for node in ast.walk(tree):
        lazy = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if lazy or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)):
            late.update(id(inner) for inner in ast.walk(node))
    return late


def _targets(node: ast.AST, package: tuple[str, ...], root: Path) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        start = package[: len(package) - node.level + 1] if node.level else ()
        base = ".".join((*start, *(node.module or "").split("."))).strip(".")
        for alias in node.names:
            deeper = f"{base}.{alias.name}"
            yield deeper if base == LIBRARY or _is_module(root, deeper) else base
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
            yield node.args[0].value


def _is_module(root: Path, name: str) -> bool:
    path = root.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()
