"""From a configuration to the list of runs: what is trained on which cases, and tested on which."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from TumorSegRobustLib.evaluation.manifest import ManifestCase

from .arms import Arm
from .config import LohoConfig, Pair
from .splits import Cases, Split, leave_one_out, mixed, patient_split

LOHO, TWO_BY_TWO, MIXING, NOISE = "loho", "two_by_two", "mixing", "noise"


@dataclass(frozen=True)
class Run:
    """One line of an experiment. settings: for `train stage1`, without the place of the manifest.

    setting: what varies (the arm, the fraction, alpha). trained_on, held_out: sites. adapt: test-time
    adaptation. styles: for augmentations that borrow looks, a file of them, "" for those of the training
    cases; None: no need. initial: file of weights to start from; None: from scratch; "": asked for, but
    not named.
    """

    experiment: str
    setting: str
    seed: int
    trained_on: tuple[str, ...]
    held_out: str
    split: Split
    settings: Mapping[str, Any]
    adapt: bool = False
    initial: str | None = None
    styles: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        sites = f"{'+'.join(self.trained_on)}-to-{self.held_out}"
        return f"{self.experiment}-{self.setting}-{sites}-seed{self.seed}"

    @property
    def key(self) -> str:
        """The same for runs whose training is the same, so that it is done once."""
        cases = [(case.case, case.site) for case in self.split.train]
        text = json.dumps([self.settings, self.initial, self.styles, cases], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def plan(config: LohoConfig, cases: Sequence[ManifestCase]) -> list[Run]:
    """All runs, in the order in which they are worth having: the ablation first, seed by seed."""
    runs: list[Run] = []
    for seed in config.seeds:
        runs += _loho(config, cases, seed)
        if config.two_by_two:
            runs += _two_by_two(config, config.two_by_two, cases, seed)
        if config.mixing:
            runs += _mixing(config, config.mixing, cases, seed)
        if config.noise:
            runs += _noise(config, config.noise, cases, seed)
    return runs


def _loho(config: LohoConfig, cases: Sequence[ManifestCase], seed: int) -> list[Run]:
    if not config.sites:
        return []
    folds = leave_one_out(cases, config.sites, config.further, config.in_domain, config.split_seed)
    return [
        Run(
            LOHO,
            arm.name,
            seed,
            tuple(site for site in config.sites if site != held_out),
            held_out,
            split,
            _settings(config, seed, arm.augment, config.share, {**config.train, **arm.train}),
            arm.adapt,
            _initial(config, arm, held_out),
            _styles(config, arm),
        )
        for arm in config.arms
        for held_out, split in folds.items()
    ]


def _styles(config: LohoConfig, arm: Arm) -> str | None:
    """Where the looks come from, in arms that augment by more than the conventional means."""
    return None if arm.augment in ("none", "conventional") else config.style_bank or ""


def _initial(config: LohoConfig, arm: Arm, held_out: str) -> str | None:
    if not arm.pretrained:
        return None
    return (config.pretrained or "").replace("{held_out}", held_out)


def _two_by_two(config: LohoConfig, pair: Pair, cases: Sequence[ManifestCase], seed: int) -> list[Run]:
    """Train on either site, test on held-back patients of both (REQUIREMENTS 16.1)."""
    return [
        Run(
            TWO_BY_TWO,
            "plain",
            seed,
            (here,),
            there,
            _both_tests(pair, cases, here, there, seed),
            _settings(config, seed, "none", _share(config, pair), {**config.train, **pair.train}),
        )
        for here, there in ((pair.source, pair.target), (pair.target, pair.source))
    ]


def _mixing(config: LohoConfig, pair: Pair, cases: Sequence[ManifestCase], seed: int) -> list[Run]:
    """Some of the target's patients among the source's, tested on other ones of the target (16.3)."""
    runs = []
    for fraction in (0.0, *(f for f in pair.fractions if f)):
        split = _both_tests(pair, cases, pair.source, pair.target, seed)
        target_train, _ = _apart(cases, pair, pair.target, seed)
        train = mixed(split.train, target_train, fraction, seed)
        runs.append(
            Run(
                MIXING,
                f"{fraction:g}",
                seed,
                (pair.source,),
                pair.target,
                Split(train, split.tests),
                _settings(config, seed, "none", _share(config, pair), {**config.train, **pair.train}),
                facts={"fraction": fraction, "train_cases": len(train)},
            )
        )
    return runs


def _noise(config: LohoConfig, pair: Pair, cases: Sequence[ManifestCase], seed: int) -> list[Run]:
    """Noise of alpha standard deviations as the only augmentation, small alphas included (16.4, 29.1)."""
    runs = []
    for alpha in (0.0, *(a for a in pair.alphas if a)):
        settings = _settings(config, seed, "none", _share(config, pair), {**config.train, **pair.train})
        real = {**settings["real"], **({"noise": alpha} if alpha else {})}
        runs.append(
            Run(
                NOISE,
                f"{alpha:g}",
                seed,
                (pair.source,),
                pair.target,
                _both_tests(pair, cases, pair.source, pair.target, seed),
                {**settings, "real": real},
                facts={"alpha": alpha},
            )
        )
    return runs


def _both_tests(pair: Pair, cases: Sequence[ManifestCase], here: str, there: str, seed: int) -> Split:
    train, in_domain = _apart(cases, pair, here, seed)
    _, held_out = _apart(cases, pair, there, seed)
    return Split(train, {"held out": held_out, "in domain": in_domain})


def _apart(cases: Sequence[ManifestCase], pair: Pair, site: str, seed: int) -> tuple[Cases, Cases]:
    """(train, test) of one site; the tests of a site are the same in all three experiments of a seed."""
    return patient_split([case for case in cases if case.site == site], 1 - pair.test, seed)


def _share(config: LohoConfig, pair: Pair) -> float:
    return config.share if pair.share is None else pair.share


def _settings(
    config: LohoConfig,
    seed: int,
    augment: str | Mapping[str, Any],
    share: float,
    train: Mapping[str, Any],
) -> dict[str, Any]:
    return {
        **train,
        "seed": seed,
        "channels": list(config.channels),
        "outputs": list(config.outputs),
        "real": {**train.get("real", {}), "share": share, "augment": augment, "masks": True},
    }
