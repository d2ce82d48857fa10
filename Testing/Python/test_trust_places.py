"""Where to look next: what is a place, what it is called, which one comes first, and when it is done."""

from __future__ import annotations

import numpy as np
import pytest
from fixtures_review import OBLIQUE, ball

from TumorSegRobustLib.image import Geometry
from TumorSegRobustLib.trust import PlaceSettings, find_places, lean_of
from TumorSegRobustLib.trust.places import axial_axis

GEOMETRY = Geometry((40, 60, 60), (2.0, 2.0, 2.0), (-60.0, -60.0, -40.0))
TUMOUR, FAR = (20, 30, 15), (20, 30, 48)


def a_ball(centre: tuple[int, int, int], radius_mm: float, geometry: Geometry = GEOMETRY) -> np.ndarray:
    return ball(geometry.shape, geometry.spacing_mm[::-1], centre, radius_mm)


def a_map(*parts: tuple[np.ndarray, float]) -> np.ndarray:
    """A sure tumour, and on it the given regions with their probabilities."""
    probability = a_ball(TUMOUR, 16).astype(np.float32)
    for region, value in parts:
        probability[region] = value
    return probability


def test_a_sure_contour_has_no_places():
    probability = a_map()
    assert find_places(probability, probability > 0.5, GEOMETRY) == ()
    assert find_places(np.zeros(GEOMETRY.shape, np.float32), np.zeros(GEOMETRY.shape, bool), GEOMETRY) == ()


@pytest.mark.parametrize(
    ("centre", "radius_mm", "value", "kind", "reason"),
    [
        (FAR, 6, 0.3, "missed", "may be missed tumour"),
        (FAR, 6, 0.7, "false", "may be a false lesion"),
        ((20, 30, 26), 5, 0.3, "beyond", "the tumour may reach further"),
        ((20, 30, 18), 6, 0.7, "within", "the contour may be too large"),
    ],
)
def test_a_place_says_why_it_is_worth_a_look(centre, radius_mm, value, kind, reason):
    spot = a_ball(centre, radius_mm)
    probability = a_map((spot, value))
    (place,) = find_places(probability, probability > 0.5, GEOMETRY)

    assert (place.kind, place.reason) == (kind, reason)
    assert spot[GEOMETRY.index_of(place.position_mm)]
    assert place.size_ml == pytest.approx(spot.sum() * GEOMETRY.voxel_ml)
    assert place.score == pytest.approx(spot.sum() * GEOMETRY.voxel_ml * 0.3, rel=1e-3)
    inside = np.zeros(GEOMETRY.shape, bool)
    inside[place.box] = True
    assert (inside & spot).sum() == spot.sum()


def test_two_large_parts_are_both_lesions():
    probability = a_map((a_ball(FAR, 14), 0.7))
    places = find_places(probability, probability > 0.5, GEOMETRY)
    assert {place.kind for place in places} == {"within"}


def test_the_place_where_more_may_be_wrong_comes_first():
    small, large = a_ball((20, 10, 48), 5), a_ball((20, 50, 48), 8)
    probability = a_map((small, 0.3), (large, 0.3))
    places = find_places(probability, probability > 0.5, GEOMETRY)

    assert [bool(large[GEOMETRY.index_of(place.position_mm)]) for place in places] == [True, False]
    assert places[0].score > places[1].score


def test_clicks_that_included_promise_more_missing_tumour():
    missing, wrong = a_ball((20, 10, 48), 6), a_ball((20, 50, 48), 6)
    probability = a_map((missing, 0.3), (wrong, 0.7))

    def first(includes: list[bool]) -> str:
        return find_places(probability, probability > 0.5, GEOMETRY, lean=lean_of(includes))[0].kind

    assert first([True, True]) == "missed"
    assert first([False, False]) == "false"
    assert [lean_of([]), lean_of([True]), lean_of([True, False])] == pytest.approx([1 / 2, 2 / 3, 1 / 2])


def test_what_was_looked_at_is_done():
    spot = a_ball(FAR, 6)
    probability = a_map((spot, 0.3))
    (place,) = find_places(probability, probability > 0.5, GEOMETRY)
    assert find_places(probability, probability > 0.5, GEOMETRY, seen=[place.position_mm]) == ()


def test_whoever_looks_at_a_place_has_seen_its_axial_slice():
    beside, above = a_ball((20, 10, 48), 3), a_ball((34, 10, 48), 3)
    probability = a_map((beside, 0.3), (above, 0.3))
    seen = tuple(GEOMETRY.position_of((20, 50, 5)).tolist())
    settings = PlaceSettings(slab_mm=4, least_ml=0.01)
    places = find_places(probability, probability > 0.5, GEOMETRY, seen=[seen], settings=settings)
    assert [bool(above[GEOMETRY.index_of(place.position_mm)]) for place in places] == [True]


def test_a_place_fits_a_view_so_a_long_doubt_is_several():
    probability = np.zeros(GEOMETRY.shape, np.float32)
    probability[18:22, 28:32, 5:55] = 0.4  # 100 mm long
    settings = PlaceSettings()
    places = find_places(probability, probability > 0.5, GEOMETRY, settings=settings)
    positions = np.array([place.position_mm for place in places])
    apart = np.linalg.norm(positions[:, None] - positions[None], axis=-1)[~np.eye(len(places), dtype=bool)]

    assert 3 <= len(places) <= 6
    assert apart.min() > settings.view_mm


def test_there_are_no_more_places_than_a_reader_can_follow():
    rng = np.random.default_rng(0)
    probability = np.where(rng.random(GEOMETRY.shape) < 0.5, 0.4, 0.0).astype(np.float32)
    assert len(find_places(probability, probability > 0.5, GEOMETRY)) == PlaceSettings().most


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.9, 0.9, 6.0), (3.0, 3.0, 3.0)])
def test_places_lie_in_the_doubt_on_every_grid(spacing):
    geometry = Geometry((24, 50, 60), spacing, (5.0, -7.0, 11.0), OBLIQUE)
    spot = a_ball((12, 20, 40), 8, geometry)
    probability = np.where(spot, 0.4, 0.0).astype(np.float32)
    (place,) = find_places(probability, probability > 0.5, geometry)

    assert spot[geometry.index_of(place.position_mm)]
    assert place.size_ml == pytest.approx(spot.sum() * geometry.voxel_ml, rel=0.2)  # of whole blocks
    centre = np.array(geometry.position_of((12, 20, 40)))
    assert np.linalg.norm(np.array(place.position_mm) - centre) < 5


def test_the_axial_axis_is_the_one_that_runs_from_feet_to_head():
    assert axial_axis(GEOMETRY) == 0
    assert axial_axis(Geometry((4, 5, 6), direction=(0, 0, 1, 1, 0, 0, 0, 1, 0))) == 1


def test_nothing_given_is_changed():
    probability = a_map((a_ball(FAR, 6), 0.3))
    mask = probability > 0.5
    for array in (probability, mask):  # a contour on show is read-only
        array.flags.writeable = False
    assert len(find_places(probability, mask, GEOMETRY)) == 1
