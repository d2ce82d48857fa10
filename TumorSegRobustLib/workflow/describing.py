"""From the facts to the `State` that panels draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from .channels import channel_states, problem_of, targets_of
from .devices import device_choices
from .forecasting import will_happen
from .state import COMMANDS, Situation, State

if TYPE_CHECKING:
    from ..image import SeriesChoice
    from ..models import ModelPackage
    from .asking import Question
    from .case import Case
    from .journals import EarlierReview
    from .reviewing import Look, Review


class Facts(Protocol):
    """What lies on the desk (see `desk.Desk`)."""

    case: Case | None
    review: Review | None
    look: Look | None
    earlier: tuple[EarlierReview, ...]
    package: ModelPackage | None
    choices: tuple[SeriesChoice, ...]
    question: Question | None
    no_seg: str
    gpu: tuple[str, str]


def describe(
    before: State,
    running: str,
    edits: int,
    facts: Facts,
    changes: Mapping[str, Any],
) -> State:
    """The state now: it follows from the facts, except for what `changes` set (message, error, tool, ...)."""
    case, review, look, package = facts.case, facts.review, facts.look, facts.package
    target = changes.get("target", before.target)
    unfit = problem_of(package, case, target)
    forecast, adapt = changes.get("forecast", before.forecast), changes.get("adapt", before.adapt)
    comparison = changes.get("comparison", before.comparison)
    situation = Situation(
        running=running,
        has_image=case is not None,
        has_series=case is not None and case.series is not None,
        has_review=look is not None,
        accepted=look is not None and bool(look.accepted_by),
        can_undo=look is not None and (look.can_undo or edits > 0),
        can_redo=look is not None and look.can_redo,
        volume_ml=sum(segment.volume_ml for segment in look.segments) if look else 0.0,
        resumable=bool(facts.earlier),
        has_places=bool(changes.get("places", before.places)),
        has_reference=comparison is not None,
        has_errors=comparison is not None and bool(comparison.errors),
        has_choices=bool(facts.choices),
        has_further_channels=case is not None and len(case.channels) > 1,
        takes_channels=len(package.channels) if package else 0,
        unfit=unfit,
        no_seg=facts.no_seg,
    )
    why_not = situation.why_not()
    inputs = channel_states(package, case)
    result = review.proposal.result if review else {}
    triage, quality = result.get("triage") or {}, result.get("quality") or {}
    interval = quality.get("interval")
    state = {
        "phase": situation.phase,
        "progress": before.progress if running else None,
        "pending": edits,
        "package": before.package or (result.get("model") or {}).get("id", ""),
        "image_name": case.image.name if case else "",
        "channels": tuple(case.channels) if case else (),
        "inputs": inputs,
        "choices": facts.choices,
        "question": facts.question,
        "targets": targets_of(package),
        "devices": device_choices(facts.gpu, changes.get("device", before.device)),
        "will_happen": will_happen(inputs, forecast, adapt, unfit) if case else "",
        "can": frozenset(command for command in COMMANDS if command not in why_not),
        "why_not": MappingProxyType(why_not),
        "triage_level": triage.get("level", ""),
        "reasons": tuple(triage.get("reasons", ())),
        "predicted_dice": quality.get("predicted_dice"),
        "interval": (interval[0], interval[1]) if interval else None,
        "calibrated": quality.get("calibrated"),
        "overlay_kinds": review.uncertainty.kinds if review else (),
        "volume_ml": look.volume_ml if look else None,
        "segments": look.segments if look else (),
        "clicks": tuple(look.clicks.values()) if look else (),
        "click_numbers": tuple(look.clicks) if look else (),
        "accepted_by": look.accepted_by if look else "",
        "notices": (*(case.notices if case else ()), *result.get("notices", ())),
    }
    return replace(before, **{**state, **changes})
