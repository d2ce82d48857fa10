"""The workflow's state in the words and figures that the page shows; nothing of the page itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from TumorSegRobustLib.scene import place_in_words
from TumorSegRobustLib.workflow import (
    COMMANDS,
    HOW_TO_BEGIN,
    OVERLAY_KINDS,
    about_device,
    error_line,
    factors_of,
    line_of,
    listed,
    overlap_of,
    overlay_choice,
    rows_of,
)

if TYPE_CHECKING:
    from TumorSegRobustLib.image import DicomSeries, Image
    from TumorSegRobustLib.models import ModelPackage
    from TumorSegRobustLib.review import Click
    from TumorSegRobustLib.trust import Assessment, Place
    from TumorSegRobustLib.workflow import ChannelState, SegmentState, State, Workflow

_TRIAGE = {
    "accept": ("Accept", "Look the contour over, then accept it."),
    "review": ("Review", "Check the contour slice by slice."),
    "reject": ("Reject", "Do not rely on it: correct it, or start anew."),
    "": ("", ""),
}
_HINT = {
    "none": "Choose a tool, then click in a slice.",
    "include": "Click in the scan where tumour is missing.",
    "exclude": "Click in the scan where there is no tumour.",
    "paint": "Drag in a slice to paint with a round brush.",
    "erase": "Drag in a slice to erase with a round brush.",
}


def describe(workflow: Workflow, overlay_kind: str = OVERLAY_KINDS[0].value) -> dict[str, Any]:
    """Plain values for the page: strings, numbers, lists, dicts. overlay_kind: the one that was chosen."""
    state = workflow.state
    return {
        "phase": state.phase,
        "message": state.message,
        "error": state.error,
        "loud": state.loud,
        "question": asdict(state.question) if state.question else None,
        "notices": list(state.notices),
        "running": state.phase == "running",
        "progress": None if state.progress is None else round(100 * state.progress),
        "scan": _scan(workflow.image, workflow.series),
        "model": _model(workflow),
        "inputs": [_input(one) for one in state.inputs],
        "first_channel": next((one.name for one in state.inputs if one.first), ""),
        "choices": [
            {"uid": one.uid, "line": one.line, "usable": not one.fault, "fault": one.fault}
            for one in state.choices
        ],
        "recent": [
            {
                "number": n,
                "name": one.name,
                "tip": one.path,
                "unfinished": one.unfinished,
                "accepted": one.accepted,
            }
            for n, one in enumerate(state.recent)
        ],
        "targets": [{"value": one, "text": _sentence(one)} for one in state.targets],
        "target": state.target,
        "device": state.device,
        "devices": [asdict(one) for one in state.devices],
        "about_device": about_device(state.devices),
        "adapt": state.adapt,
        "will_happen": state.will_happen,
        "can": {command: command in state.can for command in COMMANDS},
        "why": {command: state.why_not.get(command, "") for command in COMMANDS},
        "tool": state.tool,
        "tool_hint": _HINT[state.tool],
        "trust": _trust(state, workflow.assessment),
        "overlay": asdict(overlay_choice(overlay_kind, state.overlay_kinds)),
        "places": [_place(n, place, n == state.place) for n, place in enumerate(state.places, start=1)],
        "compare": _compare(state),
        "has_contour": state.volume_ml is not None,
        "volume": "" if state.volume_ml is None else f"{state.volume_ml:.1f} ml",
        "brushing": state.tool in ("paint", "erase"),
        "segments": [_segment(segment) for segment in state.segments],
        "clicks": [
            _click(number, *told)
            for number, told in enumerate(zip(state.click_numbers, state.clicks, strict=True), start=1)
        ],
        "click_count": f"{len(state.clicks)} click" + ("" if len(state.clicks) == 1 else "s"),
        "accepted_by": state.accepted_by,
        "resumable": [
            {
                "text": str(review),
                "path": str(review.path),
                "offer": review.offer,
                "newest": number == 0 and review.accepted is None,
            }
            for number, review in enumerate(workflow.resumable())
        ],
    }


def _input(channel: ChannelState) -> dict[str, Any]:
    """One channel that the package takes, and what stands for it."""
    return {
        "name": channel.name,
        "label": channel.label,
        "tip": channel.description or f"The model does not know {channel.label}",
        "volume": channel.volume,
        "first": channel.first,
    }


def package_item(package: ModelPackage) -> dict[str, str]:
    """One line of the model menu: its title, and below it version and licence."""
    return {
        "title": package.title,
        "value": package.id,
        "subtitle": f"version {package.version} · {package.licence}",
    }


def _model(workflow: Workflow) -> dict[str, str]:
    """The package in use; the first one is what the workflow takes by default."""
    packages = workflow.packages()
    chosen = [package for package in packages if package.id == workflow.state.package] or packages
    return package_item(chosen[0]) if chosen else {"title": "", "value": "", "subtitle": ""}


def _scan(image: Image | None, series: DicomSeries | None) -> dict[str, str]:
    if image is None:
        return {"name": "", "detail": ""}
    geometry = image.geometry
    size = "×".join(str(count) for count in geometry.size)
    spacing = "×".join(f"{step:.3g}" for step in geometry.spacing_mm)
    kind = f"DICOM {series.modality}".strip() if series else "not DICOM"
    return {"name": image.name or "Scan", "detail": f"{size} · {spacing} mm · {kind}"}


def _trust(state: State, assessment: Assessment | None) -> dict[str, Any]:
    word, advice = _TRIAGE.get(state.triage_level, ("", ""))
    shift: Mapping[str, Any] = assessment.shift if assessment is not None else {}
    return {
        "level": state.triage_level,
        "word": word,
        "advice": advice,
        "reasons": [_sentence(reason) for reason in state.reasons],
        **asdict(overlap_of(state)),
        "shift": str(shift.get("level", "")),
        "factors": [_sentence(text) for text in factors_of(assessment, state.reasons)],
    }


def _place(number: int, place: Place, shown: bool) -> dict[str, Any]:
    """One place that is worth a look: why, how much is in doubt, and whether the views show it."""
    return {"number": number, "text": _sentence(line_of(place)), "kind": place.kind, "shown": shown}


def _compare(state: State) -> dict[str, Any]:
    """The reference, figures and errors; before there is a reference, what to do."""
    comparison = state.comparison
    rows = rows_of(comparison) if comparison else []
    errors, others = listed(comparison.errors if comparison else ())
    return {
        "hint": HOW_TO_BEGIN,
        "reference": state.compared_with,
        "rows": [{"name": name, "value": value} for name, value in rows],
        "errors": [
            {
                "number": number,
                "text": _sentence(error_line(error)),
                "missed": error.missed,
                "shown": number == state.error_shown,
            }
            for number, error in enumerate(errors, start=1)
        ],
        "others": others,
    }


def _segment(segment: SegmentState) -> dict[str, Any]:
    red, green, blue = segment.colour
    return {
        "id": segment.id,
        "name": segment.name,
        "colour": f"rgb({red}, {green}, {blue})",
        "volume": f"{segment.volume_ml:.1f} ml",
        "locked": segment.locked,
        "active": segment.active,
        "removable": segment.id != 1,
    }


def _click(number: int, event: int, click: Click) -> dict[str, Any]:
    """`number`: as listed. `event`: as the journal has it."""
    place = place_in_words(click.position_mm)
    told = {"number": number, "event": event, "include": click.include}
    return {**told, "place": place, "position": list(click.position_mm)}


def _sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:]
