"""`train weights`: how much each member of an ensemble should count, judged on sites unseen in fitting."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .command_train import train
from .driving import note_licence
from .job import Job, run_job
from .options import Device, Json, Model, Out, Where, example
from .speaking import say, table


def add_to(program: typer.Typer) -> None:
    """The command belongs to `train`, which is a part of the program already."""
    train.command(epilog=example("train weights cases.csv --out runs/weights"))(weights)


def weights(
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST.csv", help="Cases with references.")],
    out: Out,
    model: Model = None,
    site: Annotated[
        list[str] | None, typer.Option("--site", help="Only this site; may be repeated; default: all.")
    ] = None,
    device: Where = Device.auto,
    as_json: Json = False,
) -> None:
    """Compare equal weights, grid search, genetic search and stacking of a package's members.

    Every figure is of a site whose cases did not take part in fitting. Writes weights.json.
    """

    def work(job: Job) -> dict[str, Any]:
        from ..inference import Ensemble
        from ..models import find_package
        from ..training.member_cases import main

        package = find_package(model)
        note_licence(package)
        ensemble = Ensemble(package, device.value)
        return main(manifest, ensemble, out, site or (), job.progress)

    document = run_job("Weighing the members.", work)
    if as_json:
        say(document, True, ())
        return
    sites = list(document["methods"][0]["sites"])
    rows = [
        (
            row["method"],
            *(f"{row['sites'][name]:.3f}" for name in sites),
            " ".join(f"{weight:.2f}" for weight in row["final"]["weights"]),
        )
        for row in document["methods"]
    ]
    table(rows, "Mean Dice, fitted on the other sites", ("method", *sites, "weights, all sites"))
