"""A package over every case of a manifest, in native geometry, resumable; the figures come from here only."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Geometry, Image, read_image, read_labels, read_mask
from TumorSegRobustLib.inference import Prediction
from TumorSegRobustLib.models import ModelPackage
from TumorSegRobustLib.progress import Progress
from TumorSegRobustLib.trust import assess

from .calibration import reliability_near_border
from .manifest import BRATS, BRATS_CORE, ManifestCase
from .metrics import dice, surface_distances
from .pictures import draw_failure
from .records import MEASURED, CaseRecord, bins_text, read_records, write_records

CASES = "cases.csv"
PICTURES = "pictures"
WORST = 6
_OURS = re.compile(r"[0-9a-f]{16}\.png")


class Predictor(Protocol):
    """What is evaluated: `inference.Ensemble`, or a stand-in in tests."""

    @property
    def package(self) -> ModelPackage: ...

    def predict(self, image: Mapping[str, Image], progress: Progress) -> Prediction: ...


def evaluate_cases(
    cases: Sequence[ManifestCase],
    predictor: Predictor,
    out: Path,
    progress: Progress | None = None,
    worst: int = WORST,
    variant: str = "",
) -> list[CaseRecord]:
    """Measure every case and keep `cases.csv` and pictures of the `worst` in `out`; returns the records.

    Lines of an earlier run with the same package, `variant` (what else the predictor does, such as "adapt")
    and files are kept and not measured again. A case
    that cannot be used (a channel the package needs is missing, a broken file) gets a line that says why.
    Raises UnusableInput when no case has a reference, Cancelled when asked to; what is done stays in `out`.
    """
    if not any(case.reference for case in cases):
        raise UnusableInput("No case has a reference, so nothing can be measured; fill the column reference.")
    progress = progress or Progress()
    (out / PICTURES).mkdir(parents=True, exist_ok=True)
    model = predictor.package.sha256
    keys = {case.case: inputs_key(case) + (f"-{variant}" if variant else "") for case in cases}
    done = {
        record.case: record
        for record in read_records(out / CASES)
        if record.model == model and record.inputs == keys.get(record.case)
    }
    for number, case in enumerate(cases):
        if case.case in done:
            continue
        part = progress.part(number / len(cases), (number + 1) / len(cases))
        part.report(0.0, f"{case.case} ({number + 1} of {len(cases)})")
        done[case.case] = _measured(case, predictor, keys[case.case], out / PICTURES, part)
        _prune(done, out / PICTURES, worst)
        write_records((done[c.case] for c in cases if c.case in done), out / CASES)
    write_records((done[case.case] for case in cases), out / CASES)
    _prune(done, out / PICTURES, worst)
    return read_records(out / CASES)  # as rounded there, so that a resumed run gives the same figures


def worst_cases(records: Sequence[CaseRecord], worst: int = WORST) -> list[CaseRecord]:
    """The measured cases with the lowest Dice, the worst first."""
    measured = [record for record in records if record.measured]
    return sorted(measured, key=lambda record: (record.dice, record.case))[:worst]


def picture_of(record: CaseRecord, folder: Path) -> Path:
    """Where a case's picture lies; the name is safe whatever the case is called."""
    return folder / f"{hashlib.sha256(record.case.encode()).hexdigest()[:16]}.png"


def inputs_key(case: ManifestCase) -> str:
    """Changes when another file stands in the manifest: names and sizes, not contents."""
    digest = hashlib.sha256(f"{case.site}|{case.group}".encode())
    for name, path in sorted({**case.channels, "reference": case.reference}.items()):
        if path is not None:
            files = sorted(path.rglob("*")) if path.is_dir() else [path]
            size = sum(file.stat().st_size for file in files if file.is_file())
            digest.update(f"|{name}|{path.name}|{size}".encode())
    return digest.hexdigest()[:12]


def _measured(
    case: ManifestCase, predictor: Predictor, key: str, pictures: Path, progress: Progress
) -> CaseRecord:
    about = (case.case, case.site, case.group)
    model = predictor.package.sha256
    if case.reference is None:
        return CaseRecord(*about, "no reference", model, key)
    try:
        images = images_for(case, predictor.package)
        first = next(iter(images.values()))
        truth = read_mask(case.reference, first.geometry).voxels
        prediction = predictor.predict(images, progress.part(0.0, 0.8))
    except UnusableInput as error:
        return CaseRecord(*about, " ".join(str(error).split()), model, key)
    trust = assess(prediction, first, progress.part(0.8, 0.9))
    mask = prediction.mask
    distances = surface_distances(mask, truth, first.geometry)
    bins = reliability_near_border(prediction.probability, mask, truth, first.geometry)
    hits = int(np.count_nonzero(mask & truth))
    record = CaseRecord(
        *about,
        MEASURED,
        model,
        key,
        dice=dice(mask, truth),
        hd95_mm=distances.hd95_mm,
        surface_dice_1mm=distances.surface_dice(1.0),
        sensitivity=_share(hits, truth, mask),
        precision=_share(hits, mask, truth),
        reference_ml=float(np.count_nonzero(truth)) * first.geometry.voxel_ml,
        contour_ml=prediction.volume_ml,
        predicted_dice=float(trust.predicted_dice),
        predicted_low=float(trust.interval[0]),
        predicted_high=float(trust.interval[1]),
        level=trust.level,
        shift=float(trust.shift["score"]),
        ece=bins.ece,
        seconds=float(prediction.seconds["total"]),
        core_dice=_core_dice(case, prediction, first.geometry),
        bins=bins_text(bins),
    )
    progress.report(0.95, f"{case.case}: Dice {record.dice:.2f}")
    draw_failure(first, mask, truth, trust.entropy, picture_of(record, pictures))
    return record


def _core_dice(case: ManifestCase, prediction: Prediction, geometry: Geometry) -> float | None:
    """Of the tumour core, where both the reference and the package know it."""
    if case.labels != BRATS or case.reference is None or prediction.core_mask is None:
        return None
    labels = read_labels(case.reference, geometry).voxels
    return dice(prediction.core_mask, np.isin(np.rint(labels), BRATS_CORE))


def images_for(case: ManifestCase, package: ModelPackage) -> dict[str, Image]:
    """The channels that the package knows, in its order: the first one's grid is the native one."""
    given = {name.lower(): path for name, path in case.channels.items()}
    known = [channel.name for channel in package.channels if channel.name.lower() in given]
    if not known:
        wanted = " or ".join(channel.name for channel in package.channels)
        raise UnusableInput(f"Model {package.id} takes {wanted}; the case has {', '.join(case.channels)}.")
    return {name: read_image(given[name.lower()]) for name in known}


def _share(hits: int, of: np.ndarray, other: np.ndarray) -> float:
    """hits / |of|; for an empty `of` 1 where `other` is empty too, else 0: as the Dice of empty masks."""
    size = int(np.count_nonzero(of))
    return hits / size if size else float(not other.any())


def _prune(done: Mapping[str, CaseRecord], pictures: Path, worst: int) -> None:
    """Keep the pictures of the worst so far: whoever is among the worst at the end is so all along."""
    kept = {picture_of(record, pictures) for record in worst_cases(list(done.values()), worst)}
    for path in pictures.glob("*.png"):
        if _OURS.fullmatch(path.name) and path not in kept:
            path.unlink()
