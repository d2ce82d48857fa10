"""`refine`: corrects a contour by clicks from a file, exactly as a person would in the panel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UnusableInput
from .driving import open_scan, workflow_for
from .job import Job, run_job
from .options import Device, Empty, Json, Out, Scan, Where, example
from .outputs import read_json, results_folder
from .speaking import millilitres, note, say

if TYPE_CHECKING:
    from ..image import Geometry
    from ..review import Click
    from ..workflow import Workflow


def add_to(program: typer.Typer) -> None:
    program.command(epilog=example("refine scan.nii.gz --from result --clicks clicks.json --out new"))(refine)


def refine(
    image: Scan,
    clicks: Annotated[
        Path,
        typer.Option(
            "--clicks", metavar="FILE", help="In order of time: our JSON list or a Slicer .mrk.json."
        ),
    ],
    out: Out,
    start: Annotated[
        Path | None, typer.Option("--from", metavar="DIR", help="Results of segment or refine to begin with.")
    ] = None,
    empty: Empty = False,
    exclude_clicks: Annotated[
        Path | None,
        typer.Option("--exclude-clicks", metavar="FILE", help="A Slicer .mrk.json whose points all exclude."),
    ] = None,
    device: Where = Device.auto,
    as_json: Json = False,
) -> None:
    """Correct a contour by include and exclude clicks; each is honoured, the newest wins.

    The list of clicks looks like \\[{"position_lps_mm": \\[x, y, z], "include": true}, ...]; with "segment":
    "GTVn" a click is in a segment of that name, which begins from nothing where there is none. Writes the
    files of segment, segmentation-<name>.nii.gz for every further segment, refine.json and journal.jsonl.
    """
    if (start is None) == (not empty):
        raise UnusableInput("Say where to begin: --from DIR (results of segment) or --empty, one of the two.")

    def work(job: Job) -> dict[str, Any]:
        from ..review import read_segment_clicks
        from ..workflow import saving, segment_files

        wanted = read_segment_clicks(clicks)
        if exclude_clicks is not None:
            wanted += read_segment_clicks(exclude_clicks, include=False)
        if not wanted:
            raise UnusableInput(f"{clicks}: holds no click, so there is nothing to refine.")
        stale = (saving.CORE, "*.prior", segment_files.PATTERN)
        with results_folder(out, job, stale) as places, workflow_for(job, places) as workflow:
            open_scan(workflow, job, image)
            assert workflow.image is not None
            _require_inside([click for _, click in wanted], workflow.image.geometry, image)
            workflow.choose_device(device.value)
            if start is None:
                workflow.start_empty()
            else:
                told = len(workflow.state.notices)
                workflow.start_from(start)
                for remark in workflow.state.notices[told:]:
                    note(remark)
            for done, (segment, click) in enumerate(wanted):
                job.progress.report(done / len(wanted), f"Click {done + 1} of {len(wanted)}.")
                _take(workflow, segment)
                workflow.click(click.position_mm, click.include)
                if workflow.state.loud:
                    note(
                        f"Click {done + 1} changed very much: the contour is "
                        f"{workflow.state.volume_ml:.0f} ml now. If that is too much, leave it out of "
                        f"{clicks.name} and refine again."
                    )
            workflow.save(places.results)
            return read_json(places.results / saving.REFINE)

    document = run_job("Refining.", work)
    did = document["clicks"]
    honoured = sum(click["honoured"] for click in did)
    rows = [("clicks", f"{len(did)}, {honoured} honoured"), ("tumour", millilitres(document["volume_ml"]))]
    rows += [(s["name"], millilitres(s["volume_ml"])) for s in document["segments"][1:]]
    if did:
        rows.append(("slowest click", f"{max(click['seconds'] for click in did):.2f} s"))
    say(document, as_json, [*rows, ("written", str(out))])


def _take(workflow: Workflow, name: str) -> None:
    """Make the segment called `name` the active one, "" the first; a new one where there is none."""
    segments = workflow.state.segments
    found = next((s for s in segments if s.name.casefold() == name.casefold()), None) if name else segments[0]
    if found is None:
        workflow.add_segment(name)
    elif not found.active:
        workflow.choose_segment(found.id)


def _require_inside(clicks: Sequence[Click], geometry: Geometry, image: Path) -> None:
    """Raise `UnusableInput` for the first click outside the image, before any of them is done."""
    for number, click in enumerate(clicks, 1):
        if not geometry.contains(click.position_mm):
            x, y, z = click.position_mm
            raise UnusableInput(
                f"Click {number} at ({x:g}, {y:g}, {z:g}) mm lies outside {image.name}. Positions are LPS "
                "millimetres: x grows to the patient's left, y to the back, z to the head."
            )
