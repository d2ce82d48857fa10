"""`export`: a contour in a form that treatment planning reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .job import Job, run_job
from .options import Json, OutFile, example
from .outputs import results_file
from .speaking import millilitres, note, say

export = typer.Typer(help="Write a contour for treatment planning.", no_args_is_help=True)


def add_to(program: typer.Typer) -> None:
    program.add_typer(export, name="export")


@export.command(
    epilog=example("export rtstruct --segmentation out/segmentation.nii.gz --dicom series/ --out gtv.dcm")
)
def rtstruct(
    segmentation: Annotated[
        Path, typer.Option("--segmentation", metavar="MASK", help="NIfTI, NRRD or MHA file; tumour > 0.")
    ],
    dicom: Annotated[Path, typer.Option("--dicom", metavar="SERIES", help="Folder with the DICOM series.")],
    out: OutFile,
    name: Annotated[str, typer.Option("--name", help="Name of the structure, as in AAPM TG-263.")] = "GTVp",
    label: Annotated[str, typer.Option("--label", help="Label of the structure set.")] = "TumorSegRobust",
    as_json: Json = False,
) -> None:
    """An RTSTRUCT of a mask on the DICOM series it was drawn on: voxel edges, holes and islands kept."""

    def work(job: Job) -> dict[str, object]:
        from ..export import write_rtstruct
        from ..image import read_mask, read_series

        with results_file(out, job) as unfinished:
            image, series = read_series(dicom)
            job.progress.report(0.3, "Reading the mask.")
            mask = read_mask(segmentation, image.geometry)
            job.progress.report(0.5, "Drawing contours.")
            report = write_rtstruct(mask, series, unfinished, name=name, label=label)
        for remark in (*mask.notices, *report.notices):
            note(remark)
        return {
            "rtstruct": str(out),
            "name": name,
            "volume_ml": report.rois[0].volume_ml,
            "series_uid": series.series_uid,
            "images": len(series.files),
        }

    document = run_job("Writing the RTSTRUCT.", work)
    volume = millilitres(float(str(document["volume_ml"])))
    say(document, as_json, [("written", str(out)), ("structure", f"{name}, {volume}")])
