"""docs/robustness.md is rendered from results: a command for every table, and what did not help."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from Testing.benchmarks.robustness import main, report, what_did_not_help


def a_run(experiment: str, setting: str, dice: float, seed: int = 0, **facts: Any) -> dict[str, Any]:
    """Held-out site west (ten patients), in domain east (two)."""
    tests = [("held out", "west", n) for n in range(10)] + [("in domain", "east", n) for n in range(2)]
    return {
        "id": f"{experiment}-{setting}", "experiment": experiment, "setting": setting, "seed": seed,
        "trained_on": ["east"], "held_out": "west", "steps": 1500, "share": 0.5, "facts": facts,
        "tests": [
            {"role": role, "case": f"{site}-{n}", "site": site, "group": f"{site}-{n}", "status": "measured",
             "dice": dice + 0.01 * (n % 5) + (0.1 if site == "east" else 0.0), "hd95_mm": 12.0 - 10 * dice}
            for role, site, n in tests
        ],
    }  # fmt: skip


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    (folder / "loho").mkdir(parents=True)
    results = {
        "planned": 9, "left_out": ["The arm full was left out for west: this version has no adaptation."],
        "runs": [
            a_run("loho", "baseline", 0.5), a_run("loho", "conventional", 0.6), a_run("loho", "style", 0.45),
            a_run("two_by_two", "plain", 0.5, 0), a_run("two_by_two", "plain", 0.6, 1),
            a_run("mixing", "0", 0.5, fraction=0.0), a_run("mixing", "0.5", 0.7, fraction=0.5),
            a_run("noise", "0", 0.5, alpha=0.0), a_run("noise", "2", 0.5, alpha=2.0),
        ],
    }  # fmt: skip
    (folder / "loho" / "results.json").write_text(json.dumps(results))
    (folder / "w").mkdir()
    row = {"sites": {"a": 0.7, "b": 0.6}, "worst_site": [0.6, 0.5, 0.7], "final": {"weights": [0.25, 0.75]}}
    weights = {
        "model": {"id": "brain-mr", "version": "1.0"}, "names": ["a", "b"], "cases": 8,
        "baseline": "equal weights",
        "methods": [{"method": "equal weights", **row}, {"method": "stacking", **row}],
        "comparisons": [
            {"method": "stacking", "difference": [-0.1, -0.2, -0.05], "p": 0.01, "p_holm": 0.01,
             "verdict": "worse"}
        ],
    }  # fmt: skip
    (folder / "w" / "weights.json").write_text(json.dumps(weights))
    (folder / "m").mkdir()
    (folder / "m" / "summary.json").write_text('{"steps": 10, "loss": 0.1}')  # of a training: not a result
    return folder


def row_of(page: str, begin: str) -> list[str]:
    (line,) = [line for line in page.splitlines() if line.startswith(f"| {begin} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_table_stands_under_the_command_that_made_it(runs: Path) -> None:
    page = report(runs)
    parts = page.split("\n## ")[1:]
    assert [part.splitlines()[0] for part in parts] == [
        "One hospital left out, arm by arm",
        "Trained at one site, tested at both",
        "Mixing in the target",
        "Noise",
        "Weights of the members of `brain-mr` 1.0",
    ]
    assert "transductive" not in page
    assert all(part.splitlines()[2].startswith("`tumorsegrobust train ") for part in parts)
    assert "9 of 9 runs, 2 seeds, 1,500 steps each, real examples 50%" in parts[0]
    assert "`tumorsegrobust train weights MANIFEST.csv --model brain-mr --out RUNS/w`" in parts[4]


def test_what_may_have_seen_the_site_is_marked(runs: Path) -> None:
    path = runs / "loho" / "results.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "config": {"transductive": True}}))
    assert "transductive (pretraining or styles may have seen" in report(runs)


def test_the_ablation_says_who_helped_and_who_did_not(runs: Path) -> None:
    page = report(runs)
    part = page.split("\n## ")[1]
    assert "| baseline (network only) | 0.520 (" in part
    assert "+0.100 (+0.100 to +0.100)" in part
    assert "Helped: conventional. Harmed: style." in part
    assert "- The arm full was left out for west" in part
    first = next(line for line in part.splitlines() if line.startswith("| baseline"))
    assert first.rstrip(" |").endswith("| 0.605 | 0.085")  # in domain (.605), and the gap to .52


def test_the_scanner_tables_have_seeds_and_differences(runs: Path) -> None:
    page = report(runs)
    assert row_of(page, "east") == [
        "east",
        "0.655 (0.071), 6.5 mm",
        "west: 0.570 (0.071), 6.5 mm",
        "-0.085",
        "2",
    ]
    assert row_of(page, "0.5")[3] == "+0.200 (+0.200 to +0.200)"
    assert "Helped: f = 0.5." in page
    assert "Did not show a difference: alpha = 2." in page
    assert row_of(page, "stacking")[-1] == "0.25 0.75"
    assert "Harmed: stacking." in page


def test_the_sentence_says_only_what_the_intervals_allow() -> None:
    rows = [{"arm": "a", "verdict": "no difference shown"}, {"arm": "b", "verdict": "no difference shown"}]
    assert what_did_not_help(rows) == "Did not show a difference: a, b.\n"


def test_the_command_writes_the_page_and_refuses_an_empty_folder(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "docs" / "robustness.md"
    main([str(runs), "--out", str(out)])
    assert out.read_text() == report(runs)
    with pytest.raises(ValueError, match="holds no results"):
        report(tmp_path / "docs")


def test_networks_that_hardly_know_their_own_site_come_with_a_warning(runs: Path) -> None:
    assert "Trained too briefly" not in report(runs)
    path = runs / "loho" / "results.json"
    results = json.loads(path.read_text())
    for run in results["runs"]:
        for test in run["tests"]:
            test["dice"] = test["dice"] / 3
    path.write_text(json.dumps(results))
    page = report(runs)
    assert page.count("Trained too briefly") == 3, "the 2x2, mixing and noise"
    assert "(at best 0." in page


def test_an_arm_is_called_what_its_configuration_calls_it(runs: Path) -> None:
    path = runs / "loho" / "results.json"
    results = json.loads(path.read_text())
    results["config"] = {"arms": [{"name": "style", "title": "borrowed looks"}]}
    path.write_text(json.dumps(results))
    assert "| style (borrowed looks) |" in report(runs)
    assert "| baseline (network only) |" in report(runs)
