"""What the training minimises: overlap losses and cross-entropy that pass over what nobody knows.

All outputs are binary and may overlap (a tumour core lies in the whole tumour in the brain): every output
has a sigmoid and a loss of its own. Truth is 0, 1, or `UNKNOWN` (255) for voxels or whole outputs without
reference. Overlaps come from MONAI; the surface term is `surface.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Protocol

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from TumorSegRobustLib.errors import UnusableInput

from .surface import surface_error

UNKNOWN = 255
_LEAST_ERROR = 1e-6  # a power below 1 has an infinite slope at an error of 0


class Loss(Protocol):
    """What `build_loss` returns."""

    def __call__(self, logits: torch.Tensor, truth: torch.Tensor, progress: float = 0.0) -> torch.Tensor:
        """logits float32 and truth uint8 (B, T, k, j, i), progress of the training 0..1: a scalar."""


class Kind(Protocol):
    """A loss of every sample and output apart."""

    def __call__(
        self, logits: torch.Tensor, truth: torch.Tensor, known: torch.Tensor, progress: float
    ) -> torch.Tensor:
        """logits float32, truth (0 or 1) and known (0 or 1) float32 (B, T, k, j, i): (B, T), finite."""


@dataclass(frozen=True)
class DiceCrossEntropy:
    """`dice` times the Dice loss plus `cross_entropy` times the mean binary cross-entropy.

    smooth: added to both sides of the Dice quotient, so that an empty prediction of an empty truth costs 0.
    smooth_empty: the same where the truth is empty (default: as `smooth`). There the Dice loss is
    S / (S + smooth) for a false contour of S voxels: flat, so without a slope to learn from, unless `smooth`
    is about as large as the false contours that should go.
    """

    dice: float = 1.0
    cross_entropy: float = 1.0
    smooth: float = 1.0
    smooth_empty: float | None = None

    def __call__(
        self, logits: torch.Tensor, truth: torch.Tensor, known: torch.Tensor, progress: float
    ) -> torch.Tensor:
        from monai.losses import DiceLoss

        inside, there = torch.sigmoid(logits) * known, truth * known
        overlap = DiceLoss(smooth_nr=self.smooth, smooth_dr=self.smooth, reduction="none")
        dice = overlap(inside, there).flatten(1)
        if self.smooth_empty is not None:
            false = inside.flatten(2).sum(2)
            dice = torch.where(there.flatten(2).any(2), dice, false / (false + self.smooth_empty))
        return self.dice * dice + self.cross_entropy * _cross_entropy(logits, truth, known)


@dataclass(frozen=True)
class DiceCrossEntropyBoundary:
    """Dice and cross-entropy plus a surface term whose weight runs from `start` to `end` with the progress.

    Kervadec et al. (2019) let the weight grow from 0.01 while the overlap loss stays ("increase"). outputs:
    the numbers of the outputs that get the term (a distance map of an 80^3 patch takes some 25 ms); default:
    the first, which is the whole tumour.
    """

    dice: float = 1.0
    cross_entropy: float = 1.0
    smooth: float = 1.0
    start: float = 0.01
    end: float = 1.0
    outputs: tuple[int, ...] = (0,)

    def __call__(
        self, logits: torch.Tensor, truth: torch.Tensor, known: torch.Tensor, progress: float
    ) -> torch.Tensor:
        region = DiceCrossEntropy(self.dice, self.cross_entropy, self.smooth)
        loss = region(logits, truth, known, progress)
        weight = self.start + (self.end - self.start) * min(1.0, max(0.0, progress))
        if weight == 0.0:
            return loss
        chosen = list(self.outputs)
        surface = torch.zeros_like(loss)
        surface[:, chosen] = surface_error(
            torch.sigmoid(logits[:, chosen]), truth[:, chosen], known[:, chosen]
        )
        return loss + weight * surface


@dataclass(frozen=True)
class FocalTversky:
    """(1 - TI)^gamma, TI = TP / (TP + alpha FN + (1 - alpha) FP), after Abraham and Khan (2019, ISBI).

    In their TI alpha weights the false negatives: 0.7 favours finding small lesions. Their best focal
    parameter 4/3 enters as the exponent 1 / (4/3) = 0.75, which is what `gamma` is here. (MONAI's
    TverskyLoss calls the weight of the false negatives beta.)
    """

    alpha: float = 0.7
    gamma: float = 0.75
    smooth: float = 1.0
    cross_entropy: float = 0.0

    def __call__(
        self, logits: torch.Tensor, truth: torch.Tensor, known: torch.Tensor, progress: float
    ) -> torch.Tensor:
        from monai.losses import TverskyLoss

        tversky = TverskyLoss(
            alpha=1 - self.alpha,
            beta=self.alpha,
            smooth_nr=self.smooth,
            smooth_dr=self.smooth,
            reduction="none",
        )
        error = tversky(torch.sigmoid(logits) * known, truth * known)
        focal = error.clamp(min=_LEAST_ERROR) ** self.gamma
        return focal + self.cross_entropy * _cross_entropy(logits, truth, known)


@dataclass(frozen=True)
class GeneralisedDice:
    """Sudre et al. (2017) with the two classes inside and outside of every output, weighted by 1 / volume^2.

    smooth is far below the usual 1: the weighted volumes are about 1 / voxels.
    """

    smooth: float = 1e-9
    cross_entropy: float = 0.0

    def __call__(
        self, logits: torch.Tensor, truth: torch.Tensor, known: torch.Tensor, progress: float
    ) -> torch.Tensor:
        from monai.losses import GeneralizedDiceLoss

        inside, shape = torch.sigmoid(logits), logits.shape[:2]
        prediction = _classes(inside, known)
        overlap = GeneralizedDiceLoss(smooth_nr=self.smooth, smooth_dr=self.smooth, reduction="none")
        loss = overlap(prediction, _classes(truth, known)).reshape(shape)
        return loss + self.cross_entropy * _cross_entropy(logits, truth, known)


KINDS: Mapping[str, Any] = {
    "dice_ce": DiceCrossEntropy,
    "dice_bce": DiceCrossEntropy,  # the same: outputs that overlap have no cross-entropy but the binary one
    "dice_ce_boundary": DiceCrossEntropyBoundary,
    "focal_tversky": FocalTversky,
    "generalised_dice": GeneralisedDice,
}


def build_loss(settings: Mapping[str, Any], weights: Sequence[float]) -> Loss:
    """The loss named in `settings` ("name", default dice_ce, and any field of its class in `KINDS`).

    `weights`: one for each output; the loss is the weighted sum over the outputs, the mean over the samples.
    A sample adds nothing for an output that is unknown everywhere, and no sample changes what another one
    adds. UnusableInput for a name or a setting that does not exist.
    """
    given = dict(settings)
    name = given.pop("name", "dice_ce")
    if name not in KINDS:
        raise UnusableInput(f"There is no loss {name}; there are {', '.join(KINDS)}.")
    known = [f.name for f in fields(KINDS[name])]
    strange = sorted(set(given) - set(known))
    if strange:
        raise UnusableInput(f"The loss {name} has no setting {strange[0]}; it has {', '.join(known)}.")
    plain = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    kind = KINDS[name](**plain)
    missing = [n for n in getattr(kind, "outputs", ()) if not 0 <= n < len(weights)]
    if missing:
        raise UnusableInput(
            f"The loss {name} names output {missing[0]}; there are {len(weights)}, from 0 on."
        )
    return WeightedLoss(kind, tuple(float(w) for w in weights))


@dataclass(frozen=True)
class WeightedLoss:
    """The weighted sum of a kind of loss over the outputs, the mean over the samples."""

    kind: Kind
    weights: tuple[float, ...]

    def __call__(self, logits: torch.Tensor, truth: torch.Tensor, progress: float = 0.0) -> torch.Tensor:
        if logits.shape != truth.shape or logits.shape[1] != len(self.weights):
            raise ValueError(
                f"logits {tuple(logits.shape)} and truth {tuple(truth.shape)} should have one shape "
                f"with {len(self.weights)} outputs"
            )
        known = (truth != UNKNOWN).float()
        losses = self.kind(logits, (truth == 1).float(), known, progress)
        seen = known.flatten(2).amax(2)
        return (losses * seen * losses.new_tensor(self.weights)).sum(1).mean()


@dataclass(frozen=True)
class DeepSupervision:
    """The sum of a loss at several resolutions: of the output, of half of it, ... times `factors`.

    The truth is brought to each resolution by its nearest voxels (MONAI's DeepSupervisionLoss). More factors
    than logits are left over; fewer are a ValueError.
    """

    loss: Loss
    factors: tuple[float, ...] = (1.0, 0.5, 0.25)

    def __call__(
        self, logits: Sequence[torch.Tensor] | torch.Tensor, truth: torch.Tensor, progress: float = 0.0
    ) -> torch.Tensor:
        """logits: (B, T, k, j, i), then the coarser ones; truth: uint8 of the shape of the first."""
        from monai.losses import DeepSupervisionLoss

        levels = [logits] if isinstance(logits, torch.Tensor) else list(logits)
        if len(levels) > len(self.factors):
            raise ValueError(f"{len(levels)} resolutions, but only {len(self.factors)} factors")
        over_levels = DeepSupervisionLoss(
            partial(self.loss, progress=progress),  # type: ignore[arg-type]
            weights=list(self.factors),
        )
        return over_levels(levels, truth)


def _cross_entropy(logits: torch.Tensor, truth: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Mean binary cross-entropy over the known voxels: (B, T)."""
    voxels = binary_cross_entropy_with_logits(logits, truth, reduction="none") * known
    return voxels.flatten(2).sum(2) / known.flatten(2).sum(2).clamp(min=1.0)


def _classes(inside: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """(B, T, k, j, i) to (B * T, 2, k, j, i): outside and inside, 0 where unknown."""
    return torch.stack([(1 - inside) * known, inside * known], dim=2).flatten(0, 1)
