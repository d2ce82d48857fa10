"""From finished training runs to the package that ships: weights, configuration, seeds, hashes, log summary,
model card.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.models import Channel, ModelPackage, TrainedMember, write_package


def main(config: Path, runs: Path, out: Path) -> dict[str, Any]:
    """Write the package that `config` (YAML) describes into `out`, from the members' run folders
    `runs/<member>`.
    """
    package = build(_read(config), runs, out)
    return {
        "package": package.id,
        "version": package.version,
        "members": len(package.members),
        "sha256": package.sha256,
    }


def build(config: dict[str, Any], runs: Path, out: Path) -> ModelPackage:
    """As `main`, from the configuration itself. UnusableInput (one line) names a run that is not finished."""
    summaries = {name: _summary(runs / name) for name in config["members"]}
    members = [
        TrainedMember(
            name=name,
            network=summary["config"]["network"],
            spacing_mm=(summary["config"]["synth"]["spacing_mm"],) * 3,
            state=torch.load(runs / name / "weights.pt", map_location="cpu", weights_only=True),
            seed=summary["config"]["seed"],
        )
        for name, summary in summaries.items()
    ]
    training = {
        name: {key: summary[key] for key in ("config", "steps", "device", "loss")}
        for name, summary in summaries.items()
    }
    return write_package(
        out,
        id=config["id"],
        version=str(config["version"]),
        title=config["title"],
        licence=config["licence"],
        members=members,
        channels=[Channel(**channel) for channel in config["channels"]],
        outputs=config["outputs"],
        card=config["card"],
        calibration=config.get("calibration"),
        triage=config.get("triage"),
        fingerprint={**config.get("fingerprint", {}), "training": training},
    )


def _read(config: Path) -> dict[str, Any]:
    import yaml

    data = yaml.safe_load(config.read_text(encoding="utf-8"))
    needed = {"id", "version", "title", "licence", "members", "channels", "outputs", "card"}
    missing = sorted(needed - set(data or {}))
    if missing:
        raise UnusableInput(f"{config}: lacks {', '.join(missing)}; see training/configs/brain-mr.yaml.")
    return data


def _summary(run: Path) -> dict[str, Any]:
    path = run / "summary.json"
    if not path.is_file() or not (run / "weights.pt").is_file():
        raise UnusableInput(
            f"{run}: no finished training (summary.json, weights.pt); run train stage1 first."
        )
    return json.loads(path.read_text(encoding="utf-8"))
