"""What the benchmarks on a folder of cases ask for on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path


def asked(
    name: str, about: str | None, only: str, arguments: Sequence[str] | None = None
) -> tuple[argparse.Namespace, list[str]]:
    """Options `data`, `out`, `model` and `only` of `python -m Testing.benchmarks.<name>`, and the names of
    the chosen cases, which have a reference. `only`: beginnings of names, by default.
    """
    parser = argparse.ArgumentParser(prog=f"python -m Testing.benchmarks.{name}", description=about)
    parser.add_argument("data", type=Path, metavar="CASES")
    parser.add_argument("--out", type=Path, required=True, help="Markdown; beside it a .json of all cases")
    parser.add_argument("--model", default="brain-mr")
    parser.add_argument("--only", default=only, help="beginnings of case names")
    options = parser.parse_args(arguments)
    names = [folder.parent.name for folder in sorted(options.data.glob("*/mask.nii.gz"))]
    return options, [name for name in names if name.startswith(tuple(options.only.split(",")))]
