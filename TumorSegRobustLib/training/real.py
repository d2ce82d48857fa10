"""Training examples from real scans: the same grid, the same normalisation as in inference.

A case is read, oriented and resampled once and stays in memory as float16; what differs from example to
example (augmentation, patch, flip, which channel is missing) depends on the seed and its number only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.evaluation.manifest import BRATS, BRATS_CORE, ManifestCase
from TumorSegRobustLib.image import Geometry, Image, align_channels, orient, read_image, read_labels
from TumorSegRobustLib.models.preprocess import (
    DEFAULT_PREPROCESSING,
    find_foreground,
    normalise,
)
from TumorSegRobustLib.models.separable import resample_parallel

from .synth.draw import Draw

Example = tuple[torch.Tensor, torch.Tensor]
UNKNOWN = 255
WHOLE, CORE = "whole tumour", "tumour core"


@dataclass(frozen=True)
class RealCase:
    """One scan of one patient (`group`) at one site; reference None: nothing is known of its tumour."""

    name: str
    site: str
    group: str
    channels: Mapping[str, Path]
    reference: Path | None
    labels: str = ""


class Augment(Protocol):
    """What `training.augment` builds: works on raw images (about 0 = air, 1 = the 99.5th percentile)."""

    def __call__(self, image: torch.Tensor, truth: torch.Tensor, draw: Draw) -> Example: ...


@dataclass(frozen=True, eq=False)
class PreparedCase:
    """On the network's grid, LPS: raw float16 (C, k, j, i), absent channels 0; truth uint8 (T, k, j, i).

    seen: voxels (n, 3) of the whole tumour, for centring. present: which channels are there.
    """

    raw: np.ndarray
    truth: np.ndarray
    seen: np.ndarray
    present: tuple[bool, ...]


def real_cases(
    manifest: Iterable[ManifestCase],
    channels: Sequence[str],
    sites: Sequence[str] = (),
    exclude_sites: Sequence[str] = (),
    masks: bool = True,
) -> list[RealCase]:
    """The cases that have at least one of `channels`, of `sites` (empty: all) and not of `exclude_sites`.

    With `masks` only those with a reference, otherwise all, and without it. UnusableInput when none is left
    or a site is not in the manifest.
    """
    listed = list(manifest)
    known = {case.site for case in listed}
    strange = sorted({*sites, *exclude_sites} - known)
    if strange:
        raise UnusableInput(f"The manifest has no site {strange[0]}; it has {', '.join(sorted(known))}.")
    kept = [
        RealCase(c.case, c.site, c.group, c.channels, c.reference if masks else None, c.labels)
        for c in listed
        if (not sites or c.site in sites)
        and c.site not in exclude_sites
        and any(name in c.channels for name in channels)
        and (c.reference is not None or not masks)
    ]
    if not kept:
        raise UnusableInput(
            f"No real case is left with {' or '.join(channels)}{' and a reference' if masks else ''}; "
            "check the sites and the manifest."
        )
    return kept


class RealHeads:
    """An endless source of examples from real scans; `sample(n)` depends on (seed, n) only.

    Example: image float32 (C, k, j, i) normalised as in inference, absent channels 0; truth uint8
    (T, k, j, i), 255 = unknown. `cache`: shared between sources so that a case is prepared once.
    """

    def __init__(
        self,
        cases: Sequence[RealCase],
        channels: Sequence[str],
        outputs: Sequence[str],
        spacing_mm: float | Sequence[float],
        patch: Sequence[int],
        augment: Augment | str | Mapping[str, Mapping] | None = None,
        seed: int = 0,
        cache: MutableMapping[object, PreparedCase] | None = None,
        centred: float = 0.7,
        dropout: float = 0.4,
        flip: float = 0.5,
        noise: float = 0.0,
    ) -> None:
        """augment: None, the name of a preset, settings of `training.augment`, or a pipeline.

        centred: probability of a patch around tumour. dropout: of losing one channel where several are there.
        noise: standard deviations of Gaussian noise on the normalised image, always (REQUIREMENTS 16.4; for
        the experiment that asks whether it helps).
        """
        if not cases:
            raise UnusableInput("No real case to train on; check the manifest and the sites.")
        self.cases, self.channels, self.outputs = tuple(cases), tuple(channels), tuple(outputs)
        sides = (spacing_mm,) * 3 if isinstance(spacing_mm, int | float) else tuple(spacing_mm)
        self.spacing_mm = (float(sides[0]), float(sides[1]), float(sides[2]))
        self.patch = (int(patch[0]), int(patch[1]), int(patch[2]))
        self.augment, self.seed = _pipeline(augment), seed
        self.centred, self.dropout, self.flip, self.noise = centred, dropout, flip, noise
        self._cache: MutableMapping[object, PreparedCase] = {} if cache is None else cache

    def preload(self) -> None:
        """Prepare every case now: before worker processes start, so that they share the memory."""
        for case in self.cases:
            self.prepared(case)

    def __iter__(self) -> Iterator[Example]:
        n = 0
        while True:
            yield self.sample(n)
            n += 1

    def sample(self, n: int) -> Example:
        """Example n: augmentation and normalisation on the whole scan, then the patch."""
        draw = Draw(example_seed(self.seed, n))
        ready = self.prepared(self.cases[draw.integer(len(self.cases))])
        present = self._drop(ready.present, draw)
        keep = torch.tensor(present).view(-1, 1, 1, 1)
        raw = torch.from_numpy(ready.raw).float() * keep
        truth = torch.from_numpy(ready.truth)
        seen: np.ndarray | None = ready.seen
        if self.augment is not None:
            raw, truth = self.augment(raw, truth, draw)
            seen = None
        image = torch.stack(
            [normalised(one) if there else one * 0 for one, there in zip(raw, present, strict=True)]
        )
        image, truth = self._cut(image, truth, seen, present, draw)
        if self.noise:
            image = image + self.noise * draw.white(image.shape) * keep
        if draw.chance(self.flip):
            image, truth = image.flip(3), truth.flip(3)
        return image.contiguous(), truth.contiguous()

    def prepared(self, case: RealCase) -> PreparedCase:
        """The case on the network's grid; read on first use."""
        key = (case.name, str(case.reference), self.channels, self.outputs, self.spacing_mm)
        if key not in self._cache:
            self._cache[key] = prepare_case(case, self.channels, self.outputs, self.spacing_mm)
        return self._cache[key]

    def _drop(self, present: tuple[bool, ...], draw: Draw) -> tuple[bool, ...]:
        there = [number for number, one in enumerate(present) if one]
        if len(there) < 2 or not draw.chance(self.dropout):
            return present
        lost = there[draw.integer(len(there))]
        return tuple(one and number != lost for number, one in enumerate(present))

    def _cut(
        self,
        image: torch.Tensor,
        truth: torch.Tensor,
        seen: np.ndarray | None,
        present: Sequence[bool],
        draw: Draw,
    ) -> Example:
        """The patch: around a tumour voxel or anywhere, inside the scan where the scan is large enough."""
        shape = image.shape[1:]
        if seen is None:
            seen = np.argwhere(truth[0].numpy() == 1)
        if len(seen) and draw.chance(self.centred):
            centre = [float(v) for v in seen[draw.integer(len(seen))]]
        else:
            centre = [draw.uniform(0, size - 1) for size in shape]
        starts = []
        for middle, side, size in zip(centre, self.patch, shape, strict=True):
            start = round(middle + draw.uniform(-0.25, 0.25) * side - side / 2)
            starts.append(min(max(start, min(0, size - side)), max(0, size - side)))
        fills = [float(c.min()) if there else 0.0 for c, there in zip(image, present, strict=True)]
        cut = torch.stack(
            [_window(c, starts, self.patch, fill) for c, fill in zip(image, fills, strict=True)]
        )
        outside = [UNKNOWN if bool((t == UNKNOWN).all()) else 0 for t in truth]
        label = torch.stack(
            [_window(t, starts, self.patch, fill) for t, fill in zip(truth, outside, strict=True)]
        )
        return cut, label


def example_seed(seed: int, n: int) -> int:
    """A seed for example n that no neighbour (another n, another seed) shares."""
    return int(np.random.SeedSequence([seed, n]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def normalised(raw: torch.Tensor) -> torch.Tensor:
    """One raw channel (k, j, i) as `models.preprocess.prepare` leaves it after resampling."""
    array = raw.numpy()
    foreground, stripped = find_foreground(array)
    if stripped:
        array = np.where(foreground, array, array[foreground].min())
    return torch.from_numpy(normalise(array, foreground))


def prepare_case(
    case: RealCase, channels: Sequence[str], outputs: Sequence[str], spacing_mm: tuple[float, float, float]
) -> PreparedCase:
    """Read a case and bring it to the network's grid as inference does (orientation, anti-aliasing)."""
    images, _ = align_channels({n: read_image(case.channels[n]) for n in channels if n in case.channels})
    native = next(iter(images.values())).geometry
    resampled = {name: _on_grid(image, spacing_mm) for name, image in images.items()}
    shape = next(iter(resampled.values())).shape
    raw = np.stack([_scaled(resampled[n]) if n in resampled else np.zeros(shape) for n in channels])
    truth = _truth(case, native, outputs, spacing_mm, shape)
    return PreparedCase(
        raw.astype(np.float16), truth, np.argwhere(truth[0] == 1), tuple(n in resampled for n in channels)
    )


def _on_grid(image: Image, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    oriented = orient(image, DEFAULT_PREPROCESSING["orientation"])
    target = oriented.geometry.with_spacing(spacing_mm)
    antialias = float(DEFAULT_PREPROCESSING["antialias"])
    return resample_parallel(oriented.voxels, oriented.geometry, target, antialias=antialias)


def _scaled(array: np.ndarray) -> np.ndarray:
    """About 0 = air, 1 = the 99.5th percentile; a stripped background, wherever it lay, is the minimum."""
    foreground, stripped = find_foreground(array)
    if stripped:
        array = np.where(foreground, array, array[foreground].min())
    low, high = np.percentile(array, (1.0, 99.5))
    return (array - low) / max(float(high - low), 1e-6)


def _truth(
    case: RealCase,
    native: Geometry,
    outputs: Sequence[str],
    spacing_mm: tuple[float, float, float],
    shape: tuple[int, ...],
) -> np.ndarray:
    truth = np.full((len(outputs), *shape), UNKNOWN, dtype=np.uint8)
    if case.reference is None:
        return truth
    labels = read_labels(case.reference, native)
    unknown = np.rint(labels.voxels) == UNKNOWN  # pseudo-labels leave open what the ensemble doubts
    parts = {WHOLE: (labels.voxels > 0) & ~unknown}
    if case.labels == BRATS:
        parts[CORE] = np.isin(np.rint(labels.voxels), BRATS_CORE)
    for number, name in enumerate(outputs):
        if name in parts:
            truth[number] = _on_grid(labels.with_voxels(parts[name].astype(np.float32)), spacing_mm) >= 0.5
            if unknown.any():
                doubted = _on_grid(labels.with_voxels(unknown.astype(np.float32)), spacing_mm) >= 0.5
                truth[number][doubted] = UNKNOWN
    return truth


def _window(volume: torch.Tensor, starts: Sequence[int], patch: Sequence[int], fill: float) -> torch.Tensor:
    """The part of (k, j, i) that begins at `starts` (may be negative) and has the patch's size."""
    out = torch.full(tuple(patch), fill, dtype=volume.dtype)
    source, target = [], []
    for start, side, size in zip(starts, patch, volume.shape, strict=True):
        first, last = max(start, 0), min(start + side, size)
        source.append(slice(first, last))
        target.append(slice(first - start, last - start))
    out[tuple(target)] = volume[tuple(source)]
    return out


def _pipeline(augment: Augment | str | Mapping[str, Mapping] | None) -> Augment | None:
    if augment is None or augment == "none":
        return None
    if not isinstance(augment, str | Mapping):
        return augment
    room = import_module(".augment", __package__)
    return room.build(room.PRESETS[augment] if isinstance(augment, str) else augment)
