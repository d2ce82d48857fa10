"""`simulate`: a simulated reader corrects a contour towards a reference, to measure what clicks are worth."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UnusableInput
from .driving import choose, open_scan, workflow_for
from .job import Job, run_job
from .options import Device, Empty, Json, Model, Out, Scan, Where, example
from .outputs import results_folder, write_json
from .speaking import note, say


class Reader(StrEnum):
    """`evaluation.habits.READERS`, by name: the program's help must not load the room."""

    robot = "robot"
    jittered = "jittered"
    sloppy = "sloppy"
    lazy = "lazy"


def add_to(program: typer.Typer) -> None:
    program.command(epilog=example("simulate scan.nii.gz --reference truth.nii.gz --out curve"))(simulate)


def simulate(
    image: Scan,
    reference: Annotated[
        Path, typer.Option("--reference", metavar="MASK", help="The contour to reach; tumour > 0.")
    ],
    out: Out,
    model: Model = None,
    empty: Empty = False,
    clicks: Annotated[int, typer.Option("--clicks", min=0, max=1000, help="How many clicks.")] = 10,
    reader: Annotated[
        Reader,
        typer.Option(
            "--reader",
            help="robot: exact; jittered: misses by 3 mm; sloppy: one click in four lands outside the error "
            "that is meant; lazy: stops at Dice .85 or when no error of 0.5 ml is left.",
        ),
    ] = Reader.robot,
    jitter_mm: Annotated[
        float | None,
        typer.Option(
            "--jitter-mm",
            min=0,
            max=100,
            help="How far a click misses, instead of the reader's own: a robot flatters.",
            show_default="of the reader",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of jitter and stray clicks.")] = 0,
    device: Where = Device.auto,
    as_json: Json = False,
) -> None:
    """Click at the centre of the largest error, again and again, and measure each step.

    Writes curve.json: dice, hd95_mm and nsd (surface Dice at 1 mm) before the first and after every click,
    their areas under the curve (0 to 1), the clicks to Dice .85 and .90 (one more than were made where it
    was never reached), the fraction of honoured clicks and of steps that lost more than .005 Dice, seconds.
    """
    if empty and model is not None:
        raise UnusableInput("--empty starts from nothing and asks no network; leave --model out.")

    def work(job: Job) -> dict[str, Any]:
        from ..evaluation import reader_called
        from ..evaluation import simulate as read
        from ..image import read_mask

        with results_folder(out, job) as places, workflow_for(job, places) as workflow:
            if not empty:
                choose(workflow, model, device)
            open_scan(workflow, job, image)
            assert workflow.image is not None
            truth = read_mask(reference, workflow.image.geometry)
            for remark in truth.notices:
                note(remark)
            if not truth.voxels.any():
                raise UnusableInput(f"{reference}: the reference is empty, so there is nothing to click for.")
            workflow.start_empty() if empty else workflow.segment()
            session = workflow.session
            assert session is not None
            curve = read(
                workflow.image,
                truth,
                lambda: session,
                clicks=clicks,
                jitter_mm=jitter_mm,
                seed=seed,
                progress=job.progress,
                reader=reader_called(reader.value),
            )
            document: dict[str, Any] = curve.to_json()
            write_json(document, places.results / "curve.json")
            return document

    document = run_job("Simulating a reader.", work)
    dice = document["dice"]
    to_85 = document["clicks_to_85"] if document["reached_85"] else "not reached"
    rows = [
        ("Dice", f"{dice[0]:.3f} before, {dice[-1]:.3f} after {len(document['clicks'])} clicks"),
        ("surface Dice", f"{document['nsd'][0]:.3f} before, {document['nsd'][-1]:.3f} after, at 1 mm"),
        ("area", f"Dice {document['auc_dice']:.3f}, surface Dice {document['auc_nsd']:.3f}"),
        ("clicks to .85", str(to_85)),
        ("honoured", f"{document['honoured']:.0%} of the clicks"),
        ("lost steps", f"{document['lost_steps']:.0%}"),
    ]
    say(document, as_json, [*rows, ("written", str(out))])
