"""What really reaches pip: Slicer's own `slicer.util.pip_install` runs, into a folder of the check.

`PythonSlicer`, which Slicer calls, is a line that starts this Python; wheels lie in a folder, so that no
network is needed. `slicer.packaging` (Slicer 5.12) does not come with slicer-core: a look-alike takes its
documented arguments.
"""

from __future__ import annotations

import os
import sys
import types
import zipfile
from pathlib import Path

import pytest
import slicer.util
from TumorSegRobustDesktop import dependencies
from TumorSegRobustDesktop.dependencies import Installer

from TumorSegRobustLib.errors import UnusableInput

Asked = list[tuple[list[str], str, str]]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a Slicer's pip installs to."""
    folder = tmp_path / "bin"
    folder.mkdir()
    start = folder / "PythonSlicer"
    start.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    start.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "site"))
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    monkeypatch.delenv("PIP_CONSTRAINT", raising=False)
    return tmp_path / "site"


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two versions of a package that is missing; the newer one wants another numpy than there is."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    wheel(folder, "missingone", "1.0")
    wheel(folder, "missingone", "2.0", "numpy<1")
    wheel(folder, "numpy", "0.9")
    monkeypatch.setattr(dependencies, "FROM_PIP", {"missingone": "missingone>=0.5"})
    return folder


def wheel(folder: Path, name: str, version: str, needs: str = "") -> None:
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    about += f"Requires-Dist: {needs}\n" if needs else ""
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}/__init__.py", f"__version__ = {version!r}\n")
        archive.writestr(f"{info}/METADATA", about)
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


def installer(bundle: str = "") -> Installer:
    return Installer(ask=lambda question: True, choose=lambda: bundle, tell=lambda line: None)


def version_in(site: Path) -> str:
    return (site / "missingone" / "__init__.py").read_text().split("'")[1]


def test_slicer_s_pip_installs_what_is_missing_and_leaves_numpy_alone(
    site: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    assert not installer().install()  # the folder of the check is not on Python's path
    assert version_in(site) == "1.0"  # 2.0 would have brought another numpy
    assert not (site / "numpy").exists()


def test_an_offline_bundle_is_installed_without_a_look_at_the_network(
    site: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # nobody answers there
    (wheels.parent / "bundle.json").write_text("{}")
    installer(str(wheels.parent / "bundle.json")).install_offline()
    assert version_in(site) == "1.0"


def test_repair_replaces_damaged_files(site: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_UPGRADE", "1")  # else pip keeps what lies in PIP_TARGET, which Slicer has not
    (wheels / "missingone-2.0-py3-none-any.whl").unlink()
    installer().install()
    (site / "missingone" / "__init__.py").write_text("damaged")
    installer().repair()
    assert version_in(site) == "1.0"


def test_where_pip_fails_the_line_says_what_to_do(
    site: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels.parent / "bin"))
    with pytest.raises(UnusableInput, match="not installed: check the network, or use Install from file"):
        installer().install()
    assert not site.exists()


def test_slicer_5_12_is_asked_in_its_own_words(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: Asked = []

    def pip_install(
        requirements: str | list[str],
        constraints: str | Path | None = None,
        no_deps_requirements: str | list[str] | None = None,
        skip_packages: list[str] | None = None,
        blocking: bool = True,
        show_progress: bool = True,
        requester: str | None = None,
    ) -> None:
        assert isinstance(requirements, list)
        asked.append((requirements, Path(str(constraints)).read_text(), str(requester)))

    packaging = types.ModuleType("slicer.packaging")
    packaging.__spec__ = types.SimpleNamespace(name="slicer.packaging")  # type: ignore[assignment]
    packaging.pip_install = pip_install  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "slicer.packaging", packaging)
    monkeypatch.setattr(slicer.util, "pip_install", None)
    installer().install()
    ((requirements, constraints, requester),) = asked
    assert requirements == ["missingone>=0.5"]
    assert "numpy==" in constraints
    assert requester == "TumorSegRobust"
