"""The parts behind the panel: an installer that asks first, calls that arrive in order."""

from __future__ import annotations

import json
import shutil
import sys
import threading
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import qt
import slicer
from conftest import HOST, MODULE
from panel import MISSED, BallFinder, Panel
from TumorSegRobustDesktop.dependencies import FROM_PIP, Installer
from TumorSegRobustDesktop.main_thread import MainThread
from TumorSegRobustDesktop.offline_bundle import this_platform

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.models import REFINES, find_package
from TumorSegRobustLib.resources import resource


class Machine:
    """A Slicer that has the packages in `present`, and a user who answers every question with `agrees` and
    the file dialog with `chosen`."""

    def __init__(self, present: set[str], agrees: bool = True, chosen: str = "") -> None:
        self.present, self.agrees = present, agrees
        self.questions: list[str] = []
        self.installed: list[str] = []
        self.constraints = ""
        self.wheels: list[str] | None = None
        self.told: list[str] = []
        self.installer = Installer(self.find, self.ask, self.pip, lambda: chosen, self.told.append)

    def find(self, name: str) -> str | None:
        return name if name in self.present else None

    def ask(self, question: str) -> bool:
        self.questions.append(question)
        return self.agrees

    def pip(self, requirements: Sequence[str], constraints: Path, wheels: Path | None) -> None:
        self.installed += requirements
        self.constraints = constraints.read_text(encoding="utf-8")
        self.wheels = None if wheels is None else sorted(path.name for path in wheels.iterdir())
        self.present |= {name for name, requirement in FROM_PIP.items() if requirement in requirements}


COMPLETE = set(FROM_PIP)


def test_nothing_missing_means_no_question() -> None:
    machine = Machine(set(COMPLETE))
    assert machine.installer.look().missing == ()
    assert machine.installer.install()
    assert machine.questions == []


def test_the_question_names_what_will_be_installed_and_no_leaves_everything_as_it_is() -> None:
    machine = Machine(COMPLETE - {"safetensors", "cc3d"}, agrees=False)
    assert not machine.installer.install()
    (question,) = machine.questions
    assert "safetensors" in question
    assert "connected-components-3d" in question
    assert "openvino" not in question
    assert machine.installed == []


def test_packages_of_slicer_are_pinned_at_their_versions_and_never_asked_for() -> None:
    machine = Machine(COMPLETE - {"openvino"})
    assert machine.installer.install()
    assert machine.installed == [FROM_PIP["openvino"]]
    assert machine.wheels is None
    assert f"numpy=={np.__version__}" in machine.constraints.splitlines()
    pinned = {line.split("==")[0] for line in machine.constraints.splitlines()}
    assert {"numpy", "vtk", "SimpleITK", "torch"} <= pinned
    asked_for = {requirement.split(">=")[0].lower() for requirement in FROM_PIP.values()}
    assert asked_for.isdisjoint({"numpy", "vtk", "simpleitk", "torch"})


def test_pytorch_is_neither_missed_nor_installed() -> None:
    machine = Machine(set())
    assert machine.installer.install()
    assert set(machine.installed) == set(FROM_PIP.values())
    assert COMPLETE.isdisjoint({"torch", "monai"})


@pytest.mark.parametrize("form", ["zip", "description", "folder"])
def test_without_network_the_wheels_of_a_bundle_are_installed(form: str, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    (bundle / "wheels").mkdir(parents=True)
    for name in ("bundle.json", "wheels/openvino-1-py3-none-any.whl", "wheels/README.txt"):
        (bundle / name).write_bytes(b"{}")
    packed = tmp_path / "bundle.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("bundle/../../wheels/openvino-1-py3-none-any.whl", b"{}")
        archive.writestr("bundle/bundle.json", b"{}")
    chosen = {"zip": packed, "description": bundle / "bundle.json", "folder": bundle}[form]
    machine = Machine(COMPLETE - {"openvino"}, chosen=str(chosen))
    assert machine.installer.install_offline()
    assert machine.questions == []
    assert machine.installed == [FROM_PIP["openvino"]]
    assert machine.wheels is not None
    assert "openvino-1-py3-none-any.whl" in machine.wheels
    assert f"numpy=={np.__version__}" in machine.constraints.splitlines()


def test_giving_up_the_choice_of_a_bundle_installs_nothing() -> None:
    machine = Machine(COMPLETE - {"openvino"})
    assert not machine.installer.install_offline()
    assert machine.installed == []


def test_a_file_that_is_no_bundle_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "scan.zip").write_bytes(b"no archive")
    for chosen in (tmp_path / "scan.zip", tmp_path):
        machine = Machine(set(), chosen=str(chosen))
        with pytest.raises(UnusableInput, match=r"is no offline bundle \(it holds no wheels and no"):
            machine.installer.install_offline()
        assert machine.installed == []


def a_bundle_with_a_model(folder: Path, **description: object) -> Path:
    """refine-any as version 99.0 under another name, and a wheel; packed, with an entry that wants to lie
    elsewhere."""
    bundle = folder / "bundle"
    (bundle / "wheels").mkdir(parents=True)
    (bundle / "wheels" / "openvino-1-py3-none-any.whl").write_bytes(b"")
    package = bundle / "models" / "refine-else"
    shutil.copytree(resource("Models", "refine-any"), package)
    told = json.loads((package / "configs" / "package.json").read_text())
    (package / "configs" / "package.json").write_text(json.dumps({**told, "id": "refine-else"}))
    (bundle / "bundle.json").write_text(json.dumps(description))
    packed = folder / "bundle.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(p for p in bundle.rglob("*") if p.is_file()):
            archive.write(path, path.relative_to(folder))
        archive.writestr("bundle/models/../../../evil.json", b"{}")
    return packed


@pytest.fixture
def user_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("TumorSegRobustLib.models.catalogue.user_folder", lambda: tmp_path / "data")
    return tmp_path / "data"


@pytest.mark.parametrize("form", ["bundle.zip", "bundle/bundle.json"])
def test_the_models_of_a_bundle_are_installed_although_no_package_is_missing(
    form: str, tmp_path: Path, user_data: Path
) -> None:
    a_bundle_with_a_model(tmp_path, python="2.7", platforms=["windows"])
    machine = Machine(set(COMPLETE), chosen=str(tmp_path / form))
    assert machine.installer.install_offline()
    assert machine.installed == []
    assert machine.told == [f"Models installed: refine-else {find_package(kind=REFINES).version}."]
    assert find_package("refine-else", kind=REFINES).folder == user_data / "models" / "refine-else"
    assert not list(tmp_path.rglob("evil.json"))
    assert machine.installer.install_offline()
    assert machine.told[1:] == ["Everything in the bundle is installed already."]


def test_wheels_for_another_python_or_system_are_refused_in_one_line(tmp_path: Path, user_data: Path) -> None:
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    packed = a_bundle_with_a_model(tmp_path, python="2.7", platforms=["windows", "macos-arm64"])
    machine = Machine(COMPLETE - {"openvino"}, chosen=str(packed))
    with pytest.raises(UnusableInput) as refused:
        machine.installer.install_offline()
    assert "The bundle's packages are for Python 2.7 on windows, macos-arm64, this is Python " in str(
        refused.value
    )
    assert f"--python {here} --platform" in str(refused.value)
    assert machine.installed == []
    (tmp_path / "bundle" / "bundle.json").write_text(
        json.dumps({"python": here, "platforms": [this_platform()]})
    )
    fitting = Machine(COMPLETE - {"openvino"}, chosen=str(tmp_path / "bundle"))
    assert fitting.installer.install_offline()
    assert fitting.installed == [FROM_PIP["openvino"]]


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


def test_repair_installs_everything_anew_after_asking_and_touches_nothing_of_slicers() -> None:
    machine = Machine(set(COMPLETE))
    assert machine.installer.repair()
    (question,) = machine.questions
    assert "anew" in question
    assert "restart Slicer first" in question
    assert machine.installed == [
        *FROM_PIP.values(),
        "--force-reinstall",
        "--no-deps",
        "--no-cache-dir",
    ]
    assert f"numpy=={np.__version__}" in machine.constraints.splitlines()


def test_repair_that_is_declined_installs_nothing() -> None:
    machine = Machine(set(COMPLETE), agrees=False)
    assert not machine.installer.repair()
    assert machine.installed == []


def test_the_button_for_repairs_is_there_although_nothing_seems_to_be_missing(tmp_path: Path) -> None:
    machine = Machine(set(COMPLETE))
    panel = Panel(HOST, MODULE, tmp_path, BallFinder(), machine.installer)
    try:
        assert not panel.shows("dependenciesFrame")
        panel.ui.repairButton.click()
        assert machine.installed[: len(FROM_PIP)] == list(FROM_PIP.values())
    finally:
        panel.close()


@pytest.mark.parametrize("button", ["offlineButton", "bundleButton"])
def test_the_buttons_for_a_file_install_from_the_bundle(button: str, tmp_path: Path) -> None:
    (tmp_path / "bundle" / "wheels").mkdir(parents=True)
    (tmp_path / "bundle" / "wheels" / "openvino-1-py3-none-any.whl").write_bytes(b"")
    machine = Machine(COMPLETE - {"openvino"}, chosen=str(tmp_path / "bundle"))
    panel = Panel(HOST, MODULE, tmp_path, BallFinder(), machine.installer)
    try:
        getattr(panel.ui, button).click()
        assert machine.wheels == ["openvino-1-py3-none-any.whl"]
        assert not panel.shows("dependenciesFrame")
    finally:
        panel.close()


def test_an_installation_that_fails_is_told_and_the_state_stays_clear(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    machine = Machine(COMPLETE - {"openvino"})

    def broken(*_: object) -> None:
        raise RuntimeError("no network")

    panel = Panel(HOST, MODULE, tmp_path, BallFinder(), Installer(machine.find, machine.ask, broken))
    try:
        panel.open_phantom()
        panel.ui.installButton.click()
        assert panel.ui.errorLabel.text.startswith("The packages were not installed: check the network, or")
        assert "no network" in caplog.text
        assert panel.shows("dependenciesFrame")
        assert "openvino" in panel.ui.dependenciesLabel.text
        assert not panel.ui.segmentButton.enabled
    finally:
        panel.close()


def test_the_file_of_requirements_lists_what_is_asked_for() -> None:
    file = Path(MODULE.__file__).parent / "Resources" / "requirements.txt"
    lines = file.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == list(FROM_PIP.values())


@pytest.mark.parametrize(
    ("crash", "told"),
    [
        (SystemExit(3), "ended from inside (SystemExit)"),
        (MemoryError(), "needs more memory than this computer has free"),
        (RuntimeError("cannot compile"), "cannot compile"),
    ],
)
def test_a_crash_of_the_worker_is_survived_and_told(
    panel: Panel, crash: BaseException, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall(*_: object, **__: object) -> None:
        raise crash

    panel.open_phantom()
    predict = panel.networks.predict
    monkeypatch.setattr(panel.networks, "predict", fall)
    panel.press("segmentButton")
    assert told in panel.ui.errorLabel.text
    assert panel.state.phase == "ready"
    assert not panel.shows("progressBar")
    monkeypatch.setattr(panel.networks, "predict", predict)
    panel.press("segmentButton")
    assert panel.contour().any()
    assert panel.ui.errorLabel.text == ""


def test_after_a_crash_of_the_application_the_review_is_offered_again(panel: Panel, tmp_path: Path) -> None:
    panel.open_phantom()
    panel.press("segmentButton")
    panel.press("includeButton")
    panel.place("include", MISSED)
    corrected = panel.contour()
    panel.workflow.session.close()  # as the system does, without another word
    after = Panel(HOST, MODULE, tmp_path, BallFinder())
    try:
        after.open_phantom()
        assert after.ui.resumeButton.text == "Continue the unfinished review"
        assert after.ui.resumeButton.toolTip.endswith(", 1 correction")
        after.press("resumeButton")
        np.testing.assert_array_equal(after.contour(), corrected)
    finally:
        after.close()


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
