"""Places worth a look and the quality by now: both follow every correction, and no panel has to ask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fixtures_workflow import GEOMETRY, TUMOUR_KJI, Desk, a_desk, a_scan, at, ball

from TumorSegRobustLib.inference import Prediction
from TumorSegRobustLib.workflow import line_of

SPOT_KJI = (10, 12, 22)  # where the networks below are unsure


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = a_desk(tmp_path)
    told = desk.networks.predict

    def unsure(*arguments: object, **options: object) -> Prediction:
        prediction = told(*arguments, **options)  # type: ignore[arg-type]
        probability = np.where(ball(TUMOUR_KJI), np.float32(0.98), np.float32(0.0))
        probability[ball(SPOT_KJI, 3.0)] = 0.4
        return Prediction(**{**vars(prediction), "probability": probability})

    desk.networks.predict = unsure  # type: ignore[method-assign]
    return desk


def test_places_are_there_as_soon_as_there_is_a_contour(desk: Desk) -> None:
    state = desk.segmented().state
    assert "next_place" in state.can
    (place,) = state.places
    assert ball(SPOT_KJI, 3.0)[GEOMETRY.index_of(place.position_mm)]
    assert state.place == 0


def test_the_next_place_is_told_and_the_first_follows_the_last(desk: Desk) -> None:
    shown: list[object] = []
    desk.workflow.place_changed.connect(shown.append)
    (place,) = desk.segmented().state.places
    assert desk.does(desk.workflow.next_place).place == 1
    assert desk.state.message == f"Place 1 of 1: {line_of(place)}."
    assert desk.does(desk.workflow.next_place).place == 1
    assert shown == [place, place]


def test_a_place_of_the_list_can_be_chosen_and_an_unknown_one_is_nobodys_business(desk: Desk) -> None:
    desk.segmented()
    assert desk.does(desk.workflow.next_place, 7).place == 0
    assert desk.does(desk.workflow.next_place, 1).place == 1


def test_a_click_at_a_place_takes_it_off_the_list(desk: Desk) -> None:
    (place,) = desk.segmented().state.places
    state = desk.does(desk.workflow.click, place.position_mm, True)
    assert [other.position_mm for other in state.places if other.position_mm == place.position_mm] == []
    assert state.place == 0


def test_without_a_contour_or_doubt_there_is_no_place_and_the_panel_says_why(desk: Desk) -> None:
    assert desk.opened().state.places == ()
    assert desk.state.why_not["next_place"].startswith("There is no contour yet")
    state = desk.does(desk.workflow.start_empty)
    assert (state.places, state.why_not["next_place"]) == ((), "There is no place that is in doubt.")


def test_a_new_review_has_places_of_its_own(desk: Desk) -> None:
    desk.segmented().does(desk.workflow.next_place)
    state = desk.does(desk.workflow.start_empty)
    assert (state.places, state.place, state.live_dice, state.live_interval) == ((), 0, None, None)


def test_words_say_why_and_how_much(desk: Desk) -> None:
    (place,) = desk.segmented().state.places
    assert line_of(place) == f"may be missed tumour ({place.size_ml:.1f} ml in doubt)"


# ------------------------------------------------ quality by now


def test_the_estimate_begins_with_the_proposals(desk: Desk) -> None:
    state = desk.segmented().state
    assert (state.live_dice, state.live_interval) == (0.87, (0.78, 0.93))
    assert (state.predicted_dice, state.interval) == (0.87, (0.78, 0.93))


def test_the_estimate_follows_the_contour_and_comes_back_with_undo(desk: Desk) -> None:
    found = [desk.segmented().state.live_dice]
    for position, include in ((at(SPOT_KJI), True), (at(TUMOUR_KJI), True), (at(SPOT_KJI), False)):
        found.append(desk.does(desk.workflow.click, position, include).live_dice)
    assert len(set(found)) > 1
    for expected in (found[2], found[1], found[0]):
        assert desk.does(desk.workflow.undo).live_dice == expected
    assert desk.state.predicted_dice == 0.87, "what the networks proposed stays what it was"


def test_a_contour_changed_beyond_recognition_is_doubted(desk: Desk) -> None:
    before = desk.segmented().state.live_dice
    everywhere = np.ones(desk.workflow.image.geometry.shape, bool)  # type: ignore[union-attr]
    after = desk.does(desk.workflow.paint, everywhere).live_dice
    assert before is not None
    assert after is not None
    assert after < 0.5 < before


def test_a_resumed_review_is_compared_with_what_the_networks_proposed(desk: Desk) -> None:
    desk.segmented()
    told = desk.does(desk.workflow.click, at(SPOT_KJI), True).live_dice
    desk.opened()
    desk.does(desk.workflow.resume, desk.workflow.resumable()[0].path)
    assert desk.state.live_dice == told != 0.87


def test_nobody_knows_how_good_a_contour_made_by_hand_is(desk: Desk) -> None:
    desk.opened().does(desk.workflow.start_empty)
    assert desk.does(desk.workflow.click, at(TUMOUR_KJI), True).live_dice is None


def test_places_follow_in_the_background_too(tmp_path: Path) -> None:
    desk = a_desk(tmp_path, background=True)
    desk.does(desk.workflow.open_image, a_scan())
    desk.does(desk.workflow.segment)
    states = len(desk.states)
    for _ in range(3):
        desk.workflow.click(at(TUMOUR_KJI), True)
    assert desk.workflow.wait(30)
    assert desk.state.live_dice is not None
    assert len(desk.states) > states
    desk.workflow.close()


def test_a_search_that_fails_harms_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.segmented()

    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("TumorSegRobustLib.trust.find_places", fail)
    state = desk.does(desk.workflow.click, at(TUMOUR_KJI), True)
    assert (state.phase, state.error, len(state.clicks)) == ("review", "", 1)
