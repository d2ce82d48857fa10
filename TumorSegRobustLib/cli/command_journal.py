"""`journal`: what happened to a contour, checked and done again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UnusableInput
from .job import Job, run_job
from .options import Json, Out, example
from .outputs import results_folder
from .speaking import millilitres, say

JournalFile = Annotated[Path, typer.Argument(metavar="FILE", help="A journal.jsonl.")]

journal = typer.Typer(help="The tamper-evident record of a review.", no_args_is_help=True)


def add_to(program: typer.Typer) -> None:
    program.add_typer(journal, name="journal")


@journal.command(epilog=example("journal verify refined/journal.jsonl"))
def verify(file: JournalFile, as_json: Json = False) -> None:
    """Check the hash chain; exit code 2, naming the first bad line, when anything was changed."""
    from ..review import verify_journal

    report = verify_journal(file)
    document = {"ok": report.ok, "events": report.events, "first_bad_line": report.first_bad_line}
    if as_json or report.ok:
        say({**document, "message": report.message}, as_json, [("whole", f"{report.events} events")])
    if not report.ok:
        raise UnusableInput(report.message)


@journal.command(epilog=example("journal replay refined/journal.jsonl --out replayed"))
def replay(file: JournalFile, out: Out, as_json: Json = False) -> None:
    """Do everything in the journal again and write the contour that comes out, segmentation.nii.gz.

    Further segments become segmentation-<name>.nii.gz.
    """

    def work(job: Job) -> dict[str, Any]:
        from ..image import write_image
        from ..review import replay_segments
        from ..workflow import results, segment_files

        with results_folder(out, job, (segment_files.PATTERN,)) as places:
            masks = replay_segments(file, None)
            files = segment_files.file_names(list(masks))
            job.progress.report(0.8, "Writing the contour.")
            for mask, name in zip(masks.values(), files, strict=True):
                write_image(mask, places.results / name)
        told = [
            {"name": name, "file": file_name, "volume_ml": results.volume_ml(mask.voxels, mask.geometry)}
            for (name, mask), file_name in zip(masks.items(), files, strict=True)
        ]
        return {"journal": str(file), "volume_ml": told[0]["volume_ml"], "segments": told}

    document = run_job("Replaying.", work)
    say(document, as_json, [("tumour", millilitres(document["volume_ml"])), ("written", str(out))])
