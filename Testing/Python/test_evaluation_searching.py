"""Two readers with the same eyes: one searches slice by slice, one goes where a list sends him."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from TumorSegRobustLib.evaluation.searching import Position, search, visible_error
from TumorSegRobustLib.image import Geometry, Image
from TumorSegRobustLib.review import Click, ClickResult

GEOMETRY = Geometry((30, 40, 40), (1.0, 1.0, 2.0), (-20.0, -20.0, -30.0))
NOWHERE = (slice(0, 0),) * 3


class Obedient:
    """A session in which a click puts its whole slice right."""

    def __init__(self, mask: np.ndarray, truth: np.ndarray) -> None:
        self.mask, self._truth = mask.copy(), truth
        self.clicks: list[Click] = []

    def click(self, click: Click) -> ClickResult:
        self.clicks.append(click)
        k = self.slice_of(click)
        self.mask[k] = self._truth[k]
        return ClickResult(True, 0.0, NOWHERE, 0.0, NOWHERE)

    @staticmethod
    def slice_of(click: Click) -> int:
        return GEOMETRY.index_of(click.position_mm)[0]


class Deaf(Obedient):
    """A session that notes the clicks and changes nothing."""

    def click(self, click: Click) -> ClickResult:
        self.clicks.append(click)
        return ClickResult(False, 0.0, NOWHERE, 0.0, NOWHERE)


@pytest.fixture
def head() -> Image:
    """A body in the slices 2 to 27."""
    voxels = np.zeros(GEOMETRY.shape, np.float32)
    voxels[2:28, 5:35, 5:35] = 100
    return Image(voxels, GEOMETRY, "head")


def tumour(first: int, last: int) -> np.ndarray:
    mask = np.zeros(GEOMETRY.shape, bool)
    mask[first : last + 1, 10:20, 10:20] = True
    return mask


def place(k: int) -> Position:
    x, y, z = GEOMETRY.position_of((k, 15, 15)).tolist()
    return x, y, z


def a_list(*slices: int):
    """A guide that offers these slices, those not looked at yet."""

    def guide(seen: Sequence[Position]) -> Sequence[Position]:
        return [place(k) for k in slices if place(k) not in seen]

    return guide


def test_an_error_is_seen_from_fifty_square_mm_on():
    truth, nothing = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
    truth[2:9, 2:9] = True  # 49 pixels
    assert visible_error(nothing, truth, (1.0, 1.0)) is None
    assert visible_error(nothing, truth, (1.0, 1.1)) == ((5, 5), True)
    assert visible_error(truth, nothing, (1.0, 1.1)) == ((5, 5), False)


def test_the_largest_of_several_errors_is_clicked():
    truth, mask = np.zeros((2, 30, 30), bool)
    truth[1:9, 1:9] = True
    mask[15:26, 15:26] = True
    assert visible_error(mask, truth, (1.0, 1.0)) == ((20, 20), False)


def test_the_search_goes_through_the_contour_then_below_and_above(head: Image):
    truth = tumour(8, 19)
    session = Obedient(tumour(11, 16), truth)
    found = search(head, truth, session, goal=1.0)
    # 11..16 are right, then 10, 9, 8 need a click each, 7..2 do not, then 17, 18, 19 do
    assert [session.slice_of(click) for click in session.clicks] == [10, 9, 8, 17, 18, 19]
    assert (found.slices[1], found.slices[-1], found.looked) == (7, 6 + 3 + 6 + 3, 18)
    assert found.reached(1.0)
    assert found.slices_to(1.0) == 18
    assert found.clicks_to(1.0) == 6


def test_without_a_contour_the_search_begins_at_the_first_slice_of_the_body(head: Image):
    truth = tumour(5, 6)
    session = Obedient(tumour(0, -1), truth)
    found = search(head, truth, session, goal=1.0)
    assert [session.slice_of(click) for click in session.clicks] == [5, 6]
    assert found.slices == (0, 4, 5)


def test_a_good_list_saves_looks(head: Image):
    truth = tumour(8, 19)
    session = Obedient(tumour(11, 16), truth)
    found = search(head, truth, session, a_list(8, 9, 10, 17, 18, 19), goal=1.0)
    assert (found.looked, found.places, found.clicks) == (6, 6, 6)


def test_what_a_useless_list_costs_is_counted(head: Image):
    truth = tumour(8, 19)
    session = Obedient(tumour(11, 16), truth)
    found = search(head, truth, session, a_list(12, 13), goal=1.0)
    assert (found.looked, found.places) == (2 + 18, 2)


def test_readers_stop_when_the_contour_is_good_enough(head: Image):
    truth = tumour(8, 19)
    session = Obedient(tumour(11, 16), truth)
    found = search(head, truth, session, a_list(8, 9, 10, 17, 18, 19), goal=0.8)
    assert found.clicks == 2  # Dice 2 * 8 / (8 + 12) = .8
    assert found.dice[-1] == pytest.approx(0.8)


def test_nobody_clicks_for_ever(head: Image):
    truth = tumour(8, 19)
    session = Deaf(tumour(0, -1), truth)
    found = search(head, truth, session, most_clicks=7, clicks_per_look=3)
    # slices 2..7 show nothing; three clicks on 8 and 9 each, one on 10
    assert [session.slice_of(click) for click in session.clicks] == [8, 8, 8, 9, 9, 9, 10]
    assert not found.reached()
    assert (found.slices_to(), found.clicks_to()) == (found.looked, found.clicks) == (9, 7)


def test_a_round_without_a_click_ends_the_search(head: Image):
    truth = tumour(8, 19)
    truth[5, 5:9, 5:9] = True  # 16 mm2: nobody sees it
    found = search(head, truth, Obedient(tumour(8, 19), truth), goal=1.0)
    assert (found.clicks, found.looked) == (0, 26)
    assert found.slices_to(1.0) == 26
