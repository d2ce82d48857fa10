"""Options that several commands share, each explained once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Device(StrEnum):
    """Where the networks run; `auto` takes the fastest that is there."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


Scan = Annotated[
    Path, typer.Argument(metavar="IMAGE", help="NIfTI, NRRD or MHA file, or a folder with one DICOM series.")
]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results; made if need be.")]
OutFile = Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write.")]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="ID", help="A model package, by id or folder; default: brain-mr."),
]
Where = Annotated[Device, typer.Option("--device", help="Where the networks run.")]
Empty = Annotated[bool, typer.Option("--empty", help="Start from nothing instead of a contour.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document on stdout.")]


def example(text: str) -> str:
    """The epilog of a command: one line to try."""
    return f"Example: [bold]tumorsegrobust {text}[/bold]"
