"""Contrastive learning with a queue (MoCo: He et al., 2020): a view is told from scans seen earlier.

The keys come from the running average of the network, which changes slowly.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize


class Embedder(nn.Module):
    """A network, the code of a scan from its deepest features, and the queue of earlier codes."""

    queue: torch.Tensor
    scans: torch.Tensor

    def __init__(self, network: nn.Module, channels: int, side: int, embedding: int, queue: int) -> None:
        """channels: of the input; side: of a cube that the network takes."""
        super().__init__()
        self.network = network
        self.bottleneck, features = find_bottleneck(network, channels, side)
        self.project = nn.Sequential(
            nn.Linear(2 * features, features), nn.ReLU(), nn.Linear(features, embedding)
        )
        self.register_buffer("queue", normalize(torch.randn(queue, embedding), dim=1))
        self.register_buffer("scans", torch.full((queue,), torch.iinfo(torch.int64).min))

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """image (B, C, k, j, i): what the network makes of it, and its code (B, embedding) of length 1.

        Pooled are the mean and the maximum: an instance norm leaves the mean little to say.
        """
        seen: list[torch.Tensor] = []
        module = self.network.get_submodule(self.bottleneck)
        with module.register_forward_hook(lambda _module, _input, output: seen.append(output)):
            found = self.network(image)
        deep = seen[-1].float()
        pooled = torch.cat([deep.mean((2, 3, 4)), deep.amax((2, 3, 4))], 1)
        return found, normalize(self.project(pooled).float(), dim=1)

    @torch.no_grad()
    def remember(self, keys: torch.Tensor, scans: torch.Tensor) -> None:
        """The oldest codes make room for these."""
        count = min(len(keys), len(self.queue))
        self.queue.copy_(torch.cat([self.queue[count:], keys[:count]]))
        self.scans.copy_(torch.cat([self.scans[count:], scans[:count]]))


def info_nce(
    codes: torch.Tensor,
    keys: torch.Tensor,
    scans: torch.Tensor,
    queue: torch.Tensor,
    queue_scans: torch.Tensor,
    temperature: float,
) -> torch.Tensor:
    """Cross-entropy of telling each code's own key from the queue (van den Oord et al., 2018).

    codes, keys: (B, E) of length 1; queue (Q, E). Entries of the same scan are no counter-examples.
    """
    own = (codes * keys).sum(1, keepdim=True)
    others = codes @ queue.T
    others = others.masked_fill(scans[:, None] == queue_scans[None], -torch.inf)
    target = torch.zeros(len(codes), dtype=torch.long, device=codes.device)
    return cross_entropy(torch.cat([own, others], 1) / temperature, target)


def find_bottleneck(network: nn.Module, channels: int, side: int) -> tuple[str, int]:
    """The last module whose output (B, F, k, j, i) has the fewest voxels, and its number of features F."""
    best: tuple[int, str, int] = (side**3 + 1, "", 0)

    def look(name: str) -> Any:
        def hook(_module: nn.Module, _input: Any, output: Any) -> None:
            nonlocal best
            if isinstance(output, torch.Tensor) and output.ndim == 5:
                voxels = output[0, 0].numel()
                if voxels <= best[0]:
                    best = (voxels, name, output.shape[1])

        return hook

    handles = [module.register_forward_hook(look(name)) for name, module in network.named_modules() if name]
    training = network.training
    with torch.no_grad():
        network.eval()(torch.zeros(1, channels, side, side, side))
    network.train(training)
    for handle in handles:
        handle.remove()
    return best[1], best[2]
