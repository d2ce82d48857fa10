"""Writes an offline bundle: a ZIP file with wheels and model packages for computers without a network.

    python .ci/offline_bundle.py --out build/offline [--full] [--app] [--python 3.12] [--platform windows ...]
                                 [--models FOLDER ...]

In the ZIP file, and beside it as a folder: `wheels/`, `models/` (those that ship, and those of --models) and
`bundle.json`, which says what it is for. *From file…* of the desktop panel installs both.
Without --full the wheels are what 3D Slicer lacks (`FROM_PIP` of the desktop module), never numpy, SimpleITK,
VTK or PyTorch. With --full they are the whole program for a plain Python; --app adds the browser panel.
A platform that the package index has no wheels for is told, and the others are written all the same.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "TumorSegRobust"), str(ROOT)]

from TumorSegRobustDesktop.dependencies import FROM_PIP, PROTECTED  # noqa: E402
from TumorSegRobustDesktop.offline_bundle import DESCRIPTION, this_platform, this_python  # noqa: E402

from TumorSegRobustLib.models.package import PACKAGE_FILE  # noqa: E402

HERE = "here"
OF_SLICER = "3.12"
# The tags that pip shall take for a platform; a wheel's tag must be named exactly.
PLATFORMS: dict[str, list[str]] = {
    HERE: [],
    "linux": ["manylinux2014_x86_64", *(f"manylinux_2_{minor}_x86_64" for minor in (17, 24, 27, 28))],
    "windows": ["win_amd64"],
    "macos-arm64": [f"macosx_{major}_0_arm64" for major in (11, 12, 13, 14)],
    "macos-intel": ["macosx_10_9_x86_64", *(f"macosx_{major}_0_x86_64" for major in (10, 11, 12, 13))],
}


def main(words: Sequence[str] | None = None) -> int:
    """Exit code 1 when no platform could be served."""
    wanted = _options(words)
    out = Path(wanted.out)
    shutil.rmtree(out, ignore_errors=True)
    wheels = out / "wheels"
    wheels.mkdir(parents=True)
    requirements = _requirements(wanted.full, wanted.app)
    served = [name for name in wanted.platform if _download(requirements, wheels, name, wanted.python)]
    if not served:
        return 1
    if wanted.full:
        _pip("wheel", "--no-deps", "--wheel-dir", str(wheels), str(ROOT))
    else:
        _remove_protected(wheels)
    shutil.copytree(ROOT / "Resources" / "Models", out / "models")
    for folder in wanted.models:
        shutil.copytree(folder, out / "models" / folder.name, dirs_exist_ok=True)
    description = {
        "schema": "tumorsegrobust-offline/1",
        "python": wanted.python,
        "platforms": [this_platform() if name == HERE else name for name in served],
        "models": sorted(path.name for path in (out / "models").iterdir()),
        "unavailable": [name for name in wanted.platform if name not in served],
        "full": wanted.full,
        "requirements": requirements,
    }
    (out / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    packed = _pack(out)
    print(f"{packed} ({packed.stat().st_size / 1e6:.0f} MB, Python {wanted.python}, {', '.join(served)})")
    return 0


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    usual = f"Slicer's {OF_SLICER}; with --full this one, {this_python()}"
    parser.add_argument("--out", default="build/offline-bundle", help="the folder; what is in it is replaced")
    parser.add_argument("--full", action="store_true", help="the whole program, for a plain Python")
    parser.add_argument("--app", action="store_true", help="with --full: the browser panel too")
    parser.add_argument("--python", help=f"version to serve (default: {usual})")
    parser.add_argument(
        "--models", type=Path, action="append", default=[], help="one more model package to carry"
    )
    parser.add_argument("--platform", action="append", choices=PLATFORMS, help="default: this computer's")
    given = parser.parse_args(words)
    given.python = given.python or (this_python() if given.full else OF_SLICER)
    for folder in given.models:
        if not (folder / PACKAGE_FILE).is_file():
            parser.error(f"--models {folder}: is no model package (it has no {PACKAGE_FILE})")
    given.platform = list(dict.fromkeys(given.platform or [HERE]))
    return given


def _requirements(full: bool, app: bool) -> list[str]:
    if not full:
        return list(FROM_PIP.values())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *(project["optional-dependencies"]["app"] if app else [])]


def _download(requirements: Sequence[str], wheels: Path, name: str, python: str) -> bool:
    """All wheels for one platform, or none of them and a line why not."""
    tags = [word for tag in PLATFORMS[name] for word in ("--platform", tag)]
    foreign = [*tags, "--python-version", python, "--implementation", "cp"]
    running = python == this_python()
    with tempfile.TemporaryDirectory() as scratch:
        target = [] if name == HERE and running else foreign
        done = _pip("download", "--only-binary=:all:", "--dest", scratch, *target, *requirements, check=False)
        if done.returncode != 0:
            reasons = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
            why = reasons[-1] if reasons else "pip failed"
            print(f"No wheels for {name}, Python {python}: {why}", file=sys.stderr)
            return False
        for wheel in Path(scratch).glob("*.whl"):
            shutil.copy(wheel, wheels)
    return True


def _pip(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", words[0], "--quiet", "--disable-pip-version-check", *words[1:]]
    return subprocess.run(command, check=check, text=True, capture_output=True)


def _remove_protected(wheels: Path) -> None:
    """What belongs to Slicer, whatever asked for it."""
    protected = {_normal(name) for name in PROTECTED}
    for wheel in wheels.glob("*.whl"):
        if _normal(wheel.name.split("-")[0]) in protected:
            wheel.unlink()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _pack(out: Path) -> Path:
    """The folder as one file, stored: wheels and weights are compressed already."""
    packed = out.with_name(out.name + ".zip")
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(p for p in out.rglob("*") if p.is_file()):
            archive.write(path, Path(out.name) / path.relative_to(out))
    return packed


if __name__ == "__main__":
    sys.exit(main())
