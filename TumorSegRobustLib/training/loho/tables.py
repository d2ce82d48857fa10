"""From runs to tables: per site x arm, paired tests, the 2x2, the curves. Documents, nothing rendered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from TumorSegRobustLib.evaluation.sites import CaseScore, site_table
from TumorSegRobustLib.evaluation.statistics import bootstrap_mean, compare

from .plan import LOHO, MIXING, NOISE, TWO_BY_TWO

HELD_OUT, IN_DOMAIN, FURTHER = "held out", "in domain", "further"


def all_tables(results: Mapping[str, Any]) -> dict[str, Any]:
    """Every table that the runs allow."""
    return {
        "ablation": ablation(results),
        "two_by_two": two_by_two(results),
        "mixing": curve(results, MIXING),
        "noise": curve(results, NOISE),
    }


def ablation(results: Mapping[str, Any]) -> dict[str, Any] | None:
    """Arms in their order: the held-out sites (Dice, HD95), all of them, in-domain, further sites; and every
    arm against the first, over the held-out cases. Seeds are averaged per case first. None without such runs.
    """
    runs = [run for run in results["runs"] if run["experiment"] == LOHO]
    arms = list(dict.fromkeys(run["setting"] for run in runs))
    if not arms:
        return None
    scores = {arm: _scores([r for r in runs if r["setting"] == arm], HELD_OUT) for arm in arms}
    rows = []
    for arm in arms:
        of_arm = [run for run in runs if run["setting"] == arm]
        inside, further = _scores(of_arm, IN_DOMAIN), _scores(of_arm, FURTHER)
        here = _mean(inside)
        table = site_table(scores[arm])
        rows.append(
            {
                "arm": arm,
                "seeds": len({run["seed"] for run in of_arm}),
                **table.to_json(),
                "in_domain": here,
                "gap": None if here is None else here - table.overall.mean,
                "further": site_table(further).to_json()["sites"] if further else [],
            }
        )
    first, *others = arms
    groups = {s.case: s.group for of_arm in scores.values() for s in of_arm}
    comparisons = {}
    for name, sign in (("dice", 1.0), ("hd95_mm", -1.0)):  # more is better, so a distance counts negative
        values = {arm: {s.case: sign * getattr(s, name) for s in scores[arm]} for arm in arms}
        shared = [arm for arm in others if set(values[arm]) & set(values[first])]
        found = compare(values[first], {arm: values[arm] for arm in shared}, groups) if shared else []
        comparisons[name] = [
            {
                "arm": c.arm,
                "cases": c.cases,
                "difference": [c.difference.value, c.difference.low, c.difference.high],
                "median": c.median,
                "p": c.p,
                "p_holm": c.p_holm,
                "verdict": c.verdict,
            }
            for c in found
        ]
    return {"baseline": first, "arms": rows, "comparisons": comparisons}


def two_by_two(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for every pair of trained-on and tested site: mean Dice over cases per seed, mean and SD over
    seeds, median HD95; and what is lost from the same to the different site.
    """
    runs = [run for run in results["runs"] if run["experiment"] == TWO_BY_TWO]
    rows = []
    for trained in sorted({run["trained_on"][0] for run in runs}):
        of_site = [run for run in runs if run["trained_on"] == [trained]]
        row: dict[str, Any] = {"trained_on": trained, "seeds": len(of_site)}
        for name, role in (("same", IN_DOMAIN), ("different", HELD_OUT)):
            row[name] = _over_seeds(of_site, role)
        row["different_site"] = of_site[0]["held_out"]
        row["delta"] = (
            row["different"]["dice"] - row["same"]["dice"] if row["different"] and row["same"] else None
        )
        rows.append(row)
    return rows


def curve(results: Mapping[str, Any], experiment: str) -> list[dict[str, Any]]:
    """Of `mixing` (f) or `noise` (alpha): per value the target and the source, and the paired difference of
    the target's cases from the value 0, with its interval (seeds averaged per case).
    """
    runs = [run for run in results["runs"] if run["experiment"] == experiment]
    name = {MIXING: "fraction", NOISE: "alpha"}[experiment]
    base = {s.case: s.dice for s in _scores([r for r in runs if r["facts"][name] == 0], HELD_OUT)}
    rows = []
    for value in sorted({run["facts"][name] for run in runs}):
        of_value = [run for run in runs if run["facts"][name] == value]
        row: dict[str, Any] = {
            "value": value,
            "seeds": len(of_value),
            "target": _over_seeds(of_value, HELD_OUT),
            "source": _over_seeds(of_value, IN_DOMAIN),
        }
        scores = [s for s in _scores(of_value, HELD_OUT) if s.case in base]
        if value and scores:
            change = bootstrap_mean([s.dice - base[s.case] for s in scores], [s.group for s in scores])
            row["difference"] = [change.value, change.low, change.high]
        rows.append(row)
    return rows


def _scores(runs: Iterable[Mapping[str, Any]], role: str) -> list[CaseScore]:
    """One score per case: the mean over seeds (and folds that tested it in this role). A case that could not
    be measured has none; whether it could does not depend on the arm."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        for test in run["tests"]:
            if test["role"] == role and test["status"] == "measured":
                found.setdefault(test["case"], []).append(test)
    return [
        CaseScore(
            case,
            tests[0]["site"],
            float(np.mean([test["dice"] for test in tests])),
            float(np.mean([test["hd95_mm"] for test in tests])),
            tests[0]["group"],
        )
        for case, tests in found.items()
    ]


def _over_seeds(runs: Sequence[Mapping[str, Any]], role: str) -> dict[str, Any] | None:
    """Dice: mean over seeds of the mean over cases; sd: over seeds (n - 1; 0 for one seed). None: no case."""
    scores = _scores(runs, role)
    per_seed = [mean for run in runs if (mean := _mean(_scores([run], role))) is not None]
    if not scores:
        return None
    return {
        "dice": float(np.mean(per_seed)),
        "sd": float(np.std(per_seed, ddof=1)) if len(per_seed) > 1 else 0.0,
        "median_hd95_mm": float(np.median([score.hd95_mm for score in scores])),
        "cases": len(scores),
    }


def _mean(scores: Sequence[CaseScore]) -> float | None:
    return float(np.mean([score.dice for score in scores])) if scores else None
