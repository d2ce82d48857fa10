"""Preprocessing: what a network sees of a scan, the same in training and at the clinician's desk."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from TumorSegRobustLib.image import Geometry, Image, orient, resample
from TumorSegRobustLib.models import (
    find_foreground,
    normalise,
    pad,
    padded_shape,
    prepare,
    resample_parallel,
)
from TumorSegRobustLib.models.separable import gaussian_weights, linear_weights

OBLIQUE = (0.8, 0.6, 0.0, -0.6, 0.8, 0.0, 0.0, 0.0, 1.0)


def a_ramp(geometry: Geometry) -> np.ndarray:
    """x + 2y + 3z in LPS mm: linear interpolation reproduces it exactly."""
    index = np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1)
    return (geometry.position_of(index) @ [1.0, 2.0, 3.0]).astype(np.float32)


def test_linear_weights_interpolate_and_hold_the_edge_value():
    weights = linear_weights(3, np.array([-1.0, 0.0, 0.25, 2.0, 9.0]))
    expected = [[1, 0, 0], [1, 0, 0], [0.75, 0.25, 0], [0, 0, 1], [0, 0, 1]]
    np.testing.assert_allclose(weights, expected)


def test_gaussian_weights_keep_a_constant_and_do_nothing_without_width():
    np.testing.assert_allclose(gaussian_weights(9, 1.3).sum(axis=1), 1.0, rtol=1e-6)
    np.testing.assert_array_equal(gaussian_weights(4, 0.0), np.eye(4))


@pytest.mark.parametrize("direction", [Geometry((2, 2, 2)).direction, OBLIQUE])
def test_resampling_along_the_axes_equals_the_general_resampler(direction):
    source = Geometry((9, 11, 13), (1.0, 1.5, 3.0), (5.0, -6.0, 7.0), direction)
    target = source.with_spacing((2.0, 2.0, 2.0))
    voxels = np.random.default_rng(0).random(source.shape, dtype=np.float32)
    expected = resample(Image(voxels, source), target).voxels
    found = resample_parallel(voxels, source, target)
    inside = (slice(1, -1),) * 3  # outside the outermost voxel centres the two differ on purpose
    np.testing.assert_allclose(found[inside], expected[inside], atol=2e-6)


@pytest.mark.parametrize("code", ["".join(c) for axes in itertools.permutations(("LR", "PA", "SI"))
                                  for c in itertools.product(*axes)])
def test_a_grid_in_each_of_the_48_orientations_gets_its_values_back(code):
    oriented = Geometry((8, 9, 10), (2.0, 2.0, 2.0), (-9.0, 4.0, 11.0))
    native = orient(Image(np.zeros(oriented.shape, np.float32), oriented), code).geometry
    found = resample_parallel(a_ramp(oriented), oriented, native)
    np.testing.assert_allclose(found, a_ramp(native), atol=1e-4)


def test_grids_that_are_turned_against_each_other_are_refused():
    straight, turned = Geometry((4, 4, 4)), Geometry((4, 4, 4), direction=OBLIQUE)
    with pytest.raises(ValueError, match="parallel"):
        resample_parallel(np.zeros((4, 4, 4), np.float32), straight, turned)


def test_antialiasing_removes_what_the_coarse_grid_cannot_show():
    fine = Geometry((4, 4, 64))
    stripes = np.tile(np.array([0.0, 1.0], np.float32), (4, 4, 32))
    coarse = fine.with_spacing((3.2, 1.0, 1.0))
    plain = resample_parallel(stripes, fine, coarse)
    smooth = resample_parallel(stripes, fine, coarse, antialias=0.4)
    assert plain[..., 2:-2].std() > 0.1
    assert smooth[..., 2:-2].std() < 0.01
    np.testing.assert_allclose(smooth[..., 2:-2].mean(), 0.5, atol=0.01)


def test_prepare_gives_lps_order_at_the_members_spacing_and_z_scores_on_the_foreground():
    geometry = Geometry((12, 40, 44), (1.0, 1.0, 4.0))
    voxels = np.random.default_rng(1).normal(100, 10, geometry.shape).astype(np.float32)
    prepared = prepare(orient(Image(voxels, geometry), "RAI"), (2.0, 2.0, 2.0))
    assert prepared.geometry.orientation == "LPS"
    assert prepared.geometry.spacing_mm == (2.0, 2.0, 2.0)
    assert prepared.array.shape == prepared.geometry.shape == (24, 20, 22)
    assert prepared.array.dtype == np.float32
    inside = prepared.array[prepared.foreground]
    assert abs(inside.mean()) < 0.02
    assert abs(inside.std() - 1.0) < 0.05


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_prepare_does_not_depend_on_the_unit_of_intensity(scale):
    geometry = Geometry((10, 20, 20))
    voxels = np.random.default_rng(2).gamma(2.0, 50.0, geometry.shape).astype(np.float32)
    one = prepare(Image(voxels, geometry), (2.0, 2.0, 2.0)).array
    other = prepare(Image(voxels * scale + 7 * scale, geometry), (2.0, 2.0, 2.0)).array
    np.testing.assert_allclose(one, other, atol=2e-3)


def test_a_stripped_scan_has_its_brain_as_foreground():
    voxels = np.zeros((10, 10, 10), np.float32)
    voxels[3:7, 3:7, 3:7] = np.random.default_rng(3).uniform(50, 100, (4, 4, 4))
    foreground, stripped = find_foreground(voxels)
    assert stripped
    np.testing.assert_array_equal(foreground, voxels > 0)


def test_a_scan_with_noisy_air_is_not_stripped_and_its_air_is_background():
    noise = np.abs(np.random.default_rng(4).normal(0, 5, (12, 20, 20))).astype(np.float32)
    voxels = noise.copy()
    voxels[:, 5:15, 5:15] += 300
    foreground, stripped = find_foreground(voxels)
    assert not stripped
    np.testing.assert_array_equal(foreground, voxels > 250)


def test_normalise_clips_outliers_to_the_bounds():
    array = np.random.default_rng(5).normal(0, 1, (20, 20, 20)).astype(np.float32)
    array[0, 0, 0], array[0, 0, 1] = 1e6, -1e6
    result = normalise(array, np.ones(array.shape, bool))
    assert result.min() >= -4.0
    assert result.max() <= 6.0
    assert result[0, 0, 0] == result.max() < 3.5
    assert result[0, 0, 1] == result.min() > -3.5


def test_normalise_of_a_constant_is_zero():
    assert not normalise(np.full((4, 4, 4), 7, np.float32), np.ones((4, 4, 4), bool)).any()


def test_sides_become_multiples_of_16_and_at_least_32():
    assert padded_shape((1, 33, 48)) == (32, 48, 48)
    assert padded_shape((5, 5, 5), {"multiple": 8, "minimum_side": 8}) == (8, 8, 8)


def test_padding_adds_the_minimum_at_the_far_ends():
    array = np.random.default_rng(6).random((30, 32, 40)).astype(np.float32)
    padded = pad(array)
    assert padded.shape == (32, 32, 48)
    np.testing.assert_array_equal(padded[:30, :32, :40], array)
    assert (padded[30:] == array.min()).all()
    assert (padded[:, :, 40:] == array.min()).all()
