"""Training configuration: a YAML file, nothing hidden in code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.models.networks import check_network

from .synth.generator import CHANNELS, OUTPUTS, SynthConfig

TUMOUR_OUTPUTS = ("whole tumour", "tumour core")
PRECISIONS = ("bf16", "fp32")
HOUSEKEEPING = frozenset(
    {"name", "label_maps", "steps", "workers", "checkpoint_minutes", "log_every", "monitor_every", "initial",
     "strength"}
)  # fmt: skip
"""Settings that a run may change between two starts; every other one makes it another training."""

PLACES = ("label_maps", "manifest", "initial", "style_bank")
"""Settings that name a place on the machine of the training."""


class Checkable(Protocol):
    """Settings that can tell whether they contradict each other (UnusableInput, one line)."""

    def check(self) -> None: ...


C = TypeVar("C", bound=Checkable)


@dataclass(frozen=True)
class RealSource:
    """Real scans among the examples. `manifest`: CSV; `sites`: which (none: all), without `exclude_sites`.

    share: of the examples, 0 to 1. augment: a preset's name or settings of training.augment. masks: learn
    from the references; without them a scan teaches a segmentation nothing, so only pretraining takes false.
    style_bank: file of `train style`, for the augmentations that borrow a look; looks of `exclude_sites` are
    left out. noise: standard deviations of Gaussian noise on the normalised image, always.
    """

    manifest: str
    share: float = 0.5
    sites: tuple[str, ...] = ()
    exclude_sites: tuple[str, ...] = ()
    augment: str | Mapping[str, Any] = "none"
    masks: bool = True
    style_bank: str | None = None
    noise: float = 0.0


@dataclass(frozen=True)
class StageOneConfig:
    """One member of the ensemble. `label_maps`: folder; `anatomies`: file stems to use, empty = all.

    channels, outputs: what the network takes and gives, in order (the vocabulary is the generator's).
    output_weights: of each output in the loss; default 1 for tumour and `brain_weight` for anatomy.
    loss: settings of training.losses. deep_supervision: factors of the resolutions of a network that gives
    several in training (DynUNet). real: settings of `RealSource`, or None. augment: what training.augment
    does to generated heads besides the generator. initial: weights to start from. precision: bf16 or fp32.
    """

    name: str
    label_maps: str
    network: Mapping[str, Any]
    seed: int = 0
    anatomies: tuple[str, ...] = ()
    channels: tuple[str, ...] = ("flair",)
    outputs: tuple[str, ...] = ("whole tumour", "brain")
    output_weights: Mapping[str, float] = field(default_factory=dict)
    loss: Mapping[str, Any] = field(default_factory=lambda: {"name": "dice_ce"})
    deep_supervision: tuple[float, ...] = ()
    synth: SynthConfig = field(default_factory=SynthConfig)
    augment: str | Mapping[str, Any] = "none"
    style_bank: str | None = None
    real: Mapping[str, Any] | None = None
    initial: str | None = None
    steps: int = 4000
    batch: int = 1
    learning_rate: float = 1e-3
    warm_up: int = 100
    decay_from: float = 0.5
    weight_decay: float = 1e-4
    brain_weight: float = 0.3
    ema: float = 0.998
    precision: str = "bf16"
    workers: int = 1
    checkpoint_minutes: float = 3.0
    log_every: int = 100
    monitor_every: int = 1000

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def heads(self) -> SynthConfig:
        """The generator's settings with this network's channels and outputs."""
        return replace(self.synth, channels=self.channels, outputs=self.outputs)

    @property
    def weights(self) -> tuple[float, ...]:
        """Of every output in the loss."""
        usual = {name: 1.0 if name in TUMOUR_OUTPUTS else self.brain_weight for name in self.outputs}
        return tuple(float(self.output_weights.get(name, usual[name])) for name in self.outputs)

    @property
    def real_source(self) -> RealSource | None:
        return None if self.real is None else filled(RealSource, self.real, "real")

    def check(self) -> None:
        """UnusableInput (one line) for settings that contradict each other."""
        _check_names("channels", self.channels, CHANNELS)
        _check_names("outputs", self.outputs, OUTPUTS)
        if self.outputs[0] != OUTPUTS[0]:
            raise UnusableInput(f"outputs: the first one is always {OUTPUTS[0]}, not {self.outputs[0]}.")
        _check_names("output_weights", tuple(self.output_weights), self.outputs, some=False)
        if self.precision not in PRECISIONS:
            raise UnusableInput(f"precision: {self.precision!r} is not one of {', '.join(PRECISIONS)}.")
        check_described(self.network)
        for what, names in (("in_channels", self.channels), ("out_channels", self.outputs)):
            found = self.network["args"].get(what, len(names))
            if what == "out_channels" and "head" in self.network:
                found = self.network["head"]
            if found != len(names):
                raise UnusableInput(
                    f"network: {what} is {found}, but there are {len(names)}: {', '.join(names)}."
                )
        source = self.real_source
        if source and not 0 <= source.share <= 1:
            raise UnusableInput(f"real: share is {source.share}; it lies between 0 and 1.")
        if source and not source.masks:
            raise UnusableInput(
                "real: masks is false, but a segmentation learns nothing without them; use train pretrain."
            )


def checked(config: C, path: Path) -> C:
    """The configuration, if its `check` finds nothing; UnusableInput names the file that it came from."""
    try:
        config.check()
    except UnusableInput as error:
        raise UnusableInput(f"{path}: {error}") from error
    return config


def read_config(path: Path) -> StageOneConfig:
    """The configuration in a YAML file; UnusableInput (one line) for a missing file or an unknown key."""
    data = read_yaml(path)
    synth = filled(SynthConfig, data.pop("synth", None) or {}, f"{path}: synth")
    named = {"channels": synth.channels, "outputs": synth.outputs, **data}
    config = filled(StageOneConfig, {**named, "synth": synth}, path)
    return checked(config, path)


def identity(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a training this one, of all its settings: two starts with the same go on with each other."""
    return {key: value for key, value in without_places(settings).items() if key not in HOUSEKEEPING}


def without_places(settings: Any) -> Any:
    """Settings whose paths are cut to their last part: where data lay is nobody's business elsewhere."""
    if isinstance(settings, Mapping):
        return {
            key: Path(value).name if key in PLACES and isinstance(value, str) else without_places(value)
            for key, value in settings.items()
        }
    if isinstance(settings, list | tuple):
        return [without_places(value) for value in settings]
    return settings


def read_yaml(path: Path) -> dict[str, Any]:
    """The table of settings in a YAML file; UnusableInput (one line) when there is none."""
    import yaml

    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UnusableInput(
            f"{path}: cannot be read ({error.strerror}); name a training configuration."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UnusableInput(f"{path}: is not YAML ({str(error).splitlines()[0]}).") from error
    if not isinstance(data, dict):
        raise UnusableInput(f"{path}: holds no table of settings; see the examples in training/configs.")
    return data


def filled(kind: type, values: Any, where: object) -> Any:
    """The dataclass `kind` from settings; UnusableInput names what is unknown, missing or of another type."""
    if not isinstance(values, Mapping):
        raise UnusableInput(f"{where}: holds no table of settings; see the examples in training/configs.")
    known = {f.name: f for f in fields(kind)}
    unknown = sorted(set(map(str, values)) - set(known))
    if unknown:
        raise UnusableInput(
            f"{where}: unknown setting {', '.join(unknown)}; known are {', '.join(sorted(known))}."
        )
    plain = {key: _fitting(value, known[key].default, f"{where}: {key}") for key, value in values.items()}
    try:
        return kind(**plain)
    except TypeError as error:
        raise UnusableInput(f"{where}: a setting is missing ({error}).") from error


def check_described(network: Any) -> None:
    """UnusableInput (one line) unless `network` describes a network that can be built."""
    problem = check_network(network) if isinstance(network, Mapping) else "it is no table of name and args"
    if problem:
        raise UnusableInput(f"network: {problem}; see the examples in training/configs.")


def _fitting(value: Any, default: Any, where: str) -> Any:
    """`value` in the type of the setting's default; YAML reads 1e-3 as text."""
    if isinstance(value, list):
        return tuple(value)
    if isinstance(default, tuple) and not isinstance(value, tuple):
        if isinstance(value, str):
            return (value,)
        raise UnusableInput(f"{where} is {value!r}; it is a list.")
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise UnusableInput(f"{where} is {value!r}; it is true or false.")
        return value
    if not isinstance(default, int | float):
        return value
    try:
        number = type(default)(float(value))
    except (TypeError, ValueError, OverflowError) as error:
        raise UnusableInput(f"{where} is {value!r}; it is a number.") from error
    if isinstance(value, bool) or number != float(value):
        raise UnusableInput(f"{where} is {value!r}; it is a {'whole ' * isinstance(default, int)}number.")
    return number


def _check_names(what: str, names: Sequence[str], known: Sequence[str], some: bool = True) -> None:
    if some and not names:
        raise UnusableInput(f"{what}: name at least one of {', '.join(known)}.")
    strange = [name for name in names if name not in known]
    if strange:
        raise UnusableInput(f"{what}: {strange[0]} is unknown; known are {', '.join(known)}.")
    if len(set(names)) != len(names):
        raise UnusableInput(f"{what}: {', '.join(names)} names one twice.")
