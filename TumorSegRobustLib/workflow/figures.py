"""The expected overlap in figures, and what is unusual about the scan, as both panels show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from TumorSegRobustLib.trust import Assessment

    from .state import State

ABOUT_OVERLAP = "How well the contour is expected to agree with a clinician's (Dice, 0 to 1)."
NOT_CALIBRATED = "not calibrated"
ABOUT_CALIBRATION = (
    "Not calibrated: guessed from how far the networks agree, not measured on scans with a known contour."
)


@dataclass(frozen=True)
class Overlap:
    """Each is "" where it is not known, or where it says nothing.

    dice: of the networks' proposal, "0.87". interval: "0.78 to 0.93". guess: NOT_CALIBRATED where it is so.
    about: a tooltip. live: "now about 0.90" once corrections have moved it. about_live: a tooltip of that.
    """

    dice: str = ""
    interval: str = ""
    guess: str = ""
    about: str = ""
    live: str = ""
    about_live: str = ""


def overlap_of(state: State) -> Overlap:
    if state.predicted_dice is None:
        return Overlap()
    guessed = state.calibrated is False
    live, about_live = _live(state)
    return Overlap(
        dice=f"{state.predicted_dice:.2f}",
        interval=_between(state.interval) if state.interval is not None else "",
        guess=NOT_CALIBRATED if guessed else "",
        about=f"{ABOUT_OVERLAP}\n{ABOUT_CALIBRATION}" if guessed else ABOUT_OVERLAP,
        live=live,
        about_live=about_live,
    )


def factors_of(assessment: Assessment | None, reasons: Sequence[str]) -> list[str]:
    """In what the scan differs from those the models know, unless one of the reasons says so already."""
    shift = assessment.shift if assessment is not None else {}
    texts = [str(factor["text"]) for factor in shift.get("factors", ())]
    return [text for text in texts if not any(text in reason for reason in reasons)]


def _live(state: State) -> tuple[str, str]:
    if state.live_dice is None or state.live_interval is None or state.live_dice == state.predicted_dice:
        return "", ""
    about = f"A guess from how much was corrected: {_between(state.live_interval)}."
    return f"now about {state.live_dice:.2f}", about


def _between(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.2f} to {interval[1]:.2f}"
