"""Losses: values worked out by hand, voxels that nobody knows, gradients at the hard places."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.training.losses import KINDS, DeepSupervision, build_loss
from TumorSegRobustLib.training.surface import signed_distance

UNKNOWN = 255


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def line(*values: float) -> torch.Tensor:
    """One sample, one output, a row of voxels."""
    return torch.tensor(values, dtype=torch.float32).view(1, 1, 1, 1, -1)


def labels(*values: int) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.uint8).view(1, 1, 1, 1, -1)


def random_pair(outputs: int = 2, batch: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    shape = (batch, outputs, 6, 7, 8)
    truth = (torch.rand(shape, generator=generator) < 0.3).to(torch.uint8)
    return torch.randn(shape, generator=generator), truth


# One voxel of tumour predicted at .8, one missed (.4), one false at .2: TP 1.2, FP .2, FN .8.
LOGITS = line(logit(0.8), logit(0.4), logit(0.2))
TRUTH = labels(1, 1, 0)
CROSS_ENTROPY = -(math.log(0.8) + math.log(0.4) + math.log(0.8)) / 3


def test_dice_and_cross_entropy_by_hand() -> None:
    dice = 1 - (2 * 1.2 + 1) / (1.4 + 2 + 1)
    assert float(build_loss({}, [1.0])(LOGITS, TRUTH)) == pytest.approx(dice + CROSS_ENTROPY)
    halved = build_loss({"name": "dice_bce", "cross_entropy": 0.5, "dice": 2.0}, [3.0])
    assert float(halved(LOGITS, TRUTH)) == pytest.approx(3 * (2 * dice + 0.5 * CROSS_ENTROPY))


def test_the_default_is_the_sum_of_monai_s_dice_and_cross_entropy_where_all_is_known() -> None:
    from monai.losses import DiceCELoss

    logits, truth = random_pair()
    each = DiceCELoss(sigmoid=True, smooth_nr=1.0, smooth_dr=1.0)
    expected = each(logits[:, :1], truth[:, :1].float()) + 0.3 * each(logits[:, 1:], truth[:, 1:].float())
    loss = build_loss({"name": "dice_ce"}, [1.0, 0.3])(logits, truth)
    assert float(loss) == pytest.approx(float(expected), rel=1e-6)


def test_a_false_contour_where_nothing_is_has_a_slope_of_its_own() -> None:
    nothing = torch.zeros(1, 1, 10, 10, 10, dtype=torch.uint8)
    logits = torch.full(nothing.shape, logit(0.25), requires_grad=True)  # 250 voxels in the sum
    plain = {"cross_entropy": 0.0}
    loss = build_loss({**plain, "smooth_empty": 1000.0}, [1.0])
    assert float(loss(logits.detach(), nothing)) == pytest.approx(250 / 1250)
    slopes = [
        float(torch.autograd.grad(build_loss(settings, [1.0])(logits, nothing), logits)[0].sum())
        for settings in (plain, {**plain, "smooth_empty": 1000.0})
    ]
    assert slopes[1] > 30 * slopes[0] > 0
    both = build_loss({**plain, "smooth_empty": 1000.0}, [1.0])
    assert float(both(LOGITS, TRUTH)) == pytest.approx(float(build_loss(plain, [1.0])(LOGITS, TRUTH)))


def test_focal_tversky_weights_misses_by_alpha() -> None:
    """Abraham and Khan: alpha belongs to the false negatives, so a miss costs more than a false alarm."""
    index = (1.2 + 1) / (1.2 + 0.7 * 0.8 + 0.3 * 0.2 + 1)
    loss = build_loss({"name": "focal_tversky"}, [1.0])
    assert float(loss(LOGITS, TRUTH)) == pytest.approx((1 - index) ** 0.75, rel=1e-5)
    missed, alarm = loss(line(9, -9, -9), labels(1, 1, 0)), loss(line(9, 9, -9), labels(1, 0, 0))
    assert float(missed) > 1.5 * float(alarm)


def test_generalised_dice_weighs_both_classes_by_their_squared_volume() -> None:
    inside, outside = 1 / 2**2, 1 / 1**2
    overlap = inside * 1.2 + outside * 0.8
    volumes = inside * (1.4 + 2) + outside * (1.6 + 1)
    loss = build_loss({"name": "generalised_dice"}, [1.0])
    assert float(loss(LOGITS, TRUTH)) == pytest.approx(1 - 2 * overlap / volumes, rel=1e-5)


def test_a_small_and_a_large_tumour_count_alike_in_generalised_dice() -> None:
    loss = build_loss({"name": "generalised_dice"}, [1.0])
    values = []
    for side in (4, 24):
        truth = torch.zeros(1, 1, 48, 48, 48, dtype=torch.uint8)
        truth[..., :side, :side, :side] = 1
        logits = torch.where(truth == 1, 40.0, -40.0)
        logits[..., : side // 2, :side, :side] = -40.0  # half of it is missed
        values.append(float(loss(logits, truth)))
    assert values[0] == pytest.approx(1 / 3, abs=0.02)
    assert values[1] == pytest.approx(1 / 3, abs=0.08)


def test_the_distance_map_is_signed_and_measured_from_the_faces_of_voxels() -> None:
    row = signed_distance(np.array([[[False, False, True, True, False, False]]]))
    assert np.allclose(row * 1.5, [[[1.5, 0.5, -0.5, -0.5, 0.5, 1.5]]])
    for blank in (np.zeros((3, 3, 3), dtype=bool), np.ones((3, 3, 3), dtype=bool)):
        assert (signed_distance(blank) == 0).all()


def test_the_boundary_term_by_hand_and_its_schedule() -> None:
    """Probabilities .5 on (0, 1, 0, 0); distances .5, -.5, .5, 1.5 over 1.5."""
    logits, truth = line(0, 0, 0, 0), labels(0, 1, 0, 0)
    surface = (0.5 * 0.5 + 0.5 * 0.5 + 0.5 * 0.5 + 0.5 * 1.5) / 1.5 / 4
    region = float(build_loss({}, [1.0])(logits, truth))
    loss = build_loss({"name": "dice_ce_boundary", "start": 0.2, "end": 1.0}, [1.0])
    for progress, weight in ((0.0, 0.2), (0.5, 0.6), (1.0, 1.0), (3.0, 1.0)):
        assert float(loss(logits, truth, progress)) == pytest.approx(region + weight * surface)


def test_the_boundary_term_punishes_far_errors_more() -> None:
    loss = build_loss({"name": "dice_ce_boundary", "dice": 0, "cross_entropy": 0, "start": 1}, [1.0])
    truth = labels(0, 0, 0, 0, 1, 0)
    near, far = loss(line(-9, -9, -9, 9, 9, -9), truth), loss(line(9, -9, -9, -9, 9, -9), truth)
    assert float(far) > 3 * float(near)
    assert float(loss(line(-40, -40, -40, -40, 40, -40), truth)) == pytest.approx(0.0, abs=1e-6)


def test_only_the_named_outputs_get_the_boundary_term() -> None:
    logits, truth = random_pair()
    plain = {"name": "dice_ce_boundary", "dice": 0.0, "cross_entropy": 0.0, "start": 1.0}
    first, second = (build_loss(plain, [1.0, w]) for w in (0.0, 1.0))
    assert float(first(logits, truth)) == float(second(logits, truth)) > 0
    both = build_loss({**plain, "outputs": [0, 1]}, [1.0, 1.0])
    assert float(both(logits, truth)) > 1.5 * float(first(logits, truth))


@pytest.mark.parametrize("name", KINDS)
def test_unknown_voxels_say_nothing(name: str) -> None:
    """Whatever the network says of an unknown voxel, the loss stays and the gradient there is 0."""
    logits, truth = random_pair()
    truth[:, :, :2] = UNKNOWN
    other = logits.clone()
    other[:, :, :2] = 7.0
    other.requires_grad_()
    loss = build_loss({"name": name}, [1.0, 0.5])
    value = loss(other, truth, 0.5)
    assert float(value.detach()) == pytest.approx(float(loss(logits, truth, 0.5)), rel=1e-6)
    value.backward()
    assert other.grad is not None
    assert float(other.grad[:, :, :2].abs().max()) == 0.0
    assert float(other.grad[:, :, 2:].abs().max()) > 0.0


@pytest.mark.parametrize("name", ["dice_ce", "focal_tversky", "generalised_dice"])
def test_unknown_voxels_are_as_good_as_cut_away(name: str) -> None:
    logits, truth = random_pair(1)
    loss = build_loss({"name": name}, [1.0])
    expected = float(loss(logits[:, :, 2:], truth[:, :, 2:]))
    truth[:, :, :2] = UNKNOWN
    assert float(loss(logits, truth)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", KINDS)
def test_an_output_nobody_knows_adds_nothing_and_samples_do_not_meet(name: str) -> None:
    logits, truth = random_pair(2, 3)
    truth[1, 1] = UNKNOWN
    truth[2] = UNKNOWN
    loss = build_loss({"name": name}, [1.0, 0.5])
    alone = [float(loss(logits[n : n + 1], truth[n : n + 1])) for n in range(3)]
    assert float(loss(logits, truth)) == pytest.approx(sum(alone) / 3, rel=1e-6)
    assert alone[2] == 0.0
    first = build_loss({"name": name}, [1.0])
    assert alone[1] == pytest.approx(float(first(logits[1:2, :1], truth[1:2, :1])), rel=1e-6)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("case", ["empty", "full", "perfect", "wrong", "unknown", "random"])
def test_values_and_gradients_are_finite(name: str, case: str) -> None:
    logits, truth = random_pair()
    if case in ("empty", "full"):
        truth[:] = int(case == "full")
    if case == "unknown":
        truth[:] = UNKNOWN
    if case in ("perfect", "wrong"):
        logits = torch.where((truth == 1) == (case == "perfect"), 100.0, -100.0)
    logits = logits.requires_grad_()
    value = build_loss({"name": name}, [1.0, 0.3])(logits, truth, 0.5)
    value.backward()
    assert math.isfinite(float(value.detach()))
    assert logits.grad is not None
    assert bool(torch.isfinite(logits.grad).all())
    if case == "unknown":
        assert float(value.detach()) == float(logits.grad.abs().max()) == 0.0
    if case == "perfect":
        assert float(value.detach()) == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize("name", KINDS)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    logits, truth = random_pair(1, 1)
    truth[..., 0] = UNKNOWN
    logits = logits[:, :, :2, :2, :3].contiguous().requires_grad_()
    truth = truth[:, :, :2, :2, :3].contiguous()
    loss = build_loss({"name": name}, [1.0])
    loss(logits, truth, 0.5).backward()
    assert logits.grad is not None
    for place in ((0, 0, 0, 0, 1), (0, 0, 1, 1, 2), (0, 0, 0, 1, 0)):
        step = torch.zeros_like(logits)
        step[place] = 0.05
        with torch.no_grad():
            slope = (loss(logits + step, truth, 0.5) - loss(logits - step, truth, 0.5)) / 0.1
        assert float(logits.grad[place]) == pytest.approx(float(slope), abs=2e-4)


def test_deep_supervision_sums_the_resolutions_by_their_factors() -> None:
    fine, truth = random_pair(1, 1)
    fine, truth = fine[..., :4, :4, :4], truth[..., :4, :4, :4].clone()
    truth[..., :2, :2, :2] = 1  # a truth that two voxels see as one
    truth[..., 2:, :, :] = UNKNOWN
    coarse = torch.randn(1, 1, 2, 2, 2, generator=torch.Generator().manual_seed(1))
    loss = build_loss({"name": "dice_ce_boundary"}, [1.0])
    deep = DeepSupervision(loss, (1.0, 0.25))
    small = truth[..., 1::2, 1::2, 1::2].contiguous()
    expected = float(loss(fine, truth, 0.5)) + 0.25 * float(loss(coarse, small, 0.5))
    assert float(deep([fine, coarse], truth, 0.5)) == pytest.approx(expected)
    assert float(deep(fine, truth, 0.5)) == pytest.approx(float(loss(fine, truth, 0.5)))
    with pytest.raises(ValueError, match="3 resolutions"):
        deep([fine, coarse, coarse], truth)


def test_mistakes_are_told_in_one_line() -> None:
    with pytest.raises(UnusableInput, match="no loss lovasz; there are dice_ce, "):
        build_loss({"name": "lovasz"}, [1.0])
    with pytest.raises(UnusableInput, match="focal_tversky has no setting beta"):
        build_loss({"name": "focal_tversky", "beta": 0.3}, [1.0])
    with pytest.raises(UnusableInput, match="names output 2; there are 1"):
        build_loss({"name": "dice_ce_boundary", "outputs": [2]}, [1.0])
    with pytest.raises(ValueError, match="2 outputs"):
        build_loss({}, [1.0, 1.0])(LOGITS, TRUTH)
