"""The documents that go with a contour, result.json and refine.json, as the command line promises them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..version import __version__

if TYPE_CHECKING:
    from ..image import Geometry, Image
    from ..inference import Prediction
    from ..review import ReviewSession
    from ..trust import Assessment

NO_ADAPTATION = {"tried": False, "accepted": False, "why": "not asked for"}


def of_prediction(
    prediction: Prediction,
    assessment: Assessment,
    seconds: Mapping[str, float],
    channels: Mapping[str, str],
) -> dict[str, Any]:
    """result.json of the networks' proposal; `seconds` of the steps around the prediction are merged in.

    channels: what the volumes are called that the networks saw, by channel.
    """
    trust = assessment.to_json()
    model = prediction.package
    return _plain(
        {
            "model": {key: model.get(key) for key in ("id", "version", "sha256", "licence")},
            "channels": channels,
            "volume_ml": assessment.volume_ml,
            "tumour_core": core_of(prediction.core_mask, prediction.geometry),
            "lesions": trust["lesions"],
            "quality": {"predicted_dice": assessment.predicted_dice, "interval": assessment.interval},
            "triage": {"level": assessment.level, "reasons": assessment.reasons},
            "shift": assessment.shift,
            **trust,  # the same and more, where the room tells it
            "adaptation": prediction.adaptation or NO_ADAPTATION,
            "device": prediction.device,
            "backend": prediction.backend,
            "seconds": {**prediction.seconds, **seconds},
            "peak_memory_mb": prediction.peak_memory_mb,
            "notices": prediction.notices,
            "software": _SOFTWARE,
        }
    )


def scan_of(channels: Mapping[str, Image]) -> list[dict[str, str]]:
    """What result.json says of the scan, so that nobody takes the results for another one's: every channel's
    name, what its volume is called, and the hash of its voxels (see `review.events.fingerprint`).
    """
    from ..review.events import fingerprint

    return [
        {"channel": channel, "name": image.name, "voxels_sha256": fingerprint(image)}
        for channel, image in channels.items()
    ]


def is_of(result: Mapping[str, Any], image: Image) -> bool | None:
    """Whether `image` is among the channels that a result.json is about; None where it does not tell."""
    from ..review.events import fingerprint

    told = [entry for entry in result.get("scan") or () if isinstance(entry, Mapping)]
    known = {str(entry["voxels_sha256"]) for entry in told if "voxels_sha256" in entry}
    return fingerprint(image) in known if known else None


def of_core(result: Mapping[str, Any], core: NDArray, geometry: Geometry) -> dict[str, Any]:
    """The same document about the tumour core alone, whose quality nobody has measured."""
    reasons = result["triage"]["reasons"] if result["triage"]["level"] == "reject" else []
    level = "reject" if reasons else "review"
    unknown = "how far to trust the contour is known for the whole tumour only"
    return _plain(
        {
            **result,
            "target": "tumour core",
            "volume_ml": volume_ml(core, geometry),
            "tumour_core": None,
            "lesions": lesions_of(core, geometry),
            "quality": {"predicted_dice": None, "interval": None},
            "triage": {"level": level, "reasons": [*reasons, unknown]},
        }
    )


def of_nothing() -> dict[str, Any]:
    """result.json of a contour that no network proposed: the same keys, null where one would have spoken."""
    return {
        "model": None,
        "channels": {},
        "volume_ml": 0.0,
        "tumour_core": None,
        "lesions": [],
        "quality": {"predicted_dice": None, "interval": None},
        "triage": {"level": "review", "reasons": ["The contour was made by hand: no network was asked."]},
        "shift": None,
        "adaptation": NO_ADAPTATION,
        "device": None,
        "backend": None,
        "seconds": {},
        "peak_memory_mb": None,
        "notices": [],
        "software": _SOFTWARE,
    }


def corrected(
    result: Mapping[str, Any],
    mask: NDArray,
    geometry: Geometry,
    core: NDArray | None = None,
    segments: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The proposal's document with volume and lesions of the contour as it is now (after clicks); `core` is
    the networks' tumour core inside it; `segments` tells of all contours (see `segment_files.told`).
    """
    now = {
        "volume_ml": volume_ml(mask, geometry),
        "tumour_core": core_of(core, geometry),
        "lesions": lesions_of(mask, geometry),
        "segments": segments,
    }
    return _plain({**result, **now})


def core_of(core: NDArray | None, geometry: Geometry) -> dict[str, float] | None:
    """What result.json says of the tumour core: its volume; None where the networks could not tell."""
    return None if core is None else {"volume_ml": volume_ml(core, geometry)}


def of_review(
    clicks: Sequence[Mapping[str, Any]],
    session: ReviewSession,
    geometry: Geometry,
    started_from: str,
    segments: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """refine.json; each click: position_lps_mm, include, honoured, changed_ml, seconds; and its segment,
    where there are several.

    journal_head: hash of the journal's last line; with it, even a journal cut off at its end is found out.
    """
    accepted = session.accepted
    return _plain(
        {
            "clicks": clicks,
            "volume_ml": volume_ml(session.mask, geometry),
            "segments": segments,
            "started_from": started_from,
            "accepted": asdict(accepted) if accepted else None,
            "journal": "journal.jsonl",
            "journal_head": session.head,
            "software": _SOFTWARE,
        }
    )


def volume_ml(mask: NDArray, geometry: Geometry) -> float:
    return float(np.count_nonzero(mask) * geometry.voxel_ml)


def lesions_of(mask: NDArray, geometry: Geometry) -> list[dict[str, Any]]:
    """Components that touch at least by a corner, the largest first: volume and centre of mass."""
    from ..trust import find_lesions

    return [lesion.to_json() for lesion in find_lesions(mask, geometry)]


_SOFTWARE = {"name": "TumorSegRobust", "version": __version__}


def _plain(value: Any) -> Any:
    """Only what JSON knows: tuples and arrays become lists, NaN and infinities null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
