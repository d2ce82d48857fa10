"""Which packages are there, and which one is meant."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.resources import resource, user_folder

from .package import PACKAGE_FILE, REFINES, SEGMENTS, ModelPackage

DEFAULT_PACKAGE = "brain-mr"
REFINING_PACKAGE = "refine-any"
FOLDERS_VARIABLE = "TUMORSEGROBUST_MODELS"  # more folders with packages, separated like PATH


def list_packages(extra: Sequence[Path] = (), kind: str | None = SEGMENTS) -> list[ModelPackage]:
    """Every usable package, by id; `extra` (packages, or folders of packages) wins over what is shipped or
    was installed by the user (`installing`), and of these two the newer one does.

    kind: what they are for (`ModelPackage.kind`); None is all.
    """
    found: dict[str, ModelPackage] = {}
    own = user_packages()
    for folder in _candidates(extra):
        try:
            package = ModelPackage.load(folder)
        except UnusableInput:
            continue  # named by `broken_packages`
        known = found.setdefault(package.id, package)
        if folder.parent == own and known.folder.parent == resource("Models") and is_newer(package, known):
            found[package.id] = package
    chosen = [package for package in found.values() if kind in (None, package.kind)]
    return sorted(chosen, key=lambda package: package.id)


def user_packages() -> Path:
    """Where the packages lie that the user has installed; it need not exist."""
    return user_folder() / "models"


def is_newer(package: ModelPackage, known: ModelPackage) -> bool:
    """By the numbers of the versions: 0.10.0 is newer than 0.9.1."""
    numbers = [[int(part) for part in re.findall(r"\d+", one.version)] for one in (package, known)]
    return numbers[0] > numbers[1]


def broken_packages(extra: Sequence[Path] = ()) -> list[tuple[Path, str]]:
    """The folders that look like packages but cannot be used, each with the reason."""
    broken = []
    for folder in _candidates(extra):
        try:
            ModelPackage.load(folder)
        except UnusableInput as error:
            broken.append((folder, str(error)))
    return broken


def find_package(
    id_or_folder: str | Path | None = None, extra: Sequence[Path] = (), kind: str | None = SEGMENTS
) -> ModelPackage:
    """A package by id or by folder; None is the default one. UnusableInput names what is available.

    kind: what it must be for (`ModelPackage.kind`); None is anything.
    """
    wanted = str(id_or_folder) if id_or_folder else _usual(kind)
    if (Path(wanted) / PACKAGE_FILE).is_file():
        package = ModelPackage.load(wanted)
        if kind not in (None, package.kind):
            raise UnusableInput(f"The model {package.id} {package.kind} scans; give one that {kind} them.")
        return package
    packages = list_packages(extra, kind)
    for package in packages:
        if package.id == wanted:
            return package
    for folder, reason in broken_packages(extra):
        if folder.name == wanted:
            raise UnusableInput(reason)
    known = ", ".join(package.id for package in packages) or "none"
    raise UnusableInput(
        f"There is no model {wanted!r} (available: {known}); give one of these or a package's folder."
    )


def _usual(kind: str | None) -> str:
    return REFINING_PACKAGE if kind == REFINES else DEFAULT_PACKAGE


def _candidates(extra: Sequence[Path]) -> Iterator[Path]:
    named = [Path(part) for part in os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep) if part]
    for root in [*map(Path, extra), *named, resource("Models"), user_packages()]:
        if (root / PACKAGE_FILE).is_file():
            yield root
        elif root.is_dir():
            yield from sorted(f for f in root.iterdir() if (f / PACKAGE_FILE).is_file())
