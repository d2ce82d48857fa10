"""Test-time adaptation: kept by the rules, undone otherwise, and nothing is handed on to the next scan."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from fixtures_inference import a_head, tiny_package

from TumorSegRobustLib.errors import Cancelled
from TumorSegRobustLib.image import Image
from TumorSegRobustLib.inference import Ensemble, Prediction
from TumorSegRobustLib.models import ModelPackage
from TumorSegRobustLib.progress import Progress
from TumorSegRobustLib.trust import assess
from TumorSegRobustLib.trust.adapt import Adapting, Rules

ALWAYS = Rules(steps=3, learning_rate=0.02, least_gain=-1.0, volume_ratio=(0.0, 1e9), least_overlap=0.0)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    return tiny_package(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def ensemble(package: ModelPackage) -> Ensemble:
    return Ensemble(package, device="cpu", backend="torch")


@pytest.fixture(scope="module")
def head() -> Image:
    return a_head()


@pytest.fixture(scope="module")
def before(ensemble: Ensemble, head: Image) -> Prediction:
    found = ensemble.predict(head)
    assert found.mask.any()
    return found


def told(prediction: Prediction) -> tuple[bool, bool, str]:
    assert prediction.adaptation is not None
    return tuple(prediction.adaptation[key] for key in ("tried", "accepted", "why"))  # type: ignore[return-value]


def test_nobody_asked_nothing_is_told(before: Prediction) -> None:
    assert before.adaptation is None


def test_what_the_rules_allow_is_kept_and_trust_is_judged_by_the_networks_as_they_were(
    ensemble: Ensemble, head: Image, before: Prediction
) -> None:
    after = Adapting(ensemble, ALWAYS).predict(head)
    tried, accepted, why = told(after)
    assert tried
    assert accepted
    assert "before and" in why
    assert "times that before" in why
    assert not np.array_equal(after.probability, before.probability)
    np.testing.assert_array_equal(after.members, before.members)
    agreement = assess(after, head).to_json()["quality"]["predicted_dice"]
    assert agreement == assess(before, head).to_json()["quality"]["predicted_dice"]


@pytest.mark.parametrize(
    "rules",
    [
        Rules(steps=3, learning_rate=0.02, least_gain=1.1),
        Rules(steps=3, learning_rate=0.02, least_gain=-1.0, volume_ratio=(50.0, 60.0)),
        Rules(steps=3, learning_rate=0.02, least_gain=-1.0, volume_ratio=(0.0, 1e9), least_overlap=1.1),
    ],
    ids=["views do not agree better", "another volume", "another contour"],
)
def test_what_breaks_a_rule_is_undone(
    ensemble: Ensemble, head: Image, before: Prediction, rules: Rules
) -> None:
    after = Adapting(ensemble, rules).predict(head)
    tried, accepted, why = told(after)
    assert tried
    assert not accepted
    assert why.startswith("undone: mirrored views agree by 0.")
    np.testing.assert_array_equal(after.probability, before.probability)


def test_every_scan_starts_from_the_packages_own_weights(
    ensemble: Ensemble, head: Image, before: Prediction
) -> None:
    adapting = Adapting(ensemble, ALWAYS)
    first = adapting.predict(head)
    adapting.predict(a_head(seed=5))
    np.testing.assert_array_equal(adapting.predict(head).probability, first.probability)
    np.testing.assert_array_equal(ensemble.predict(head).probability, before.probability)


def test_steps_make_altered_views_agree_better(ensemble: Ensemble, head: Image) -> None:
    """On a lopsided network: the agreement that the steps work for does rise."""
    rules = Rules(steps=8, learning_rate=0.03, least_gain=-1.0, volume_ratio=(0.0, 1e9), least_overlap=0.0)
    why = told(Adapting(ensemble, rules).predict(head))[2]
    first, second = (float(number) for number in re.findall(r"[01]\.\d{3}(?= before| after)", why))
    assert second > first


def test_there_must_be_a_contour(tmp_path: Path, head: Image) -> None:
    package = tiny_package(tmp_path / "nothing", answers=[[-5.0, 5.0], [-5.0, 5.0]])
    after = Adapting(Ensemble(package, device="cpu", backend="torch")).predict(head)
    assert told(after) == (True, False, "there is no contour to improve")


def test_it_can_be_cancelled(ensemble: Ensemble, head: Image) -> None:
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        Adapting(ensemble).predict(head, progress)


def test_the_workflow_adapts_only_when_it_is_asked_to() -> None:
    from fixtures_workflow import a_scan

    from TumorSegRobustLib.workflow.case import Case
    from TumorSegRobustLib.workflow.networks import Networks

    class Named:
        def __init__(self, name: str) -> None:
            self.name = name

        def warm_up(self) -> None:
            """Nothing to load."""

        def predict(self, image: object, progress: object = None) -> str:
            return self.name

    networks = Networks(
        lambda *_: Named("plain"), lambda ensemble: Named(f"adapted {ensemble.name}"), lambda: None
    )
    case = Case.of(a_scan(), None, "", 0.0)
    assert networks.predict(case, Progress()) == "plain"
    networks.adapt = True
    assert networks.predict(case, Progress()) == "adapted plain"


def test_an_evaluation_with_adaptation_does_not_take_over_the_lines_of_one_without(
    tmp_path: Path, ensemble: Ensemble, head: Image
) -> None:
    from TumorSegRobustLib.evaluation.evaluating import evaluate_cases
    from TumorSegRobustLib.evaluation.manifest import ManifestCase
    from TumorSegRobustLib.image import write_image

    write_image(head, tmp_path / "head.nii.gz")
    truth = head.with_voxels((head.voxels > 400).astype(np.uint8))
    write_image(truth, tmp_path / "truth.nii.gz")
    name = ensemble.package.channels[0].name
    case = ManifestCase("one", "east", {name: tmp_path / "head.nii.gz"}, tmp_path / "truth.nii.gz", "one")
    plain = evaluate_cases([case], ensemble, tmp_path / "out")
    adapted = evaluate_cases([case], Adapting(ensemble, ALWAYS), tmp_path / "out", variant="adapt")
    assert plain[0].inputs != adapted[0].inputs
    assert plain[0].dice != adapted[0].dice
