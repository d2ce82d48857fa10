"""Uncertainty maps, agreement, quality and lesions on arrays small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from TumorSegRobustLib.image import Geometry
from TumorSegRobustLib.trust import (
    binary_entropy,
    expected_dice,
    find_lesions,
    pairwise_dice,
    predict_quality,
    uncertainty_maps,
)


def members(*values: float) -> np.ndarray:
    return np.stack([np.full((2, 2, 2), value, np.float16) for value in values])


def maps_of(probability: float, *values: float):
    return uncertainty_maps(np.full((2, 2, 2), probability, np.float32), members(*values))


def test_entropy_is_one_bit_at_a_half_and_zero_where_all_is_certain():
    np.testing.assert_array_equal(binary_entropy(np.array([0.0, 0.5, 1.0])), [0.0, 1.0, 0.0])
    assert binary_entropy(np.array([0.25]))[0] == pytest.approx(0.811278, abs=1e-6)


def test_the_entropy_map_is_that_of_the_published_probability():
    np.testing.assert_allclose(maps_of(0.5, 0.5, 0.5).entropy, 1.0, atol=1e-6)
    np.testing.assert_allclose(maps_of(0.25, 0.2, 0.3).entropy, 0.811278, atol=1e-5)
    np.testing.assert_allclose(maps_of(1.0, 1.0, 1.0).entropy, 0.0, atol=2e-6)
    np.testing.assert_allclose(maps_of(0.0, 0.0, 0.0).entropy, 0.0, atol=1e-6)


def test_equal_members_have_no_mutual_information_however_unsure():
    maps = maps_of(0.5, 0.5, 0.5, 0.5)
    assert not maps.mutual_information.any()
    assert not maps.disagreement.any()


def test_certain_members_that_contradict_each_other_share_one_bit():
    maps = maps_of(0.5, 0.0, 1.0)
    np.testing.assert_allclose(maps.mutual_information, 1.0, atol=1e-6)
    np.testing.assert_allclose(maps.disagreement, 0.5)


def test_mutual_information_of_two_members_by_hand():
    # H(0.5) - (H(0.25) + H(0.75)) / 2 = 1 - 0.811278
    maps = maps_of(0.5, 0.25, 0.75)
    np.testing.assert_allclose(maps.mutual_information, 0.188722, atol=1e-6)
    np.testing.assert_allclose(maps.disagreement, 0.25)


@given(st.lists(st.floats(0, 1, width=16), min_size=1, max_size=5))
def test_mutual_information_lies_between_zero_and_the_entropy_of_the_mean(values):
    maps = maps_of(0.5, *values)
    mean = np.float32(np.mean(np.float16(values).astype(np.float32)))
    assert (maps.mutual_information >= 0).all()
    assert (maps.mutual_information <= binary_entropy(np.array([mean])) + 1e-5).all()
    assert (maps.disagreement <= 0.5 + 1e-6).all()


def test_maps_are_float32_on_the_scans_grid():
    maps = maps_of(0.3, 0.2, 0.4)
    for name in ("entropy", "mutual_information", "disagreement"):
        assert getattr(maps, name).dtype == np.float32
        assert getattr(maps, name).shape == (2, 2, 2)


def test_pairwise_dice_counts_voxels():
    masks = np.zeros((3, 2, 2, 2), np.float16)
    masks[0, 0] = 1.0  # four voxels
    masks[1, 0, 0] = 1.0  # two of them
    masks[2, 1] = 1.0  # four others
    assert pairwise_dice(masks) == pytest.approx([2 * 2 / 6, 0.0, 0.0])


def test_empty_masks_agree_with_each_other_and_with_nothing_else():
    assert pairwise_dice(members(0.0, 0.1)) == [1.0]
    assert pairwise_dice(members(0.0, 1.0)) == [0.0]
    assert pairwise_dice(members(0.0, 0.0, 1.0)) == [1.0, 0.0, 0.0]


def test_one_member_has_nobody_to_agree_with():
    assert pairwise_dice(members(1.0)) == []


def test_the_threshold_belongs_to_the_mask():
    assert pairwise_dice(members(0.3, 0.5), threshold=0.3) == [1.0]
    assert pairwise_dice(members(0.3, 0.5), threshold=0.4) == [0.0]


def test_expected_dice_is_one_for_a_certain_mask_and_falls_with_doubt_inside_and_outside():
    probability = np.zeros((2, 2, 2), np.float32)
    probability[0] = 1.0
    assert expected_dice(probability, probability > 0.5) == 1.0
    probability[0] = 0.8
    assert expected_dice(probability, probability > 0.5) == pytest.approx(2 * 3.2 / (4 + 3.2))
    probability[1] = 0.4
    assert expected_dice(probability, probability > 0.5) == pytest.approx(2 * 3.2 / (4 + 3.2 + 1.6))
    assert expected_dice(probability, probability > 0.9) == 0.0


def test_without_calibration_the_agreement_is_the_guess_with_a_wide_interval():
    quality = predict_quality(0.9, {})
    assert (quality.predicted_dice, quality.calibrated) == (0.9, False)
    assert quality.interval == (0.55, 1.0)


def test_a_calibration_table_is_interpolated_and_held_at_its_ends():
    table = {"agreement": [0.5, 1.0], "dice": [0.2, 0.8], "low": [0.0, 0.7], "high": [0.4, 0.9]}
    quality = predict_quality(0.75, {"quality": table})
    assert (quality.predicted_dice, quality.interval, quality.calibrated) == (0.5, (0.35, 0.65), True)
    assert predict_quality(0.1, {"quality": table}).predicted_dice == 0.2


def test_lesions_are_counted_with_corners_touching_and_placed_in_lps():
    mask = np.zeros((6, 6, 6), bool)
    mask[0, 0, 0] = mask[1, 1, 1] = True  # one lesion: they touch at a corner
    mask[4:6, 4, 4] = True
    mask[5, 0, 5] = True
    geometry = Geometry((6, 6, 6), (1.0, 2.0, 5.0), (10.0, 20.0, 30.0), (1, 0, 0, 0, -1, 0, 0, 0, 1))
    lesions = find_lesions(mask, geometry, minimum_ml=0.015)
    assert [lesion.volume_ml for lesion in lesions] == [0.02, 0.02]
    assert {lesion.centre_lps_mm for lesion in lesions} == {(10.5, 19.0, 32.5), (14.0, 12.0, 52.5)}
    assert len(find_lesions(mask, geometry)) == 3
    assert find_lesions(np.zeros((2, 2, 2), bool), Geometry((2, 2, 2))) == ()
