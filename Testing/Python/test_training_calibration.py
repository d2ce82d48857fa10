"""The table from agreement to Dice."""

from __future__ import annotations

import numpy as np
import pytest

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.training.calibration import GRID, quality_table
from TumorSegRobustLib.trust.quality import predict_quality


def test_a_straight_line_is_found_again_and_the_interval_has_the_spread() -> None:
    agreement = np.linspace(0, 1, 400)
    noise = np.tile([-0.1, 0.0, 0.1, 0.0], 100)
    table = quality_table(list(agreement), list(np.clip(0.8 * agreement + noise, 0, 1)))
    assert table["agreement"] == list(GRID)
    middle = table["agreement"].index(0.5)
    assert table["dice"][middle] == pytest.approx(0.4, abs=0.05)
    assert table["low"][middle] == pytest.approx(0.3, abs=0.07)
    assert table["high"][middle] == pytest.approx(0.5, abs=0.07)
    assert predict_quality(0.5, {"quality": table}).calibrated


def test_the_expected_dice_never_falls_with_agreement() -> None:
    rng = np.random.default_rng(0)
    table = quality_table(list(rng.random(60)), list(rng.random(60)))
    assert (np.diff(table["dice"]) >= 0).all()
    assert all(0 <= low <= dice <= high <= 1 for low, dice, high in
               zip(table["low"], table["dice"], table["high"], strict=True))  # fmt: skip


def test_too_few_heads_are_refused() -> None:
    with pytest.raises(UnusableInput, match="19 heads are too few"):
        quality_table([0.5] * 19, [0.5] * 19)
