"""The table that tells sequences apart is fitted to heads, generated and real."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fixtures_inference import a_head, tiny_package

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.models import Channel, ModelPackage
from TumorSegRobustLib.training.looks import Eye, Head, cross_validated, fit, weights_of
from TumorSegRobustLib.trust.looks import FEATURES, likely_sequences


def heads(count: int, real: bool = False, shift: float = 0.0) -> list[Head]:
    """FLAIR, T1 and T2 differ in one feature each, by four standard deviations."""
    rng = np.random.default_rng(int(real))
    found = []
    for n, sequence in enumerate(("FLAIR", "T1", "T2")):
        for values in rng.normal(size=(count, len(FEATURES))):
            values[n] += 4.0
            values[5] += shift
            found.append(Head(sequence, dict(zip(FEATURES, values.tolist(), strict=True)), real))
    return found


def test_sequences_that_differ_are_told_apart_on_heads_that_were_left_out():
    assert cross_validated(heads(30)) > 0.95


def test_the_table_is_data_and_works_as_it_is_written():
    table = json.loads(json.dumps(fit(heads(30))))
    for one in heads(5, real=True):
        likely = likely_sequences(one.features, table)
        assert sum(likely.values()) == pytest.approx(1.0)
        assert max(likely, key=lambda name: likely[name]) == one.sequence


def test_sequences_count_alike_and_in_each_real_scans_as_much_as_generated_ones():
    sequences = np.array([0] * 6 + [1] * 3)
    real = np.array([True, True, False, False, False, False, False, False, False])
    weights = weights_of(sequences, real)
    assert weights.sum() == pytest.approx(1.0)
    assert weights[:2].sum() == pytest.approx(weights[2:6].sum()) == pytest.approx(0.25)
    assert weights[6:] == pytest.approx(1 / 6)


def test_too_few_heads_are_refused():
    with pytest.raises(UnusableInput, match="9 heads of a sequence are too few"):
        fit(heads(9))


def test_a_package_that_sees_no_brain_is_refused(tmp_path):
    package = tiny_package(tmp_path / "p", outputs=("whole tumour",), members=1)
    with pytest.raises(UnusableInput, match="sees no brain"):
        Eye(package)


def test_the_eye_looks_through_the_first_network_alone(tmp_path):
    package = tiny_package(tmp_path / "p", channels=[Channel("flair")], answers=[(-5.0, 5.0), (-5.0, -5.0)])
    assert set(Eye(package).features(a_head())) == set(FEATURES)
    blind = tiny_package(tmp_path / "q", channels=[Channel("flair")], answers=[(-5.0, -5.0), (-5.0, 5.0)])
    assert Eye(ModelPackage.load(blind.folder)).features(a_head()) is None
