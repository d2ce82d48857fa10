"""One host for the process, and a panel on a fresh scene for every check."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPOSITORY / "Testing"))

import slicer_host  # noqa: E402

HOST = slicer_host.start()
MODULE = HOST.load_module(REPOSITORY / "TumorSegRobust" / "TumorSegRobust.py")

from panel import BallFinder, Panel  # noqa: E402


@pytest.fixture
def panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Panel]:
    """The panel with networks that find half of the phantom's ball, on an empty scene with one slice view."""
    unseen: list[BaseException | None] = []
    # Qt and VTK print what a slot or an observer raises and go on; a check must not pass over it.
    monkeypatch.setattr(sys, "excepthook", lambda _kind, error, _trace: unseen.append(error))
    panel = Panel(HOST, MODULE, tmp_path, BallFinder())
    yield panel
    panel.close()
    assert unseen == []
