"""The ensemble: every member, on the scan's own grid, from any thread."""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures_inference import a_head, tiny_package

from TumorSegRobustLib.errors import Cancelled, UnusableInput
from TumorSegRobustLib.image import Geometry, Image, orient
from TumorSegRobustLib.inference import Ensemble
from TumorSegRobustLib.inference import ensemble as ensemble_module
from TumorSegRobustLib.inference.appearance import AppearanceSettings, fit_to_scan
from TumorSegRobustLib.models import Channel, ModelPackage
from TumorSegRobustLib.progress import Progress


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUMORSEGROBUST_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> ModelPackage:
    """Two members on different grids."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    return tiny_package(folder, spacings_mm=((3.0, 3.0, 3.0), (4.0, 3.0, 5.0)), triage={"min_volume_ml": 1})


@pytest.fixture(scope="module")
def head() -> Image:
    return a_head()


@pytest.fixture(scope="module")
def prediction(package, head):
    return Ensemble(package, device="cpu").predict(head)


def test_a_prediction_lies_on_the_scans_grid(prediction, package, head):
    assert prediction.geometry == head.geometry
    assert prediction.probability.shape == head.geometry.shape
    assert prediction.probability.dtype == np.float32
    assert prediction.members.shape == (2, *head.geometry.shape)
    assert prediction.members.dtype == np.float16
    assert ((prediction.probability > 0) & (prediction.probability < 1)).all()
    np.testing.assert_array_equal(prediction.mask, prediction.probability >= 0.5)
    assert prediction.volume_ml == pytest.approx(prediction.mask.sum() * 0.036)


def test_a_prediction_says_what_made_it(prediction, package):
    assert prediction.package == {
        "id": "tiny", "version": "0.1.0", "sha256": package.sha256, "licence": "Apache-2.0"
    }
    assert (prediction.device, prediction.backend) == ("cpu", "openvino")
    assert prediction.triage == {"min_volume_ml": 1}
    assert set(prediction.seconds) == {"load", "prepare", "networks", "fuse", "total"}
    assert prediction.seconds["total"] >= prediction.seconds["networks"] > 0
    assert prediction.peak_memory_mb > 50
    json.dumps([prediction.package, prediction.seconds, prediction.peak_memory_mb])


def test_openvino_agrees_with_pytorch(prediction, package, head):
    reference = Ensemble(package, device="cpu", backend="torch").predict(head)
    assert reference.backend == "torch"
    assert np.abs(reference.probability - prediction.probability).max() < 1e-4
    assert np.abs(reference.members.astype(np.float32) - prediction.members).max() < 1e-3
    assert np.ptp(reference.probability) > 0.05


def test_doing_without_openvino_is_said(package, head, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    ensemble = Ensemble(package, device="cpu")
    monkeypatch.undo()
    prediction = ensemble.predict(head)
    assert prediction.backend == "torch"
    assert prediction.notices == ("OpenVINO is not installed: PyTorch computes, several times slower.",)


def test_bf16_stays_near_the_reference(prediction, package, head):
    rough = Ensemble(package, device="cpu", backend="openvino", precision="bf16").predict(head)
    assert np.abs(rough.probability - prediction.probability).max() < 0.05


def test_windows_stay_near_one_pass(prediction, package, head):
    small = replace(package, preprocessing={**package.preprocessing, "window": [32, 32, 32]})
    seen: list[str] = []
    windowed = Ensemble(small, device="cpu").predict(head, Progress(lambda _, message: seen.append(message)))
    assert any(message.startswith("window") for message in seen)
    # Instance norms see another surrounding, so only closeness can be asked for.
    assert np.corrcoef(windowed.probability.ravel(), prediction.probability.ravel())[0, 1] > 0.7


def test_the_orientation_of_the_file_does_not_matter(prediction, package, head):
    turned = orient(head, "SRA")
    result = Ensemble(package, device="cpu").predict(turned)
    assert result.geometry == turned.geometry
    back = orient(Image(result.probability, result.geometry), "LPS").voxels
    np.testing.assert_allclose(back, prediction.probability, atol=1e-4)


def test_constant_members_give_the_exact_probability(tmp_path, head):
    package = tiny_package(
        tmp_path / "constant",
        members=2,
        answers=[(1.0, 5.0), (4.0, -2.0)],
        calibration={"temperature": 2.0, "brain_gate": True, "threshold": 0.3},
    )
    prediction = Ensemble(package, device="cpu", backend="torch").predict(head)
    # The second member's brain output lowers its 4 to -2: mean (1 - 2) / 2 = -0.5, / 2 = -0.25.
    np.testing.assert_allclose(prediction.probability, 1 / (1 + np.exp(0.25)), rtol=1e-5)
    np.testing.assert_allclose(prediction.members[0], 1 / (1 + np.exp(-0.5)), atol=5e-4)
    np.testing.assert_allclose(prediction.members[1], 1 / (1 + np.exp(1.0)), atol=5e-4)
    assert prediction.mask.all()


def test_a_single_slice_thick_scan_and_a_tiny_one_run(package):
    for shape, spacing in (((2, 30, 30), (1.0, 1.0, 6.0)), ((5, 5, 5), (1.0, 1.0, 1.0))):
        voxels = np.random.default_rng(0).normal(100, 20, shape).astype(np.int16)
        prediction = Ensemble(package, device="cpu").predict(Image(voxels, Geometry(shape, spacing)))
        assert prediction.probability.shape == shape


def test_a_whole_body_scan_runs_in_windows_under_a_small_limit(tmp_path):
    package = tiny_package(tmp_path / "body", members=1, spacings_mm=((4.0, 4.0, 4.0),))
    shape = (100, 24, 24)
    voxels = np.random.default_rng(1).normal(0, 100, shape).astype(np.float32)
    seen: list[str] = []
    ensemble = Ensemble(package, device="cpu")
    ensemble._budget_mb = lambda native_mb: 12.0  # type: ignore[method-assign]
    image = Image(voxels, Geometry(shape, (8.0, 8.0, 6.0)))
    prediction = ensemble.predict(image, Progress(lambda _, message: seen.append(message)))
    assert prediction.probability.shape == shape
    assert any(message.startswith("window 2 of") for message in seen)


def test_a_scan_too_large_for_the_machine_is_refused_before_the_run(package, monkeypatch):
    monkeypatch.setattr(ensemble_module, "available_mb", lambda: 5.0)
    with pytest.raises(UnusableInput, match="MB of memory and 5 MB are free; crop it") as caught:
        Ensemble(package, device="cpu").predict(a_head((60, 100, 100), (1.0, 1.0, 1.0)))
    assert "\n" not in str(caught.value)


def test_the_memory_estimate_grows_with_the_scan_and_falls_with_the_limit(package):
    ensemble = Ensemble(package, device="cpu")
    small = ensemble.estimate_memory_mb(Geometry((50, 100, 100)))
    large = ensemble.estimate_memory_mb(Geometry((200, 512, 512)))
    assert 700 < small < 750
    assert small + 500 < large < 3000


def test_progress_rises_to_one_and_names_the_members(package, head):
    seen: list[tuple[float, str]] = []
    Ensemble(package, device="cpu").predict(head, Progress(lambda *report: seen.append(report)))
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert seen[-1] == (1.0, "Done")
    assert {"Model 1 of 2", "Model 2 of 2"} <= {message for _, message in seen}


def test_cancel_before_the_second_member_raises_cancelled(package, head):
    progress = Progress(lambda fraction, message: progress.cancel() if message == "Model 2 of 2" else None)
    ensemble = Ensemble(package, device="cpu")
    with pytest.raises(Cancelled):
        ensemble.predict(head, progress)
    assert ensemble.predict(head).probability.shape == head.geometry.shape


def test_a_cancelled_caller_does_not_wait_for_its_turn(package, head):
    ensemble, progress = Ensemble(package, device="cpu"), Progress()
    progress.cancel()
    with ensemble._turn(Progress()), pytest.raises(Cancelled):
        ensemble.predict(head, progress)


def test_a_warm_up_may_run_beside_predictions(package, head, prediction):
    ensemble = Ensemble(package, device="cpu")
    results: list[object] = []

    def predict() -> None:
        results.append(ensemble.predict(head).probability)

    threads = [threading.Thread(target=task) for task in (ensemble.warm_up, predict, predict)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2
    for result in results:
        np.testing.assert_array_equal(result, prediction.probability)


def test_weights_that_answer_nan_are_refused(package, head, monkeypatch):
    monkeypatch.setattr(
        ensemble_module, "run_network", lambda backend, volume, **_: np.full((2, *volume.shape[1:]), np.nan)
    )
    with pytest.raises(UnusableInput, match="member-0 gives values that are not numbers"):
        Ensemble(package, device="cpu").predict(head)


def test_a_package_whose_outputs_do_not_fit_its_network_is_refused(package, head):
    with pytest.raises(UnusableInput, match="gives 2 outputs, the package names 1"):
        Ensemble(replace(package, outputs=("whole tumour",)), device="cpu").predict(head)


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> ModelPackage:
    """A package with an optional second channel."""
    channels = (Channel("FLAIR"), Channel("T1c", required=False))
    return tiny_package(tmp_path_factory.mktemp("m") / "two", members=1, channels=channels)


class TestChannels:
    def test_an_optional_channel_may_lack_and_that_is_said(self, two, head):
        prediction = Ensemble(two, device="cpu", backend="torch").predict(head)
        assert prediction.notices == ("Without T1c: the model was trained to do without it.",)

    def test_a_second_channel_changes_the_answer(self, two, head):
        alone = Ensemble(two, device="cpu", backend="torch").predict({"flair": head})
        both = Ensemble(two, device="cpu", backend="torch").predict({"flair": head, "T1C": a_head(seed=5)})
        assert both.notices == ()
        assert np.abs(alone.probability - both.probability).max() > 1e-3

    def test_a_channel_on_another_grid_is_resampled_with_a_notice(self, two, head):
        other = a_head((16, 30, 30), (3.5, 3.5, 5.0))
        prediction = Ensemble(two, device="cpu", backend="torch").predict({"FLAIR": head, "T1c": other})
        assert prediction.geometry == head.geometry
        assert "T1c" in prediction.notices[0]
        assert "resampled" in prediction.notices[0]

    def test_a_required_channel_is_asked_for_by_name(self, two, head):
        with pytest.raises(UnusableInput, match="needs the channel FLAIR"):
            Ensemble(two, device="cpu", backend="torch").predict({"T1c": head})

    def test_an_unknown_channel_is_named(self, two, head):
        with pytest.raises(UnusableInput, match="no channel 'PET'; it takes FLAIR, T1c"):
            Ensemble(two, device="cpu", backend="torch").predict({"FLAIR": head, "PET": head})

    def test_no_scan_at_all_is_refused(self, two):
        with pytest.raises(UnusableInput, match="No scan was given"):
            Ensemble(two, device="cpu", backend="torch").predict({})


def test_damaged_weights_are_refused_even_when_the_conversion_is_cached(tmp_path, head):
    package = tiny_package(tmp_path / "p", members=1)
    Ensemble(package, device="cpu").predict(head)
    path = Path(package.folder / package.members[0].weights)
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(UnusableInput, match="does not match its sha256"):
        Ensemble(package, device="cpu").predict(head)


def test_the_core_is_told_where_the_scan_shows_it_and_lies_inside_the_tumour(tmp_path, head):
    package = tiny_package(
        tmp_path / "two", channels=(Channel("flair", required=False), Channel("t1c", required=False)),
        outputs=("whole tumour", "tumour core"), calibration={"core_channel": "t1c"},
    )  # fmt: skip
    ensemble = Ensemble(package, device="cpu", backend="torch", precision="f32")
    flair_only = ensemble.predict(head)
    assert flair_only.core is None
    assert flair_only.core_mask is None
    assert any("Without T1c" in notice for notice in flair_only.notices)
    both = ensemble.predict({"flair": head, "t1c": head.with_voxels(head.voxels[::-1].copy())})
    assert both.core is not None
    assert both.core.shape == head.geometry.shape
    assert 0 < both.core_mask.sum() < both.core_mask.size
    assert not (both.core_mask & ~both.mask).any()
    assert ensemble.predict({"t1c": head}).core is not None, "any of the optional channels is enough"


def test_a_tumour_must_be_seen_without_the_second_channel_too(tmp_path):
    channels = (Channel("flair", required=False), Channel("t1c", required=False))
    head = a_head(shape=(32, 32, 32), spacing_mm=(3.0, 3.0, 3.0))  # the networks' own grid
    second = head.with_voxels(head.voxels[::-1].copy())

    def seen(package, scans):
        return Ensemble(package, device="cpu", backend="torch", precision="f32").predict(scans).probability

    plain = tiny_package(tmp_path / "plain", channels=channels, members=1)
    careful = tiny_package(
        tmp_path / "careful", channels=channels, members=1, calibration={"confirm_without": ["t1c"]}
    )
    with_both, with_one = seen(plain, {"flair": head, "t1c": second}), seen(plain, {"flair": head})
    assert (with_both < with_one).any(), "else there is nothing to confirm"
    assert (with_both > with_one).any()
    lower = np.minimum(with_both, with_one)
    np.testing.assert_allclose(seen(careful, {"flair": head, "t1c": second}), lower, atol=1e-5)
    np.testing.assert_array_equal(seen(careful, {"flair": head}), with_one)
    np.testing.assert_array_equal(seen(careful, {"t1c": second}), seen(plain, {"t1c": second}))


def test_flip_averaging_makes_a_mirrored_scan_give_the_mirrored_answer(tmp_path):
    package = tiny_package(tmp_path / "flip", calibration={"flip_average": True})
    ensemble = Ensemble(package, device="cpu", backend="torch", precision="f32")
    head = a_head(shape=(32, 32, 32), spacing_mm=(3.0, 3.0, 3.0))
    prediction = ensemble.predict(head)
    plain = prediction.probability
    assert len(prediction.members) == 2 * len(package.members), "each view counts in the agreement"
    mirrored = ensemble.predict(head.with_voxels(head.voxels[..., ::-1].copy())).probability
    np.testing.assert_allclose(mirrored[..., ::-1], plain, atol=2e-3)
    once = Ensemble(tiny_package(tmp_path / "once"), device="cpu", backend="torch", precision="f32")
    assert np.abs(once.predict(head).probability - plain).max() > 1e-3


def test_a_package_that_asks_for_it_has_its_contours_fitted_to_the_scan(tmp_path, head):
    plain = tiny_package(tmp_path / "plain", calibration={"bias": 0.1})
    fitting = tiny_package(tmp_path / "fitting", calibration={"bias": 0.1, "appearance": {"weight": 2.0}})
    before, after = (Ensemble(one, device="cpu").predict(head) for one in (plain, fitting))
    expected = before.probability.copy()
    assert before.mask.any(), "else there is nothing to fit"
    settings = AppearanceSettings.of({"appearance": {"weight": 2.0}})
    fit_to_scan(expected, head.voxels, head.geometry.spacing_mm, settings)
    np.testing.assert_array_equal(after.probability, expected)
    np.testing.assert_array_equal(after.members, before.members)
    assert (after.mask != before.mask).any()
