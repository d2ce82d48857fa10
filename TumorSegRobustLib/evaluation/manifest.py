"""The list of cases that `evaluate`, `stress` and the trainings on real scans work through: one CSV file.

Columns: `case`, `site`, `image`, any further channels, `reference`, and after it what groups the cases.
`image` is the first channel (FLAIR); every other column between `image` and `reference` is a channel of that
name; an empty cell is a channel (or a reference) that this case lacks. After `reference`: `group` (the
patient; cases of one patient never lie on both sides of a split), `labels` ("brats" where the reference tells
necrosis 1, oedema 2, non-enhancing 3 and enhancing 4 apart), and any strata of your own. Paths are relative
to the folder of the CSV.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import read_labels

FIRST_CHANNEL = "flair"
BRATS = "brats"
BRATS_CORE = (1, 3, 4)
"""Necrosis, non-enhancing and enhancing tumour: BraTS' "tumour core"."""
_NEEDED = ("case", "site", "image", "reference")
_NO_CHANNEL = frozenset({*_NEEDED, "group", "labels"})
_SHAPE = "the columns are case, site, image, [further channels,] reference, [group, labels]"


@dataclass(frozen=True)
class ManifestCase:
    """One scan. channels: {name: path} of what is there, the first channel first; reference: None without
    truth.

    group: the patient (default: the case). labels: "" (tumour > 0) or "brats". strata: the other columns.
    """

    case: str
    site: str
    channels: dict[str, Path]
    reference: Path | None
    group: str
    labels: str = ""
    strata: dict[str, str] = field(default_factory=dict)


def read_manifest(path: Path, *, check_files: bool = True) -> list[ManifestCase]:
    """The cases of a manifest, in its order.

    UnusableInput (one line, with the line of the file) for what is missing, double or not understood.
    """
    path = Path(path)
    head, rows = _rows(path)
    channels, strata = _columns(path, head)
    cases: list[ManifestCase] = []
    seen: dict[str, int] = {}
    for line, row in rows:
        where = f"{path.name}, line {line}"
        case = _case(where, row, channels, strata, path.parent)
        if case.case in seen:
            raise UnusableInput(
                f"{where}: the case {case.case} stands in line {seen[case.case]} already; "
                "give every scan a name of its own."
            )
        seen[case.case] = line
        if check_files:
            _check_files(where, case)
        cases.append(case)
    if not cases:
        raise UnusableInput(f"{path.name}: lists no case; below the columns add one line for each scan.")
    return cases


def write_manifest(folder: Path, path: Path, channels: Sequence[str] = (FIRST_CHANNEL, "t1c")) -> int:
    """List a folder of cases (`<case>/flair.nii.gz`, `t1c.nii.gz`, `mask.nii.gz`) in a CSV; returns how many.

    The site is the case's name without its number. Cases without any of `channels` are left out; `labels` is
    "brats" where the mask has more than one value. UnusableInput when the folder holds no case.
    """
    rows = []
    for case in sorted(p for p in Path(folder).iterdir() if p.is_dir()) if Path(folder).is_dir() else []:
        there = [case / f"{name}.nii.gz" for name in channels]
        if not any(file.is_file() for file in there):
            continue
        mask = case / "mask.nii.gz"
        cells = [_relative(file, path) if file.is_file() else "" for file in (*there, mask)]
        rows.append([case.name, case.name.rsplit("-", 1)[0], *cells, case.name, _labels_of(mask)])
    if not rows:
        raise UnusableInput(
            f"{folder}: holds no case; expected are folders with {channels[0]}.nii.gz and mask.nii.gz."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["case", "site", "image", *channels[1:], "reference", "group", "labels"])
        writer.writerows(rows)
    return len(rows)


def _rows(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UnusableInput(f"{path}: cannot be read ({error.strerror}); give a manifest in CSV.") from error
    except UnicodeDecodeError as error:
        raise UnusableInput(f"{path.name}: is not text in UTF-8; save it as CSV (UTF-8).") from error
    lines = text.splitlines()
    first = lines[0] if lines else ""
    reader = csv.reader(lines, delimiter=";" if ";" in first and "," not in first else ",")
    head = [cell.strip().lower() for cell in next(reader, [])]
    rows = []
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(head):
            raise UnusableInput(
                f"{path.name}, line {reader.line_num}: has {len(cells)} cells under {len(head)} columns; "
                "put a cell that contains a comma into quotes."
            )
        filled = [cell.strip() for cell in cells] + [""] * (len(head) - len(cells))
        rows.append((reader.line_num, dict(zip(head, filled, strict=True))))
    return head, rows


def _columns(path: Path, head: list[str]) -> tuple[list[str], list[str]]:
    """(channel columns, columns of strata)."""
    missing = [name for name in _NEEDED if name not in head]
    if missing:
        raise UnusableInput(f"{path.name}: the column {missing[0]} is missing; {_SHAPE}.")
    double = sorted({name for name in head if head.count(name) > 1})
    if double:
        raise UnusableInput(f"{path.name}: the column {double[0]} stands there twice; {_SHAPE}.")
    start, stop = head.index("image"), head.index("reference")
    channels = ["image", *(name for name in head[start + 1 : stop] if name not in _NO_CHANNEL)]
    return channels, [name for name in head if name not in _NO_CHANNEL and name not in channels and name]


def _case(
    where: str, row: dict[str, str], channels: list[str], strata: list[str], folder: Path
) -> ManifestCase:
    for name in ("case", "site"):
        if not row[name]:
            raise UnusableInput(f"{where}: the {name} is empty; name it.")
    given = {
        FIRST_CHANNEL if name == "image" else name: _absolute(row[name], folder)
        for name in channels
        if row[name]
    }
    if not given:
        raise UnusableInput(f"{where}: {row['case']} has no image; name its file in the column image.")
    labels = row.get("labels", "").lower()
    if labels not in ("", BRATS):
        raise UnusableInput(f"{where}: labels is {labels!r}; leave it empty or write {BRATS}.")
    for name in strata:
        if row[name] and _absolute(row[name], folder).is_file():
            raise UnusableInput(
                f"{where}: the column {name} names a file behind reference; channels stand between image and "
                "reference."
            )
    return ManifestCase(
        case=row["case"],
        site=row["site"],
        channels=given,
        reference=_absolute(row["reference"], folder) if row["reference"] else None,
        group=row.get("group") or row["case"],
        labels=labels,
        strata={name: row[name] for name in strata},
    )


def _check_files(where: str, case: ManifestCase) -> None:
    files = {**case.channels, **({"reference": case.reference} if case.reference else {})}
    for column, file in files.items():
        if not file.exists():
            name = "image" if column == FIRST_CHANNEL else column
            raise UnusableInput(
                f"{where}: the {name} of {case.case} does not exist ({file}); "
                "correct the path, which is relative to the manifest."
            )


def _absolute(cell: str, folder: Path) -> Path:
    return Path(os.path.normpath(folder / Path(cell).expanduser()))


def _relative(file: Path, manifest: Path) -> str:
    if not file.exists():
        return ""
    return Path(os.path.relpath(file.resolve(), manifest.parent.resolve())).as_posix()


def _labels_of(mask: Path) -> str:
    if not mask.is_file():
        return ""
    values = np.unique(read_labels(mask).voxels)
    return BRATS if np.count_nonzero(values > 0) > 1 else ""
