"""What one click would cost with a network of the size that nnInteractive published, on the same processor.

`python -m Testing.benchmarks.heavy [SIDE]` prints one JSON document. Residual encoder U-Net "L": stages of
32, 64, 128, 256, 320 and 320 features with 1, 3, 4, 6, 6 and 6 residual blocks, 8 input channels, a patch of
192^3 voxels; random weights, which cost as much as trained ones. Only its pass is timed: no prompt, no file.
"""

from __future__ import annotations

import json
import sys

from .measuring import Figures, clock, peak_memory_mb, two_cores

FEATURES = (32, 64, 128, 256, 320, 320)
BLOCKS = (1, 3, 4, 6, 6, 6)
CHANNELS = 8
SIDE = 192


def measure(side: int = SIDE) -> Figures:
    """One pass after a small one that loads the kernels."""
    import torch

    torch.manual_seed(0)
    network = build().eval()
    seconds: list[float] = []
    with torch.inference_mode():
        network(torch.zeros(1, CHANNELS, 64, 64, 64))
        volume = torch.rand(1, CHANNELS, side, side, side)
        with clock(seconds):
            network(volume)
    parameters = sum(p.numel() for p in network.parameters())
    return {
        "side": side,
        "parameters_m": round(parameters / 1e6, 1),
        "pass_s": round(seconds[0], 2),
        "peak_memory_mb": round(peak_memory_mb()),
    }


def build():  # type: ignore[no-untyped-def]
    """The network, in PyTorch."""
    import torch
    from torch import nn

    def normed(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv3d(inputs, outputs, kernel, stride, kernel // 2), nn.InstanceNorm3d(outputs, affine=True)
        )

    class Residual(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.body = nn.Sequential(
                normed(inputs, outputs, 3, stride), nn.LeakyReLU(inplace=True), normed(outputs, outputs, 3, 1)
            )
            same = stride == 1 and inputs == outputs
            pooled = nn.AvgPool3d(stride) if stride > 1 else nn.Identity()
            self.skip = nn.Identity() if same else nn.Sequential(pooled, normed(inputs, outputs, 1, 1))
            self.activate = nn.LeakyReLU(inplace=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.activate(self.body(x) + self.skip(x))

    class ResidualEncoderUNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Sequential(normed(CHANNELS, FEATURES[0], 3, 1), nn.LeakyReLU(inplace=True))
            before = (FEATURES[0], *FEATURES[:-1])
            self.down = nn.ModuleList(
                nn.Sequential(
                    Residual(inputs, outputs, 1 if stage == 0 else 2),
                    *(Residual(outputs, outputs, 1) for _ in range(blocks - 1)),
                )
                for stage, (inputs, outputs, blocks) in enumerate(zip(before, FEATURES, BLOCKS, strict=True))
            )
            pairs = list(zip(FEATURES[:0:-1], FEATURES[-2::-1], strict=True))
            self.up = nn.ModuleList(nn.ConvTranspose3d(deep, high, 2, 2) for deep, high in pairs)
            self.merge = nn.ModuleList(
                nn.Sequential(normed(2 * high, high, 3, 1), nn.LeakyReLU(inplace=True)) for _, high in pairs
            )
            self.head = nn.Conv3d(FEATURES[0], 2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.stem(x)
            skips = []
            for stage in self.down:
                x = stage(x)
                skips.append(x)
            skips.pop()
            for up, merge in zip(self.up, self.merge, strict=True):
                x = merge(torch.cat([up(x), skips.pop()], 1))
            return self.head(x)

    return ResidualEncoderUNet()


if __name__ == "__main__":
    two_cores()
    print(json.dumps(measure(*(int(word) for word in sys.argv[1:]))))
