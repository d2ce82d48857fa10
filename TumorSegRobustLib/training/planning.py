"""From a data set's fingerprint to a network and its patch: nnU-Net's heuristics, with this project's bounds.

Isensee et al. (2021, Nature Methods) plan spacing, patch and topology from medians of the data and a memory
budget. Here voxels are cubes, because the generator's are, and members stay small enough for two CPU cores.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.progress import Progress

from .fingerprint import Fingerprint, fingerprint

Triple = tuple[int, int, int]


@dataclass(frozen=True)
class Rules:
    """Every number of the planner, with where it is from.

    finest_mm: no member is finer (its time grows with the cube). coarser: step by which the spacing grows
    while the patch covers less than `least_coverage` of the median scan (nnU-Net plans a low-resolution
    network below a quarter). bottleneck: shortest side of the deepest feature map (nnU-Net: 4). multiple:
    inference pads inputs to this, so at most four halvings. stages, fine_stages, fine_below_mm: halvings;
    the fifth level helps below 0.8 mm (REQUIREMENTS 3.13). units, round_units, round_above: convolutions per
    level; depth helps compact shapes, sphericity > 0.6. width, many_width, many_outputs: channels of the
    first level; width helps more than ten classes. widest: channels of any level over those of the first.
    bytes_per_voxel: of one training step per voxel of the patch and channel of the first level; 31 bytes of
    saved activations measured on MONAI's residual U-Net (float32, two units), and half of that again for
    gradients under way. extra_units: the same for each further unit. libraries_mb: the process before.
    """

    finest_mm: float = 1.0
    coarser: float = 1.05
    least_coverage: float = 0.25
    bottleneck: int = 4
    multiple: int = 16
    stages: int = 4
    fine_stages: int = 5
    fine_below_mm: float = 0.8
    units: int = 2
    round_units: int = 3
    round_above: float = 0.6
    width: int = 16
    many_width: int = 32
    many_outputs: int = 10
    widest: int = 8
    largest_batch: int = 4
    bytes_per_voxel: float = 46.0
    extra_units: float = 0.07
    libraries_mb: float = 700.0


@dataclass(frozen=True)
class Plan:
    """spacing_mm: of the cubic voxels. patch: (k, j, i), as in the generator. strides, channels, units: of
    the residual U-Net. memory_mb: expected for a training step. relative_time: of a step, against a network
    of the rules' default width, units and stages on the same patch (REQUIREMENTS 3.13).
    """

    spacing_mm: float
    patch: Triple
    strides: tuple[int, ...]
    channels: tuple[int, ...]
    units: int
    batch: int
    memory_mb: float
    relative_time: float

    def network(self, inputs: int, outputs: int) -> dict[str, Any]:
        """For `models.build_network`; the head keeps the last instance norm away from the outputs."""
        args = {
            "spatial_dims": 3, "in_channels": inputs, "out_channels": self.channels[0],
            "channels": list(self.channels), "strides": list(self.strides), "num_res_units": self.units,
            "norm": ["instance", {"affine": True}],
        }  # fmt: skip
        return {"name": "UNet", "args": args, "head": outputs}


def plan(data: Fingerprint, memory_mb: float = 6000.0, outputs: int = 2, rules: Rules | None = None) -> Plan:
    """The plan for this data within a memory budget; UnusableInput when not even the least patch fits."""
    r = rules or Rules()
    units = r.round_units if data.sphericity is not None and data.sphericity > r.round_above else r.units
    width = r.many_width if outputs > r.many_outputs else r.width
    budget = memory_mb - r.libraries_mb
    spacing = max(r.finest_mm, math.prod(data.spacing_mm) ** (1 / 3))  # keeps the number of voxels
    least = _step_mb((r.multiple * 2,) * 3, width, units, r)
    if least > budget:
        raise UnusableInput(
            f"A training step needs at least {least + r.libraries_mb:.0f} MB and {memory_mb:.0f} MB are "
            "given; give more memory."
        )
    while True:
        wanted = tuple(extent / spacing for extent in reversed(data.extent_mm))
        patch = _patch(wanted, budget, width, units, r)
        coverage = math.prod(min(1.0, side / want) for side, want in zip(patch, wanted, strict=True))
        if coverage >= r.least_coverage:
            break
        spacing *= r.coarser
    most = r.fine_stages if spacing < r.fine_below_mm else r.stages
    stages = max(1, min(most, int(math.log2(min(patch) / r.bottleneck)), int(math.log2(r.multiple))))
    one = _step_mb(patch, width, units, r)
    batch = max(1, min(r.largest_batch, int(budget / one)))
    return Plan(
        spacing_mm=round(spacing, 2),
        patch=patch,
        strides=(2,) * stages,
        channels=tuple(min(width * 2**level, r.widest * width) for level in range(stages + 1)),
        units=units,
        batch=batch,
        memory_mb=round(batch * one + r.libraries_mb),
        relative_time=round(
            width / r.width * 1.35 ** (units - r.units) * 1.15 ** (stages - r.stages), 2
        ),  # the middle of what the guide says: width x 2, depth + 30-40 %, stage + 10-20 %
    )


def main(
    manifest: Path,
    out: Path,
    *,
    label_maps: str = "labelmaps",
    memory_mb: float = 6000.0,
    outputs: tuple[str, ...] = ("whole tumour", "brain"),
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write a configuration for `train stage1` that suits the cases of a manifest into the file `out`."""
    import yaml

    from TumorSegRobustLib.evaluation.manifest import read_manifest

    from .checkpoints import write_whole
    from .config import StageOneConfig
    from .synth import SynthConfig

    data = fingerprint(read_manifest(manifest), progress)
    found = plan(data, memory_mb, len(outputs))
    channels = tuple(name for name in ("flair", "t1c") if name in data.channels) or ("flair",)
    config = StageOneConfig(
        name=Path(out).stem,
        label_maps=label_maps,
        network=found.network(len(channels), len(outputs)),
        channels=channels,
        outputs=outputs,
        synth=replace(SynthConfig(), patch=found.patch, spacing_mm=found.spacing_mm),
        batch=found.batch,
    )
    config.check()
    real = data.tumour_ml is not None
    settings: dict[str, Any] = {
        "name": config.name,
        "seed": config.seed,
        "label_maps": label_maps,
        "channels": list(channels),
        "outputs": list(outputs),
        "network": dict(config.network),
        "synth": {"patch": list(found.patch), "spacing_mm": found.spacing_mm},
        **({"real": {"manifest": str(manifest), "share": 0.5, "augment": "conventional"}} if real else {}),
        "steps": config.steps,
        "batch": found.batch,
    }
    remarks = [f"{key}: {value}" for key, value in {**data.to_json(), **_costs(found)}.items()]
    text = "".join(f"# {line}\n" for line in ["Planned by train plan from:", *remarks])
    text += yaml.safe_dump(settings, sort_keys=False, default_flow_style=None, width=110)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, lambda path: path.write_text(text, encoding="utf-8"))
    return {
        "spacing_mm": found.spacing_mm,
        "patch": list(found.patch),
        "channels": list(found.channels),
        "batch": found.batch,
        "memory_mb": found.memory_mb,
        "fingerprint": data.to_json(),
    }


def _costs(found: Plan) -> dict[str, float]:
    return {"memory_mb": found.memory_mb, "relative_time": found.relative_time}


def _patch(wanted: tuple[float, ...], budget: float, width: int, units: int, rules: Rules) -> Triple:
    """The whole median scan in the network's multiples; the side that covers most shrinks until it fits."""
    least, step = 2 * rules.multiple, rules.multiple
    sides = [max(least, step * math.ceil(want / step)) for want in wanted]
    while _step_mb((sides[0], sides[1], sides[2]), width, units, rules) > budget:
        axes = [axis for axis in range(3) if sides[axis] > least]
        sides[max(axes, key=lambda axis: (sides[axis] / wanted[axis], sides[axis]))] -= step
    return sides[0], sides[1], sides[2]


def _step_mb(patch: Triple, width: int, units: int, rules: Rules) -> float:
    """Memory of one training step on one example, beyond the libraries."""
    growth = 1 + rules.extra_units * (units - rules.units)
    return math.prod(patch) * width * rules.bytes_per_voxel * growth / 1e6
