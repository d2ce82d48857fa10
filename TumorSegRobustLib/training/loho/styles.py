"""The looks that a run may borrow: of its own training cases, never of whom it is tested on."""

from __future__ import annotations

from pathlib import Path

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.training.real import real_cases
from TumorSegRobustLib.training.style_bank import StyleBank

from .plan import Run


def write_styles(run: Run, path: Path, transductive: bool = False) -> None:
    """Write the style bank of a run: measured on its training cases, or taken from `run.styles`.

    A bank from a file keeps only looks of the sites trained on, and none of a tested case; with
    `transductive` it is used whole. UnusableInput when nothing is left.
    """
    if not run.styles:
        channels = tuple(run.settings["channels"])
        StyleBank.from_cases(real_cases(run.split.train, channels), channels).save(path)
        return
    bank = StyleBank.load(Path(run.styles))
    kept = bank if transductive else strict(bank, run)
    if not kept.styles:
        raise UnusableInput(
            f"{run.styles}: holds no look of {' or '.join(run.trained_on)}; build it from more sites, or "
            "leave style_bank out to use the training cases."
        )
    kept.save(path)


def strict(bank: StyleBank, run: Run) -> StyleBank:
    """The looks of the sites trained on, without those of tested cases."""
    tested = {case.case for cases in run.split.tests.values() for case in cases}
    looks = tuple(s for s in bank.styles if s.site in run.trained_on and s.case not in tested)
    return StyleBank(looks, bank.channels, bank.spacing_mm)
