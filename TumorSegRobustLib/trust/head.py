"""Is there a brain at all, and does the scan look like the sequence it was given as?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from TumorSegRobustLib.inference.seen import Seen
from TumorSegRobustLib.models import label_of

from .concerns import KEPT_FIRST, KEPT_FURTHER, KEPT_NOTHING, Concern
from .looks import head_features, likely_sequences


def about_brain(seen: Seen, expected: Mapping[str, Any]) -> Iterator[Concern]:
    """expected: {"ml": [low, high], "certain": least mean probability of what counts as brain}, in the
    package's fingerprint. Says nothing without a brain output.
    """
    if seen.brain is None or not expected:
        return
    inside = seen.brain >= 0.5
    ml = float(np.count_nonzero(inside)) * float(np.prod(seen.spacing_mm)) / 1000.0
    low, high = (float(bound) for bound in expected["ml"])
    if ml < low:
        words = f"Hardly any brain is seen ({ml:.0f} ml): the model knows whole heads only."
        yield Concern("reject", KEPT_NOTHING, words)
    elif ml > high:
        words = f"What is seen is no brain ({ml:.0f} ml would be too large): the model knows heads only."
        yield Concern("reject", KEPT_NOTHING, words)
    elif float(seen.brain[inside].mean(dtype=np.float64)) < float(expected["certain"]):
        words = "The models are not sure to see a brain: the scan may show something else than a head."
        yield Concern("review", KEPT_NOTHING, words)


def about_looks(seen: Seen, table: Mapping[str, Any]) -> Iterator[Concern]:
    """table: as in `looks.likely_sequences`, with "channels": {name: sequence}, and "said_from":
    {sequence: the probability from which it is said that a scan looks like it and should not}.
    """
    if seen.brain is None or not table:
        return
    for name, normalised in seen.normalised.items():
        expected = table["channels"].get(name.lower())
        features = head_features(normalised, seen.brain, seen.tumour, seen.spacing_mm)
        if expected is None or features is None:
            continue
        likely = likely_sequences(features, table)
        other = max(likely, key=lambda sequence: likely[sequence])
        if other != expected and likely[other] >= float(table["said_from"][other]):
            alone = len(seen.normalised) == 1
            which = "The scan" if alone else f"The scan given as {label_of(name)}"
            words = f"{which} looks like {other}, but the model expects {expected}."
            first = name == next(iter(seen.normalised))
            yield Concern("review", KEPT_FIRST if first else KEPT_FURTHER, words)
