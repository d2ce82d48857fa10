"""The looks of real scans, without a mask and without a picture: what appearance augmentations aim at.

A bank is built once (`main`) and is one small `.npz` file of numbers and names. It remembers which case and
which site every look came from, so that a hospital can be left out (`StyleBank.without`) where it is to be
unseen.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.progress import Progress

from .style import FREQUENCIES, QUANTILES, contrast, grey_values, spectrum
from .synth.draw import Draw

if TYPE_CHECKING:
    from .real import RealCase

CHANNELS = ("flair", "t1c")
SPACING_MM = 2.0
_NAMES = ("case", "site", "channel")
_NUMBERS = {"grey_values": (QUANTILES,), "contrast": (4,), "spectrum": (FREQUENCIES,) * 3}


@dataclass(frozen=True, eq=False)
class Style:
    """The look of one series on a raw scale (about 0 = air, 1 = the 99.5th percentile).

    grey_values (64,): quantiles of the foreground. contrast (4,): its mean, SD, SD of the coarse and of the
    fine band. spectrum (8, 8, 8): log amplitudes (see `style`).
    """

    case: str
    site: str
    channel: str
    grey_values: np.ndarray
    contrast: np.ndarray
    spectrum: np.ndarray


@dataclass(frozen=True, eq=False)
class StyleBank:
    """Looks of many scans. channels: what the channels of an image mean, in their order.

    spacing_mm: the grid on which coarse, fine and frequencies were measured; use a bank at about that
    spacing.
    """

    styles: tuple[Style, ...]
    channels: tuple[str, ...] = CHANNELS
    spacing_mm: float = SPACING_MM

    @classmethod
    def from_cases(
        cls,
        cases: Iterable[RealCase],
        channels: Sequence[str] = CHANNELS,
        spacing_mm: float = SPACING_MM,
        progress: Progress | None = None,
    ) -> StyleBank:
        """Measure every channel of every case (their references are not opened)."""
        from .real import prepare_case

        listed = list(cases)
        found: list[Style] = []
        for number, case in enumerate(listed):
            blind = replace(case, reference=None)
            ready = prepare_case(blind, channels, ("whole tumour",), (spacing_mm,) * 3)
            for raw, there, name in zip(ready.raw, ready.present, channels, strict=True):
                if there:
                    found.append(measure(torch.from_numpy(raw).float(), case.name, case.site, name))
            if progress:
                progress.report((number + 1) / len(listed), f"measured {case.name}")
        return cls(tuple(found), tuple(channels), spacing_mm)

    @property
    def sites(self) -> tuple[str, ...]:
        return tuple(sorted({style.site for style in self.styles}))

    def without(self, *sites: str) -> StyleBank:
        """The bank of the other sites; UnusableInput for a site it never saw (a misspelling)."""
        strange = sorted(set(sites) - set(self.sites))
        if strange:
            raise UnusableInput(f"The style bank has no site {strange[0]}; it has {', '.join(self.sites)}.")
        return replace(self, styles=tuple(style for style in self.styles if style.site not in sites))

    def pick(self, draw: Draw, index: int) -> Style:
        """A look for channel `index` of an image: every case of that channel is as likely as every other.

        Any look where the bank has none of that channel; UnusableInput when it is empty.
        """
        if not self.styles:
            raise UnusableInput("The style bank is empty; build it from more sites or leave fewer out.")
        name = self.channels[index] if index < len(self.channels) else ""
        fitting = [style for style in self.styles if style.channel == name] or list(self.styles)
        return fitting[draw.integer(len(fitting))]

    def save(self, path: Path) -> None:
        """One compressed `.npz` without pickles."""
        table: dict[str, np.ndarray] = {
            "channels": np.array(self.channels, dtype=np.str_),
            "spacing_mm": np.array(self.spacing_mm),
        }
        for name in _NAMES:
            table[name] = np.array([getattr(style, name) for style in self.styles], dtype=np.str_)
        for name, shape in _NUMBERS.items():
            rows = [getattr(style, name) for style in self.styles]
            table[name] = np.array(rows, dtype=np.float32).reshape(-1, *shape)
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:  # a file, not a path: numpy would add an ending of its own
            np.savez_compressed(file, **table)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> StyleBank:
        """UnusableInput when it is no style bank."""
        try:
            with np.load(path, allow_pickle=False) as file:
                table = {name: file[name] for name in file.files}
            names = zip(*(table[name].tolist() for name in _NAMES), strict=True)
            numbers = zip(*(table[name] for name in _NUMBERS), strict=True)
            styles = tuple(Style(*words, *values) for words, values in zip(names, numbers, strict=True))
            return cls(styles, tuple(table["channels"].tolist()), float(table["spacing_mm"]))
        except OSError as error:
            raise UnusableInput(
                f"{path}: cannot be read ({error.strerror or error}); name a style bank."
            ) from error
        except (KeyError, ValueError, zipfile.BadZipFile, EOFError) as error:
            raise UnusableInput(f"{path}: is no style bank; build one from scans.") from error


def measure(channel: torch.Tensor, case: str, site: str, name: str) -> Style:
    """The look of one raw series (k, j, i); UnusableInput when it shows nothing."""
    grey = grey_values(channel)
    if not len(grey):
        raise UnusableInput(f"{case}: the {name} shows nothing but background; leave the case out.")
    volume = channel.unsqueeze(0)
    return Style(case, site, name, grey.numpy(), contrast(volume)[:, 0].numpy(), spectrum(volume)[0].numpy())


def main(
    source: Path,
    out: Path,
    *,
    channels: Sequence[str] = CHANNELS,
    spacing_mm: float = SPACING_MM,
    exclude_sites: Sequence[str] = (),
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Build a style bank from a manifest (CSV) or a folder of cases (`<site>-<number>/<channel>.nii.gz`).

    Writes `out` (.npz) and returns what went into it. No mask is opened. UnusableInput when there is no case.
    """
    cases = _cases(Path(source), channels, exclude_sites)
    bank = StyleBank.from_cases(cases, channels, spacing_mm, progress)
    bank.save(out)
    return {"styles": len(bank.styles), "cases": len(cases), "sites": list(bank.sites), "bank": str(out)}


def _cases(source: Path, channels: Sequence[str], exclude_sites: Sequence[str]) -> list[RealCase]:
    from TumorSegRobustLib.evaluation.manifest import ManifestCase, read_manifest

    from .real import real_cases

    if not source.is_dir():
        return real_cases(read_manifest(source), channels, exclude_sites=exclude_sites, masks=False)
    listed = []
    for folder in sorted(path for path in source.iterdir() if path.is_dir()):
        files = {name: folder / f"{name}.nii.gz" for name in channels}
        there = {name: file for name, file in files.items() if file.is_file()}
        site = folder.name.rsplit("-", 1)[0]
        listed.append(ManifestCase(folder.name, site, there, None, folder.name))
    return real_cases(listed, channels, exclude_sites=exclude_sites, masks=False)
