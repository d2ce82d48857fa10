"""Nothing leaves the workstation: not even what a library would send by itself.

The program runs in a process of its own, in which Python tells of every address that is looked up and every
connection that is made, also by libraries and in processes that it starts.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

# Python imports a module of this name at every start, in every process that inherits the path.
WATCH = """
import os, sys

def told(event, arguments):
    if event == "socket.getaddrinfo":
        place = str(arguments[0])
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        place = str(arguments[1][0])
    else:
        return
    with open(os.environ["TOLD"], "a") as file:
        file.write(f"{event} {place}\\n")

sys.addaudithook(told)
"""
HERE = ("127.0.0.1", "localhost", "::1")


@pytest.fixture
def watched(tmp_path: Path, repository: Path) -> dict[str, str]:
    """An environment with a home of its own, in which connections are written to the file TOLD."""
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch" / "sitecustomize.py").write_text(WATCH, encoding="utf-8")
    (tmp_path / "home").mkdir()
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "XDG_DATA_HOME")}
    kept["PYTHONPATH"] = os.pathsep.join((str(tmp_path / "watch"), str(repository)))
    kept["HOME"] = kept["LOCALAPPDATA"] = str(tmp_path / "home")
    return {**kept, "TOLD": str(tmp_path / "told.txt")}


def run(environment: dict[str, str], *words: str) -> list[str]:
    """Runs Python, and answers what it wanted from other machines."""
    command = [sys.executable, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    told = Path(environment["TOLD"])
    lines = told.read_text(encoding="utf-8").splitlines() if told.is_file() else []
    return [line for line in lines if line.split()[1] not in HERE]


def test_the_whole_story_asks_no_other_machine(watched: dict[str, str], tmp_path: Path) -> None:
    out = str(tmp_path / "story")
    assert run(watched, "-m", "TumorSegRobustLib.cli", "demo", "--no-browser", "--out", out) == []
    assert (tmp_path / "story" / "rtstruct.dcm").is_file()
    left = {path.name for path in (tmp_path / "home").iterdir()}
    assert "intel" not in left, "OpenVINO's telemetry has written its identifier"


def test_the_watch_notices_a_look_up(watched: dict[str, str]) -> None:
    """`.invalid` is no machine anywhere (RFC 2606)."""
    asks = "import socket\ntry:\n    socket.create_connection(('a.invalid', 1))\nexcept OSError:\n    pass"
    assert run(watched, "-c", asks) == ["socket.getaddrinfo a.invalid"]


def test_openvino_is_imported_in_one_place(repository: Path) -> None:
    """The one that keeps its telemetry out."""
    found = {
        path.name
        for folder in ("TumorSegRobust", "TumorSegRobustLib", "Testing", ".ci")
        for path in (repository / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Import) and any(a.name.split(".")[0] == "openvino" for a in node.names))
        or (isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "openvino")
    }
    assert found == {"openvino_import.py"}
