"""A look at real scans while training runs on generated ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from TumorSegRobustLib.image import orient, read_image, read_mask, resample
from TumorSegRobustLib.models.preprocess import pad, prepare


class Monitor:
    """Dice of a network on every case of a folder (`<case>/flair.nii.gz`, `<case>/mask.nii.gz`), on the
    network's grid.
    """

    def __init__(self, folder: Path, cases: tuple[str, ...] = ()) -> None:
        chosen = cases or tuple(sorted(p.parent.name for p in Path(folder).glob("*/flair.nii.gz")))
        self.folder, self.cases = Path(folder), chosen
        self._prepared: dict[tuple[str, float], tuple[np.ndarray, np.ndarray]] = {}

    def score(self, network: torch.nn.Module, spacing_mm: float, device: torch.device) -> dict[str, Any]:
        """Dice per case, and the mean per site (the case name without its number)."""
        dice = {case: self._dice(network, case, spacing_mm, device) for case in self.cases}
        sites: dict[str, list[float]] = {}
        for case, value in dice.items():
            sites.setdefault(case.rsplit("-", 1)[0], []).append(value)
        return {"sites": {site: round(float(np.mean(v)), 4) for site, v in sites.items()}, "cases": dice}

    def _dice(self, network: torch.nn.Module, case: str, spacing_mm: float, device: torch.device) -> float:
        array, truth = self._case(case, spacing_mm)
        with torch.inference_mode():
            logits = network(torch.from_numpy(pad(array))[None, None].to(device))[0, 0].cpu().numpy()
        k, j, i = truth.shape
        found = logits[:k, :j, :i] > 0
        return round(float(2 * (found & truth).sum() / max(1, found.sum() + truth.sum())), 4)

    def _case(self, case: str, spacing_mm: float) -> tuple[np.ndarray, np.ndarray]:
        key = (case, spacing_mm)
        if key not in self._prepared:
            ready = prepare(read_image(self.folder / case / "flair.nii.gz"), (spacing_mm,) * 3)
            mask = orient(read_mask(self.folder / case / "mask.nii.gz"), "LPS")
            truth = (
                resample(mask.with_voxels(mask.voxels.astype(np.uint8)), ready.geometry, "nearest").voxels > 0
            )
            self._prepared[key] = (ready.array, truth)
        return self._prepared[key]
