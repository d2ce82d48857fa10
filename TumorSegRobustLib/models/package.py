"""`ModelPackage`: a folder in MONAI-bundle layout with all that an ensemble needs to run and be judged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from TumorSegRobustLib.errors import UnusableInput

from .networks import build_network, check_network, require_torch

if TYPE_CHECKING:
    import numpy as np
    import torch

SCHEMA = "tumorsegrobust-package/1"
PACKAGE_FILE = "configs/package.json"
SEGMENTS, REFINES = "segments", "refines"
"""What a package is for: to contour a scan, or to correct a contour at every click."""
BUNDLE_FILES = ("configs/metadata.json", "configs/inference.json", "docs/README.md", "LICENSE")


_WRITTEN = {"flair": "FLAIR", "t1": "T1", "t1c": "T1c", "t2": "T2", "ct": "CT", "pt": "PET", "pet": "PET"}


def label_of(channel: str) -> str:
    """As radiology writes it: "t1c" is T1c."""
    return _WRITTEN.get(channel.lower(), channel)


@dataclass(frozen=True)
class Channel:
    """One input of the networks; an optional one is filled with zeros (the mean) when the scan lacks it.

    A package of optional channels only takes any of them, at least one.
    """

    name: str
    required: bool = True
    description: str = ""


@dataclass(frozen=True)
class Member:
    """One network of the ensemble. `spacing_mm` is (i, j, k) in LPS order; `weight` is relative."""

    name: str
    weights: str
    sha256: str
    network: Mapping[str, Any]
    spacing_mm: tuple[float, float, float]
    seed: int = 0
    weight: float = 1.0


@dataclass(frozen=True)
class ModelPackage:
    """What `configs/package.json` says, checked. No code in the folder is imported or run.

    calibration: `temperature` and `bias` of the averaged logits, `threshold` of the contour, `brain_gate` and
    `brain_gate_margin` (the tumour's logit is at most that of the output "brain" plus the margin),
    `core_channel` (without it nothing is said about the tumour core), `confirm_without` (names of channels:
    where they are given, tumour is what the networks see both with and without them), `flip_average` (each
    member also sees the scan mirrored left to right, and counts as two), `min_component_ml` (smaller
    components are removed),
    `min_component_probability` (components of a lower mean probability are removed, even the last one),
    `appearance` (see `inference.appearance`; without it the networks alone draw the border),
    `quality` (table from agreement to Dice). triage: overrides of `trust.DEFAULT_TRIAGE`. fingerprint:
    `modality` and the [low, high] of image features in training. files: sha256 by path. kind: "segments", or
    "refines" (a network that takes `review.network_input.CHANNELS`, and maybe a second one that takes
    `review.extent.FACTS`; its calibration holds the `gate`).
    """

    folder: Path
    id: str
    version: str
    title: str
    licence: str
    channels: tuple[Channel, ...]
    outputs: tuple[str, ...]
    members: tuple[Member, ...]
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict)
    triage: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    kind: str = SEGMENTS

    @classmethod
    def load(cls, folder: str | Path) -> ModelPackage:
        """Read and check the description, not the weights; UnusableInput (one line) when it is unusable."""
        folder = Path(folder)
        data = _read_description(folder)
        try:
            package = _from_data(folder, data)
        except (KeyError, TypeError, ValueError) as error:
            raise _unusable(folder, f"{PACKAGE_FILE} is incomplete ({_reason(error)})") from error
        _check(package)
        return package

    @property
    def first_channel(self) -> Channel:
        """What a scan without a name is taken for: the first required channel, else the first."""
        return next((channel for channel in self.channels if channel.required), self.channels[0])

    @property
    def sha256(self) -> str:
        """Hash of `package.json`, which holds the hash of every other file: it identifies the package."""
        return file_sha256(self.folder / PACKAGE_FILE)

    def verify(self) -> list[str]:
        """Everything wrong with the files, one line each; empty when the package is whole."""
        problems = []
        for name in dict.fromkeys([*BUNDLE_FILES, *(member.weights for member in self.members), *self.files]):
            path = self.folder / name
            if not path.is_file():
                problems.append(f"{name} is missing")
            elif name not in self.files:
                problems.append(f"{name} has no sha256 in {PACKAGE_FILE}")
            elif file_sha256(path) != self.files[name]:
                problems.append(f"{name} does not match its sha256")
        for member in self.members:
            if self.files.get(member.weights) not in (None, member.sha256):
                problems.append(f"{member.weights} has two different sha256 in {PACKAGE_FILE}")
        return problems

    def info(self) -> dict[str, Any]:
        """A JSON-ready summary for people and for `models info`."""
        return {
            "id": self.id,
            "version": self.version,
            "title": self.title,
            "kind": self.kind,
            "licence": self.licence,
            "sha256": self.sha256,
            "folder": str(self.folder),
            "channels": [asdict(channel) for channel in self.channels],
            "outputs": list(self.outputs),
            "members": [
                {
                    "name": member.name,
                    "network": member.network["name"],
                    "spacing_mm": list(member.spacing_mm),
                    "seed": member.seed,
                    "weight": member.weight,
                }
                for member in self.members
            ],
            "preprocessing": dict(self.preprocessing),
            "calibration": dict(self.calibration),
            "triage": dict(self.triage),
            "fingerprint": dict(self.fingerprint),
        }

    def read_weights(self, member: Member) -> bytes:
        """The member's safetensors file, its hash checked; UnusableInput when missing or altered."""
        path = self.folder / member.weights
        try:
            content = path.read_bytes()
        except OSError as error:
            raise _unusable(self.folder, f"{member.weights} cannot be read ({error.strerror})") from error
        if hashlib.sha256(content).hexdigest() != member.sha256:
            raise _unusable(self.folder, f"{member.weights} does not match its sha256")
        return content

    def read_arrays(self, member: Member) -> dict[str, np.ndarray]:
        """The member's weights by name, as `read_weights` checks them, without PyTorch."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            return load(self.read_weights(member))
        except SafetensorError as error:
            raise self.misfit(member, error) from error

    def misfit(self, member: Member, error: Exception) -> UnusableInput:
        """The line for weights that do not fit the member's network."""
        return _unusable(
            self.folder, f"{member.weights} does not fit {member.network['name']} ({_reason(error)})"
        )

    def load_network(self, member: Member) -> torch.nn.Module:
        """The member's network in eval mode, float32, on the CPU; safetensors weights are data, no code."""
        require_torch(f"Running the model {self.id} in PyTorch", "use backend openvino")
        import torch
        from safetensors import SafetensorError
        from safetensors.torch import load

        content = self.read_weights(member)
        network = build_network(member.network)
        try:
            state = load(content)
            half = {key: value.float() for key, value in state.items() if value.dtype == torch.float16}
            network.load_state_dict({**state, **half})
        except (SafetensorError, RuntimeError) as error:
            raise self.misfit(member, error) from error
        return network.requires_grad_(False)


def file_sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read_description(folder: Path) -> dict[str, Any]:
    path = folder / PACKAGE_FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _unusable(folder, f"{PACKAGE_FILE} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise _unusable(folder, f"{PACKAGE_FILE} is not JSON ({_reason(error)})") from error
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        found = data.get("schema") if isinstance(data, dict) else type(data).__name__
        raise _unusable(folder, f"{PACKAGE_FILE} has schema {found!r}, this version reads {SCHEMA!r}")
    return data


def _from_data(folder: Path, data: Mapping[str, Any]) -> ModelPackage:
    return ModelPackage(
        folder=folder,
        id=str(data["id"]),
        version=str(data["version"]),
        title=str(data["title"]),
        licence=str(data["licence"]),
        channels=tuple(Channel(**channel) for channel in data["channels"]),
        outputs=tuple(str(output) for output in data["outputs"]),
        members=tuple(_member(member) for member in data["members"]),
        preprocessing=dict(data["preprocessing"]),
        calibration=dict(data["calibration"]),
        triage=dict(data["triage"]),
        fingerprint=dict(data["fingerprint"]),
        files=dict(data["files"]),
        kind=str(data.get("kind", SEGMENTS)),
    )


def _member(data: Mapping[str, Any]) -> Member:
    i, j, k = (float(step) for step in data["spacing_mm"])
    return Member(
        name=str(data["name"]),
        weights=str(data["weights"]),
        sha256=str(data["sha256"]),
        network=dict(data["network"]),
        spacing_mm=(i, j, k),
        seed=int(data.get("seed", 0)),
        weight=float(data.get("weight", 1.0)),
    )


def _check(package: ModelPackage) -> None:
    if package.kind not in (SEGMENTS, REFINES):
        raise _unusable(package.folder, f"its kind is {package.kind!r}, not {SEGMENTS} or {REFINES}")
    for what, values in (
        ("channel", package.channels),
        ("output", package.outputs),
        ("member", package.members),
    ):
        if not values:
            raise _unusable(package.folder, f"it lists no {what}")
    for member in package.members:
        problem = check_network(member.network)
        if not problem and not all(0.1 <= step <= 20 for step in member.spacing_mm):
            problem = f"spacing {member.spacing_mm} mm is outside 0.1 to 20 mm"
        if not problem and member.weight <= 0:
            problem = f"weight {member.weight} is not positive"
        if problem:
            raise _unusable(package.folder, f"member {member.name}: {problem}")
    for name in [*package.files, *(member.weights for member in package.members)]:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise _unusable(package.folder, f"{name} lies outside the package")


def _unusable(folder: Path, reason: str) -> UnusableInput:
    return UnusableInput(f"Model package {folder}: {reason}; restore the folder or choose another model.")


def _reason(error: Exception) -> str:
    """The error's text on one line, short enough to read."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, KeyError):
        text = f"{text} is missing"
    return text if len(text) <= 160 else text[:157] + "..."
