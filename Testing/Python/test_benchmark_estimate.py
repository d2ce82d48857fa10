"""The page about the expected quality: readers apart, and what was expected beside what was true."""

from __future__ import annotations

import numpy as np
import pytest
from fixtures_review import a_patient, ball

from Testing.benchmarks.estimate import CLICKS, READERS, next_click, report

SHAPE = (12, 20, 20)


def a_case(true: float) -> dict[str, object]:
    return {"case": "x", **{reader: [[0.8, 0.6, 0.9, true]] * (CLICKS + 1) for reader in READERS}}


def test_the_page_tells_bias_size_of_errors_and_coverage() -> None:
    page = report([a_case(0.7), a_case(0.5)], "`toy` 1.0", 3)
    assert "Package `toy` 1.0, 2 of 3 cases" in page
    assert "| careless | 5 | 0.600 | 0.800 | +0.200 | 0.200 | - | 50% | +0.200; 0.200 |" in page
    assert page.count("| mistaken |") == 5


@pytest.mark.parametrize("reader", READERS)
def test_readers_click_what_they_should(reader: str) -> None:
    image, _ = a_patient(SHAPE, radius_mm=4.0)
    truth = ball(SHAPE, (1, 1, 1), (6, 10, 10), 4)
    mask = ball(SHAPE, (1, 1, 1), (6, 10, 7), 4)
    generator = np.random.default_rng(1)
    wrong = []
    for _ in range(20):
        click = next_click(reader, mask, image, truth, generator)
        assert click is not None
        wrong.append(bool(truth[image.geometry.index_of(click.position_mm)]) != click.include)
    assert np.mean(wrong) == 1 if reader == "mistaken" else np.mean(wrong) < 0.6
