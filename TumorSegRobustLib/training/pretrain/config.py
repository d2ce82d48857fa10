"""Settings of a pretraining. The source documents give no numbers: every one here is ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from TumorSegRobustLib.errors import UnusableInput

from ..config import PRECISIONS, RealSource, check_described, checked, filled, read_yaml
from ..synth.generator import CHANNELS, SynthConfig


@dataclass(frozen=True)
class PretrainConfig:
    """network, channels: as in the `train stage1` that starts from it. synth: patch, spacing, and the heads.

    real: settings of `RealSource`; references are never opened. label_maps: for generated heads beside the
    real scans (share below 1); empty: real scans only. augment: makes the views of generated heads differ;
    `real: {augment: ...}` those of real scans.

    reconstruction: weight of the mean absolute error in the hidden blocks (0: off). mask_ratio: share of the
    blocks that is hidden. block: their side in voxels. contrast: weight of InfoNCE (0: off). temperature: of
    its softmax. queue: how many earlier scans a scan is told from. embedding: length of a scan's code.
    """

    name: str
    network: Mapping[str, Any]
    channels: tuple[str, ...] = ("flair",)
    synth: SynthConfig = field(default_factory=SynthConfig)
    label_maps: str = ""
    anatomies: tuple[str, ...] = ()
    real: Mapping[str, Any] | None = None
    augment: str | Mapping[str, Any] = "conventional"
    reconstruction: float = 1.0
    mask_ratio: float = 0.6
    block: int = 8
    contrast: float = 0.1
    temperature: float = 0.1
    queue: int = 256
    embedding: int = 64
    seed: int = 0
    steps: int = 2000
    batch: int = 2
    learning_rate: float = 1e-3
    warm_up: int = 100
    decay_from: float = 0.5
    weight_decay: float = 1e-4
    ema: float = 0.998
    precision: str = "bf16"
    workers: int = 1
    checkpoint_minutes: float = 3.0
    log_every: int = 50

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def heads(self) -> SynthConfig:
        """The generator's settings with this network's channels."""
        return replace(self.synth, channels=self.channels)

    @property
    def source(self) -> RealSource | None:
        """The real scans, without references; all examples where there are no label maps."""
        if self.real is None:
            return None
        given = filled(RealSource, self.real, "real")
        return replace(given, masks=False, share=given.share if self.label_maps else 1.0)

    def check(self) -> None:
        """UnusableInput (one line) for settings that contradict each other."""
        check_described(self.network)
        source = self.source
        if source is None and not self.label_maps:
            raise UnusableInput("nothing to learn from; give real, label_maps, or both.")
        strange = [name for name in self.channels if name not in CHANNELS]
        if strange or not self.channels:
            found = strange[0] if strange else "none"
            raise UnusableInput(f"channels: {found}; known are {', '.join(CHANNELS)}.")
        for name, value in (("mask_ratio", self.mask_ratio), ("share", source.share if source else 0.0)):
            if not 0 <= value <= 1:
                raise UnusableInput(f"{name} is {value}; it lies between 0 and 1.")
        if self.reconstruction <= 0 and self.contrast <= 0:
            raise UnusableInput("reconstruction and contrast are both off; give one a weight above 0.")
        if min(self.block, self.queue, self.embedding) < 1 or self.temperature <= 0:
            raise UnusableInput("block, queue, embedding and temperature are above 0.")
        if self.precision not in PRECISIONS:
            raise UnusableInput(f"precision: {self.precision!r} is not one of {', '.join(PRECISIONS)}.")


def read_pretraining(path: Path) -> PretrainConfig:
    """The configuration in a YAML file; UnusableInput (one line) for what is missing or not understood."""
    data = read_yaml(path)
    synth = filled(SynthConfig, data.pop("synth", None) or {}, f"{path}: synth")
    config = filled(PretrainConfig, {**data, "synth": synth}, path)
    return checked(config, path)
