"""What a prediction keeps of what the networks were shown."""

from __future__ import annotations

import numpy as np
import pytest
from fixtures_inference import a_head, tiny_package

from TumorSegRobustLib.inference import Ensemble
from TumorSegRobustLib.models import Channel

BRAIN_LOGITS = (1.0, 3.0)


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUMORSEGROBUST_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def seen_of(folder, scan, spacings_mm=((3.0, 3.0, 3.0),), **fields):
    package = tiny_package(
        folder, spacings_mm=spacings_mm, answers=[(-2.0, logit) for logit in BRAIN_LOGITS], **fields
    )
    return Ensemble(package, device="cpu", backend="torch").predict(scan).seen


def test_the_brain_is_the_mean_of_the_members(tmp_path):
    seen = seen_of(tmp_path / "p", a_head())
    assert seen.brain.dtype == np.float16
    np.testing.assert_allclose(seen.brain, 1 / (1 + np.exp(-2.0)), atol=1e-3)
    np.testing.assert_allclose(seen.tumour, 1 / (1 + np.exp(2.0)), atol=1e-3)


def test_members_on_another_grid_do_not_count(tmp_path):
    seen = seen_of(tmp_path / "p", a_head(), spacings_mm=((3.0, 3.0, 3.0), (4.0, 3.0, 5.0)))
    assert seen.spacing_mm == (3.0, 3.0, 3.0)
    np.testing.assert_allclose(seen.brain, 1 / (1 + np.exp(-BRAIN_LOGITS[0])), atol=1e-3)


def test_channels_are_kept_by_name_as_the_networks_get_them(tmp_path):
    scan = a_head()
    channels = [Channel("flair", required=False), Channel("t1c", required=False)]
    seen = seen_of(tmp_path / "p", {"t1c": scan}, channels=channels)
    assert list(seen.scans) == list(seen.normalised) == ["t1c"]
    assert seen.scans["t1c"].geometry == scan.geometry
    [shown] = seen.normalised.values()
    assert shown.shape == seen.brain.shape == scan.geometry.with_spacing((3.0, 3.0, 3.0)).shape
    assert abs(float(shown[shown > -1].mean())) < 0.5  # z-scored on the head


def test_a_package_without_a_brain_output_says_nothing_of_it(tmp_path):
    package = tiny_package(tmp_path / "p", outputs=("whole tumour",), members=1)
    assert Ensemble(package, device="cpu", backend="torch").predict(a_head()).seen.brain is None
