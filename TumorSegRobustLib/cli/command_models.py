"""`models`: which packages of networks are there, what they are, and whether they are whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import UnusableInput
from .options import Json, example
from .speaking import note, say, table

Identifier = Annotated[str | None, typer.Argument(metavar="[ID]", help="Id or folder; default: brain-mr.")]

models = typer.Typer(help="The packages of networks on this machine.", no_args_is_help=True)


def add_to(program: typer.Typer) -> None:
    program.add_typer(models, name="models")


@models.command("list", epilog=example("models list"))
def list_them(as_json: Json = False) -> None:
    """Every package that can be used, and a note for each folder that cannot."""
    from ..models import broken_packages, list_packages

    packages = list_packages(kind=None)
    if as_json:
        say([package.info() for package in packages], True, ())
    else:
        table(
            [(p.id, p.version, p.kind, str(len(p.members)), p.licence, p.title) for p in packages],
            columns=("id", "version", "what it does", "members", "licence", "title"),
        )
    for _, reason in broken_packages():
        note(reason)


@models.command(epilog=example("models info brain-mr"))
def info(identifier: Identifier = None, as_json: Json = False) -> None:
    """What a package is: channels, members, licence, calibration, what it was trained on."""
    from ..models import find_package

    package = find_package(identifier, kind=None)
    document = package.info()
    told = ("id", "version", "title", "kind", "licence", "folder", "sha256")
    rows = [(key, str(document[key])) for key in told]
    rows += [
        ("channel", f"{channel.name}{'' if channel.required else ' (optional)'}: {channel.description}")
        for channel in package.channels
    ]
    rows += [("output", output) for output in package.outputs]
    rows += [
        (
            "member",
            f"{m.name}: {m.network['name']} at {'x'.join(f'{s:g}' for s in m.spacing_mm)} mm, seed {m.seed}",
        )
        for m in package.members
    ]
    say(document, as_json, rows)


@models.command(epilog=example("models install offline-bundle/models"))
def install(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A package, or a folder of packages.")],
    as_json: Json = False,
) -> None:
    """Add packages for this user, after comparing every file with its recorded hash; newer ones stay."""
    from ..models.installing import install_packages
    from ..models.package import PACKAGE_FILE

    if not (folder / PACKAGE_FILE).is_file() and not any(folder.glob(f"*/{PACKAGE_FILE}")):
        raise UnusableInput(f"{folder}: holds no model package; give a package, or a folder of packages.")
    done = install_packages(folder)
    for reason in done.refused:
        note(reason)
    if done.refused and not done.new:
        raise UnusableInput(f"{folder}: nothing was installed, for the reasons above.")
    rows = [("installed", name) for name in done.new] or [("", "everything is there already")]
    say({"installed": list(done.new), "refused": list(done.refused)}, as_json, rows)


@models.command(epilog=example("models verify"))
def verify(
    identifier: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Id or folder; default: all.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare every file with its recorded hash; exit code 2 when one is missing or was changed."""
    from ..models import find_package, list_packages

    packages = [find_package(identifier, kind=None)] if identifier else list_packages(kind=None)
    if not packages:
        raise UnusableInput("No model package is on this machine; install the program again.")
    problems = {package.id: package.verify() for package in packages}
    bad = {name: found for name, found in problems.items() if found}
    if as_json or not bad:
        say(
            [{"id": name, "ok": not found, "problems": found} for name, found in problems.items()],
            as_json,
            [(name, "whole: every file has its recorded hash") for name in problems],
        )
    if bad:
        what = "; ".join(f"{name}: {', '.join(found)}" for name, found in bad.items())
        raise UnusableInput(f"{what}. Restore the package from where it came; do not use it as it is.")
