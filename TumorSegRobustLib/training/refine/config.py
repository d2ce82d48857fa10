"""Configuration of a refining network's training: a YAML file, nothing hidden in code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.review.network_input import CHANNELS

from ..config import PRECISIONS, check_described, checked, filled, read_yaml
from ..synth.bodies import BodyConfig

STARTS = ("nothing", "degraded", "networks")


@dataclass(frozen=True)
class RefineConfig:
    """A refining network (stage 2).

    side, context, strength: of `review.NetworkRefiner`; strength counts in use, not in the loss.
    label_maps: folder; `heads`: share of the scenes that are heads made from them, the rest are bodies.
    head_side, head_spacings_mm: voxels and resolutions of the heads. starts: how often a review begins from
    nothing, from a truth made worse, from the first-stage package `package` (heads only; else as degraded).
    clicks: most clicks per scene. jittered: share of clicks that miss, by a normal error of `jitter_mm`.
    forget: share of clicks at which the probability before is hidden. drawn: how often the truth is that of a
    reader, not quite the image's border (`drawing`). thick: largest slice distance, in voxels of the scene.
    click_weight, far_weight: extra weight in the loss of the clicks' own voxels, and far from the click of
    what was right before it; dice_weight: of Dice beside the cross-entropy. pool: examples that wait to be
    mixed into batches.
    """

    name: str
    label_maps: str
    network: Mapping[str, Any]
    seed: int = 0
    package: str | None = None
    side: int = 48
    context: float = 1.25
    strength: float = 0.4
    heads: float = 0.5
    head_side: int = 64
    head_spacings_mm: tuple[float, ...] = (1.0, 1.0, 1.5, 2.0, 2.5)
    bodies: BodyConfig = field(default_factory=BodyConfig)
    starts: Mapping[str, float] = field(
        default_factory=lambda: {"nothing": 0.4, "degraded": 0.3, "networks": 0.3}
    )
    clicks: int = 6
    jittered: float = 0.2
    jitter_mm: float = 3.0
    forget: float = 0.2
    drawn: float = 0.8
    thick: int = 4
    click_weight: float = 3.0
    far_weight: float = 0.5
    dice_weight: float = 1.0
    pool: int = 32
    initial: str | None = None
    steps: int = 4000
    batch: int = 4
    learning_rate: float = 1e-3
    warm_up: int = 100
    decay_from: float = 0.5
    weight_decay: float = 1e-4
    ema: float = 0.998
    precision: str = "bf16"
    checkpoint_minutes: float = 3.0
    log_every: int = 100

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def check(self) -> None:
        """UnusableInput (one line) for settings that contradict each other."""
        check_described(self.network)
        found = (self.network["args"].get("in_channels"), self.network.get("head"))
        if found != (len(CHANNELS), 1):
            raise UnusableInput(
                f"network: in_channels and head are {found}; a refining network takes "
                f"{len(CHANNELS)} channels and gives 1 through a head."
            )
        strange = set(self.starts) - set(STARTS)
        if strange:
            raise UnusableInput(f"starts: {min(strange)} is unknown; known are {', '.join(STARTS)}.")
        if self.precision not in PRECISIONS:
            raise UnusableInput(f"precision: {self.precision!r} is not one of {', '.join(PRECISIONS)}.")


def read_refine_config(path: Path) -> RefineConfig:
    """The configuration in a YAML file; UnusableInput (one line) for a missing file or an unknown key."""
    data = read_yaml(path)
    bodies = filled(BodyConfig, data.pop("bodies", None) or {}, f"{path}: bodies")
    config = filled(RefineConfig, {**data, "bodies": bodies}, path)
    return checked(config, path)
