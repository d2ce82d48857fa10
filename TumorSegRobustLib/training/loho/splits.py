"""Who trains and who tests: always whole patients, always the same for the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.evaluation.manifest import ManifestCase

Cases = tuple[ManifestCase, ...]


@dataclass(frozen=True)
class Split:
    """train; tests by role: "held out" (the unseen site), "in domain" (other patients of the training sites),
    "further" (sites that are never trained on)."""

    train: Cases
    tests: dict[str, Cases]


def leave_one_out(
    cases: Sequence[ManifestCase],
    sites: Sequence[str],
    further: Sequence[str] = (),
    in_domain: float = 0.15,
    seed: int = 0,
) -> dict[str, Split]:
    """{held-out site: split} for every site of `sites`: trained on the others.

    in_domain: share of the training sites' patients that is kept for testing (0: none). Which ones depends on
    the site and the seed only, not on the fold, so that folds and arms are tested on the same patients.
    """
    of = {site: tuple(case for case in cases if case.site == site) for site in (*sites, *further)}
    missing = [site for site, members in of.items() if not members]
    if missing:
        known = ", ".join(sorted({case.site for case in cases}))
        raise UnusableInput(f"The manifest has no case of {missing[0]}; its sites are {known}.")
    if len(set(sites)) < 2:
        raise UnusableInput("Leaving one site out needs two sites or more; name them under sites.")
    apart = {site: patient_split(of[site], 1 - in_domain, seed) for site in sites}
    folds = {}
    for held_out in sites:
        others = [site for site in sites if site != held_out]
        tests = {
            "held out": of[held_out],
            "in domain": tuple(case for site in others for case in apart[site][1]),
            "further": tuple(case for site in further for case in of[site]),
        }
        train = tuple(case for site in others for case in apart[site][0])
        folds[held_out] = Split(train, {role: members for role, members in tests.items() if members})
    return folds


def patient_split(cases: Sequence[ManifestCase], first: float, seed: int) -> tuple[Cases, Cases]:
    """About the share `first` of the patients, and the rest; in the manifest's order.

    With two patients or more neither side is empty unless `first` is 0 or 1. The draw depends on the names
    and the seed.
    """
    groups = sorted({case.group for case in cases})
    count = round(first * len(groups))
    if 0 < first < 1 and len(groups) > 1:
        count = min(max(count, 1), len(groups) - 1)
    order = np.random.default_rng([seed, len(groups)]).permutation(len(groups))
    chosen = {groups[n] for n in order[:count]}
    return (
        tuple(case for case in cases if case.group in chosen),
        tuple(case for case in cases if case.group not in chosen),
    )


def mixed(
    source: Sequence[ManifestCase], target: Sequence[ManifestCase], fraction: float, seed: int
) -> Cases:
    """The source's cases and so many of the target's that they are `fraction` of the result.

    Where the target has too few they are taken again (named `case~2`, ...), as in the protocol of
    REQUIREMENTS 16.3. fraction in [0, 1).
    """
    if not 0 <= fraction < 1:
        raise UnusableInput(f"The mixing fraction is {fraction:g}; give numbers from 0 to below 1.")
    wanted = round(fraction * len(source) / (1 - fraction))
    if wanted and not target:
        raise UnusableInput("There is no case of the target site to mix in.")
    rng = np.random.default_rng([seed, round(1000 * fraction)])
    order: list[int] = []
    while len(order) < wanted:
        order += rng.permutation(len(target)).tolist()
    added = []
    for place, n in enumerate(order[:wanted]):
        turn = place // len(target) + 1
        added.append(target[n] if turn == 1 else replace(target[n], case=f"{target[n].case}~{turn}"))
    return (*source, *added)
