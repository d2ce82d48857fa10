"""A tiny model package with random weights, and images to run it on, for rooms that need a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from TumorSegRobustLib.image import Geometry, Image
from TumorSegRobustLib.models import Channel, ModelPackage, TrainedMember, build_network, write_package

TINY_NETWORK: dict[str, Any] = {
    "name": "BasicUNet",
    "args": {
        "spatial_dims": 3,
        "in_channels": 1,
        "out_channels": 2,
        "features": [4, 4, 8, 8, 8, 4],
        "upsample": "nontrainable",
    },
}


def tiny_network(channels: int = 1, outputs: int = 2) -> dict[str, Any]:
    """A BasicUNet with 20 k parameters: 64^3 in 20 ms."""
    args = {**TINY_NETWORK["args"], "in_channels": channels, "out_channels": outputs}
    return {"name": "BasicUNet", "args": args}


def tiny_package(
    folder: Path,
    *,
    id: str = "tiny",
    members: int = 2,
    spacings_mm: Sequence[tuple[float, float, float]] = ((3.0, 3.0, 3.0),),
    channels: Sequence[Channel] = (Channel("FLAIR"),),
    outputs: Sequence[str] = ("whole tumour", "brain"),
    network: dict[str, Any] | None = None,
    answers: Sequence[Sequence[float]] | None = None,
    **texts: Any,
) -> ModelPackage:
    """Members with seeded random weights, or whose logits are the constants of `answers` (one row each)."""
    import torch

    network = network or tiny_network(len(channels), len(outputs))
    trained = []
    for seed in range(members):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            state = build_network(network).state_dict()
        if answers is not None:
            constants = torch.tensor(answers[seed], dtype=torch.float32)
            weight = torch.zeros_like(state["final_conv.weight"])
            state = {**state, "final_conv.weight": weight, "final_conv.bias": constants}
        spacing = spacings_mm[seed % len(spacings_mm)]
        trained.append(TrainedMember(f"member-{seed}", network, spacing, state, seed=seed))
    return write_package(
        folder,
        id=id,
        version="0.1.0",
        title="Tiny random networks for tests",
        members=trained,
        channels=channels,
        outputs=outputs,
        **texts,
    )


def a_head(
    shape: tuple[int, int, int] = (20, 32, 36),
    spacing_mm: tuple[float, float, float] = (3.0, 3.0, 4.0),
    seed: int = 0,
    **where: Any,
) -> Image:
    """A noisy ellipsoid of about 100 mm with a bright ball in it, on air; float32."""
    geometry = Geometry(shape, spacing_mm, **where)
    k, j, i = (np.linspace(-1, 1, size, dtype=np.float32) for size in shape)
    k, j, i = k[:, None, None], j[None, :, None], i[None, None, :]
    radius = np.sqrt(k**2 + j**2 + i**2)
    ball = (k - 0.2) ** 2 + (j + 0.3) ** 2 + (i - 0.3) ** 2 < 0.06
    noise = np.random.default_rng(seed).normal(0, 10, shape)
    voxels = np.where(radius < 0.9, 300.0 + noise, 15 + np.abs(noise)) + 250.0 * ball
    return Image(voxels.astype(np.float32), geometry, "head")
