"""`report.html`: one file, no network, to read and to send."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from TumorSegRobustLib.image import whole_file

from .charts import reliability_diagram, scatter, site_strips
from .evaluating import PICTURES, picture_of, worst_cases
from .records import CaseRecord
from .summary import reliability_of

REPORT = "report.html"
_TEMPLATE = Path(__file__).with_name("report.html.j2")


def write_report(
    records: Sequence[CaseRecord], summary: Mapping[str, Any], out: Path, today: date | None = None
) -> None:
    """The sites first, the worst of them named; then calibration; then the worst cases, with pictures."""
    with whole_file(out / REPORT) as temporary:
        temporary.write_text(render(records, summary, out / PICTURES, today), encoding="utf-8")


def render(
    records: Sequence[CaseRecord], summary: Mapping[str, Any], pictures: Path, today: date | None = None
) -> str:
    """The page as text. What users named (cases, sites) is escaped."""
    import jinja2

    measured = [record for record in records if record.measured]
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    strips: dict[str, list[tuple[float, str]]] = {}
    for record in sorted(measured, key=lambda r: r.site):
        strips.setdefault(record.site, []).append((record.dice, record.case))
    said = [(record.predicted_dice, record.dice, record.case) for record in measured]
    return template.render(
        summary=summary,
        today=(today or date.today()).isoformat(),
        strips=site_strips(strips),
        scatter=scatter(said, "Dice the program expected", "true Dice"),
        reliability=reliability_diagram(reliability_of(records).points()),
        worst=[(record, _embedded(picture_of(record, pictures))) for record in worst_cases(records)],
    )


def _embedded(picture: Path) -> str:
    """A PNG as a data address; empty where it was not drawn."""
    if not picture.is_file():
        return ""
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode("ascii")
