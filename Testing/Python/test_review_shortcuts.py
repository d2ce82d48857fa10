"""What is left out for the sake of speed changes nothing: every shortcut against the long way."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from fixtures_review import a_patient, probability_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from TumorSegRobustLib.image import Geometry
from TumorSegRobustLib.review import Seed, Situation, site
from TumorSegRobustLib.review.appearance import Palette
from TumorSegRobustLib.review.belief import levels_of_probability
from TumorSegRobustLib.review.crop import Crop
from TumorSegRobustLib.review.paths import geodesic_distance
from TumorSegRobustLib.review.settings import GeodesicSettings
from TumorSegRobustLib.review.site import Site, _depth

SPACING = (3.0, 1.0, 0.7)
SHAPE = (6, 14, 11)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0.0, 1.0))
def test_the_depth_in_a_mask_is_that_of_the_whole_grid(seed: int, share: float) -> None:
    generator = np.random.default_rng(seed)
    mask = generator.random(SHAPE) < share
    lower, upper = (np.sort(generator.integers(0, np.array(SHAPE) + 1, (2, 3)), axis=0)[n] for n in (0, 1))
    mask[tuple(slice(a, b) for a, b in zip(lower, upper, strict=True))] = False
    if mask.all():
        return
    assert np.array_equal(_depth(mask, SPACING), distance_transform_edt(mask, sampling=SPACING))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), limit=st.floats(0.5, 20.0))
def test_a_walk_with_a_limit_is_the_whole_walk_cut_off(seed: int, limit: float) -> None:
    generator = np.random.default_rng(seed)
    cost = 1 + 2 * generator.random(SHAPE)
    source = tuple(int(generator.integers(n)) for n in SHAPE)
    whole = geodesic_distance(cost, SPACING, source, 1e6)
    assert np.isfinite(whole).all()
    assert whole.max() > 10  # there is something to cut off
    assert np.allclose(geodesic_distance(cost, SPACING, source, limit), np.minimum(whole, limit), atol=1e-9)


@pytest.mark.parametrize(("reach_mm", "softness"), [(3.0, 0.35), (12.0, 0.5)])
def test_a_walk_ends_where_a_push_ends(monkeypatch, reach_mm: float, softness: float) -> None:
    image, lesion = a_patient((20, 40, 40), spacing_mm=(1.0, 1.0, 2.0))
    levels = levels_of_probability(probability_of(lesion))
    situation = Situation(image, levels, levels, (), Seed((10, 20, 29), True))

    def odds() -> np.ndarray:
        return Site(situation, GeodesicSettings(), 30.0).log_odds(reach_mm, softness)

    cut_off = odds()
    whole = functools.partial(geodesic_distance, limit_mm=1e6)
    monkeypatch.setattr(site, "geodesic_distance", lambda cost, spacing, at, _: whole(cost, spacing, at))
    assert np.array_equal(odds(), cut_off)
    assert (cut_off > 0).any()


@pytest.mark.parametrize("half_mm", [4.0, 12.0, 40.0])
def test_the_cube_about_a_click_is_the_product_of_its_matrices(half_mm: float) -> None:
    volume = np.random.default_rng(0).random((12, 30, 25)).astype(np.float32)
    geometry = Geometry(volume.shape, SPACING[::-1])
    crop = Crop.around((5, 20, 9), geometry, half_mm, 16)
    a, b, c = crop._into
    expected = np.einsum("ak,bj,ci,kji->abc", a, b, c, volume[crop.box].astype(np.float64))
    assert np.allclose(crop.sample(volume), expected, atol=1e-5)


def test_a_ball_falls_with_the_straight_distance() -> None:
    crop = Crop.around((5, 20, 9), Geometry((12, 30, 25), SPACING[::-1]), 12.0, 16)
    for voxel in ((5, 20, 9), (0, 0, 0), (11, 3, 24)):
        expected = np.exp(-0.5 * (crop.distance_mm(voxel) / 3.5) ** 2)
        assert np.allclose(crop.ball(voxel, 3.5), expected, atol=1e-6)


def test_a_histogram_of_a_mask_is_that_of_weights_of_one() -> None:
    generator = np.random.default_rng(0)
    image = generator.normal(size=SHAPE).astype(np.float32)
    palette = Palette.of(image, np.ones(SHAPE, bool), 32)
    mask = generator.random(SHAPE) < 0.3
    by_mask, by_weight = palette.histogram(mask), palette.histogram(mask.astype(np.float64))
    assert by_mask is not None
    assert by_weight is not None
    assert np.array_equal(by_mask, by_weight)
    assert palette.histogram(np.zeros(SHAPE, bool)) is None
