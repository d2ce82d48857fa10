"""Speed and memory against the budgets: `python -m Testing.benchmarks`, or `make benchmark`.

Every figure comes from a fresh process on two cores. The table goes to docs/performance.md; run it on a
machine that does nothing else. `python -m Testing.benchmarks.accuracy` is about how good the contours are.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date
from pathlib import Path

from .measuring import REPOSITORY, Figures, in_fresh_process, machine
from .table import insert, render

RUNS: tuple[tuple[str, ...], ...] = (
    ("clicks", "head", "empty"),
    ("clicks", "head", "networks"),
    ("clicks", "ct", "empty"),
    ("heavy",),
    ("ensemble", "auto", "auto", "0"),
    ("ensemble", "auto", "auto", "5"),
    ("ensemble", "openvino", "f32", "5", "2"),
    ("ensemble", "torch", "f32", "5", "1"),
    ("rtstruct",),
    ("app_start",),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m Testing.benchmarks", description=__doc__)
    names = ", ".join(dict.fromkeys(run[0] for run in RUNS))
    parser.add_argument("--only", default="", help=f"comma-separated: {names}")
    parser.add_argument("--json", type=Path, help="also write every figure to this file")
    parser.add_argument("--dry", action="store_true", help="print the table instead of writing it to docs/")
    options = parser.parse_args()
    wanted = {name for name in options.only.split(",") if name}
    about = machine()
    results: dict[str, Figures] = {}
    for run in RUNS:
        if wanted and run[0] not in wanted:
            continue
        name = " ".join(run)
        print(f"{name} ...", file=sys.stderr, flush=True)
        results[name] = in_fresh_process(*run)
        print(f"    {json.dumps(results[name])}", file=sys.stderr, flush=True)
    text = render(results, about, date.today().isoformat())
    if options.json:
        options.json.write_text(
            json.dumps({"machine": about, "results": results}, indent=1), encoding="utf-8"
        )
    if options.dry or wanted:
        print(text)
    else:
        insert(REPOSITORY / "docs" / "performance.md", text)


if __name__ == "__main__":
    main()
