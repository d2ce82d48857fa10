"""The arms of the ablation (REQUIREMENTS 15.2), as data: each adds one thing to the one before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from TumorSegRobustLib.errors import UnusableInput


@dataclass(frozen=True)
class Arm:
    """augment: preset or settings of `training.augment` for the real examples (generated heads have their own
    randomness; `train: {augment: ...}` adds to it). pretrained: start from the weights named under
    `pretrained`. adapt: test-time adaptation. train: further settings of `train stage1` in this arm.
    """

    name: str
    title: str
    augment: str | Mapping[str, Any] = "none"
    pretrained: bool = False
    adapt: bool = False
    train: Mapping[str, Any] = field(default_factory=dict)


ARMS: Mapping[str, Arm] = {
    arm.name: arm
    for arm in (
        Arm("baseline", "network only"),
        Arm("conventional", "+ conventional augmentation", augment="conventional"),
        Arm("style", "+ frequency and style augmentation", augment="style"),
        Arm("pretraining", "+ pretraining", augment="style", pretrained=True),
        Arm("full", "+ adaptation", augment="style", pretrained=True, adapt=True),
    )
}


def chosen_arms(wanted: Any) -> list[Arm]:
    """From the YAML: a list of names of `ARMS`, or a mapping of names to settings of `Arm`.

    A name that is not among `ARMS` is a new arm. UnusableInput for a setting that is not known.
    """
    named = wanted if isinstance(wanted, Mapping) else dict.fromkeys(wanted)
    return [_arm(str(name), settings or {}) for name, settings in named.items()]


def _arm(name: str, settings: Mapping[str, Any]) -> Arm:
    known = {f.name for f in fields(Arm)} - {"name"}
    unknown = sorted(set(settings) - known)
    if unknown:
        raise UnusableInput(
            f"arms: {name} has an unknown setting {unknown[0]}; known are {', '.join(sorted(known))}."
        )
    if name not in ARMS and not settings:
        raise UnusableInput(f"arms: unknown arm {name}; known are {', '.join(ARMS)}, or give it settings.")
    base = ARMS.get(name, Arm(name, name))
    return Arm(**{**{f.name: getattr(base, f.name) for f in fields(Arm)}, **settings})
