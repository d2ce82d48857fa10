"""All that can be told of a scan, apart from any contour on it: figures, looks, and what its headers say."""

from __future__ import annotations

from dataclasses import replace

from TumorSegRobustLib.image import Image
from TumorSegRobustLib.inference import Prediction

from .concerns import Concern, about_copies, about_headers, about_values
from .head import about_brain, about_looks
from .shift import Shift, level_of, measure_shift


def judge_scan(prediction: Prediction, image: Image) -> Shift:
    """How unlike training the scan is; `image` stands for its channels where the prediction kept none.

    The gravest concerns come first. Where the scan is none of a head at all, nothing is said of its looks.
    """
    fingerprint = prediction.fingerprint
    shift = measure_shift(image, fingerprint)
    seen = prediction.seen
    scans = seen.scans if seen is not None else {"scan": image}
    found: list[Concern] = [*about_headers(scans, str(fingerprint.get("modality", "")))]
    for name, scan in scans.items():
        found += about_values(name, scan)
    if seen is not None:
        found += about_copies(seen.normalised)
        brain = [*about_brain(seen, fingerprint.get("brain") or {})]
        if brain or any(concern.level == "reject" for concern in found):
            found += brain
        else:
            found += about_looks(seen, fingerprint.get("looks") or {})
    if not found:
        return shift
    score = max([shift.score, *(concern.score for concern in found)])
    concerns = tuple(sorted(found, key=lambda concern: -concern.score))
    return replace(shift, score=score, level=level_of(score), concerns=concerns)
