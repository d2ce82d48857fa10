"""Weights of members: what each way finds where the answer is known, and that nobody judges himself."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from fixtures_inference import a_head, tiny_package

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import write_image
from TumorSegRobustLib.inference import Ensemble
from TumorSegRobustLib.training.ensemble_weights import (
    Fitted,
    MemberCase,
    best_member,
    compare_weights,
    equal,
    genetic_search,
    grid_search,
    simplex,
    stacking,
    worst_site_dice,
)
from TumorSegRobustLib.training.member_cases import main

SHAPE = (4, 10, 10)


def a_case(name: str, seed: int, right: Sequence[float]) -> MemberCase:
    """Members that are right in so many of the voxels, sure of themselves in all."""
    rng = np.random.default_rng(seed)
    truth = rng.random(SHAPE) < 0.3
    wrong = np.stack([rng.random(SHAPE) >= share for share in right])
    members = np.where(truth ^ wrong, 0.9, 0.1).astype(np.float16)
    return MemberCase.of(name, name.rsplit("-", 1)[0], members, truth)


def logit(p: float) -> float:
    return float(np.log(p / (1 - p)))


def test_a_case_keeps_what_weights_can_change_and_scores_as_fusion_does() -> None:
    rng = np.random.default_rng(0)
    members = rng.random((3, *SHAPE)).astype(np.float16)
    members[:, :2] = 0.001
    truth = rng.random(SHAPE) < 0.4
    case = MemberCase.of("a-1", "a", members, truth)
    assert case.missed == truth[:2].sum()
    assert case.logits.shape == (3, 200)
    weights = np.array([0.5, 0.3, 0.2])
    p = np.clip(members.astype(np.float64), 2.0**-14, 1 - 2.0**-11)
    fused = np.tensordot(weights, np.log(p / (1 - p)), axes=1) >= 0
    expected = 2 * (fused & truth).sum() / (fused.sum() + truth.sum())
    assert case.dice(weights) == pytest.approx(expected, abs=1e-6)
    nothing = MemberCase.of("b-1", "b", np.zeros((3, *SHAPE), np.float16), np.zeros(SHAPE, bool))
    assert nothing.dice(weights) == 1.0


def test_the_simplex_grid_is_complete() -> None:
    assert {tuple(w.round(1)) for w in simplex(2, 0.5)} == {(0.0, 1.0), (0.5, 0.5), (1.0, 0.0)}
    points = list(simplex(3, 0.1))
    assert len(points) == 66  # 12 choose 2
    assert all(point.sum() == pytest.approx(1.0) for point in points)
    assert min(point.min() for point in points) > -1e-12


def test_search_finds_the_member_that_is_right_and_equal_weights_do_not() -> None:
    cases = [a_case(f"{site}-{n}", n + 10 * ord(site), (0.99, 0.6, 0.6)) for site in "ab" for n in range(2)]
    plain = worst_site_dice(cases, equal(cases).weights)
    for method in (grid_search, genetic_search, best_member):
        found = method(cases, 0)
        assert found.weights.sum() == pytest.approx(1.0)
        assert found.weights.argmax() == 0
        assert worst_site_dice(cases, found.weights) > plain + 0.1
    assert np.array_equal(genetic_search(cases, 4).weights, genetic_search(cases, 4).weights)


def test_of_equally_good_weights_the_most_even_are_taken() -> None:
    cases = [a_case("a-1", 1, (1.0, 1.0)), a_case("b-1", 2, (1.0, 1.0))]
    assert grid_search(cases).weights == pytest.approx([0.5, 0.5])


def test_the_worst_site_decides_not_the_mean() -> None:
    """Member 0 is better on average (three cases of site a), member 1 at the worse site."""
    cases = [a_case(f"a-{n}", n, (1.0, 0.9)) for n in range(3)] + [a_case("b-1", 9, (0.5, 0.9))]
    mean = [np.mean([case.dice(row) for case in cases]) for row in np.eye(2)]
    assert mean[0] != mean[1]
    assert best_member(cases).weights.tolist() == [0.0, 1.0]


def test_stacking_recovers_a_logistic_model() -> None:
    rng = np.random.default_rng(5)
    z = rng.normal(0, 1.5, (2, 15_000)).astype(np.float32)
    truth = rng.random(15_000) < 1 / (1 + np.exp(-(1.5 * z[0] + 0.5 * z[1] - 1.0)))
    found = stacking([MemberCase("a-1", "a", "a-1", z, truth, 0)])
    assert found.weights == pytest.approx([1.5, 0.5], abs=0.1)
    assert found.bias == pytest.approx(-1.0, abs=0.1)


def test_no_method_sees_the_site_it_is_scored_on() -> None:
    cases = [a_case(f"{site}-{n}", n, (0.9, 0.8)) for site in "abc" for n in range(2)]
    seen: list[frozenset[str]] = []

    def spy(given: Sequence[MemberCase], seed: int) -> Fitted:
        seen.append(frozenset(case.site for case in given))
        return equal(given)

    table = compare_weights(cases, {"equal weights": equal, "spy": spy})
    assert seen == [{"b", "c"}, {"a", "c"}, {"a", "b"}, {"a", "b", "c"}]  # the last for `final`
    one, two = table["methods"]
    assert one["sites"] == two["sites"]
    assert list(two["fitted_without"]) == ["a", "b", "c"]
    (comparison,) = table["comparisons"]
    assert (comparison["difference"], comparison["verdict"]) == ([0.0, 0.0, 0.0], "no difference shown")
    with pytest.raises(ValueError, match="two sites"):
        compare_weights(cases[:2])


def test_the_table_has_all_methods_and_only_plain_numbers() -> None:
    cases = [a_case(f"{site}-{n}", n, (0.95, 0.7)) for site in "ab" for n in range(2)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = compare_weights(cases)
    assert [row["method"] for row in table["methods"]] == [
        "equal weights", "best member", "grid search", "genetic search", "stacking",
    ]  # fmt: skip
    assert json.loads(json.dumps(table, allow_nan=False)) == table
    for row in table["methods"]:
        assert row["worst_site"][0] == pytest.approx(min(row["sites"].values()))


def test_a_package_is_weighed_on_a_manifest(tmp_path: Path) -> None:
    """Constant logits: member 0 says tumour everywhere, member 1 nowhere, and the truth is everywhere."""
    image = a_head((8, 10, 12))
    lines = ["case,site,image,reference"]
    for name in ("a-1", "b-1"):
        write_image(image, tmp_path / f"{name}.nii.gz")
        write_image(image.with_voxels(np.ones(image.voxels.shape, bool)), tmp_path / f"{name}-mask.nii.gz")
        lines.append(f"{name},{name[0]},{name}.nii.gz,{name}-mask.nii.gz")
    (tmp_path / "cases.csv").write_text("\n".join(lines) + "\n")
    package = tiny_package(tmp_path / "tiny", answers=[[3.0, 0.0], [-4.0, 0.0]], calibration={})
    table = main(tmp_path / "cases.csv", Ensemble(package, "cpu"), tmp_path / "out")
    rows: Mapping[str, dict] = {row["method"]: row for row in table["methods"]}
    assert rows["equal weights"]["sites"] == {"a": 0.0, "b": 0.0}
    assert rows["grid search"]["sites"] == {"a": 1.0, "b": 1.0}
    assert rows["best member"]["final"]["weights"] == [1.0, 0.0]
    assert json.loads((tmp_path / "out" / "weights.json").read_text()) == table
    assert table["names"] == ["member-0", "member-1"]
    with pytest.raises(UnusableInput, match="cases of two sites"):
        main(tmp_path / "cases.csv", Ensemble(package, "cpu"), tmp_path / "out", ["a"])
    single = tiny_package(tmp_path / "single", members=1)
    with pytest.raises(UnusableInput, match="one member"):
        main(tmp_path / "cases.csv", Ensemble(single, "cpu"), tmp_path / "out")
