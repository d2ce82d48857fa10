"""From finished training runs to the package that ships: weights, configuration, seeds, hashes, log summary,
model card.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.models import (
    DEFAULT_PREPROCESSING,
    REFINES,
    Channel,
    ModelPackage,
    TrainedMember,
    write_package,
)
from TumorSegRobustLib.review.network_input import CHANNELS
from TumorSegRobustLib.review.network_refiner import STARTS

from .config import StageOneConfig, read_yaml, without_places

NEEDED = ("id", "version", "title", "licence", "members", "card")
OPTIONAL = (
    "kind", "channels", "outputs", "weights", "preprocessing", "calibration", "triage", "fingerprint",
    "licence_text",
)  # fmt: skip


def main(config: Path, runs: Path, out: Path) -> dict[str, Any]:
    """Write the package that `config` (YAML) describes into `out`, from the members' run folders
    `runs/<member>`.
    """
    data = read_yaml(config)
    missing = [name for name in NEEDED if name not in data]
    if missing:
        raise UnusableInput(f"{config}: lacks {', '.join(missing)}; see training/configs/brain-mr.yaml.")
    unknown = sorted(set(data) - {*NEEDED, *OPTIONAL})
    if unknown:
        raise UnusableInput(
            f"{config}: unknown setting {unknown[0]}; known are {', '.join([*NEEDED, *OPTIONAL])}."
        )
    package = (build_refining if data.get("kind") == REFINES else build)(data, runs, out)
    return {
        "package": package.id,
        "version": package.version,
        "members": len(package.members),
        "sha256": package.sha256,
    }


def build(config: Mapping[str, Any], runs: Path, out: Path) -> ModelPackage:
    """As `main`, from the configuration itself.

    The package's outputs are the networks' in their order; those that inference does not need stay.
    UnusableInput (one line) names a run that is not finished, or members that do not fit together.
    """
    summaries = {name: _summary(runs / name) for name in config["members"]}
    if "channels" not in config:
        raise UnusableInput("channels: are missing; see training/configs/brain-mr.yaml.")
    channels = [Channel(**channel) for channel in config["channels"]]
    outputs = _common("outputs", summaries, config.get("outputs"))
    _common("channels", summaries, [channel.name.lower() for channel in channels])
    weights = config.get("weights") or {}
    strange = sorted(set(weights) - set(summaries))
    if strange:
        raise UnusableInput(f"weights: {strange[0]} is no member; members are {', '.join(summaries)}.")
    members = [
        TrainedMember(
            name=name,
            network=summary["config"]["network"],
            spacing_mm=(summary["config"]["synth"]["spacing_mm"],) * 3,
            state=torch.load(runs / name / "weights.pt", map_location="cpu", weights_only=True),
            seed=summary["config"]["seed"],
            weight=float(weights.get(name, 1.0)),
        )
        for name, summary in summaries.items()
    ]
    training = {
        name: {
            "config": without_places(summary["config"]),
            **{key: summary[key] for key in ("steps", "device", "loss")},
        }
        for name, summary in summaries.items()
    }
    return write_package(
        out,
        id=config["id"],
        version=str(config["version"]),
        title=config["title"],
        licence=config["licence"],
        licence_text=config.get("licence_text", ""),
        members=members,
        channels=channels,
        outputs=outputs,
        card=config["card"],
        preprocessing={**_multiple(members), **config.get("preprocessing", {})},
        calibration=config.get("calibration"),
        triage=config.get("triage"),
        fingerprint={**config.get("fingerprint", {}), "training": training},
    )


def build_refining(config: Mapping[str, Any], runs: Path, out: Path) -> ModelPackage:
    """A package that refines, of one run of `train refine` whose gate has been measured.

    UnusableInput (one line) where the run or its gate is not finished.
    """
    if len(config["members"]) != 1:
        raise UnusableInput("members: a package that refines has exactly one.")
    name = config["members"][0]
    summary = _summary(runs / name)
    gate = runs / name / "gate.json"
    if not gate.is_file():
        raise UnusableInput(f"{gate}: is missing; run train refine with --gate on real cases first.")
    judged = json.loads(gate.read_text(encoding="utf-8"))
    trained = summary["config"]
    member = TrainedMember(
        name=name,
        network=trained["network"],
        spacing_mm=(1.0, 1.0, 1.0),  # any: the cube about a click is as large as the click's influence asks
        state=torch.load(runs / name / "weights.pt", map_location="cpu", weights_only=True),
        seed=trained["seed"],
    )
    reached = {key: summary[key] for key in ("steps", "device", "loss")}
    training = {"config": without_places(trained), **reached}
    return write_package(
        out,
        id=config["id"],
        version=str(config["version"]),
        title=config["title"],
        licence=config["licence"],
        licence_text=config.get("licence_text", ""),
        kind=REFINES,
        members=[member],
        channels=[Channel(channel) for channel in CHANNELS],
        outputs=["residual"],
        card=config["card"],
        preprocessing={key: trained[key] for key in ("side", "context", "strength")},
        calibration={"gate": {start: judged[start] for start in STARTS if start in judged}},
        fingerprint={**config.get("fingerprint", {}), "training": {name: training}},
    )


def _common(what: str, summaries: Mapping[str, Any], named: Sequence[str] | None) -> list[str]:
    """What all members have in common, in order; as `named` in the package's configuration, if it is."""
    usual = list(getattr(StageOneConfig, what))  # runs from before there was a choice
    found = {name: list(summary["config"].get(what, usual)) for name, summary in summaries.items()}
    wanted = list(named) if named is not None else next(iter(found.values()))
    for name, has in found.items():
        if has != wanted:
            raise UnusableInput(
                f"{what}: member {name} has {', '.join(has)}, but {', '.join(wanted)} is wanted; "
                "the members of a package have the same in the same order."
            )
    return wanted


def _multiple(members: Sequence[TrainedMember]) -> dict[str, int]:
    """Inputs are padded to what the deepest network halves without remainder."""
    usual = int(DEFAULT_PREPROCESSING["multiple"])
    deepest = [
        math.prod(max(stride) if isinstance(stride, list) else stride for stride in strides)
        for strides in (member.network["args"].get("strides", ()) for member in members)
        if all(isinstance(stride, int | list) for stride in strides)
    ]
    multiple = max([usual, *deepest])
    return {"multiple": multiple} if multiple > usual else {}


def _summary(run: Path) -> dict[str, Any]:
    path = run / "summary.json"
    if not path.is_file() or not (run / "weights.pt").is_file():
        raise UnusableInput(
            f"{run}: no finished training (summary.json, weights.pt); run train stage1 first."
        )
    return json.loads(path.read_text(encoding="utf-8"))
