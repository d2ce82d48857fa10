"""The page about the list of places: failures stay in the means, and pairs are compared as pairs."""

from __future__ import annotations

from typing import Any

from Testing.benchmarks.looking import report


def told(slices: int, clicks: int, reached: bool) -> dict[str, Any]:
    return {
        "dice": [0.5, 0.86 if reached else 0.6],
        "slices": [0, slices],
        "looked": slices,
        "places": 1,
        "reached": reached,
        "slices_to": slices,
        "clicks_to": clicks,
    }


def a_case(site: str, searching: dict[str, Any], guided: dict[str, Any]) -> dict[str, Any]:
    both = {"searching 3": searching, "guided 3": guided, "searching 1": searching, "guided 1": guided}
    return {"case": f"{site}-01", "site": site, "start": 0.5, **both}


def test_the_page_tells_means_failures_and_changes_of_pairs() -> None:
    page = report(
        [
            a_case("north", told(10, 4, True), told(5, 3, True)),
            a_case("south", told(30, 20, False), told(20, 20, True)),
        ],
        "`toy` 1.0",
        3,
    )
    assert "Package `toy` 1.0, 2 of 3 cases whose proposal is below Dice 0.85." in page
    assert "| all | 2 | searching | 20.0 | 12.0 | 1 of 2 | 0.730 | 1.0 |" in page
    assert "| all | 2 | guided | 12.5 | 11.5 | 0 of 2 | 0.860 | 1.0 |" in page
    assert "| north | 1 | 10.0 | 5.0 | -50% | 4.0 | 3.0 | -25% |" in page
    assert "| south | 1 | 30.0" not in page, "one reader did not get there: no pair"
    assert "| north | searching | 0.500 | 0.500 | 0.500 | 0.860 | 0.860 |" in page
