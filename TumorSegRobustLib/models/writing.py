"""Writing a package: training calls this once, calibration revises the result."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.resources import resource

from .bundle import inference_config, metadata
from .package import BUNDLE_FILES, PACKAGE_FILE, SCHEMA, SEGMENTS, Channel, Member, ModelPackage, file_sha256
from .preprocess import DEFAULT_PREPROCESSING


@dataclass(frozen=True)
class TrainedMember:
    """A trained network on its way into a package. `state` maps names to torch tensors or numpy arrays."""

    name: str
    network: Mapping[str, Any]
    spacing_mm: tuple[float, float, float]
    state: Mapping[str, Any]
    seed: int = 0
    weight: float = 1.0


def write_package(
    folder: str | Path,
    *,
    id: str,
    version: str,
    title: str,
    members: Sequence[TrainedMember],
    channels: Sequence[Channel],
    outputs: Sequence[str] = ("whole tumour",),
    licence: str = "Apache-2.0",
    licence_text: str = "",
    card: str = "",
    preprocessing: Mapping[str, Any] | None = None,
    calibration: Mapping[str, Any] | None = None,
    triage: Mapping[str, Any] | None = None,
    fingerprint: Mapping[str, Any] | None = None,
    changelog: Mapping[str, str] | None = None,
    kind: str = SEGMENTS,
    authors: str = "The TumorSegRobust founders",
    copyright: str = "Copyright the TumorSegRobust founders",
) -> ModelPackage:
    """Write the whole folder (complete or not at all; an older one there is replaced) and return it, loaded.

    Weights are stored as float16. Missing texts get sensible ones; `licence_text` defaults to the project's.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".package-") as scratch:
        draft = Path(scratch) / folder.name
        for part in ("configs", "models", "docs"):
            (draft / part).mkdir(parents=True)
        package = ModelPackage(
            folder=draft,
            id=id,
            version=version,
            title=title,
            licence=licence,
            channels=tuple(channels),
            outputs=tuple(outputs),
            members=tuple(_write_member(draft, member) for member in members),
            preprocessing={**DEFAULT_PREPROCESSING, **(preprocessing or {})},
            calibration={"temperature": 1.0, "threshold": 0.5, "brain_gate": False, **(calibration or {})},
            triage=dict(triage or {}),
            fingerprint=dict(fingerprint or {}),
            kind=kind,
        )
        (draft / "docs/README.md").write_text(card or f"# {title}\n", encoding="utf-8")
        (draft / "LICENSE").write_text(licence_text or _project_licence(licence), encoding="utf-8")
        notes = dict(changelog or {version: "First version"})
        _write_json(draft / "configs/metadata.json", metadata(package, notes, authors, copyright))
        _write_json(draft / "configs/inference.json", inference_config(package))
        _write_description(package)
        ModelPackage.load(draft)
        _swap(draft, folder)
    return ModelPackage.load(folder)


def revise_package(folder: str | Path, **changes: Any) -> ModelPackage:
    """Change the description (calibration, triage, fingerprint, ...), not the weights; hashes are renewed.

    Mappings are merged into what is there; everything else replaces it.
    """
    package = ModelPackage.load(folder)
    merged: dict[str, Any] = {
        name: {**getattr(package, name), **value} if isinstance(value, Mapping) else value
        for name, value in changes.items()
    }
    package = replace(package, **merged)
    path = package.folder / "configs/metadata.json"
    old = json.loads(path.read_text(encoding="utf-8"))
    changelog = {package.version: "Revised", **old["changelog"]}
    _write_json(path, metadata(package, changelog, old["authors"], old["copyright"]))
    _write_json(package.folder / "configs/inference.json", inference_config(package))
    _write_description(package)
    return ModelPackage.load(folder)


def add_member(folder: str | Path, member: TrainedMember, after: int) -> ModelPackage:
    """Give a package another member behind its first `after` ones; what stood there goes."""
    package = ModelPackage.load(folder)
    written = _write_member(package.folder, member)
    package = replace(package, members=(*package.members[:after], written))
    _write_description(package)
    return ModelPackage.load(folder)


def _write_member(folder: Path, member: TrainedMember) -> Member:
    from safetensors.numpy import save_file

    weights = f"models/{member.name}.safetensors"
    tensors = {key: _half(key, value) for key, value in member.state.items()}
    save_file(tensors, folder / weights, metadata={"format": "pt"})
    i, j, k = (float(step) for step in member.spacing_mm)
    return Member(
        name=member.name,
        weights=weights,
        sha256=file_sha256(folder / weights),
        network={key: member.network[key] for key in ("name", "args", "head") if key in member.network},
        spacing_mm=(i, j, k),
        seed=int(member.seed),
        weight=float(member.weight),
    )


def _half(key: str, value: Any) -> np.ndarray:
    array = value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
    if not np.issubdtype(array.dtype, np.floating):
        return np.ascontiguousarray(array)
    if not np.isfinite(array).all() or np.abs(array).max(initial=0) > np.finfo(np.float16).max:
        raise UnusableInput(
            f"The weights {key} are not finite float16 numbers; train again and check for NaN."
        )
    return np.ascontiguousarray(array, dtype=np.float16)


def _write_description(package: ModelPackage) -> None:
    names = [*BUNDLE_FILES, *(member.weights for member in package.members)]
    data = {
        "schema": SCHEMA,
        "id": package.id,
        "version": package.version,
        "title": package.title,
        "kind": package.kind,
        "licence": package.licence,
        "channels": [asdict(channel) for channel in package.channels],
        "outputs": list(package.outputs),
        "members": [asdict(member) for member in package.members],
        "preprocessing": dict(package.preprocessing),
        "calibration": dict(package.calibration),
        "triage": dict(package.triage),
        "fingerprint": dict(package.fingerprint),
        "files": {name: file_sha256(package.folder / name) for name in names},
    }
    _write_json(package.folder / PACKAGE_FILE, data)


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    scratch = path.with_name(f".{path.name}.new")
    scratch.write_text(text, encoding="utf-8")
    os.replace(scratch, path)


def _project_licence(licence: str) -> str:
    """The project's licence when the package carries the same one; else its name only."""
    path = resource().parent / "LICENSE"
    if licence == "Apache-2.0" and path.is_file():
        return path.read_text(encoding="utf-8")
    return f"{licence}\n"


def _swap(draft: Path, folder: Path) -> None:
    """Put `draft` where `folder` is; the old one goes only when the new one is there."""
    old = folder.with_name(f".{folder.name}.old")
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        os.replace(folder, old)
    try:
        os.replace(draft, folder)
    except OSError:
        if old.exists():
            os.replace(old, folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
