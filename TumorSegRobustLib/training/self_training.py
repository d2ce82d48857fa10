"""Pseudo-labels: what an ensemble agrees on in scans without masks becomes truth for the next training.

A case is kept only when the members agree; in it only confident voxels are labelled, the rest is unknown.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.evaluation.manifest import FIRST_CHANNEL, ManifestCase, read_manifest
from TumorSegRobustLib.image import Image, read_image, write_image
from TumorSegRobustLib.inference import Ensemble, Prediction
from TumorSegRobustLib.models import ModelPackage, find_package
from TumorSegRobustLib.progress import Progress
from TumorSegRobustLib.trust import pairwise_dice

from .checkpoints import differences, write_whole
from .config import filled, read_yaml

UNKNOWN = 255
RECORDS, MANIFEST = "pseudo.json", "manifest.csv"


@dataclass(frozen=True)
class PseudoConfig:
    """manifest: of scans, whose references are never opened. model: a package's id or folder.

    sites, exclude_sites: as in `RealSource`. gate: least mean Dice between the members for a case to be kept.
    tumour_above, healthy_below: probabilities from which a voxel counts as known. least_ml: cases with less
    certain tumour are left out, because members that all find nothing agree on nothing. device: auto, cpu,
    cuda, mps.
    """

    manifest: str
    model: str
    sites: tuple[str, ...] = ()
    exclude_sites: tuple[str, ...] = ()
    gate: float = 0.8
    tumour_above: float = 0.8
    healthy_below: float = 0.2
    least_ml: float = 0.5
    device: str = "auto"

    def check(self) -> None:
        """UnusableInput (one line) for thresholds that contradict each other."""
        if not 0 <= self.healthy_below <= self.tumour_above <= 1:
            raise UnusableInput("healthy_below and tumour_above are probabilities, the first is the smaller.")
        if not 0 <= self.gate <= 1:
            raise UnusableInput(f"gate is {self.gate}; it is a Dice between 0 and 1.")


class Predictor(Protocol):
    """`inference.Ensemble`, or a stand-in in tests."""

    @property
    def package(self) -> ModelPackage: ...

    def predict(self, image: Mapping[str, Image], progress: Progress) -> Prediction: ...


def main(config: Path, out: Path, *, progress: Progress | None = None) -> dict[str, Any]:
    """Label the scans of a configuration (YAML) into the folder `out`; goes on where it was stopped.

    Writes `masks/<case>.nii.gz` (0, 1, 255 = unknown), `manifest.csv` of the kept cases for `real:`, and
    `pseudo.json` with the agreement of every case and the sites whose scans were used.
    """
    settings = filled(PseudoConfig, read_yaml(config), config)
    settings.check()
    return label(settings, Ensemble(find_package(settings.model), settings.device), out, progress)


def label(
    config: PseudoConfig, predictor: Predictor, out: Path, progress: Progress | None = None
) -> dict[str, Any]:
    """As `main`, with a predictor of the caller's. UnusableInput for a package of one member."""
    if len(predictor.package.members) < 2:
        raise UnusableInput(
            f"Model {predictor.package.id} has one member, so nothing tells how sure it is; take an ensemble."
        )
    progress = progress or Progress()
    cases = chosen(read_manifest(Path(config.manifest)), config.sites, config.exclude_sites)
    (out / "masks").mkdir(parents=True, exist_ok=True)
    records = _Records(out / RECORDS, config, predictor.package)
    for number, case in enumerate(cases):
        part = progress.part(number / len(cases), (number + 1) / len(cases))
        part.report(0.0, f"{case.case} ({number + 1} of {len(cases)})")
        if case.case not in records.cases:
            records.add(case.case, {"site": case.site, **_labelled(case, predictor, config, out, part)})
    kept = [case for case in cases if records.cases[case.case]["kept"]]
    manifest = None
    if kept:
        manifest = out / MANIFEST
        write_whole(manifest, lambda path: _write_manifest(kept, out, path))
    return {
        "cases": len(cases),
        "kept": len(kept),
        "sites": sorted({case.site for case in kept}),
        "model": predictor.package.sha256,
        "manifest": None if manifest is None else str(manifest),
    }


def pseudo_mask(
    probability: np.ndarray, tumour_above: float, healthy_below: float
) -> np.ndarray:
    """uint8 of the same shape: 1 from `tumour_above` on, 0 up to `healthy_below`, 255 between."""
    mask = np.full(probability.shape, UNKNOWN, dtype=np.uint8)
    mask[probability <= healthy_below] = 0
    mask[probability >= tumour_above] = 1
    return mask


def chosen(
    cases: Sequence[ManifestCase], sites: Sequence[str], exclude_sites: Sequence[str]
) -> list[ManifestCase]:
    """Cases of `sites` (empty: all) that are not of `exclude_sites`; UnusableInput when none is left."""
    known = {case.site for case in cases}
    strange = sorted({*sites, *exclude_sites} - known)
    if strange:
        raise UnusableInput(f"The manifest has no site {strange[0]}; it has {', '.join(sorted(known))}.")
    kept = [c for c in cases if (not sites or c.site in sites) and c.site not in exclude_sites]
    if not kept:
        raise UnusableInput("No case is left to label; check sites and exclude_sites.")
    return kept


class _Records:
    """What was found in each case, on disk after every one of them."""

    def __init__(self, path: Path, config: PseudoConfig, package: ModelPackage) -> None:
        self.path = path
        settings = {key: value for key, value in asdict(config).items() if key not in ("manifest", "device")}
        self.head = json.loads(json.dumps({**settings, "model": package.sha256}))
        self.cases: dict[str, dict[str, Any]] = {}
        if path.exists():
            data = json.loads(path.read_text(encoding="utf-8"))
            different = differences(data["settings"], self.head)
            if different:
                raise UnusableInput(
                    f"{path}: belongs to another configuration ({', '.join(different)}); "
                    "choose another folder for --out."
                )
            self.cases = data["cases"]

    def add(self, case: str, record: dict[str, Any]) -> None:
        self.cases[case] = record
        sites = sorted({r["site"] for r in self.cases.values()})
        text = json.dumps({"settings": self.head, "sites": sites, "cases": self.cases}, indent=1)
        write_whole(self.path, lambda path: path.write_text(text, encoding="utf-8"))


def _labelled(
    case: ManifestCase, predictor: Predictor, config: PseudoConfig, out: Path, progress: Progress
) -> dict[str, Any]:
    """{kept, why, agreement, tumour_ml, known}; the mask is written when the case is kept."""
    known = {channel.name.lower() for channel in predictor.package.channels}
    files = {name: file for name, file in case.channels.items() if name.lower() in known}
    try:
        found = predictor.predict({name: read_image(file) for name, file in files.items()}, progress)
    except UnusableInput as error:
        return {"kept": False, "why": str(error)}
    agreement = float(np.mean(pairwise_dice(found.members, found.threshold)))
    mask = pseudo_mask(found.probability, config.tumour_above, config.healthy_below)
    volume = float(np.count_nonzero(mask == 1)) * found.geometry.voxel_ml
    why = ""
    if agreement < config.gate:
        why = f"the members agree by {agreement:.2f} only"
    elif volume < config.least_ml:
        why = f"{volume:.2f} ml of certain tumour only"
    else:
        write_whole(_mask(out, case), lambda path: _write_mask(Image(mask, found.geometry), path))
    return {
        "kept": not why,
        "why": why,
        "agreement": round(agreement, 4),
        "tumour_ml": round(volume, 3),
        "known": round(float(np.mean(mask != UNKNOWN)), 4),
    }


def _write_mask(mask: Image, path: Path) -> None:
    draft = path.with_name("draft.nii.gz")  # the format is told by the ending
    write_image(mask, draft)
    os.replace(draft, path)


def _mask(out: Path, case: ManifestCase) -> Path:
    return out / "masks" / f"{case.case}.nii.gz"


def _write_manifest(cases: Sequence[ManifestCase], out: Path, path: Path) -> None:
    channels = list(dict.fromkeys([FIRST_CHANNEL, *(name for case in cases for name in case.channels)]))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["case", "site", "image", *channels[1:], "reference", "group"])
        for case in cases:
            files = [_relative(case.channels.get(name), out) for name in channels]
            writer.writerow([case.case, case.site, *files, _relative(_mask(out, case), out), case.group])


def _relative(file: Path | None, folder: Path) -> str:
    return "" if file is None else Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix()
