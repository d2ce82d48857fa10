"""`train`: generated heads to look at, and the training of networks on them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import Cancelled, UnusableInput
from ..progress import Progress
from .job import run_job
from .options import Json, Out, example
from .speaking import say

Config = Annotated[
    Path, typer.Argument(metavar="CONFIG.yaml", help="What to do, with every number and the seed.")
]

train = typer.Typer(help="Generate heads and train networks on them.", no_args_is_help=True)


def add_to(program: typer.Typer) -> None:
    program.add_typer(train, name="train")


@train.command(epilog=example("train synth synth.yaml --out examples"))
def synth(
    config: Config,
    out: Out,
    count: Annotated[int, typer.Option("--count", min=1, help="How many heads on the contact sheet.")] = 24,
    as_json: Json = False,
) -> None:
    """Write generated scans with their truth, to look at what the networks learn from."""

    def work(progress: Progress) -> dict[str, Any]:
        from ..training.synth import main

        return main(config, out, count=count, progress=progress)

    _run("Generating heads.", work, config, out, as_json)


@train.command(epilog=example("train stage1 stage1.yaml --out runs/member-1"))
def stage1(
    config: Config,
    out: Out,
    monitor: Annotated[
        Path | None,
        typer.Option("--monitor", metavar="DIR", help="Cases whose Dice is logged, never used to choose."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train one member of the automatic ensemble; goes on from the checkpoint in DIR if there is one."""

    def work(progress: Progress) -> dict[str, Any]:
        from ..training.stage1 import main

        return main(config, out, monitor=monitor, progress=progress)

    _run("Training.", work, config, out, as_json)


@train.command(epilog=example("train package brain-mr.yaml --runs runs --out brain-mr"))
def package(
    config: Config,
    runs: Annotated[
        Path, typer.Option("--runs", metavar="DIR", help="A folder for each member, written by train stage1.")
    ],
    out: Out,
    as_json: Json = False,
) -> None:
    """Make a package of finished trainings: weights, configuration, seeds, hashes and model card."""

    def work(progress: Progress) -> dict[str, Any]:
        from ..training.packaging import main

        return main(config, runs, out)

    _run("Writing the package.", work, config, out, as_json)


def _run(
    title: str, work: Callable[[Progress], dict[str, Any]], config: Path, out: Path, as_json: bool
) -> None:
    if not config.is_file():
        raise UnusableInput(f"{config}: no such file. Give a configuration in YAML.")
    try:
        summary = run_job(title, lambda job: work(job.progress))
    except Cancelled:
        raise Cancelled(
            f"Cancelled; what is complete lies in {out}, and the same command goes on from it."
        ) from None
    rows = [(key, str(value)) for key, value in summary.items() if isinstance(value, str | int | float)]
    say(json.loads(json.dumps(summary, default=str)), as_json, [*rows, ("written", str(out))])
