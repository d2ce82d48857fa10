"""What `train loho` does, from a YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from TumorSegRobustLib.errors import UnusableInput

from .arms import Arm, chosen_arms

ALPHAS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
FRACTIONS = (0.1, 0.2, 0.3, 0.4, 0.5)


@dataclass(frozen=True)
class Pair:
    """Two sites; `fractions` and `alphas` where the experiment has them; share and train as in the file."""

    source: str
    target: str
    fractions: tuple[float, ...] = FRACTIONS
    alphas: tuple[float, ...] = ALPHAS
    share: float | None = None
    train: Mapping[str, Any] = field(default_factory=dict)
    test: float = 1 / 3


@dataclass(frozen=True)
class LohoConfig:
    """manifest: relative to the YAML's folder. sites: left out in turn. further: tested only.

    train: settings of `train stage1`, the same for all runs (its `steps` decide the size). share: real
    examples among all, the rest are generated heads (1: none). in_domain: share of the training sites'
    patients kept for testing. pretrained: weights for the arms that ask for them; `{held_out}` in it becomes
    the site left out, as strictness demands; without it the arm is transductive and must say so.
    style_bank: a file of looks for the arms whose augmentation borrows them; only those of the sites trained
    on are used, unless transductive. Without a file the looks of the training cases are measured.
    two_by_two, mixing, noise: the scanner experiments of REQUIREMENTS 16.
    """

    manifest: Path
    train: Mapping[str, Any]
    sites: tuple[str, ...] = ()
    further: tuple[str, ...] = ()
    channels: tuple[str, ...] = ("flair",)
    outputs: tuple[str, ...] = ("whole tumour", "brain")
    arms: tuple[Arm, ...] = ()
    seeds: tuple[int, ...] = (0,)
    split_seed: int = 0
    in_domain: float = 0.15
    share: float = 0.5
    pretrained: str | None = None
    style_bank: str | None = None
    transductive: bool = False
    two_by_two: Pair | None = None
    mixing: Pair | None = None
    noise: Pair | None = None
    package: Mapping[str, Any] = field(default_factory=dict)


def read_loho(path: Path) -> LohoConfig:
    """UnusableInput (one line) for a file that is missing, not YAML, or says what nobody knows."""
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UnusableInput(f"{path}: cannot be read ({error.strerror}); name a configuration.") from error
    except yaml.YAMLError as error:
        raise UnusableInput(f"{path}: is not YAML ({str(error).splitlines()[0]}).") from error
    if not isinstance(data, Mapping):
        raise UnusableInput(f"{path}: holds no table of settings; see training/configs/loho.yaml.")
    _refuse_unknown(path, "", data, LohoConfig)
    for needed in ("manifest", "train"):
        if not data.get(needed):
            raise UnusableInput(f"{path}: the setting {needed} is missing.")
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
    }
    values["manifest"] = Path(path).parent / str(data["manifest"])
    values["arms"] = tuple(chosen_arms(data["arms"])) if data.get("arms") else ()
    for name in ("two_by_two", "mixing", "noise"):
        values[name] = _pair(path, name, data.get(name))
    config = LohoConfig(**values)
    return _checked(path, config)


def _checked(path: Path, config: LohoConfig) -> LohoConfig:
    if not (config.sites or config.two_by_two or config.mixing or config.noise):
        raise UnusableInput(f"{path}: asks for nothing; give sites, two_by_two, mixing or noise.")
    if config.sites and not config.arms:
        raise UnusableInput(f"{path}: sites are given without arms; list them under arms.")
    for name in ("share", "in_domain"):
        if not 0 <= getattr(config, name) <= 1:
            raise UnusableInput(f"{path}: {name} is {getattr(config, name)}; give a number from 0 to 1.")
    if config.pretrained and "{held_out}" not in config.pretrained and not config.transductive:
        raise UnusableInput(
            f"{path}: pretrained names one file for all folds, which may have seen the site left out; put "
            "{held_out} into the name, or say transductive: true."
        )
    return config


def _pair(path: Path, name: str, data: Any) -> Pair | None:
    if not data:
        return None
    if not isinstance(data, Mapping) or not {"source", "target"} <= set(data):
        raise UnusableInput(f"{path}: {name} needs source and target, two sites.")
    _refuse_unknown(path, f"{name}: ", data, Pair)
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
    }
    return Pair(**values)


def _refuse_unknown(path: Path, where: str, data: Mapping[str, Any], kind: type) -> None:
    known = sorted(f.name for f in fields(kind))
    unknown = sorted(set(data) - set(known))
    if unknown:
        raise UnusableInput(f"{path}: {where}unknown setting {unknown[0]}; known are {', '.join(known)}.")
