"""Test-time adaptation: a scan nudges its networks' normalisation, and whatever does not help is undone.

Only the scales and shifts of the normalisation layers move, by a few steps that make two altered views of the
scan agree. Every scan starts from the package's own weights. The adapted contour is kept only if mirrored
views agree better than before and the contour stays much the same (`Rules`); otherwise the first one stands.
How far to trust an adapted contour is judged by the networks as they were.
Expect little (about .005 of Dice); what is promised is that it does no harm unseen. Off by default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from TumorSegRobustLib.inference import Ensemble, Prediction
from TumorSegRobustLib.inference.channels import match_channels
from TumorSegRobustLib.inference.inputs import network_input
from TumorSegRobustLib.models import Member, ModelPackage, require_torch
from TumorSegRobustLib.progress import Progress

if TYPE_CHECKING:
    import torch

    from TumorSegRobustLib.image import Image

_LOWEST = 1e-6


@dataclass(frozen=True)
class Rules:
    """How far a scan may move its networks, and when that is undone.

    least_gain: in the Dice of a view and its mirror image. volume_ratio: of the contour after and before.
    least_overlap: Dice of the two; the steps work for agreement, so that alone cannot tell good from bad.
    side: voxels of the window about the contour that is looked at.
    """

    steps: int = 8
    learning_rate: float = 5e-4
    least_gain: float = 0.005
    volume_ratio: tuple[float, float] = (0.5, 2.0)
    least_overlap: float = 0.9
    side: int = 96


class Adapting:
    """Predicts as an `Ensemble` does, and tries to adapt it to every scan; `Prediction.adaptation` tells.

    The ensemble itself is never changed, so no scan hands anything on to the next one.
    """

    def __init__(self, ensemble: Ensemble, rules: Rules | None = None) -> None:
        """UnusableInput where PyTorch is not installed."""
        require_torch("Adapting to a scan", "leave adaptation off")
        self._ensemble = ensemble
        self._rules = rules or Rules()

    @property
    def package(self) -> ModelPackage:
        return self._ensemble.package

    def warm_up(self) -> None:
        self._ensemble.warm_up()

    def predict(self, image: Image | Mapping[str, Image], progress: Progress | None = None) -> Prediction:
        """As `Ensemble.predict`; the better of two contours by the rules, the first one in case of doubt."""
        progress = progress or Progress()
        before = self._ensemble.predict(image, progress.part(0.0, 0.25))
        if not before.mask.any():
            return _told(before, False, "there is no contour to improve")
        networks, agreement = self._adapted(image, progress.part(0.25, 0.75))
        if not networks:
            return _told(before, False, "its networks have no normalisation that could be adapted")
        gain = agreement[1] - agreement[0]
        measured = f"mirrored views agree by {agreement[0]:.3f} before and {agreement[1]:.3f} after"
        if not gain >= self._rules.least_gain:  # also where it is not a number
            return _told(before, False, f"undone: {measured}")
        after = self._ensemble.with_networks(networks).predict(image, progress.part(0.75, 1.0))
        ratio = after.volume_ml / before.volume_ml
        low, high = self._rules.volume_ratio
        overlap = 2 * float((before.mask & after.mask).sum()) / float(before.mask.sum() + after.mask.sum())
        measured += f", the volume is {ratio:.2f} times that before, the overlap with it {overlap:.2f}"
        if not (low <= ratio <= high and overlap >= self._rules.least_overlap):
            return _told(before, False, f"undone: {measured}")
        # Adaptation teaches the views to agree; that agreement would say nothing about trust.
        return _told(replace(after, members=before.members, seen=before.seen), True, measured)

    def _adapted(
        self, image: Image | Mapping[str, Image], progress: Progress
    ) -> tuple[dict[str, torch.nn.Module], tuple[float, float]]:
        """Adapted networks by member, and the mean agreement of mirrored views before and after."""
        package = self._ensemble.package
        channels, _ = match_channels(package, image)
        networks: dict[str, torch.nn.Module] = {}
        agreements = []
        for number, member in enumerate(package.members):
            part = progress.part(number / len(package.members), (number + 1) / len(package.members))
            part.report(0.0, f"Adapting model {number + 1} of {len(package.members)}")
            given = network_input(channels, member.spacing_mm, package.preprocessing)
            found = self._member(member, given.volume, part)
            if found is not None:
                networks[member.name] = found[0]
                agreements.append(found[1])
        if not agreements:
            return {}, (0.0, 0.0)
        before, after = np.mean(agreements, axis=0)
        return networks, (float(before), float(after))

    def _member(
        self, member: Member, volume: np.ndarray, progress: Progress
    ) -> tuple[torch.nn.Module, tuple[float, float]] | None:
        import torch

        package, rules, device = self._ensemble.package, self._rules, self._ensemble.device
        network = package.load_network(member).to(device)
        scales = _normalisation(network)
        if not scales:
            return None
        whole = torch.from_numpy(np.ascontiguousarray(volume))[None].to(device)
        with torch.inference_mode():
            first = _tumour(network, whole)
        window = _about(first[0].cpu().numpy() > 0, rules.side)
        seen = whole[(slice(None), slice(None), *window)].clone()
        with torch.inference_mode():
            before = _mirror_agreement(network, seen)
        for parameter in network.parameters():
            parameter.requires_grad_(False)
        for parameter in scales:
            parameter.requires_grad_(True)
        optimiser = torch.optim.Adam(scales, lr=rules.learning_rate)
        generator = torch.Generator().manual_seed(0)
        for step in range(rules.steps):
            progress.check()
            progress.report(step / rules.steps)
            one = torch.sigmoid(_tumour(network, _altered(seen, generator)))
            other = torch.sigmoid(_tumour(network, _altered(seen.flip(4), generator))).flip(3)
            loss = _disagreement(one, other)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        for parameter in scales:
            parameter.requires_grad_(False)
        with torch.inference_mode():
            after = _mirror_agreement(network, seen)
        return network, (before, after)


def _told(prediction: Prediction, accepted: bool, why: str) -> Prediction:
    return replace(prediction, adaptation={"tried": True, "accepted": accepted, "why": why})


def _normalisation(network: torch.nn.Module) -> list[torch.nn.Parameter]:
    """Scales and shifts of every normalisation layer."""
    from torch import nn

    kinds = (nn.InstanceNorm3d, nn.GroupNorm, nn.LayerNorm, nn.BatchNorm3d)
    return [p for module in network.modules() if isinstance(module, kinds) for p in module.parameters(False)]


def _tumour(network: torch.nn.Module, image: torch.Tensor) -> torch.Tensor:
    """Logits of the whole tumour (1, k, j, i) of an image (1, C, k, j, i)."""
    answer = network(image)
    answer = answer[0] if isinstance(answer, (list, tuple)) else answer
    return answer[:, 0].float()


def _about(found: np.ndarray, side: int) -> tuple[slice, slice, slice]:
    """A window of at most `side` voxels about the contour, or about the middle where nothing was found."""
    shape = found.shape
    where = np.argwhere(found)
    centre = where.mean(0) if len(where) else np.array(shape) / 2
    last = np.maximum(0, np.array(shape) - side)
    starts = np.clip(np.round(centre - side / 2), 0, last).astype(int)
    k, j, i = (slice(int(start), int(min(n, start + side))) for start, n in zip(starts, shape, strict=True))
    return k, j, i


def _altered(image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Brightness, contrast and noise a little different; absent channels stay zero."""
    import torch

    there = (image != 0).flatten(2).any(2)[..., None, None, None]
    scale, shift = 1 + 0.1 * (2 * torch.rand(2, generator=generator) - 1)
    noise = torch.randn(image.shape, generator=generator).to(image.device)
    return torch.where(there, image * float(scale) + float(shift) - 1 + 0.05 * noise, image)


def _disagreement(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """1 - the soft Dice of two probability maps."""
    return 1 - 2 * (one * other).sum() / (one.square() + other.square()).sum().clamp(min=_LOWEST)


def _mirror_agreement(network: torch.nn.Module, image: torch.Tensor) -> float:
    """Dice of the contours of an image and of its mirror image; 0 where both are empty."""
    one = _tumour(network, image) > 0
    other = (_tumour(network, image.flip(4)) > 0).flip(3)
    both = float((one & other).sum())
    return 2 * both / max(1.0, float(one.sum() + other.sum()))
