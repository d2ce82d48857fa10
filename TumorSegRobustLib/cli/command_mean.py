"""`train mean`: one member from several snapshots of its training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .command_train import train
from .job import Job, run_job
from .options import Json, OutFile, example
from .speaking import say


def add_to(program: typer.Typer) -> None:
    """The command belongs to `train`, which is a part of the program already."""
    train.command(epilog=example("train mean runs/c/step-10k.pt runs/c/step-12k.pt --out runs/d/weights.pt"))(
        mean
    )


def mean(
    snapshots: Annotated[
        list[Path], typer.Argument(metavar="WEIGHTS...", help="weights.pt, checkpoint.pt or .safetensors.")
    ],
    out: OutFile,
    as_json: Json = False,
) -> None:
    """Write the mean of several weights of one network, as weights.pt of a member."""

    def work(job: Job) -> dict[str, Any]:
        from ..training.averaging import main

        return main(snapshots, out)

    document = run_job("Averaging.", work)
    rows = [("snapshots", str(document["snapshots"])), ("written", str(out))]
    say(document, as_json, rows)
