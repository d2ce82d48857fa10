"""A look at real scans while training runs on generated ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.evaluation.manifest import BRATS_CORE
from TumorSegRobustLib.image import align_channels, orient, read_image, read_labels, resample
from TumorSegRobustLib.inference.inputs import NetworkInput, network_input

WHOLE, CORE = "whole tumour", "tumour core"


@dataclass(frozen=True, eq=False)
class _Case:
    """What the network gets, and the masks on its grid; core: None where the reference does not tell."""

    given: NetworkInput
    whole: np.ndarray
    core: np.ndarray | None


class Monitor:
    """Dice of a network on the cases of a folder (`<case>/flair.nii.gz`, `mask.nii.gz`, any `t1c.nii.gz`).

    On the network's grid, with the input that inference gives it. Cases without FLAIR or mask are left out;
    UnusableInput when none is left.
    """

    def __init__(self, folder: Path, cases: tuple[str, ...] = ()) -> None:
        found = sorted(p.parent.name for p in Path(folder).glob("*/flair.nii.gz"))
        scored = [name for name in found if (Path(folder) / name / "mask.nii.gz").is_file()]
        self.folder = Path(folder)
        self.cases = tuple(name for name in scored if not cases or name in cases)
        if not self.cases:
            raise UnusableInput(f"{folder}: holds no case with flair.nii.gz and mask.nii.gz to look at.")
        self._prepared: dict[tuple[str, float, tuple[str, ...]], _Case] = {}

    def score(
        self,
        network: torch.nn.Module,
        spacing_mm: float,
        device: torch.device,
        *,
        channels: Sequence[str] = ("flair",),
        outputs: Sequence[str] = (WHOLE,),
    ) -> dict[str, Any]:
        """Dice of the whole tumour per case, and the mean per site (the case name without its number).

        "core": the same of the tumour core, where the network knows it, the case has its T1c and the
        reference tells the parts of the tumour apart.
        """
        whole: dict[str, float] = {}
        core: dict[str, float] = {}
        for name in self.cases:
            case = self._case(name, spacing_mm, tuple(channels))
            logits = _run(network, case.given, device)
            found = logits[0] > 0
            whole[name] = _dice(found, case.whole)
            if case.core is not None and CORE in outputs:
                core[name] = _dice(found & (logits[list(outputs).index(CORE)] > 0), case.core)
        scores: dict[str, Any] = {"sites": _by_site(whole), "cases": whole}
        if core:
            scores["core"] = {"sites": _by_site(core), "cases": core}
        return scores

    def _case(self, name: str, spacing_mm: float, channels: tuple[str, ...]) -> _Case:
        key = (name, spacing_mm, channels)
        if key not in self._prepared:
            files = {c: self.folder / name / f"{c}.nii.gz" for c in ("flair", *channels)}
            there = {c: read_image(file) for c, file in files.items() if file.is_file()}
            images, _ = align_channels(there)
            given = network_input([images.get(c) for c in channels], (spacing_mm,) * 3, {})
            labels = read_labels(self.folder / name / "mask.nii.gz")
            array = orient(labels, "LPS")
            on_grid = resample(
                array.with_voxels(array.voxels.astype(np.uint8)), given.grid, "nearest"
            ).voxels
            parts = np.count_nonzero(np.unique(labels.voxels)) > 1
            core = np.isin(on_grid, BRATS_CORE) if parts and "t1c" in images and "t1c" in channels else None
            self._prepared[key] = _Case(given, on_grid > 0, core)
        return self._prepared[key]


def _run(network: torch.nn.Module, given: NetworkInput, device: torch.device) -> np.ndarray:
    with torch.inference_mode():
        logits = network(torch.from_numpy(given.volume)[None].to(device))[0].float().cpu().numpy()
    return given.restore(logits)


def _dice(found: np.ndarray, truth: np.ndarray) -> float:
    return round(float(2 * (found & truth).sum() / max(1, found.sum() + truth.sum())), 4)


def _by_site(dice: dict[str, float]) -> dict[str, float]:
    sites: dict[str, list[float]] = {}
    for case, value in dice.items():
        sites.setdefault(case.rsplit("-", 1)[0], []).append(value)
    return {site: round(float(np.mean(values)), 4) for site, values in sites.items()}
