"""Augmentations in a row: settings in, examples out, and a history that replays exactly.

The order is fixed: first where things lie, then what the scanner's style makes of them, then its small
changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Protocol

import torch

from TumorSegRobustLib.errors import UnusableInput

from ..style_bank import StyleBank
from ..synth.draw import Draw
from .appearance import Appearance, AppearanceParameters
from .bias_field import BiasField, BiasFieldParameters
from .blur import Blur, BlurParameters
from .brightness import Brightness, BrightnessParameters
from .contrast import Contrast, ContrastParameters
from .frequency_mix import FrequencyMix, FrequencyMixParameters
from .gamma import Gamma, GammaParameters
from .geometry import Geometry, GeometryParameters, Warp
from .histogram_matching import HistogramMatching, HistogramMatchingParameters
from .histogram_perturbation import HistogramPerturbation, HistogramPerturbationParameters
from .noise import Noise, NoiseParameters
from .random_convolution import Layer, RandomConvolution, RandomConvolutionParameters

Example = tuple[torch.Tensor, torch.Tensor]

AUGMENTATIONS: Mapping[str, tuple[type, type]] = {
    "geometry": (Geometry, GeometryParameters),
    "random_convolution": (RandomConvolution, RandomConvolutionParameters),
    "frequency_mix": (FrequencyMix, FrequencyMixParameters),
    "appearance": (Appearance, AppearanceParameters),
    "histogram_matching": (HistogramMatching, HistogramMatchingParameters),
    "histogram_perturbation": (HistogramPerturbation, HistogramPerturbationParameters),
    "gamma": (Gamma, GammaParameters),
    "contrast": (Contrast, ContrastParameters),
    "brightness": (Brightness, BrightnessParameters),
    "bias_field": (BiasField, BiasFieldParameters),
    "blur": (Blur, BlurParameters),
    "noise": (Noise, NoiseParameters),
}
"""Name -> (settings, parameters), in the order in which they are applied."""
_PARTS = {"warp": Warp, "networks": Layer}
_CONVENTIONAL = ("geometry", "gamma", "contrast", "brightness", "noise", "blur", "bias_field")
_BANK = "bank"

PRESETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "none": {},
    "conventional": {name: {} for name in _CONVENTIONAL},
    "style": {name: {} for name in AUGMENTATIONS},
}
"""Settings by name; {} takes the defaults of an augmentation."""


class Augmentation(Protocol):
    """The random part: settings that draw parameters, or None where they leave the example as it is."""

    def draw(self, draw: Draw, image: torch.Tensor) -> Any | None: ...


@dataclass(frozen=True)
class Pipeline:
    """Augmentations in the order of `AUGMENTATIONS`; raw images: about 0 = air, 1 = 99.5th percentile."""

    augmentations: tuple[Augmentation, ...] = ()

    def __call__(self, image: torch.Tensor, truth: torch.Tensor, draw: Draw) -> Example:
        """image float32 (C, k, j, i), absent channels 0; truth uint8 (T, k, j, i); neither is changed."""
        image, truth, _ = self.trace(image, truth, draw)
        return image, truth

    def trace(
        self, image: torch.Tensor, truth: torch.Tensor, draw: Draw
    ) -> tuple[torch.Tensor, torch.Tensor, list[Any]]:
        """The augmented example and the history: the parameters of what was applied, for `replay`."""
        history = []
        for augmentation in self.augmentations:
            parameters = augmentation.draw(draw, image)
            if parameters is not None:
                image, truth = replay([parameters], image, truth)
                history.append(parameters)
        return image, truth, history


def build(settings: Mapping[str, Mapping[str, Any]], bank: StyleBank | None = None) -> Pipeline:
    """The pipeline of {name: settings}; what is not named is switched off.

    bank: looks of real scans for the style augmentations. UnusableInput for an unknown name or setting, or a
    range that runs backwards.
    """
    unknown = sorted(set(settings) - set(AUGMENTATIONS))
    if unknown:
        raise UnusableInput(f"There is no augmentation {unknown[0]}; there are {', '.join(AUGMENTATIONS)}.")
    chosen = [
        _settings(name, kind, settings[name] or {}, bank)
        for name, (kind, _) in AUGMENTATIONS.items()
        if name in settings
    ]
    return Pipeline(tuple(chosen))


def replay(history: Iterable[Any], image: torch.Tensor, truth: torch.Tensor) -> Example:
    """Apply drawn parameters again: the same example as the first time."""
    for parameters in history:
        if isinstance(parameters, GeometryParameters):
            image, truth = parameters.apply(image, truth)
        else:
            image = parameters.apply(image)
    return image, truth


def to_json(parameters: Any) -> dict[str, Any]:
    """Parameters as plain numbers, lists and the augmentation's name; `from_json` gives them back."""
    names = {kind: name for name, (_, kind) in AUGMENTATIONS.items()}
    return {"name": names[type(parameters)], **_plain(parameters)}


def from_json(data: Mapping[str, Any]) -> Any:
    """What `to_json` was given."""
    _, kind = AUGMENTATIONS[data["name"]]
    return kind(**{f.name: _restored(data[f.name], _PARTS.get(f.name)) for f in fields(kind)})


def _settings(name: str, kind: type, values: Mapping[str, Any], bank: StyleBank | None) -> Augmentation:
    known = [f.name for f in fields(kind) if f.name != _BANK]
    strange = sorted(set(values) - set(known))
    if strange:
        raise UnusableInput(
            f"The augmentation {name} has no setting {strange[0]}; it has {', '.join(known)}."
        )
    plain = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    for key, value in plain.items():
        if isinstance(value, tuple) and len(value) == 2 and value[0] > value[1]:
            raise UnusableInput(f"{name}: {key} runs from {value[0]} down to {value[1]}; swap the two.")
    probability = values.get("probability", 0)
    if not 0 <= probability <= 1:
        raise UnusableInput(f"{name}: the probability is {probability}; it lies between 0 and 1.")
    shared = {_BANK: bank} if _BANK in (f.name for f in fields(kind)) else {}
    return kind(**plain, **shared)


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


def _restored(value: Any, part: type | None) -> Any:
    if isinstance(value, list):
        return tuple(_restored(one, part) for one in value)
    if isinstance(value, Mapping) and part is not None:
        return part(**{key: _restored(one, None) for key, one in value.items()})
    return value
