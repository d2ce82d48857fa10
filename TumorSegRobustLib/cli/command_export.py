"""`export`: a contour in a form that treatment planning and archives read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .job import Job, run_job
from .options import Json, OutFile, example
from .outputs import results_file
from .speaking import millilitres, note, say

if TYPE_CHECKING:
    from ..image import DicomSeries, Image

export = typer.Typer(help="Write a contour for treatment planning or the archive.", no_args_is_help=True)


def add_to(program: typer.Typer) -> None:
    program.add_typer(export, name="export")


Mask = Annotated[
    Path, typer.Option("--segmentation", metavar="MASK", help="NIfTI, NRRD or MHA file; tumour > 0.")
]
Series = Annotated[Path, typer.Option("--dicom", metavar="SERIES", help="Folder with the DICOM series.")]
Name = Annotated[str, typer.Option("--name", help="Name of the structure, as in AAPM TG-263.")]


@export.command(
    epilog=example("export rtstruct --segmentation out/segmentation.nii.gz --dicom series/ --out gtv.dcm")
)
def rtstruct(
    segmentation: Mask,
    dicom: Series,
    out: OutFile,
    name: Name = "GTVp",
    label: Annotated[str, typer.Option("--label", help="Label of the structure set.")] = "TumorSegRobust",
    as_json: Json = False,
) -> None:
    """An RTSTRUCT of a mask on the DICOM series it was drawn on: voxel edges, holes and islands kept."""

    def work(job: Job) -> dict[str, object]:
        from ..export import write_rtstruct

        with _given(segmentation, dicom, out, job) as given:
            report = write_rtstruct(given.mask, given.series, given.unfinished, name=name, label=label)
        return given.told("rtstruct", name, report.rois[0].volume_ml, report.notices)

    _say(run_job("Writing the RTSTRUCT.", work), "structure", as_json)


@export.command(
    epilog=example("export seg --segmentation out/segmentation.nii.gz --dicom series/ --out seg.dcm")
)
def seg(
    segmentation: Mask,
    dicom: Series,
    out: OutFile,
    name: Name = "GTVp",
    label: Annotated[str, typer.Option("--label", help="Label of the content.")] = "TumorSegRobust",
    as_json: Json = False,
) -> None:
    """A DICOM SEG of a mask on the DICOM series it was drawn on: voxel by voxel, for archives and viewers."""

    def work(job: Job) -> dict[str, object]:
        from ..export import Roi, write_seg

        with _given(segmentation, dicom, out, job) as given:
            report = write_seg([Roi(given.mask, name)], given.series, given.unfinished, label=label)
        return given.told("seg", name, report.segments[0].volume_ml, report.notices)

    _say(run_job("Writing the DICOM SEG.", work), "segment", as_json)


@dataclass(frozen=True)
class _Given:
    """What a command was given: the mask and its series, and where to write before all went well."""

    mask: Image
    series: DicomSeries
    unfinished: Path
    out: Path

    def told(self, kind: str, name: str, volume_ml: float, notices: Sequence[str]) -> dict[str, object]:
        """The document of the command; notices go to stderr."""
        for remark in (*self.mask.notices, *notices):
            note(remark)
        return {
            kind: str(self.out),
            "name": name,
            "volume_ml": volume_ml,
            "series_uid": self.series.series_uid,
            "images": len(self.series.files),
        }


@contextmanager
def _given(segmentation: Path, dicom: Path, out: Path, job: Job) -> Iterator[_Given]:
    from ..image import read_mask, read_series

    with results_file(out, job) as unfinished:
        image, series = read_series(dicom)
        job.progress.report(0.3, "Reading the mask.")
        mask = read_mask(segmentation, image.geometry)
        job.progress.report(0.5, "Writing.")
        yield _Given(mask, series, unfinished, out)


def _say(document: Mapping[str, object], what: str, as_json: bool) -> None:
    written = str(next(iter(document.values())))
    volume = millilitres(float(str(document["volume_ml"])))
    say(document, as_json, [("written", written), (what, f"{document['name']}, {volume}")])
