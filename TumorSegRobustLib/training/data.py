"""Endless training examples, generated and real, in an order that a restart finds again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from TumorSegRobustLib.errors import UnusableInput

from .config import RealSource, StageOneConfig
from .distributed import World
from .synth import HeadGenerator, SynthConfig, load_anatomies

if TYPE_CHECKING:
    from .augment import Pipeline
    from .real import RealHeads

Example = tuple[torch.Tensor, torch.Tensor]
SEED_SPAN = 100_000_000  # generated heads of two seeds never meet
PREFETCH = 8
KIND, AUGMENTATION, SCAN = 1, 2, 3  # separate streams of the same seed


class Examples(Dataset[Example]):
    """Example n (image float32 (C, k, j, i), truth uint8 (T, k, j, i)) depends on the seed and n only.

    It is real when a seeded draw falls below `share`, otherwise generated.
    """

    def __init__(
        self,
        seed: int,
        generated: Callable[[int], Example] | None,
        real: Callable[[int], Example] | None = None,
        share: float = 0.0,
    ) -> None:
        self.seed, self.share = seed, share
        self.generated, self.real = generated, real

    def is_real(self, n: int) -> bool:
        return self.real is not None and fraction(self.seed, n, KIND) < self.share

    def __getitem__(self, n: int) -> Example:
        source = self.real if self.is_real(n) else self.generated
        assert source is not None
        return source(n)


def examples(config: StageOneConfig, cache: MutableMapping[Any, Any] | None = None) -> Examples:
    """The examples of a configuration; real scans are read now, once. UnusableInput names a bad path.

    `cache`: of prepared scans, for several trainings in one process.
    """
    source = config.real_source
    share = source.share if source else 0.0
    real = None
    if source and share > 0:
        real = real_heads(source, config.channels, config.outputs, config.synth, config.seed, cache).sample
    return Examples(config.seed, _generated(config) if share < 1 else None, real, share)


def fraction(seed: int, n: int, stream: int) -> float:
    """A number in 0..1 that belongs to example n."""
    return float(np.random.SeedSequence([seed, n, stream]).generate_state(1, np.uint32)[0]) / 2**32


def real_heads(
    source: RealSource,
    channels: Sequence[str],
    outputs: Sequence[str],
    synth: SynthConfig,
    seed: int,
    cache: MutableMapping[Any, Any] | None = None,
) -> RealHeads:
    """The scans of a source in the patches of `synth`, every case prepared."""
    from TumorSegRobustLib.evaluation.manifest import read_manifest

    from .real import RealHeads, real_cases

    cases = real_cases(
        read_manifest(Path(source.manifest)), channels, source.sites, source.exclude_sites, source.masks
    )
    augment = pipeline(source.augment, source.style_bank, source.exclude_sites)
    heads = RealHeads(
        cases, channels, outputs, synth.spacing_mm, synth.patch, augment, seed, cache, noise=source.noise
    )
    heads.preload()
    return heads


def batches(
    data: Dataset[Example], batch: int, workers: int, start: int = 0, world: World | None = None
) -> Iterator[Any]:
    """Batches from example `start` on, in the same order with any number of workers.

    Of `world.size * batch` examples in a row every rank gets its `batch`.
    """
    world = world or World()
    order = example_order(start, batch, world.rank, world.size)
    return iter(
        DataLoader(
            data,
            batch_sampler=order,
            num_workers=workers,
            prefetch_factor=PREFETCH if workers else None,
        )
    )


def example_order(start: int, batch: int, rank: int = 0, size: int = 1) -> Iterator[list[int]]:
    """The numbers of the examples in each batch of one rank, without end."""
    first = start + rank * batch
    while True:
        yield list(range(first, first + batch))
        first += size * batch


def pipeline(
    augment: str | Mapping[str, Any], style_bank: str | None = None, exclude_sites: Sequence[str] = ()
) -> Pipeline | None:
    """The augmentations of a preset's name or of settings; None for "none".

    style_bank: a file, whose looks of `exclude_sites` are left out, so that a site stays unseen.
    """
    if not augment or augment == "none":
        return None
    from .augment import PRESETS, build
    from .style_bank import StyleBank

    if isinstance(augment, str) and augment not in PRESETS:
        raise UnusableInput(f"There is no augmentation preset {augment}; there are {', '.join(PRESETS)}.")
    settings = PRESETS[augment] if isinstance(augment, str) else augment
    if style_bank is None:
        return build(settings)
    bank = StyleBank.load(Path(style_bank))
    return build(settings, bank.without(*(site for site in exclude_sites if site in bank.sites)))


def head_generator(label_maps: str, anatomies: Sequence[str], synth: SynthConfig) -> HeadGenerator:
    """The generator on a folder of label maps; UnusableInput where there are none."""
    try:
        return HeadGenerator(load_anatomies(Path(label_maps), anatomies), synth)
    except FileNotFoundError as error:
        raise UnusableInput(f"{error} Set label_maps to the folder of the label maps.") from error


def _generated(config: StageOneConfig) -> Callable[[int], Example]:
    generator = head_generator(config.label_maps, config.anatomies, config.heads)
    augment = pipeline(config.augment, config.style_bank)

    def example(n: int) -> Example:
        sample = generator.sample(config.seed * SEED_SPAN + n)
        if augment is None:
            return sample.image, sample.truth
        return augmented(sample.raw, sample.truth, augment, config.seed, n)

    return example


def augmented(raw: torch.Tensor, truth: torch.Tensor, augment: Pipeline, seed: int, n: int) -> Example:
    """Augment the raw channels (C, k, j, i) and normalise them as in inference; absent channels stay zero."""
    from .real import normalised
    from .synth.draw import Draw

    stream = np.random.SeedSequence([seed, n, AUGMENTATION]).generate_state(1, np.uint64)[0]
    present = [bool(channel.any()) for channel in raw]
    raw, truth = augment(raw, truth, Draw(int(stream >> np.uint64(1))))
    channels = [normalised(one) if there else one * 0 for one, there in zip(raw, present, strict=True)]
    return torch.stack(channels).contiguous(), truth.contiguous()
