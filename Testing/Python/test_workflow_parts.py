"""The small parts on their own: signal, uncertainty window, lesions, what may be pressed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fixtures_workflow import GEOMETRY, ball
from hypothesis import given
from hypothesis import strategies as st

from TumorSegRobustLib.cli.speaking import trust_rows
from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.workflow import (
    COMMANDS,
    OVERLAY_KINDS,
    Signal,
    State,
    about_device,
    messages,
    overlap_of,
    overlay_choice,
    results,
)
from TumorSegRobustLib.workflow.devices import device_choices
from TumorSegRobustLib.workflow.overlay import KINDS, Uncertainty, entropy_of, window_of
from TumorSegRobustLib.workflow.state import Situation

# Signal


def test_listeners_hear_in_the_order_in_which_they_connected() -> None:
    heard: list[str] = []
    signal = Signal()
    signal.connect(lambda word: heard.append(f"first {word}"))
    signal.connect(lambda word: heard.append(f"second {word}"))
    signal.emit("hello")
    assert heard == ["first hello", "second hello"]


def test_a_disconnected_listener_hears_nothing_even_from_the_emit_under_way() -> None:
    heard: list[int] = []
    signal = Signal()
    signal.connect(lambda _: disconnect())
    disconnect = signal.connect(heard.append)
    signal.emit(1)
    disconnect()
    assert heard == []


def test_a_listener_connected_twice_is_disconnected_once() -> None:
    heard: list[int] = []
    signal = Signal()
    signal.connect(heard.append)
    signal.connect(heard.append)()
    signal.emit(1)
    assert heard == [1]


# Situation


@given(
    st.builds(Situation, running=st.sampled_from(["", "Segmenting."]), volume_ml=st.just(0.0) | st.just(5.0))
)
def test_what_may_be_pressed_follows_from_the_facts(facts: Situation) -> None:
    can = set(COMMANDS) - set(facts.why_not())
    assert ("cancel" in can) == bool(facts.running)
    assert can in ({"cancel"}, {"open"}) or {"open", "segment", "start_empty"} <= can
    assert can.isdisjoint({"click", "accept", "save"}) or (facts.has_image and facts.has_review)
    if "export" in can:
        assert facts.has_series
        assert facts.volume_ml > 0
    assert all(reason.endswith(".") and "\n" not in reason for reason in facts.why_not().values())


# Uncertainty


def test_entropy_is_highest_where_nothing_is_known() -> None:
    probability = np.array([0.0, 0.1, 0.5, 0.9, 1.0])
    expected = [0.0, 0.4689956, 1.0, 0.4689956, 0.0]  # bits
    np.testing.assert_allclose(entropy_of(probability), expected, atol=1e-6)


def test_the_window_is_found_where_there_is_something_to_see() -> None:
    values = np.zeros((10, 10, 11), np.float32)
    values[..., 0] = np.linspace(0.1, 1.0, 100).reshape(10, 10)
    assert window_of(values, (0, 100)) == (pytest.approx(0.1), pytest.approx(1.0))
    assert window_of(values, (50, 99))[0] == pytest.approx(0.55)


@pytest.mark.parametrize("values", [np.zeros((2, 2, 2)), np.full((2, 2, 2), 0.3)])
def test_a_map_without_differences_still_has_a_window(values: np.ndarray) -> None:
    lo, hi = window_of(values, (50, 99))
    assert lo < hi


# Documents


def test_lesions_are_components_the_largest_first() -> None:
    mask = ball((5, 5, 5), 2.0) | ball((14, 16, 20), 3.0)
    lesions = results.lesions_of(mask, GEOMETRY)
    expected = [GEOMETRY.position_of((14, 16, 20)), GEOMETRY.position_of((5, 5, 5))]
    np.testing.assert_allclose([lesion["centre_lps_mm"] for lesion in lesions], expected)
    assert lesions[0]["volume_ml"] == pytest.approx(ball((14, 16, 20), 3.0).sum() * 0.008)


def test_voxels_that_touch_by_a_corner_are_one_lesion() -> None:
    mask = np.zeros(GEOMETRY.shape, bool)
    mask[1, 1, 1] = mask[2, 2, 2] = True
    assert len(results.lesions_of(mask, GEOMETRY)) == 1


def test_an_empty_contour_has_no_lesion() -> None:
    assert results.lesions_of(np.zeros(GEOMETRY.shape, bool), GEOMETRY) == []


def test_documents_hold_only_what_json_knows() -> None:
    document = results.corrected({"a": np.float32("nan"), "b": (np.int64(1),)}, ball((5, 5, 5)), GEOMETRY)
    again = json.loads(json.dumps(document, allow_nan=False))
    assert (again["a"], again["b"]) == (None, [1])


# Messages


@pytest.mark.parametrize(
    ("level", "volume_ml", "expected"),
    [
        (
            "accept",
            12.34,
            "Tumour of 12.3 ml. The networks agree (expected overlap 0.91); look it over, then accept.",
        ),
        ("review", 12.34, "Tumour of 12.3 ml. Please check it: thick slices."),
        (
            "reject",
            12.34,
            "Tumour of 12.3 ml. Do not rely on it: thick slices. Correct it, or start from nothing.",
        ),
        ("accept", 0.0, "The networks found no tumour. If you see one, choose Include and click in it."),
    ],
)
def test_the_proposal_is_told_in_plain_words(level: str, volume_ml: float, expected: str) -> None:
    result = {
        "volume_ml": volume_ml,
        "triage": {"level": level, "reasons": ["thick slices."]},
        "quality": {"predicted_dice": 0.91},
    }
    assert messages.proposed(result) == expected

@pytest.mark.parametrize(("calibrated", "words"), [(False, "0.91, not calibrated)"), (True, "0.91)")])
def test_a_guessed_quality_is_called_so_in_the_message_and_in_the_terminal(
    calibrated: bool, words: str
) -> None:
    quality = {"predicted_dice": 0.91, "interval": [0.6, 1.0], "calibrated": calibrated}
    triage = {"level": "accept", "reasons": []}
    result = {**results.of_nothing(), "volume_ml": 12.0, "triage": triage, "quality": quality}
    assert words in messages.proposed(result)
    told = dict(trust_rows(result))["expected overlap"]
    assert told == f"Dice 0.91 (likely 0.60 to 1.00{'' if calibrated else ', not calibrated'})"



@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (UnusableInput("too dark:\n choose another"), "too dark: choose another"),
        (
            OSError(28, "No space left on device", "/data/out"),
            "Saving failed: No space left on device (/data/out).",
        ),
        (KeyError("x"), "Saving failed unexpectedly (KeyError: 'x'); details are in the log."),
    ],
)
def test_every_error_is_one_line(error: Exception, expected: str) -> None:
    assert messages.of_error(error, "Saving.") == expected


# What there is to choose


@pytest.mark.parametrize("chosen", ["auto", "cpu"])
def test_without_a_gpu_there_is_no_choice_of_devices(chosen: str) -> None:
    assert device_choices(("", ""), chosen) == ()


@pytest.mark.parametrize(
    ("gpu", "chosen", "values", "why_not"),
    [
        (("cuda", ""), "auto", ["auto", "cpu", "cuda"], ""),
        (("mps", "no PyTorch"), "cpu", ["auto", "cpu", "mps"], "no PyTorch"),
        (("cuda", ""), "cuda:1", ["auto", "cpu", "cuda:1"], ""),
        (("", ""), "cuda", ["auto", "cpu", "cuda"], "There is no device cuda here."),
    ],
)
def test_a_gpu_can_be_chosen_or_says_why_not(
    gpu: tuple[str, str], chosen: str, values: list[str], why_not: str
) -> None:
    choices = device_choices(gpu, chosen)
    assert [one.value for one in choices] == values
    assert [one.text for one in choices] == ["Automatic", "CPU", "GPU"]
    assert [one.why_not for one in choices] == ["", "", why_not]
    assert about_device(choices).endswith(f"GPU: {why_not}" if why_not else "else the CPU.")


@pytest.mark.parametrize("calibrated", [True, False, None])
def test_an_expected_overlap_that_is_not_calibrated_says_so(calibrated: bool | None) -> None:
    overlap = overlap_of(State(predicted_dice=0.87, interval=(0.78, 0.934), calibrated=calibrated))
    assert (overlap.dice, overlap.interval) == ("0.87", "0.78 to 0.93")
    assert overlap.guess == ("not calibrated" if calibrated is False else "")
    assert ("Not calibrated: " in overlap.about) == (calibrated is False)


def test_nothing_is_said_of_an_overlap_that_nobody_expects() -> None:
    assert set(vars(overlap_of(State(calibrated=False))).values()) == {""}


def test_every_kind_of_uncertainty_has_a_name_and_a_sentence() -> None:
    for kind in OVERLAY_KINDS:
        assert kind.about.startswith(f"{kind.text}: ")
        assert kind.about.endswith(".")
    assert tuple(kind.value for kind in OVERLAY_KINDS) == KINDS


@pytest.mark.parametrize(
    ("chosen", "known", "shown", "usable"),
    [
        ("disagreement", KINDS, "disagreement", True),
        ("disagreement", ("entropy",), "entropy", False),
        ("", KINDS, "entropy", True),
        ("entropy", (), "entropy", False),
    ],
)
def test_a_kind_that_is_not_known_gives_way_to_the_entropy(
    chosen: str, known: tuple[str, ...], shown: str, usable: bool
) -> None:
    choice = overlay_choice(chosen, known)
    assert (choice.shown, choice.usable) == (shown, usable)
    assert choice.about.startswith(next(kind.text for kind in OVERLAY_KINDS if kind.value == shown))
    assert ("only the entropy is known" in choice.about) == (known == ("entropy",))


def test_the_kinds_are_those_of_which_there_are_maps() -> None:
    maps = {kind: np.zeros((2, 2, 2), np.float32) for kind in ("disagreement", "entropy")}
    assert Uncertainty(maps, None).kinds == ("entropy", "disagreement")
