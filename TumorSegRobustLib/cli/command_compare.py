"""`compare`: a contour beside a reference, in figures and in errors that a person can look up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .job import Job, run_job
from .options import Json, Scan, example
from .speaking import note, say

Segmentation = Annotated[
    Path, typer.Option("--segmentation", metavar="MASK", help="The contour: NIfTI, NRRD or MHA; tumour > 0.")
]
Against = Annotated[
    Path,
    typer.Option(
        "--reference", metavar="MASK", help="The contour to compare with; or an RTSTRUCT of a DICOM IMAGE."
    ),
]


def add_to(program: typer.Typer) -> None:
    program.command(
        epilog=example("compare scan.nii.gz --reference truth.nii.gz --segmentation out/segmentation.nii.gz")
    )(compare)


def compare(
    image: Scan,
    reference: Against,
    segmentation: Segmentation,
    structure: Annotated[str, typer.Option("--structure", help="Which structure of an RTSTRUCT.")] = "",
    as_json: Json = False,
) -> None:
    """Dice, surface Dice at 1 mm, HD95, volumes; missed and false lesions, borders too tight or too wide."""

    def work(job: Job) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        from ..evaluation.comparing import compare as of_evaluation
        from ..image import read_mask
        from ..workflow import error_line, listed, rows_of
        from ..workflow.reference import read_reference
        from ..workflow.rooms import read_scan

        scan, series = read_scan(image)
        job.progress.report(0.4, "Reading the contours.")
        contour = read_mask(segmentation, scan.geometry)
        beside = read_reference(reference, scan, series, structure)
        for remark in (*contour.notices, *beside.notices):
            note(remark)
        job.progress.report(0.7, "Comparing.")
        result = of_evaluation(contour.voxels, beside.mask, scan.geometry)
        errors, others = listed(result.errors)
        rows = [(name.lower(), value) for name, value in rows_of(result)]
        for error in errors:
            x, y, z = error.position_mm
            rows.append((error_line(error), f"at {x:.1f} {y:.1f} {z:.1f} mm"))
        rows += [("", others)] if others else []
        return {"reference": beside.name, **result.to_json()}, rows

    document, rows = run_job("Comparing.", work)
    say(document, as_json, rows)
