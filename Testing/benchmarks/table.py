"""From figures to the table in docs/performance.md, between two markers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .measuring import Figures

BEGIN, END = "<!-- benchmarks begin -->", "<!-- benchmarks end -->"
COMMAND = "make benchmark"


def render(results: dict[str, Figures], machine: Figures, date: str) -> str:
    """Markdown: what was measured, on what, by which command."""
    where = ", ".join(f"{key} {value}" for key, value in machine.items())
    lines = [
        f"Measured {date} by `{COMMAND}`, without a GPU: {where}.",
        "",
        "| | measured | budget | kept |",
        "|---|---|---|---|",
        *(row for name, figures in results.items() for row in _ROWS[name.split()[0]](figures)),
        "",
        *_ratios(results),
    ]
    return "\n".join(lines).rstrip() + "\n"


def insert(page: Path, text: str) -> None:
    """Replace what stands between the markers of a page; ValueError where they are missing."""
    content = page.read_text(encoding="utf-8")
    before, begin, rest = content.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no markers {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n{text}{END}{after}", encoding="utf-8")


def _row(what: str, measured: str, budget: float | None = None, value: float = 0.0, unit: str = "s") -> str:
    if budget is None:
        return f"| {what} | {measured} | | |"
    return f"| {what} | {measured} | {budget:g} {unit} | {'yes' if value <= budget else '**no**'} |"


def _memory(what: str, megabytes: float) -> str:
    return _row(f"{what}: peak memory", f"{megabytes / 1000:.2f} GB", 3, megabytes / 1000, "GB")


def _clicks(figures: Figures) -> list[str]:
    is_head = figures["volume"] == "head"
    grid = "x".join(str(n) for n in reversed(figures["shape"]))
    origin = "the networks' contour" if figures["start"] == "networks" else "nothing"
    what = f"click, {'1 mm head' if is_head else 'CT'} {grid}, from {origin}"
    click = figures["click_s"]
    budget = 0.3
    rest = (click["p50"], figures["settled_s"]["p95"], figures["click_cpu_s"], figures["undo_s"])
    begun = []
    if figures["start"] == "networks":
        begun = [_row(f"Segment -> contour and how far to trust it, {grid}", _seconds(figures["begin_s"]))]
    return [
        *begun,
        _row(f"{what}: p95 of {click['count']}", _seconds(click["p95"]), budget, click["p95"]),
        _row(f"{what}: first click", _seconds(click["first"]), budget, click["first"]),
        _row(
            f"{what}: median; until places and quality follow too, p95; processor time; undo",
            "; ".join(_seconds(s) for s in rest),
        ),
        _memory(what, figures["peak_memory_mb"]),
    ]


def _heavy(figures: Figures) -> list[str]:
    what = f"a residual U-Net of {figures['parameters_m']:.0f} M parameters at {figures['side']}^3, one pass"
    return [_row(what, f"{figures['pass_s']:.1f} s; {figures['peak_memory_mb'] / 1000:.1f} GB")]


def _ensemble(figures: Figures) -> list[str]:
    members = figures["members"]
    what = f"{members} members, 240x240x155, {figures['backend']} {figures['precision']}"
    predict = figures["predict_s"]
    budget = 10.0 if figures["precision"] == "auto" else None
    return [
        _row(f"{what}: median of {predict['count']}", _seconds(predict["p50"]), budget, predict["p50"]),
        _row(f"{what}: processor time", _seconds(figures["predict_cpu_s"])),
        _row(f"{what}: loading in the background", _seconds(figures["warm_up_s"])),
        _memory(what, figures["peak_memory_mb"]),
    ]


def _rtstruct(figures: Figures) -> list[str]:
    write = figures["write_s"]
    what = f"RTSTRUCT of {figures['volume_ml']:.0f} ml, 155 slices of 1 mm"
    return [_row(f"{what}: largest of {write['count']}", _seconds(write["max"]), 2, write["max"])]


def _app_start(figures: Figures) -> list[str]:
    rows = []
    for scan, what in (("sample", "sample case"), ("head", "1 mm head 240x240x155")):
        measured = ("answers_s", "first_image_s", "contour_s")
        answers, drawn, contour = (figures[f"{scan}_{name}"]["p50"] for name in measured)
        rows += [
            _row(f"app start -> first image, {what}: median", _seconds(drawn), 5, drawn),
            _row("of that, until the panel answers", _seconds(answers)),
            _row(f"first image -> contour drawn, {what}: median", _seconds(contour), 10, contour),
        ]
    return rows


_ROWS: dict[str, Any] = {
    "clicks": _clicks,
    "heavy": _heavy,
    "ensemble": _ensemble,
    "rtstruct": _rtstruct,
    "app_start": _app_start,
}


def _ratios(results: dict[str, Figures]) -> list[str]:
    """What stays true on a faster or a busier machine: one way of computing against another."""
    return [*_clicks_against_heavy(results), *_members_against_each_other(results)]


def _clicks_against_heavy(results: dict[str, Figures]) -> list[str]:
    heavy = next((figures for name, figures in results.items() if name.startswith("heavy")), None)
    clicks = [figures for name, figures in results.items() if name.startswith("clicks")]
    if heavy is None or not clicks:
        return []
    told = []
    for figures in clicks:
        start = "nothing" if figures["start"] == "empty" else "the networks"
        p95, median = (heavy["pass_s"] / figures["click_s"][name] for name in ("p95", "p50"))
        told.append(f"{figures['volume']} from {start} {p95:.0f} ({median:.0f}) times")
    return [
        "One pass of a network of nnInteractive's size, against the 95th percentile (the median) of a click: "
        f"{'; '.join(told)}.",
        "",
    ]


def _members_against_each_other(results: dict[str, Figures]) -> list[str]:
    runs = [figures for figures in results.values() if figures.get("members") == 5]
    if len(runs) < 2:
        return []
    first, *others = runs
    told = "; ".join(
        f"{run['backend']} {run['precision']} {run['predict_cpu_s'] / first['predict_cpu_s']:.1f} times"
        for run in others
    )
    return [f"Processor time of five members, against {first['backend']} {first['precision']}: {told}."]


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"
