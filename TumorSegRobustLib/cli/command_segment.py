"""`segment`: the ensemble's contour of a scan, and how far to trust it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .driving import choose, open_scan, read_channels, workflow_for
from .job import Job, run_job
from .options import Device, Json, Model, Out, Scan, Where, example
from .outputs import results_folder
from .speaking import say, trust_rows


def add_to(program: typer.Typer) -> None:
    program.command(epilog=example("segment scan.nii.gz --out result"))(segment)


def segment(
    image: Scan,
    out: Out,
    channel: Annotated[
        list[str] | None,
        typer.Option(
            "--channel", metavar="NAME=IMAGE", help="A further channel of the scan; may be repeated."
        ),
    ] = None,
    image_is: Annotated[
        str | None,
        typer.Option("--image-is", metavar="NAME", help="What channel IMAGE is; default: the model's first."),
    ] = None,
    model: Model = None,
    device: Where = Device.auto,
    adapt: Annotated[
        bool, typer.Option("--adapt", help="Try to adapt the networks to this scan; undone if no help.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Contour the tumour and say how far to trust the contour.

    Writes segmentation.nii.gz, probability.nii.gz and uncertainty.nii.gz (on the grid of IMAGE), result.json,
    and tumour_core.nii.gz where model and scan can tell the core.
    """

    def work(job: Job) -> dict[str, Any]:
        from ..models import find_package
        from ..workflow import saving, segment_files

        first, channels = read_channels(channel or (), find_package(model), image_is)
        stale = (saving.REFINE, saving.JOURNAL, saving.CORE, "*.prior", segment_files.PATTERN)
        with results_folder(out, job, stale) as places, workflow_for(job, places) as workflow:
            choose(workflow, model, device)
            open_scan(workflow, job, image, channels, first if image_is else "")
            workflow.choose_adaptation(adapt)
            workflow.segment()
            workflow.save(places.results)
            return dict(workflow.result)

    result = run_job("Segmenting.", work)
    say(result, as_json, [*trust_rows(result), ("written", str(out))])
