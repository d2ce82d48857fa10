"""The offline bundle: what is in it, and that the program installs and runs from it without an index."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fixtures_inference import tiny_package

from TumorSegRobustLib.models import find_package


@pytest.fixture
def script(repository: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`.ci/offline_bundle.py`, which `make offline-bundle` runs."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec = importlib.util.spec_from_file_location("offline_bundle", repository / ".ci" / "offline_bundle.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def index(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """A package index that serves a few wheels, none of them for Windows; collects pip's command lines."""
    asked: list[tuple[str, ...]] = []

    def pip(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        asked.append(words)
        if "win_amd64" in words:
            reason = "Looking\nERROR: No matching distribution: openvino\n"
            return subprocess.CompletedProcess(words, 1, "", reason)
        folder = Path(words[words.index("--dest" if words[0] == "download" else "--wheel-dir") + 1])
        for name in ("openvino", "numpy", "simpleitk", "torch") if words[0] == "download" else ("program",):
            (folder / f"{name}-1.0-py3-none-any.whl").write_bytes(name.encode())
        return subprocess.CompletedProcess(words, 0, "", "")

    monkeypatch.setattr(script, "_pip", pip)
    return asked


def test_the_bundle_for_slicer_holds_neither_pytorch_nor_what_slicer_brings(
    script: ModuleType, index: list[tuple[str, ...]], tmp_path: Path
) -> None:
    assert script.main(["--out", str(tmp_path / "b"), "--platform", "linux", "--python", "3.12"]) == 0
    assert [path.name for path in (tmp_path / "b" / "wheels").iterdir()] == ["openvino-1.0-py3-none-any.whl"]
    assert json.loads((tmp_path / "b" / "bundle.json").read_text()) == {
        "schema": "tumorsegrobust-offline/1",
        "python": "3.12",
        "platforms": ["linux"],
        "models": ["brain-mr", "brain-mr-research", "refine-any"],
        "unavailable": [],
        "full": False,
        "requirements": list(script.FROM_PIP.values()),
    }
    [asked] = index
    assert asked[-len(script.FROM_PIP) :] == tuple(script.FROM_PIP.values())
    assert asked[asked.index("--python-version") + 1] == "3.12"


def test_the_models_lie_in_it_and_the_zip_file_holds_the_same(
    script: ModuleType, index: list[tuple[str, ...]], repository: Path, tmp_path: Path
) -> None:
    assert script.main(["--out", str(tmp_path / "b"), "--full"]) == 0
    shipped = repository / "Resources" / "Models"
    for path in shipped.rglob("*.safetensors"):
        assert (tmp_path / "b" / "models" / path.relative_to(shipped)).read_bytes() == path.read_bytes()
    files = [path for path in (tmp_path / "b").rglob("*") if path.is_file()]
    folder = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in files}
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == folder
    assert {"b/wheels/numpy-1.0-py3-none-any.whl", "b/wheels/program-1.0-py3-none-any.whl"} <= set(folder)


def test_without_other_words_it_is_for_slicers_python_on_this_system(
    script: ModuleType, index: list[tuple[str, ...]], tmp_path: Path
) -> None:
    assert script.main(["--out", str(tmp_path / "b")]) == 0
    description = json.loads((tmp_path / "b" / "bundle.json").read_text())
    assert description["python"] == "3.12"
    assert description["platforms"] == [script.this_platform()]
    assert script.main(["--out", str(tmp_path / "b"), "--full"]) == 0
    assert json.loads((tmp_path / "b" / "bundle.json").read_text())["python"] == script.this_python()


def test_it_carries_further_models(
    script: ModuleType, index: list[tuple[str, ...]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package = tiny_package(tmp_path / "liver-ct", id="liver-ct")
    assert script.main(["--out", str(tmp_path / "b"), "--models", str(package.folder)]) == 0
    assert json.loads((tmp_path / "b" / "bundle.json").read_text())["models"][-2:] == [
        "liver-ct",
        "refine-any",
    ]
    assert find_package(tmp_path / "b" / "models" / "liver-ct").verify() == []
    with pytest.raises(SystemExit):
        script.main(["--out", str(tmp_path / "b"), "--models", str(tmp_path)])
    assert "is no model package" in capsys.readouterr().err


def test_a_platform_without_wheels_is_told_and_the_others_are_served(
    script: ModuleType, index: list[tuple[str, ...]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--out", str(tmp_path / "b"), "--python", "3.12"]
    assert script.main([*words, "--platform", "windows", "--platform", "linux"]) == 0
    assert capsys.readouterr().err == (
        "No wheels for windows, Python 3.12: ERROR: No matching distribution: openvino\n"
    )
    description = json.loads((tmp_path / "b" / "bundle.json").read_text())
    assert (description["platforms"], description["unavailable"]) == (["linux"], ["windows"])
    assert script.main([*words, "--platform", "windows"]) == 1


def run(*command: object, folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """With nothing of this checkout's environment, and of pip's settings only `settings`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    environment = {**kept, "PIP_CONFIG_FILE": os.devnull, "OMP_NUM_THREADS": "1", **settings}
    words = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=folder, env=environment)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_program_installs_without_an_index_and_tells_its_story(repository: Path, tmp_path: Path) -> None:
    """The one test that asks the package index, as the set-up before it did; without one it is skipped."""
    script = [sys.executable, str(repository / ".ci" / "offline_bundle.py"), "--full", "--out"]
    made = subprocess.run([*script, str(tmp_path / "b")], capture_output=True, text=True, check=False)
    if made.returncode != 0 and "No wheels for here" in made.stderr:
        pytest.skip(f"no package index to fill a bundle from: {made.stderr[-200:]}")
    assert made.returncode == 0, made.stderr
    offline: dict[str, Any] = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "b" / "wheels")}
    assert run(sys.executable, "-m", "venv", tmp_path / "env", folder=tmp_path).returncode == 0
    scripts = tmp_path / "env" / ("Scripts" if sys.platform == "win32" else "bin")

    install = ("-m", "pip", "install", "-q", "tumorsegrobust")
    installed = run(scripts / "python", *install, folder=tmp_path, **offline)
    assert installed.returncode == 0, installed.stderr
    found = run(
        scripts / "python", "-c", "import importlib.util as u\nfor n in ('openvino', 'torch', 'monai'):\n"
        "    print(n, u.find_spec(n) is not None)", folder=tmp_path,
    )  # fmt: skip
    assert found.stdout.split("\n")[:3] == ["openvino True", "torch False", "monai False"]
    demo = ("demo", "--no-browser", "--out", tmp_path / "demo")
    told = run(scripts / "tumorsegrobust", *demo, folder=tmp_path)
    assert told.returncode == 0, told.stderr
    story = json.loads((tmp_path / "demo" / "story.json").read_text())
    assert story["result"]["backend"] == "openvino"
    assert all(click["honoured"] for click in story["clicks"])
    assert (tmp_path / "demo" / "rtstruct.dcm").is_file()
