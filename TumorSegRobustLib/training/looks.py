"""How a head looks in each sequence: the table `looks` of a package's fingerprint.

Heads in FLAIR, T1 (with and without contrast agent) and T2 are generated, real scans may stand beside them
(never their contours), the package's first network says where it sees the brain, and a multinomial logistic
regression tells the sequences apart by `trust.looks`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.evaluation.manifest import ManifestCase, read_manifest
from TumorSegRobustLib.image import Geometry, Image, read_image
from TumorSegRobustLib.inference import Ensemble
from TumorSegRobustLib.models import ModelPackage, revise_package
from TumorSegRobustLib.progress import Progress
from TumorSegRobustLib.trust.looks import FEATURES, head_features, likely_sequences

from .synth import HeadGenerator, SynthConfig, load_anatomies

SEED = 77_000_000_000  # beyond every training's examples
SEQUENCES = {"FLAIR": ("flair",), "T1": ("t1", "t1c"), "T2": ("t2",)}
CHANNELS = {"flair": "FLAIR", "t1": "T1", "t1c": "T1", "t2": "T2"}
SAID_FROM = {"FLAIR": 0.75, "T1": 0.5, "T2": 0.97}
"""Probability from which it is said that a scan looks like this sequence instead of the one it was given as.
Of 51 FLAIR scans T1 reaches .41 and T2 .80 (.92 in brain-mr-research); of 14 scans that are T1c, T1 or T2
twelve reach theirs; the one T2 has .99."""
PENALTY = 0.3  # of the squared weights, beside the summed log-likelihood
_WHOLE = SynthConfig(patch=(72, 88, 72), spacing_mm=2.5, channels=("flair",), tumour=0.9, centred=0.2)
_FOLDS = 5
_FEWEST = 10


@dataclass(frozen=True)
class Head:
    """One scan of a head: its sequence, its features (`trust.looks`), and whether it is a patient's."""

    sequence: str
    features: Mapping[str, float]
    real: bool = False


def main(
    package: str | Path,
    label_maps: Path,
    *,
    heads: int = 80,
    scans: Path | None = None,
    version: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write the table `looks` into the package, from `heads` generated heads of every contrast and from the
    scans of a manifest.

    version: the package's new one. UnusableInput for a package without a brain output or known channels.
    """
    folder, progress = Path(package), progress or Progress()
    known = ModelPackage.load(folder)
    eye = Eye(known)
    found = generated(eye, label_maps, heads, progress.part(0.0, 0.8))
    found += real(eye, read_manifest(scans), progress.part(0.8, 1.0)) if scans else []
    counts = {"generated": sum(not one.real for one in found), "real": sum(one.real for one in found)}
    table = {**fit(found), "channels": CHANNELS, "said_from": SAID_FROM, "heads": counts}
    revise_package(folder, fingerprint={"looks": table}, version=version or known.version)
    return {**counts, "right_in_cross_validation": round(cross_validated(found), 4)}


class Eye:
    """The package's first network alone, given every scan as the package's first known channel."""

    def __init__(self, package: ModelPackage) -> None:
        channel = next((one.name for one in package.channels if one.name.lower() in CHANNELS), None)
        if channel is None or "brain" not in package.outputs:
            raise UnusableInput(f"{package.id} sees no brain or has no channel of a known sequence.")
        plain = {**package.calibration, "flip_average": False, "appearance": None}
        self._channel = channel
        self._ensemble = Ensemble(replace(package, members=package.members[:1], calibration=plain))

    def features(self, scan: Image) -> dict[str, float] | None:
        """None where it sees hardly any brain."""
        seen = self._ensemble.predict({self._channel: scan}).seen
        if seen is None or seen.brain is None:
            return None
        return head_features(seen.normalised[self._channel], seen.brain, seen.tumour, seen.spacing_mm)


def generated(eye: Eye, label_maps: Path, heads: int, progress: Progress) -> list[Head]:
    """`heads` of every contrast, those left out in which no brain is seen."""
    anatomies = load_anatomies(label_maps)
    geometry = Geometry(_WHOLE.patch, (_WHOLE.spacing_mm,) * 3)
    kinds = [(sequence, kind) for sequence, named in SEQUENCES.items() for kind in named]
    found = []
    for n, (sequence, kind) in enumerate(kinds):
        generator = HeadGenerator(anatomies, replace(_WHOLE, kinds={kind: 1.0}))
        for head in range(heads):
            raw = generator.sample(SEED + head * 10 + n).raw[0].numpy().astype(np.float32) * 1000
            features = eye.features(Image(raw, geometry, kind))
            found += [] if features is None else [Head(sequence, features)]
            progress.report((n * heads + head + 1) / (len(kinds) * heads), f"{kind}: head {head + 1}")
    return found


def real(eye: Eye, cases: Sequence[ManifestCase], progress: Progress) -> list[Head]:
    """Every channel of known sequence of every case; the references stay shut."""
    found = []
    for number, case in enumerate(cases):
        for name, path in case.channels.items():
            sequence = CHANNELS.get(name.lower())
            features = eye.features(read_image(path)) if sequence else None
            found += [] if features is None or sequence is None else [Head(sequence, features, True)]
        progress.report((number + 1) / len(cases), f"case {number + 1} of {len(cases)}")
    return found


def fit(found: Sequence[Head]) -> dict[str, Any]:
    """The table of `trust.looks.likely_sequences`. Every sequence counts alike, and in it real scans, where
    there are any, as much as generated ones.

    UnusableInput where a sequence has fewer than 10 heads.
    """
    from scipy.optimize import minimize

    names = list(SEQUENCES)
    y = np.array([names.index(one.sequence) for one in found])
    counts = np.bincount(y, minlength=len(names))
    if counts.min() < _FEWEST:
        raise UnusableInput(f"{counts.min()} heads of a sequence are too few; take at least {_FEWEST}.")
    raw = np.array([[one.features[name] for name in FEATURES] for one in found])
    mean, scale = raw.mean(axis=0), np.maximum(raw.std(axis=0), 1e-3)
    x = np.clip((raw - mean) / scale, -4.0, 4.0)
    weight = weights_of(y, np.array([one.real for one in found])) * len(y)
    wanted = np.eye(len(names))[y]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        table = flat.reshape(len(names), x.shape[1] + 1)
        scores = x @ table[:, :-1].T + table[:, -1]
        scores -= scores.max(axis=1, keepdims=True)
        log_shares = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        wrong = (np.exp(log_shares) - wanted) * weight[:, None]
        uphill = wrong.T @ x + 2 * PENALTY * table[:, :-1]
        cost = PENALTY * float((table[:, :-1] ** 2).sum())
        cost -= float((weight[:, None] * wanted * log_shares).sum())
        return cost, np.concatenate([uphill, wrong.sum(axis=0)[:, None]], axis=1).ravel()

    best = minimize(loss, np.zeros(len(names) * (x.shape[1] + 1)), jac=True, method="L-BFGS-B")
    table = best.x.reshape(len(names), -1)
    return {
        "features": list(FEATURES),
        "mean": _rounded(mean),
        "scale": _rounded(scale),
        "sequences": names,
        "weights": [_rounded(row) for row in table[:, :-1]],
        "bias": _rounded(table[:, -1]),
    }


def weights_of(sequences: np.ndarray, real: np.ndarray) -> np.ndarray:
    """One for each head, their sum 1."""
    weights = np.zeros(len(sequences))
    for sequence in np.unique(sequences):
        kinds = [group for flag in (True, False) if (group := (sequences == sequence) & (real == flag)).any()]
        for group in kinds:
            weights[group] = 1.0 / (len(kinds) * np.count_nonzero(group))
    return weights / weights.sum()


def cross_validated(found: Sequence[Head]) -> float:
    """The share of heads whose sequence is the likeliest by a table fitted to the other four fifths."""
    right = 0
    for fold in range(_FOLDS):
        table = fit([one for n, one in enumerate(found) if n % _FOLDS != fold])
        for one in found[fold::_FOLDS]:
            likely = likely_sequences(one.features, table)
            right += max(likely, key=lambda name: likely[name]) == one.sequence
    return right / len(found)


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 4) for value in values]
