"""The parts behind the panel: an installer that asks first, calls that arrive in order."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qt
import slicer
from conftest import HOST, MODULE
from panel import BallFinder, Panel
from TumorSegRobustDesktop.dependencies import FROM_PIP, Installer
from TumorSegRobustDesktop.main_thread import MainThread


class Machine:
    """A Slicer that has the packages in `present`, and a user who answers every question with `agrees`."""

    def __init__(self, present: set[str], agrees: bool = True, torch_comes: bool = True) -> None:
        self.present, self.agrees, self.torch_comes = present, agrees, torch_comes
        self.questions: list[str] = []
        self.installed: list[str] = []
        self.constraints = ""
        self.installer = Installer(self.find, self.ask, self.pip, self.install_torch)

    def find(self, name: str) -> str | None:
        return name if name in self.present else None

    def ask(self, question: str) -> bool:
        self.questions.append(question)
        return self.agrees

    def pip(self, requirements: Sequence[str], constraints: Path) -> None:
        self.installed += requirements
        self.constraints = constraints.read_text(encoding="utf-8")
        self.present |= {name for name, requirement in FROM_PIP.items() if requirement in requirements}

    def install_torch(self) -> Any:
        if self.torch_comes:
            self.present.add("torch")
        return "torch" if self.torch_comes else None


COMPLETE = {"torch", *FROM_PIP}


def test_nothing_missing_means_no_question() -> None:
    machine = Machine(set(COMPLETE))
    assert machine.installer.look().missing == ()
    assert machine.installer.install()
    assert machine.questions == []


def test_the_question_names_what_will_be_installed_and_no_leaves_everything_as_it_is() -> None:
    machine = Machine(COMPLETE - {"monai", "cc3d"}, agrees=False)
    assert not machine.installer.install()
    (question,) = machine.questions
    assert "monai" in question
    assert "connected-components-3d" in question
    assert "openvino" not in question
    assert machine.installed == []


def test_packages_of_slicer_are_pinned_at_their_versions_and_never_asked_for() -> None:
    machine = Machine(COMPLETE - {"monai"})
    assert machine.installer.install()
    assert machine.installed == [FROM_PIP["monai"]]
    assert f"numpy=={np.__version__}" in machine.constraints.splitlines()
    pinned = {line.split("==")[0] for line in machine.constraints.splitlines()}
    assert {"numpy", "vtk", "SimpleITK", "torch"} <= pinned
    asked_for = {requirement.split(">=")[0].lower() for requirement in FROM_PIP.values()}
    assert asked_for.isdisjoint({"numpy", "vtk", "simpleitk", "torch"})


def test_pytorch_comes_through_its_extension_before_anything_that_needs_it() -> None:
    machine = Machine({"PyTorchUtils"})
    assert machine.installer.look().can_install
    assert machine.installer.install()
    assert "torch" not in "".join(machine.installed)
    assert set(machine.installed) == set(FROM_PIP.values())


def test_without_the_pytorch_extension_the_way_out_is_named_and_there_is_no_button() -> None:
    readiness = Machine(set()).installer.look()
    assert not readiness.can_install
    assert "extension PyTorch" in readiness.text
    assert "Extensions Manager" in readiness.text


def test_nothing_is_installed_when_pytorch_was_not() -> None:
    machine = Machine({"PyTorchUtils"}, torch_comes=False)
    assert not machine.installer.install()
    assert machine.installed == []


def test_the_panel_says_what_is_missing_and_installs_only_on_the_button(tmp_path: Path) -> None:
    machine = Machine(COMPLETE - {"openvino"})
    panel = Panel(HOST, MODULE, tmp_path, BallFinder(), machine.installer)
    try:
        panel.open_phantom()
        assert machine.questions == []
        assert panel.ui.dependenciesFrame.isVisibleTo(panel.widget.parent)
        assert "openvino" in panel.ui.dependenciesLabel.text
        assert not panel.ui.segmentButton.enabled
        assert "openvino" in panel.ui.segmentButton.toolTip
        panel.press("installButton")
        assert len(machine.questions) == 1
        assert not panel.ui.dependenciesFrame.isVisibleTo(panel.widget.parent)
        panel.press("segmentButton")
        assert panel.contour().any()
    finally:
        panel.close()


def test_calls_of_other_threads_run_in_order_in_the_main_thread() -> None:
    seen: list[tuple[int, threading.Thread]] = []
    main_thread = MainThread(lambda: False)
    for number in range(3):
        call = lambda number=number: seen.append((number, threading.current_thread()))  # noqa: E731
        worker = threading.Thread(target=main_thread, args=(call,))
        worker.start()
        worker.join()
    assert seen == []
    main_thread.turn()
    assert seen == [(number, threading.main_thread()) for number in range(3)]
    main_thread.close()


def test_a_call_that_fails_does_not_hold_up_the_next_one(caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []
    main_thread = MainThread(lambda: False)
    main_thread(lambda: [][0])
    main_thread(lambda: done.append("second"))
    main_thread.turn()
    assert done == ["second"]
    assert "IndexError" in caplog.text
    main_thread.close()


def test_the_timer_delivers_without_being_asked() -> None:
    done: list[str] = []
    main_thread = MainThread(lambda: False)
    main_thread(lambda: done.append("delivered"))
    deadline = qt.QDeadlineTimer(5000)
    while not done and not deadline.hasExpired():
        slicer.app.processEvents()
    assert done == ["delivered"]
    main_thread.close()
