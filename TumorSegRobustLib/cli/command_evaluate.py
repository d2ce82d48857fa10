"""`evaluate`: a package over a list of cases with references, hospital by hospital."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import Cancelled, UnusableInput
from .driving import note_licence
from .job import Job, run_job
from .options import Device, Json, Model, Out, Where, example
from .speaking import say


def add_to(program: typer.Typer) -> None:
    program.command(epilog=example("evaluate cases.csv --out evaluation"))(evaluate)


def evaluate(
    manifest: Annotated[
        Path,
        typer.Argument(
            metavar="MANIFEST.csv",
            help="Columns: case, site, image[, further channels], reference[, group, labels].",
        ),
    ],
    out: Out,
    model: Model = None,
    device: Where = Device.auto,
    adapt: Annotated[
        bool, typer.Option("--adapt", help="Try to adapt the networks to every scan, as segment does.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Contour every case of a manifest and compare with the references, site by site, the worst site first.

    Writes cases.csv, sites.csv, summary.json and report.html. Run again, it goes on where it was stopped.
    """

    def work(job: Job) -> dict[str, Any]:
        from ..evaluation.evaluating import Predictor, evaluate_cases
        from ..evaluation.manifest import read_manifest
        from ..evaluation.report import write_report
        from ..evaluation.summary import summarise, write_summary
        from ..inference import Ensemble
        from ..models import find_package
        from ..trust.adapt import Adapting

        cases = read_manifest(manifest)
        package = find_package(model)
        note_licence(package)
        _prepare(out)
        ensemble = Ensemble(package, device.value)
        predictor: Predictor = Adapting(ensemble) if adapt else ensemble
        records = evaluate_cases(
            cases, predictor, out, job.progress.part(0.0, 0.98),
            variant="adapt" if adapt else "",
        )
        about = {
            "id": package.id,
            "version": package.version,
            "sha256": package.sha256,
            "licence": package.licence,
        }
        summary = summarise(records, about)
        with job.finishing():
            write_summary(summary, out)
            write_report(records, summary, out)
        return summary

    try:
        summary = run_job("Evaluating.", work)
    except Cancelled:
        raise Cancelled(
            f"Cancelled; the cases that are done lie in {out}, and the same command goes on from there."
        ) from None
    say(summary, as_json, [*_rows(summary), ("written", str(out))])


def _prepare(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnusableInput(
            f"{out}: cannot be a folder of results ({error.strerror}). Choose another place with --out."
        ) from error


def _rows(summary: dict[str, Any]) -> list[tuple[str, str]]:
    sites = summary["sites"]
    skipped = len(summary["not_measured"])
    count = f"{summary['cases']} measured{f', {skipped} not (see the report)' if skipped else ''}"
    if sites is None:
        return [("cases", count)]
    rows = [
        ("worst site", f"{sites['worst_site']}: mean Dice {sites['worst_site_dice']['value']:.3f}"),
        *((row["site"], f"{row['mean']:.3f} in {_count(row['cases'])}") for row in sites["sites"]),
        ("mean of sites", f"{sites['mean_of_sites']:.3f}"),
        ("Dice below 0.1", f"{sites['failed']:.0%}"),
    ]
    return [*rows, ("cases", count)]


def _count(cases: int) -> str:
    return f"{cases} case{'' if cases == 1 else 's'}"
