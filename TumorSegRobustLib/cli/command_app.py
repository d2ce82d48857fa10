"""`app`: the panel in the browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UnusableInput
from .options import example


def add_to(program: typer.Typer) -> None:
    program.command("app", epilog=example("app scan.nii.gz"))(app)


def app(
    images: Annotated[
        list[Path] | None, typer.Argument(metavar="[IMAGE]...", help="Scans to open: files or DICOM folders.")
    ] = None,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port on this machine; 0: a free one.")
    ] = 0,
    folder: Annotated[
        list[Path] | None,
        typer.Option(
            "--folder", metavar="DIR", help="Hold the page to this folder; may be repeated."
        ),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the address; open it yourself.")
    ] = False,
) -> None:
    """Open the panel in the browser. It listens on this machine only; its address holds a secret token."""
    for image in images or ():
        if not image.exists():
            raise UnusableInput(
                f"{image}: no such file or folder. Give a scan, or nothing for an empty panel."
            )
    open_panel(images or [], port, not no_browser, folder or [])


def open_panel(images: list[Path], port: int, open_browser: bool, folders: Sequence[Path] = ()) -> None:
    """Serve until Ctrl-C. Raises `UnusableInput` where the panel's packages are not installed."""
    try:
        from ..app import main
    except ModuleNotFoundError as error:
        raise UnusableInput(
            f"The panel needs the package {error.name}, which is not installed. "
            "Install it with: pip install 'tumorsegrobust[app]'"
        ) from error
    main(images, port=port, open_browser=open_browser, folders=folders)
