"""A contour fitted to its scan: the border goes where the grey values change, and nothing else happens."""

from __future__ import annotations

import numpy as np
import pytest
from fixtures_review import ball
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.evaluation import dice
from TumorSegRobustLib.inference.appearance import AppearanceSettings, fit_to_scan

SHAPE = (40, 44, 48)
SPACING = (1.0, 1.0, 1.0)
CENTRE = (20, 22, 24)
SETTINGS = AppearanceSettings()


def a_scan(contrast: float = 4.0, seed: int = 0) -> tuple[NDArray, NDArray]:
    """Noise, with a lesion of 20 mm that stands out by so many standard deviations; and the lesion."""
    lesion = ball(SHAPE, SPACING, CENTRE, 10)
    noise = np.random.default_rng(seed).normal(0, 1, SHAPE)
    return (100 + 10 * (noise + contrast * lesion)).astype(np.float32), lesion


def a_guess(radius_mm: float, softness_mm: float = 3.0) -> NDArray[np.float32]:
    """A network's probability for a lesion of this radius, with a soft border."""
    axes = np.ogrid[tuple(slice(0, n) for n in SHAPE)]
    distance = np.sqrt(sum((a - c) ** 2 for a, c in zip(axes, CENTRE, strict=True)))
    return (1 / (1 + np.exp((distance - radius_mm) / softness_mm))).astype(np.float32)


@pytest.mark.parametrize("radius_mm", [7, 8.5, 11.5, 13])
@pytest.mark.parametrize("contrast", [4.0, -4.0])
def test_a_border_drawn_too_wide_or_too_tight_moves_to_the_edge(radius_mm: float, contrast: float) -> None:
    scan, lesion = a_scan(contrast)
    probability = a_guess(radius_mm)
    before = dice(probability >= 0.5, lesion)
    fit_to_scan(probability, scan, SPACING, SETTINGS)
    assert dice(probability >= 0.5, lesion) > max(before, 0.93)


def test_no_unit_and_no_window_matters() -> None:
    scan, _ = a_scan()
    one, other = a_guess(12), a_guess(12)
    fit_to_scan(one, scan, SPACING, SETTINGS)
    fit_to_scan(other, 0.01 * scan - 7, SPACING, SETTINGS)
    assert dice(one >= 0.5, other >= 0.5) > 0.99


def test_where_the_scan_shows_nothing_the_contour_stays() -> None:
    flat = np.full(SHAPE, 3.0, np.float32)
    probability = a_guess(12)
    expected = probability >= 0.5
    fit_to_scan(probability, flat, SPACING, SETTINGS)
    assert np.array_equal(probability >= 0.5, expected)


def test_noise_alone_moves_the_contour_hardly() -> None:
    noise = gaussian_filter(np.random.default_rng(3).normal(100, 10, SHAPE), 1).astype(np.float32)
    probability = a_guess(12)
    expected = probability >= 0.5
    fit_to_scan(probability, noise, SPACING, SETTINGS)
    assert dice(probability >= 0.5, expected) > 0.85


def test_an_empty_contour_stays_empty_and_the_improbable_is_left_alone() -> None:
    scan, lesion = a_scan()
    unseen = np.where(lesion, np.float32(0.4), np.float32(0.01))
    kept = unseen.copy()
    fit_to_scan(unseen, scan, SPACING, SETTINGS)
    assert np.array_equal(unseen, kept)

    probability = a_guess(12)
    improbable = probability < 0.03
    kept = probability.copy()
    fit_to_scan(probability, scan, SPACING, SETTINGS)
    assert np.array_equal(probability[improbable], kept[improbable])
    assert probability.min() >= 0
    assert probability.max() <= 1


def test_thick_slices_and_another_threshold_are_fine() -> None:
    scan, lesion = a_scan()
    probability = a_guess(13)[::5]
    fit_to_scan(probability, scan[::5], (1.0, 1.0, 5.0), SETTINGS, threshold=0.3)
    assert dice(probability >= 0.3, lesion[::5]) > 0.9


def test_a_package_without_it_is_left_alone_and_a_strange_entry_is_refused() -> None:
    assert AppearanceSettings.of({}) is None
    assert AppearanceSettings.of({"appearance": {"weight": 1.0}}) == AppearanceSettings(weight=1.0)
    with pytest.raises(UnusableInput, match="unknown entry colour"):
        AppearanceSettings.of({"appearance": {"colour": 1}})
