"""What the border from the scan is worth: means per site, and cases that it moved."""

from __future__ import annotations

from Testing.benchmarks.border import WAYS, report


def a_case(networks: float, both: float) -> dict[str, float]:
    return {**dict.fromkeys(WAYS, networks), "both": both}


def test_the_table_tells_means_per_site_and_who_gained_and_lost() -> None:
    cases = {"north-01": a_case(0.5, 0.7), "north-02": a_case(0.7, 0.7), "south-01": a_case(0.8, 0.75)}
    page = report(cases, "`toy` 1.0")
    assert "package `toy` 1.0, 3 cases" in page
    assert "| networks | 0.600 | 0.800 | 0.667 | 0% | 0% | +0.000 |" in page
    assert "| both | 0.700 | 0.750 | 0.717 | 33% | 33% | -0.050 |" in page
