"""What the members of a package say about every case of a manifest, kept small enough to fit weights on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.evaluation.evaluating import Predictor, images_for
from TumorSegRobustLib.evaluation.manifest import ManifestCase, read_manifest
from TumorSegRobustLib.image import read_mask, whole_file
from TumorSegRobustLib.progress import Progress

from .ensemble_weights import MemberCase, compare_weights

WEIGHTS = "weights.json"


def main(
    manifest: Path,
    predictor: Predictor,
    out: Path,
    sites: Sequence[str] = (),
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Compare ways of weighting a package's members on the cases of a manifest; writes `weights.json`.

    sites: only these (none: all). UnusableInput for fewer than two sites or members.
    """
    progress = progress or Progress()
    package = predictor.package
    if len(package.members) < 2:
        raise UnusableInput(f"Model {package.id} has one member, so there is nothing to weigh.")
    cases = [case for case in read_manifest(manifest) if not sites or case.site in sites]
    found = member_cases([case for case in cases if case.reference], predictor, progress.part(0.0, 0.9))
    if len({case.site for case in found}) < 2:
        raise UnusableInput("Weights are judged on a site that fitting did not see: give cases of two sites.")
    progress.report(0.9, "Fitting weights")
    table = {
        "model": {"id": package.id, "version": package.version, "sha256": package.sha256},
        "names": [member.name for member in package.members],
        **compare_weights(found),
    }
    out.mkdir(parents=True, exist_ok=True)
    with whole_file(out / WEIGHTS) as temporary:
        temporary.write_text(json.dumps(table, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return table


def member_cases(
    cases: Sequence[ManifestCase], predictor: Predictor, progress: Progress | None = None
) -> list[MemberCase]:
    """One `MemberCase` for each case with a reference that the package can take."""
    progress = progress or Progress()
    found = []
    for number, case in enumerate(cases):
        part = progress.part(number / len(cases), (number + 1) / len(cases))
        part.report(0.0, f"{case.case} ({number + 1} of {len(cases)})")
        assert case.reference is not None
        try:
            images = images_for(case, predictor.package)
        except UnusableInput:
            continue  # a channel that the package needs is not there; `evaluate` says so
        geometry = next(iter(images.values())).geometry
        truth = read_mask(case.reference, geometry).voxels
        prediction = predictor.predict(images, part)
        found.append(MemberCase.of(case.case, case.site, prediction.members, truth, case.group))
    return found
