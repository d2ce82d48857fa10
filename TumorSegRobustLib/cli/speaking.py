"""What the program says: results on stdout, notes on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

Rows = Iterable[tuple[str, ...]]


def say(document: Mapping[str, Any] | list[Any], as_json: bool, rows: Rows, title: str = "") -> None:
    """The result of a command: one JSON document with --json, else a small table."""
    if as_json:
        print(json.dumps(document, indent=2, allow_nan=False))
        return
    table(rows, title)


def table(rows: Rows, title: str = "", columns: tuple[str, ...] = ()) -> None:
    """Rows of text on stdout; without `columns` a list of names and values."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    grid = Table(
        title=title or None, title_justify="left", show_header=bool(columns), box=None, pad_edge=False
    )
    for number, column in enumerate(columns or ("", "")):
        grid.add_column(column, style="bold" if number == 0 else "", overflow="fold")
    for row in rows:
        grid.add_row(*(escape(cell) for cell in row))
    Console(soft_wrap=False).print(grid)


def note(message: str) -> None:
    """A remark that is not an error, in one line on stderr."""
    print(f"note: {' '.join(message.split())}", file=sys.stderr)


def millilitres(value: float) -> str:
    return f"{value:.1f} ml"


def trust_rows(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How far to trust a contour, from its result.json, as rows for a person."""
    quality, triage, shift = result["quality"], result["triage"], result["shift"]
    rows = [("tumour", f"{millilitres(result['volume_ml'])} in {_count(result['lesions'], 'lesion')}")]
    if result.get("tumour_core"):
        rows.append(("tumour core", millilitres(result["tumour_core"]["volume_ml"])))
    if quality["predicted_dice"] is not None:
        low_high = quality["interval"]
        guessed = "" if quality.get("calibrated") else ", not calibrated"
        between = "" if low_high is None else f" (likely {low_high[0]:.2f} to {low_high[1]:.2f}{guessed})"
        rows.append(("expected overlap", f"Dice {quality['predicted_dice']:.2f}{between}"))
    rows.append(("triage", triage["level"]))
    rows += [("", reason) for reason in triage["reasons"]]
    if result["adaptation"]["tried"]:
        kept = "kept" if result["adaptation"]["accepted"] else "not kept"
        rows.append(("adaptation", f"{kept}: {result['adaptation']['why']}"))
    if shift:
        rows.append(("unlike training", f"{shift['level']} (score {shift['score']:.2f})"))
    if result["model"]:
        rows.append(("model", "{id} {version}, {licence}".format_map(result["model"])))
    if result["seconds"]:
        rows.append(("time", f"{max(result['seconds'].values()):.1f} s on {result['device']}"))
    return rows


def _count(items: list[Any], word: str) -> str:
    return f"{len(items)} {word}{'' if len(items) == 1 else 's'}"
