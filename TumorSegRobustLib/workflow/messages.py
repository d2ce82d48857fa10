"""The one line that tells the clinician what happened, in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import Cancelled, UnusableInput
from .channels import CORE

if TYPE_CHECKING:
    from .case import Case
    from .journals import EarlierReview
    from .proposal import Proposal
    from .state import SegmentState


BEGIN = "Open a scan to begin."


def choose_series(folder: str, count: int) -> str:
    return f"{folder} holds {count} series: choose one of them."


def opened(case: Case, earlier: Sequence[EarlierReview]) -> str:
    name = case.image.name or "The scan"
    if len(case.channels) > 1:
        return f"{name} is open with {len(case.channels)} channels. Press Segment, or start from nothing."
    if earlier and earlier[0].accepted:
        return f"{name} is open. A review was {earlier[0]}: it can be opened again."
    if earlier:
        return f"{name} is open. An unfinished review ({earlier[0]}) can be continued."
    return f"{name} is open. Press Segment, or start from nothing."


def begun(proposal: Proposal, volume_ml: float) -> str:
    """The first line of a review, whatever it began with."""
    if proposal.started_from == "networks":
        return proposed(proposal.result)
    if proposal.started_from == "nothing":
        return "Choose Include and click in the tumour."
    origin = "Continued" if proposal.started_from == "journal" else "Opened"
    return f"{origin}: tumour of {volume_ml:.1f} ml."


def proposed(result: Mapping[str, Any]) -> str:
    """After the networks: volume, how far to trust it, and what to do."""
    volume, triage = float(result["volume_ml"]), result["triage"]
    reason = triage["reasons"][0].rstrip(".") if triage["reasons"] else "the networks disagree"
    if volume <= 0:
        return "The networks found no tumour. If you see one, choose Include and click in it."
    contour = f"{'Tumour core' if result.get('target') == CORE else 'Tumour'} of {volume:.1f} ml."
    if triage["level"] == "accept":
        dice = result["quality"]["predicted_dice"]
        guess = ", not calibrated" if result["quality"].get("calibrated") is False else ""
        agree = f" (expected overlap {dice:.2f}{guess})" if dice is not None else ""
        return f"{contour} The networks agree{agree}; look it over, then accept."
    if triage["level"] == "reject":
        return f"{contour} Do not rely on it: {reason}. Correct it, or start from nothing."
    return f"{contour} Please check it: {reason}."


def clicked(include: bool, honoured: bool, changed_ml: float, contour: str, much: bool = False) -> str:
    """`contour`: a sentence about the contour now, see `contour_of`. much: more than one click should do."""
    word = "Included" if include else "Excluded"
    if not honoured:
        return "This click had no effect: the contour stayed as it was."
    if changed_ml <= 0:
        return f"{word}: the contour was so already. {contour}"
    if much:
        return (
            f"This one click changed {changed_ml:.0f} ml. If that is too much, press Undo (Ctrl+Z) and click "
            f"elsewhere. {contour}"
        )
    return f"{word}: {changed_ml:.1f} ml changed. {contour}"


def not_acceptable(no_tumour: bool) -> str:
    """Why an acceptance is refused: it states `no_tumour` of a contour, or does not of an empty one."""
    if no_tumour:
        return "There is a contour now: accept it as it is, or take it back to state that there is no tumour."
    return "The contour is empty: accept it with the statement that there is no tumour, or contour one."


def contour_of(segments: Sequence[SegmentState]) -> str:
    """The active segment in a sentence; its name is told where there are several."""
    active = next(segment for segment in segments if segment.active)
    return f"{active.name if len(segments) > 1 else 'Tumour'} of {active.volume_ml:.1f} ml."


def painted(asked_ml: float, changed_ml: float, contour: str) -> str:
    """After painting: `asked_ml` were drawn otherwise than before, `changed_ml` of it became so."""
    if asked_ml <= 0:
        return "The painted contour is the same as before."
    if changed_ml < asked_ml:
        kept = f"{asked_ml - changed_ml:.1f} ml stayed with locked segments: unlock them to paint there."
        return f"Painted, but {kept} {contour}" if changed_ml > 0 else f"Nothing was painted: {kept}"
    return f"Painted. {contour}"


def of_error(error: BaseException, doing: str) -> str:
    """One line for any exception; only the expected ones speak for themselves. doing: "Opening the scan."."""
    doing = doing.rstrip(".")
    text = " ".join(str(error).split())
    if isinstance(error, UnusableInput | Cancelled):
        return text
    if isinstance(error, MemoryError):
        return f"{doing} needs more memory than this computer has free: close other programs and try again."
    if isinstance(error, OSError):
        return f"{doing} failed: {error.strerror or text}{f' ({error.filename})' if error.filename else ''}."
    return f"{doing} failed unexpectedly ({type(error).__name__}: {text[:200]}); details are in the log."
