"""Several processes or machines in one training, started by torchrun.

Every rank draws its own examples, gradients are averaged, only rank 0 writes:

    torchrun --nproc-per-node 2 -m TumorSegRobustLib.cli train stage1 CONFIG.yaml --out DIR
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class World:
    """Which of how many processes this is; `local_rank`: on this machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def leads(self) -> bool:
        """This process writes the files."""
        return self.rank == 0

    @property
    def device(self) -> torch.device:
        """The GPU of this process, else the CPU."""
        if not torch.cuda.is_available():
            return torch.device("cpu")
        return torch.device("cuda", self.local_rank % torch.cuda.device_count())

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network with averaged gradients; all ranks start from rank 0's weights. Alone: itself."""
        if self.size == 1:
            return network
        devices = [self.device] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(network, device_ids=devices)

    def mean(self, value: float) -> float:
        """Of all ranks."""
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(total)
        return float(total) / self.size

    def wait(self) -> None:
        """Until every rank is here."""
        if self.size > 1:
            torch.distributed.barrier()


@contextmanager
def world_of_this_process() -> Iterator[World]:
    """The world that torchrun set up in the environment (gloo, or nccl on CUDA); alone without torchrun."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World()
        return
    world = World(int(os.environ["RANK"]), size, int(os.environ.get("LOCAL_RANK", "0")))
    if world.device.type == "cuda":
        torch.cuda.set_device(world.device)
    torch.distributed.init_process_group("nccl" if world.device.type == "cuda" else "gloo")
    try:
        yield world
    finally:
        torch.distributed.destroy_process_group()
