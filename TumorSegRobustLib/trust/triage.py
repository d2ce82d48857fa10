"""Accept, review or reject: plain rules over what is known of a contour, each with its reason in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .quality import Quality
from .shift import Shift

LEVELS = ("accept", "review", "reject")

# Not calibrated: chosen so that a doubtful contour is looked at. A package's `triage` overrides each of them.
# On 51 real scans (two early members) they accepted 11 with a mean Dice of .84 (worst .71), rejected 10 with
# a mean of .21 (best .42) and sent 30 to review.
DEFAULT_TRIAGE: Mapping[str, Any] = {
    "accept_dice": 0.85,  # predicted Dice from which nothing speaks against the contour
    "reject_dice": 0.5,  # below it correcting costs more than starting from nothing
    "accept_doubt_bits": 0.8,  # entropy in and around the contour, per voxel of contour
    "band_mm": 10.0,  # how far "around" reaches
    "min_volume_ml": 0.5,
    "max_volume_ml": 300.0,
    "min_lesion_ml": 0.1,  # smaller components are not listed as lesions
    "max_lesions": 3,
    "shift_review": 0.5,  # see Shift.score
    "empty_level": "reject",
}


@dataclass(frozen=True)
class Evidence:
    """What the rules look at."""

    volume_ml: float
    quality: Quality
    """As the models' agreement has it, whatever the scan is like."""
    agreement: float | None
    """Mean pairwise Dice of the members; None when there is one only."""
    doubt_bits: float
    lesions: int
    edges: tuple[str, ...]
    """The sides of the field of view that the contour touches."""
    shift: Shift


def triage(
    evidence: Evidence, thresholds: Mapping[str, Any] | None = None
) -> tuple[str, tuple[str, ...]]:
    """(level, reasons), gravest reason first; the level is the worst any rule asks for."""
    limits = {**DEFAULT_TRIAGE, **(thresholds or {})}
    found = [*_about_scan(evidence, limits)]
    if evidence.volume_ml <= 0:
        found.append((str(limits["empty_level"]), "No tumour was found; if there is one, start from empty."))
    else:
        found += [*_about_agreement(evidence, limits), *_about_contour(evidence, limits)]
    if not found:
        agreement = 0.0 if evidence.agreement is None else evidence.agreement
        words = f"The models agree (Dice {agreement:.2f}) and nothing else speaks against the contour."
        return "accept", (words,)
    found.sort(key=lambda entry: -LEVELS.index(entry[0]))
    return found[0][0], tuple(reason for _, reason in found)


def _about_scan(evidence: Evidence, limits: Mapping[str, Any]) -> list[tuple[str, str]]:
    shift = evidence.shift
    found = [(concern.level, concern.text) for concern in shift.concerns]
    if shift.foreign:
        words = "looks like CT" if shift.modality == "CT" else "does not look like CT"
        found.insert(0, ("reject", f"The scan {words}; the models were trained on another kind of scan."))
    elif shift.unlike >= float(limits["shift_review"]):
        unlike = "; ".join(factor.text for factor in shift.factors[:3])
        found.append(("review", f"The scan is unlike those the models know: {unlike}."))
    return found


def _about_agreement(evidence: Evidence, limits: Mapping[str, Any]) -> list[tuple[str, str]]:
    predicted = evidence.quality.predicted_dice
    found = []
    if evidence.agreement is None:
        found.append(("review", "Only one model was asked: there is no second opinion."))
    # What is expected of a strange scan is lower than what the models' agreement alone would say.
    told = "" if evidence.shift.kept < 1.0 else f" (expected Dice {predicted:.2f})"
    if predicted < float(limits["reject_dice"]):
        found.append(("reject", f"The models contradict each other{told}."))
    elif predicted < float(limits["accept_dice"]):
        found.append(("review", f"The models differ in part{told}."))
    if evidence.doubt_bits > float(limits["accept_doubt_bits"]):
        found.append(("review", f"The contour is vague (doubt {evidence.doubt_bits:.2f} bit per voxel)."))
    return found


def _about_contour(evidence: Evidence, limits: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    if evidence.volume_ml < float(limits["min_volume_ml"]):
        found.append(("review", f"The contour is very small ({evidence.volume_ml:.2g} ml)."))
    if evidence.volume_ml > float(limits["max_volume_ml"]):
        found.append(("review", f"The contour is very large ({evidence.volume_ml:.0f} ml)."))
    if evidence.lesions > int(limits["max_lesions"]):
        found.append(("review", f"The contour has {evidence.lesions} separate parts; some may be wrong."))
    if evidence.edges:
        sides = ", ".join(evidence.edges)
        found.append(("review", f"The contour touches the edge of the scan ({sides}); it may be cut off."))
    return found
