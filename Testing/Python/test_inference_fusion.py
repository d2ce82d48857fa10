"""From logits on the members' grids to probabilities on the scan's."""

from __future__ import annotations

import numpy as np
import pytest

from TumorSegRobustLib.image import Geometry, Image, orient, resample
from TumorSegRobustLib.inference.fusion import Fusion, core_logits, sigmoid, tumour_logits
from TumorSegRobustLib.inference.inputs import NetworkInput, network_input
from TumorSegRobustLib.inference.postprocess import remove_doubtful_components
from TumorSegRobustLib.progress import Progress

GRID = Geometry((2, 2, 2))


def fused(*logits: float, weights: tuple[float, ...] = (), temperature: float = 1.0, bias: float = 0.0):
    fusion = Fusion(GRID, len(logits), temperature, bias)
    for number, value in enumerate(logits):
        weight = weights[number] if weights else 1.0
        fusion.add(np.full(GRID.shape, value, np.float32), GRID, weight, Progress())
    return fusion.finish()


def test_logits_are_averaged_and_members_kept():
    probability, members = fused(0.0, 2.0, 4.0)
    np.testing.assert_allclose(probability, sigmoid(np.float32(2.0)), rtol=1e-6)
    assert probability.dtype == np.float32
    assert members.dtype == np.float16
    np.testing.assert_allclose(members[:, 0, 0, 0], [0.5, 0.8808, 0.982], atol=1e-3)


def test_weights_shift_the_average():
    probability, _ = fused(0.0, 4.0, weights=(3.0, 1.0))
    np.testing.assert_allclose(probability, sigmoid(np.float32(1.0)), rtol=1e-6)


def test_temperature_and_bias_apply_to_the_mean_and_to_each_member():
    probability, members = fused(2.0, 6.0, temperature=2.0, bias=-1.0)
    np.testing.assert_allclose(probability, sigmoid(np.float32(1.0)), rtol=1e-6)
    np.testing.assert_allclose(members[:, 0, 0, 0], [0.5, sigmoid(np.float32(2.0))], atol=1e-3)


def test_extreme_logits_give_0_and_1_without_overflow():
    with np.errstate(over="raise"):
        probability, _ = fused(-1e5)
        assert probability.max() < 1e-12
        probability, _ = fused(1e5)
        assert probability.min() == 1.0


def test_the_brain_gate_takes_the_lower_of_tumour_and_brain():
    logits = np.array([[3.0, 3.0, -2.0], [5.0, -4.0, 9.0]], np.float32).reshape(2, 1, 1, 3)
    np.testing.assert_array_equal(tumour_logits(logits, {"brain_gate": True}).ravel(), [3, -4, -2])
    np.testing.assert_array_equal(
        tumour_logits(logits, {"brain_gate": True, "brain_gate_margin": 5}).ravel(), [3, 1, -2]
    )
    np.testing.assert_array_equal(tumour_logits(logits, {}).ravel(), [3, 3, -2])
    np.testing.assert_array_equal(tumour_logits(logits[:1], {"brain_gate": True}).ravel(), [3, 3, -2])


@pytest.mark.parametrize("code", ["LPS", "RAI", "SLP", "ILA"])
def test_logits_come_back_on_the_scans_grid_whatever_its_orientation(code):
    straight = Geometry((9, 12, 15), (1, 1.3, 2))
    geometry = orient(Image(np.zeros(straight.shape, np.float32), straight), code).geometry
    grid = orient(Image(np.zeros(geometry.shape, np.float32), geometry)).geometry.with_spacing((2, 2, 2))
    logits = np.random.default_rng(0).normal(size=grid.shape).astype(np.float32)
    fusion = Fusion(geometry, 1, 1.0, 0.0)
    fusion.add(logits, grid, 1.0, Progress())
    expected = sigmoid(resample(Image(logits, grid), geometry).voxels)
    inside = (slice(2, -2),) * 3  # the general resampler fills outside the grid's voxel centres with 0
    np.testing.assert_allclose(fusion.finish()[0][inside], expected[inside], atol=1e-5)


def test_a_stripped_scan_is_cut_to_its_foreground_and_the_answer_put_back():
    voxels = np.zeros((60, 60, 60), np.float32)
    voxels[20:30, 25:30, 5:15] = np.random.default_rng(1).uniform(50, 100, (10, 5, 10))
    image = Image(voxels, Geometry(voxels.shape))
    given = network_input([image], (1.0, 1.0, 1.0), {"crop_margin": 4})
    assert given.box == (slice(16, 34), slice(21, 34), slice(1, 19))
    assert given.volume.shape == (1, 32, 32, 32)
    whole = given.restore(np.ones((2, 32, 32, 32), np.float32))
    assert whole.shape == (2, 60, 60, 60)
    assert (whole[(slice(None), *given.box)] == 1).all()
    assert np.count_nonzero(whole == -10.0) == whole.size - 2 * 18 * 13 * 18


def test_a_scan_with_its_skull_is_shown_whole():
    voxels = np.random.default_rng(2).normal(100, 10, (20, 33, 34)).astype(np.float32)
    given = network_input([Image(voxels, Geometry(voxels.shape))], (1.0, 1.0, 1.0), {})
    assert given.volume.shape == (1, 32, 48, 48)
    assert given.restore(np.zeros((1, 32, 48, 48), np.float32)).shape == (1, 20, 33, 34)


def test_an_absent_optional_channel_is_zeros():
    voxels = np.random.default_rng(3).normal(100, 10, (20, 20, 20)).astype(np.float32)
    given = network_input([Image(voxels, Geometry(voxels.shape)), None], (1.0, 1.0, 1.0), {})
    assert given.volume.shape == (2, 32, 32, 32)
    assert not given.volume[1].any()
    assert given.volume[0].any()


def test_restoring_a_whole_volume_only_takes_the_padding_off():
    grid = Geometry((3, 4, 5))
    given = NetworkInput(np.zeros((1, 16, 16, 16), np.float32), grid, (slice(0, 3), slice(0, 4), slice(0, 5)))
    padded = np.random.default_rng(4).random((1, 16, 16, 16), dtype=np.float32)
    np.testing.assert_array_equal(given.restore(padded), padded[:, :3, :4, :5])


def test_small_components_are_lowered_below_the_threshold_and_reported():
    probability = np.zeros((8, 8, 8), np.float32)
    probability[0:4, 0:4, 0:4] = 0.9
    probability[7, 7, 7] = 0.8
    probability[7, 0, 7] = 0.6
    notices = remove_doubtful_components(probability, 0.5, 0.001, minimum_ml=0.003)
    assert notices == ["Removed 2 components smaller than 0.003 ml (0.002 ml in all)."]
    assert (probability >= 0.5).sum() == 64
    assert 0.4999 < probability[7, 7, 7] < 0.5


def test_the_largest_component_stays_however_small():
    probability = np.zeros((4, 4, 4), np.float32)
    probability[1, 1, 1] = 0.9
    assert remove_doubtful_components(probability, 0.5, 0.001, minimum_ml=1.0) == []
    assert probability[1, 1, 1] == np.float32(0.9)


def test_faint_components_are_removed_even_the_last_one():
    probability = np.zeros((8, 8, 8), np.float32)
    probability[0:4, 0:4, 0:4] = 0.6
    probability[6:8, 6:8, 6:8] = 0.8
    probability[7, 0, 7] = 0.9
    alone = np.where(probability == np.float32(0.6), probability, 0)
    notices = remove_doubtful_components(probability, 0.5, 0.001, minimum_ml=0.003, minimum_mean=0.7)
    assert notices == [
        "Removed 1 component smaller than 0.003 ml (0.001 ml in all).",
        "Removed 1 component of which the models are hardly sure (mean probability below 0.7) "
        "(0.064 ml in all).",
    ]
    np.testing.assert_array_equal(np.argwhere(probability >= 0.5).min(0), [6, 6, 6])
    assert len(remove_doubtful_components(alone, 0.5, 0.001, minimum_mean=0.7)) == 1
    assert not (alone >= 0.5).any()


def test_the_brain_is_found_by_its_name_and_the_core_is_never_above_the_tumour():
    outputs = ("whole tumour", "tumour core", "brain")
    logits = np.array([3.0, 5.0, 1.0], np.float32).reshape(3, 1, 1, 1)
    tumour = tumour_logits(logits, {"brain_gate": True}, outputs)
    assert tumour.item() == 1.0
    assert core_logits(logits, tumour, outputs).item() == 1.0
    assert tumour_logits(logits, {"brain_gate": True}, ("whole tumour", "tumour core")).item() == 3.0
