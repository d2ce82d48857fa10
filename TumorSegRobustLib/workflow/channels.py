"""Which volume stands for which input of the networks, and what they can contour from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..models import label_of

if TYPE_CHECKING:
    from ..models import ModelPackage
    from .case import Case

WHOLE, CORE = "whole tumour", "tumour core"


@dataclass(frozen=True)
class ChannelState:
    """One input of the chosen package as a panel lists it. name: for commands; label: for a person.

    volume: what the volume that stands for it is called, "" where none does. first: it is the scan itself,
    whose grid is the grid of everything else. required: the networks do not run without it.
    """

    name: str
    label: str
    description: str
    required: bool
    volume: str = ""
    first: bool = False


def spelled(package: ModelPackage | None, channel: str) -> str:
    """The package's own spelling of a channel's name; an unknown name stays as it is."""
    names = {one.name.lower(): one.name for one in package.channels} if package else {}
    return names.get(channel.lower(), channel)


def first_name(package: ModelPackage | None, case: Case) -> str:
    """What the scan itself is taken for; "" where neither it nor the package says."""
    name = next(iter(case.channels))
    return name or (package.first_channel.name if package else "")


def channel_states(package: ModelPackage | None, case: Case | None) -> tuple[ChannelState, ...]:
    """The package's channels in its order, then those of the scan that it does not know."""
    first = first_name(package, case) if case else ""
    given = {name or first: image.name or "scan" for name, image in case.channels.items()} if case else {}
    known = package.channels if package else ()
    states = [
        ChannelState(
            c.name, label_of(c.name), c.description, c.required, given.pop(c.name, ""), c.name == first
        )
        for c in known
    ]
    for name, volume in given.items():
        states.append(ChannelState(name, label_of(name), "", False, volume, name == first))
    return tuple(states)


def targets_of(package: ModelPackage | None) -> tuple[str, ...]:
    """What the package can contour, the usual one first; empty where there is nothing to choose."""
    if package is None or CORE not in package.outputs:
        return ()
    shown_by = package.calibration.get("core_channel")
    there = shown_by is None or shown_by in [channel.name for channel in package.channels]
    return (WHOLE, CORE) if there else ()


def problem_of(package: ModelPackage | None, case: Case | None, target: str) -> str:
    """Why this package cannot segment this scan, in one line with the way out; "" where it can."""
    if package is None or case is None:
        return ""
    takes = [channel.name for channel in package.channels]
    given = {name or first_name(package, case) for name in case.channels}
    for name in given - set(takes):
        return (
            f"The model {package.id} takes {_listed(takes)}, not {label_of(name)}: "
            "say what the scan is, remove the channel, or choose another model."
        )
    for channel in package.channels:
        if channel.required and channel.name not in given:
            return f"The model {package.id} needs {label_of(channel.name)} too: add it to the scan."
    shown_by = package.calibration.get("core_channel")
    if target == CORE and shown_by is not None and shown_by not in given:
        return f"Only {label_of(shown_by)} shows the tumour core: add it, or contour the whole tumour."
    return ""


def _listed(names: Iterable[str]) -> str:
    return " and ".join(label_of(name) for name in names)
