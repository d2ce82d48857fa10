"""Model packages that come in a folder, for this user: `catalogue` finds them beside those that ship."""

from __future__ import annotations

import re
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

from TumorSegRobustLib.errors import UnusableInput

from .catalogue import is_newer, list_packages, user_packages
from .package import PACKAGE_FILE, ModelPackage

_ID = re.compile(r"[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class Installed:
    """new: "id version" of every package that was added. refused: a line for each that cannot be used."""

    new: tuple[str, ...]
    refused: tuple[str, ...]


def install_packages(source: Path, into: Path | None = None) -> Installed:
    """Copy the packages of the folder `source` (or the one that it is) to where the catalogue looks.

    One that is there already, as new or newer, is left out; every file is compared with its recorded hash
    first, and a package appears whole or not at all.
    """
    folders = [source] if (source / PACKAGE_FILE).is_file() else sorted(source.iterdir())
    known = {package.id: package for package in list_packages(kind=None)}
    new, refused = [], []
    for folder in folders:
        if not (folder / PACKAGE_FILE).is_file():
            continue
        try:
            package = _whole(folder)
        except UnusableInput as reason:
            refused.append(str(reason))
            continue
        if package.id not in known or is_newer(package, known[package.id]):
            _copy(folder, (into or user_packages()) / package.id)
            new.append(f"{package.id} {package.version}")
    return Installed(tuple(new), tuple(refused))


def _whole(folder: Path) -> ModelPackage:
    package = ModelPackage.load(folder)
    problems = package.verify()
    if problems:
        raise UnusableInput(f"The model {package.id} was not installed: {problems[0]}.")
    if not _ID.fullmatch(package.id):
        raise UnusableInput(f"The model {package.id!r} was not installed: its id is no name of a folder.")
    return package


def _copy(folder: Path, target: Path) -> None:
    stage = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    try:
        shutil.copytree(folder, stage)
        shutil.rmtree(target, ignore_errors=True)
        stage.replace(target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnusableInput(f"The model could not be written to {target}: {reason}; make room.") from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)
