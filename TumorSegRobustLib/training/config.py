"""Training configuration: a YAML file, nothing hidden in code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from TumorSegRobustLib.errors import UnusableInput

from .synth.generator import SynthConfig


@dataclass(frozen=True)
class StageOneConfig:
    """One member of the ensemble. `label_maps`: folder; `anatomies`: file stems to use, empty = all."""

    name: str
    label_maps: str
    network: Mapping[str, Any]
    seed: int = 0
    anatomies: tuple[str, ...] = ()
    synth: SynthConfig = field(default_factory=SynthConfig)
    steps: int = 4000
    batch: int = 1
    learning_rate: float = 1e-3
    warm_up: int = 100
    decay_from: float = 0.5
    weight_decay: float = 1e-4
    brain_weight: float = 0.3
    ema: float = 0.998
    workers: int = 1
    checkpoint_minutes: float = 3.0
    log_every: int = 100
    monitor_every: int = 1000

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def read_config(path: Path) -> StageOneConfig:
    """The configuration in a YAML file; UnusableInput (one line) for a missing file or an unknown key."""
    import yaml

    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UnusableInput(
            f"{path}: cannot be read ({error.strerror}); name a training configuration."
        ) from error
    except yaml.YAMLError as error:
        raise UnusableInput(f"{path}: is not YAML ({str(error).splitlines()[0]}).") from error
    if not isinstance(data, dict):
        raise UnusableInput(f"{path}: holds no table of settings; see the examples in training/configs.")
    synth = _filled(SynthConfig, data.pop("synth", None) or {}, path)
    return _filled(StageOneConfig, {**data, "synth": synth}, path)


def _filled(kind: type, values: Mapping[str, Any], path: Path) -> Any:
    known = {f.name for f in fields(kind)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise UnusableInput(
            f"{path}: unknown setting {', '.join(unknown)}; known are {', '.join(sorted(known))}."
        )
    plain = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    try:
        return kind(**plain)
    except TypeError as error:
        raise UnusableInput(f"{path}: a setting is missing ({error}).") from error
