"""`cases.csv`: one line for every case that was looked at, so that a second run goes on where one ended."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import whole_file

from .calibration import Reliability, nothing
from .sites import CaseScore

MEASURED = "measured"
_DIGITS = 6


@dataclass(frozen=True)
class CaseRecord:
    """One case. status: "measured", or in words why it could not be; then the figures are 0.

    model, inputs: SHA-256 of the package, and a short one of the case's files: a line counts for the same
    ones only. level, reasons, predicted_dice with its interval: as `segment` says them. ece: near the border.
    bins: see `calibration.Reliability`, its three rows as numbers apart by blanks, rows apart by "|".
    """

    case: str
    site: str
    group: str
    status: str
    model: str
    inputs: str
    dice: float = 0.0
    hd95_mm: float = 0.0
    surface_dice_1mm: float = 0.0
    sensitivity: float = 0.0
    precision: float = 0.0
    reference_ml: float = 0.0
    contour_ml: float = 0.0
    predicted_dice: float = 0.0
    predicted_low: float = 0.0
    predicted_high: float = 0.0
    level: str = ""
    shift: float = 0.0
    ece: float = 0.0
    core_dice: float | None = None
    seconds: float = 0.0
    bins: str = ""

    @property
    def measured(self) -> bool:
        return self.status == MEASURED

    def score(self) -> CaseScore:
        return CaseScore(self.case, self.site, self.dice, self.hd95_mm, self.group)

    def reliability(self) -> Reliability:
        if not self.bins:
            return nothing()
        count, probability, tumour = (
            np.array(part.split(), dtype=np.float64) for part in self.bins.split("|")
        )
        return Reliability(count.astype(np.int64), probability, tumour.astype(np.int64))


def bins_text(reliability: Reliability) -> str:
    rows = (reliability.count, reliability.probability.round(4), reliability.tumour)
    return "|".join(" ".join(str(value) for value in row.tolist()) for row in rows)


def write_records(records: Iterable[CaseRecord], path: Path) -> None:
    """Replace the file; it is complete at any moment."""
    names = [field.name for field in fields(CaseRecord)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for record in records:
        values = [getattr(record, name) for name in names]  # None is written as an empty cell
        writer.writerow([round(v, _DIGITS) if isinstance(v, float) else v for v in values])
    with whole_file(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def read_records(path: Path) -> list[CaseRecord]:
    """What an earlier run measured; empty without a file. UnusableInput for a file that is not ours."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    try:
        return [_record(row) for row in rows]
    except (KeyError, ValueError, TypeError) as error:
        raise UnusableInput(
            f"{path}: is not a table of this program ({type(error).__name__} {error}); choose another folder."
        ) from error


def _record(row: Mapping[str, str]) -> CaseRecord:
    values: dict[str, Any] = {}
    for field in fields(CaseRecord):
        if field.name in row or field.default is MISSING:  # an older table of ours may lack a column
            cell = row[field.name]
            number = str(field.type).startswith("float")
            values[field.name] = (float(cell) if cell else None) if number else cell
    return CaseRecord(**values)
