"""`train loho`: what is trained here, tested in a hospital that training never saw."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import Cancelled, UnusableInput
from .command_train import train
from .job import run_job
from .options import Json, Out, example
from .speaking import note, say, table


def add_to(program: typer.Typer) -> None:
    """The command belongs to `train`, which is a part of the program already."""
    train.command(epilog=example("train loho loho.yaml --out runs/loho"))(loho)


def loho(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG.yaml", help="Manifest, sites, arms, seeds, trainings.")
    ],
    out: Out,
    as_json: Json = False,
) -> None:
    """Leave one hospital out: train every arm without it, test on it; also the scanner experiments.

    Writes results.json and tables.json. Finished runs are skipped, an interrupted one goes on.
    """
    if not config.is_file():
        raise UnusableInput(f"{config}: no such file. Give a configuration in YAML.")

    def work(progress: Any) -> dict[str, Any]:
        from ..training.loho import main

        out.mkdir(parents=True, exist_ok=True)
        return main(config, out, progress=progress)

    try:
        document = run_job("Leaving hospitals out.", lambda job: work(job.progress))
    except Cancelled:
        raise Cancelled(
            f"Cancelled; what is complete lies in {out}, and the same command goes on from it."
        ) from None
    for sentence in document["left_out"]:
        note(sentence)
    if as_json:
        say(document, True, ())
        return
    ablation = document["ablation"]
    if ablation:
        sites = [row["site"] for row in ablation["arms"][0]["sites"]]
        rows = [
            (
                row["arm"],
                *(f"{site['mean']:.3f}" for site in row["sites"]),
                f"{row['worst_site_dice']['value']:.3f}",
                f"{row['mean_of_cases']:.3f}",
            )
            for row in ablation["arms"]
        ]
        table(rows, "Mean Dice at the site left out", ("arm", *sites, "worst", "all cases"))
    say(document, False, [("runs", str(document["runs"])), ("written", str(out))])
