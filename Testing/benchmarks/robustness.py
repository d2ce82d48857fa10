"""What holds in the next hospital: `python -m Testing.benchmarks.robustness RUNS --out docs/robustness.md`.

RUNS is a folder with the results of `train loho` (results.json), `train weights` (weights.json) and
`evaluate` (summary.json), at any depth. Nothing is trained or measured here: the page is rendered from those
files, with the command that made each of them beside it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from TumorSegRobustLib.evaluation.statistics import verdict_of
from TumorSegRobustLib.training.loho.arms import ARMS
from TumorSegRobustLib.training.loho.tables import all_tables

Document = Mapping[str, Any]
KNOWS_ITS_SITE = 0.5  # mean Dice below which a scanner experiment tells more of chance than of scanners


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m Testing.benchmarks.robustness", description=__doc__)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="the Markdown file")
    options = parser.parse_args(arguments)
    text = report(options.runs)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text, encoding="utf-8")


def report(runs: Path) -> str:
    """The page. ValueError where the folder holds no result."""
    parts = [*_packages(runs), *_experiments(runs), *_weights(runs)]
    if not parts:
        raise ValueError(f"{runs} holds no results.json, weights.json or summary.json")
    return "\n".join(
        [
            "# Robustness: does it hold in the next hospital?\n",
            "Written by `python -m Testing.benchmarks.robustness RUNS --out docs/robustness.md`; the command "
            "of each table stands above it. In `train loho` no scan of the site left out takes part in "
            "training (a guard ends the run otherwise), and of every training the last averaged weights are "
            "tested: there nothing is selected (but the weights that the arm `research` starts from, and how "
            "a package uses them, were chosen on all these scans). The shipped packages were chosen on them: "
            "expect less elsewhere. Intervals: 95 %, bootstrap over patients. p: paired Wilcoxon signed-rank "
            "test, corrected after Holm.\n",
            *parts,
        ]
    )


def _packages(runs: Path) -> Iterator[str]:
    for name, summary in _documents(runs, "summary.json"):
        sites = summary.get("sites")
        if not isinstance(sites, Mapping) or "model" not in summary:
            continue  # a training's summary.json
        rows = [_site_row(row) for row in [*sites["sites"], sites["overall"]]]
        model = summary["model"]
        core = summary.get("tumour_core")
        yield (
            f"## Package `{model['id']}` {model['version']}, site by site\n\n"
            f"`tumorsegrobust evaluate MANIFEST.csv --model {model['id']} --out RUNS/{name}`\n\n"
            + _table(
                ["site", "cases", "mean Dice", "95 %", "SD", "worst", "below 0.1", "median HD95 mm"], rows
            )
            + f"\nWorst site: {sites['worst_site']}, {_interval(sites['worst_site_dice'])}.\n"
            + (f"Tumour core: {core['mean_dice']:.3f} in {core['cases']} cases.\n" if core else "")
        )


def _experiments(runs: Path) -> Iterator[str]:
    for name, results in _documents(runs, "results.json"):
        if "runs" not in results or not results["runs"]:
            continue
        tables = all_tables(results)
        head = f"`tumorsegrobust train loho CONFIG.yaml --out RUNS/{name}`; {_size(results)}\n\n"
        if tables["ablation"]:
            yield "## One hospital left out, arm by arm\n\n" + head + _ablation(tables["ablation"], results)
        if tables["two_by_two"]:
            yield "## Trained at one site, tested at both\n\n" + head + _two_by_two(tables["two_by_two"])
        if tables["mixing"]:
            told = "Some patients of the target site among those of the source (f of all).\n\n"
            yield "## Mixing in the target\n\n" + head + told + _curve(tables["mixing"], "f")
        if tables["noise"]:
            told = "Gaussian noise of alpha standard deviations as the only augmentation.\n\n"
            yield "## Noise\n\n" + head + told + _curve(tables["noise"], "alpha")


def _ablation(table: Document, results: Document) -> str:
    names = [site["site"] for site in table["arms"][0]["sites"]]
    head = ["arm", *(f"{name} Dice (95 %)" for name in names), "SD", "worst case", "worst site (95 %)",
            "below 0.1", "HD95 mm at its worst site", "in domain", "gap"]  # fmt: skip
    rows = []
    for arm in table["arms"]:
        by_name = {site["site"]: site for site in arm["sites"]}
        cells = [_mean_with(by_name[name]) if name in by_name else "-" for name in names]
        overall = arm["overall"]
        rows.append(
            [_title(arm["arm"], results), *cells, f"{overall['sd']:.3f}", f"{overall['worst']:.3f}",
             _interval(arm["worst_site_dice"]), f"{arm['failed']:.0%}", f"{arm['worst_site_hd95_mm']:.1f}",
             _number(arm["in_domain"]), _number(arm["gap"])]
        )  # fmt: skip
    further = [
        f"{_title(arm['arm'], results)}: "
        + ", ".join(f"{site['site']} {_mean_with(site)}" for site in arm["further"])
        for arm in table["arms"]
        if arm["further"]
    ]
    text = _table(head, rows)
    if further:
        text += (
            "\nSites never trained on and never left out in turn (mean over the folds): "
            + "; ".join(further)
            + ".\n"
        )
    text += "\n" + _comparisons(table, results)
    for sentence in results["left_out"]:
        text += f"\n- {sentence}"
    return text + ("\n" if results["left_out"] else "")


def _comparisons(table: Document, results: Document) -> str:
    found = table["comparisons"]["dice"]
    if not found:
        return ""
    hd = {row["arm"]: row for row in table["comparisons"]["hd95_mm"]}
    rows = [
        [_title(row["arm"], results), row["cases"], _difference(row["difference"]), _p(row["p_holm"]),
         row["verdict"], _difference(hd[row["arm"]]["difference"], 1), _p(hd[row["arm"]]["p_holm"])]
        for row in found
    ]  # fmt: skip
    baseline = _title(table["baseline"], results)
    head = ["arm", "cases", "Dice gained (95 %)", "p", "verdict", "HD95 gained, mm (95 %)", "p"]
    return f"Against {baseline}, case by case:\n\n" + _table(head, rows) + "\n" + what_did_not_help(found)


def what_did_not_help(comparisons: Sequence[Document], what: str = "arm") -> str:
    """Who helped: the interval leaves 0 out, and the corrected p, where there is one, is below 5 %."""
    worse = [row[what] for row in comparisons if row["verdict"] == "worse"]
    unshown = [row[what] for row in comparisons if row["verdict"] == "no difference shown"]
    better = [row[what] for row in comparisons if row["verdict"] == "better"]
    parts = []
    if better:
        parts.append(f"Helped: {_listed(better)}.")
    if unshown:
        parts.append(f"Did not show a difference: {_listed(unshown)}.")
    if worse:
        parts.append(f"Harmed: {_listed(worse)}.")
    return " ".join(parts) + "\n"


def _two_by_two(rows: Sequence[Document]) -> str:
    lines = [
        [row["trained_on"], _over_seeds(row["same"]),
         f"{row['different_site']}: {_over_seeds(row['different'])}", _number(row["delta"]), row["seeds"]]
        for row in rows
    ]  # fmt: skip
    head = ["trained at", "same site, other patients", "the other site", "difference", "seeds"]
    text = "Mean Dice (SD over seeds), median HD95.\n\n" + _table(head, lines)
    return text + _too_brief([row["same"] for row in rows])


def _curve(rows: Sequence[Document], name: str) -> str:
    lines = [
        [f"{row['value']:g}", _over_seeds(row["target"]), _over_seeds(row["source"]),
         _difference(row["difference"]) if "difference" in row else "-", row["seeds"]]
        for row in rows
    ]  # fmt: skip
    head = [name, "target site", "source site", f"target against {name} = 0 (95 %)", "seeds"]
    verdicts = [
        {"arm": f"{name} = {row['value']:g}", "verdict": _verdict(row["difference"])}
        for row in rows
        if "difference" in row
    ]
    warning = _too_brief([row["source"] for row in rows])
    return _table(head, lines) + "\n" + what_did_not_help(verdicts) + warning


def _too_brief(at_home: Sequence[Document | None]) -> str:
    """A warning where networks know little even of other patients of their own site."""
    known = [value["dice"] for value in at_home if value is not None]
    if not known or max(known) >= KNOWS_ITS_SITE:
        return ""
    return (
        f"\n**Trained too briefly:** at its own site no network reaches a Dice of {KNOWS_ITS_SITE} (at best "
        f"{max(known):.3f}), so differences between sites and settings say little.\n"
    )


def _weights(runs: Path) -> Iterator[str]:
    for name, table in _documents(runs, "weights.json"):
        if "methods" not in table:
            continue
        sites = list(table["methods"][0]["sites"])
        verdicts = {row["method"]: row for row in table["comparisons"]}
        rows = [
            [row["method"], *(f"{row['sites'][site]:.3f}" for site in sites),
             "{:.3f} ({:.3f} to {:.3f})".format(*row["worst_site"]),
             _difference(verdicts[row["method"]]["difference"]) if row["method"] in verdicts else "-",
             _p(verdicts[row["method"]]["p_holm"]) if row["method"] in verdicts else "-",
             " ".join(f"{weight:.2f}" for weight in row["final"]["weights"])]
            for row in table["methods"]
        ]  # fmt: skip
        head = [
            "weights",
            *sites,
            "worst site (95 %)",
            f"against {table['baseline']} (95 %)",
            "p",
            "fitted on all",
        ]
        model = table["model"]
        yield (
            f"## Weights of the members of `{model['id']}` {model['version']}\n\n"
            f"`tumorsegrobust train weights MANIFEST.csv --model {model['id']} --out RUNS/{name}`\n\n"
            f"Mean Dice in {table['cases']} cases; members {', '.join(table['names'])}. Each site was scored "
            "with weights fitted on the other sites; those fitted on all are for use and have no figure.\n\n"
            + _table(head, rows)
            + "\n"
            + what_did_not_help(table["comparisons"], "method")
        )


def _documents(runs: Path, file: str) -> Iterator[tuple[str, Document]]:
    for path in sorted(runs.rglob(file)):
        yield path.parent.relative_to(runs).as_posix(), json.loads(path.read_text(encoding="utf-8"))


def _size(results: Document) -> str:
    runs = results["runs"]
    steps = sorted({run["steps"] for run in runs if run["steps"]})
    shares = sorted({run["share"] for run in runs})
    seeds = len({run["seed"] for run in runs})
    told = f"{len(runs)} of {results['planned']} runs, {seeds} seed{'s' if seeds > 1 else ''}"
    if steps:
        told += f", {' or '.join(f'{n:,}' for n in steps)} steps each"
    if (results.get("config") or {}).get("transductive"):
        told += ", transductive (pretraining or styles may have seen images of the site left out)"
    real = " or ".join(f"{share:.0%}" for share in shares)
    return told + f", real examples {real}, the rest generated heads."


def _site_row(row: Document) -> list[str]:
    low, high = row["dice_ci"]
    cells = [row["site"], str(row["cases"]), f"{row['mean']:.3f}", f"{low:.3f} to {high:.3f}"]
    cells += [f"{row['sd']:.3f}", f"{row['worst']:.3f}", f"{row['failed']:.0%}"]
    return [*cells, f"{row['median_hd95_mm']:.1f}"]


def _title(arm: str, results: Document) -> str:
    """The arm with what it adds, as its configuration says or, for the usual ones, the project."""
    told = {one["name"]: one["title"] for one in (results.get("config") or {}).get("arms") or ()}
    title = told.get(arm) or (ARMS[arm].title if arm in ARMS else arm)
    return arm if title == arm else f"{arm} ({title})"


def _mean_with(site: Document) -> str:
    return f"{site['mean']:.3f} ({site['dice_ci'][0]:.3f} to {site['dice_ci'][1]:.3f})"


def _interval(value: Document) -> str:
    return f"{value['value']:.3f} ({value['low']:.3f} to {value['high']:.3f})"


def _difference(values: Sequence[float], digits: int = 3) -> str:
    value, low, high = (f"{v:+.{digits}f}" for v in values)
    return f"{value} ({low} to {high})"


def _verdict(difference: Sequence[float], p: float | None = None) -> str:
    _, low, high = difference
    return verdict_of(low, high, p)


def _over_seeds(value: Document | None) -> str:
    return (
        "-" if value is None else f"{value['dice']:.3f} ({value['sd']:.3f}), {value['median_hd95_mm']:.1f} mm"
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


if __name__ == "__main__":
    main()
