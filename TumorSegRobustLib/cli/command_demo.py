"""`demo`: the whole story on the embedded case, from the scan to the RTSTRUCT, then the panel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .command_app import open_panel
from .job import run_job
from .options import Json, example
from .speaking import say, table, trust_rows


def add_to(program: typer.Typer) -> None:
    program.command(epilog=example("demo"))(demo)


def demo(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the artefacts.")] = Path(
        "demo-output"
    ),
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Stop after the files; open no panel.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Contour a generated head with a tumour, say how far to trust it, correct it, export it; open the panel.

    Writes segment/, refine/, rtstruct.dcm, pictures/ and story.json.
    """
    from .story import tell_story

    story = run_job("Telling the story.", lambda job: tell_story(out, job))
    if as_json:
        say(story, True, ())
    else:
        _show(story, out)
    if not no_browser:
        from ..resources import resource

        open_panel([resource("SampleCase")], port=0, open_browser=True)


def _show(story: dict[str, Any], out: Path) -> None:
    table(trust_rows(story["result"]), "1. The networks propose a contour, and say how far to trust it")
    clicks = [
        (
            "include" if click["include"] else "exclude",
            f"at ({', '.join(f'{v:.0f}' for v in click['position_lps_mm'])}) mm: "
            f"{'honoured' if click['honoured'] else 'NOT honoured'}, {click['changed_ml']:.2f} ml changed, "
            f"{click['seconds']:.2f} s",
        )
        for click in story["clicks"]
    ]
    table(clicks, "\n2. A reader corrects it")
    before, after = story["volume_ml"]
    rows = [("tumour", f"{before:.1f} ml before, {after:.1f} ml after the clicks")]
    if story["dice"]:
        rows.append(("truth", "Dice {:.3f} before, {:.3f} after the clicks".format(*story["dice"])))
    rows.append(("journal", f"{story['journal']['events']} events, hash chain whole"))
    table(rows, "\n3. What came of it")
    files = [(name, what) for name, what in story["files"].items()]
    table(files, f"\n4. Everything lies in {out}")
