"""A member's network in PyTorch: CPU, CUDA or Apple GPU."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from TumorSegRobustLib.models import Member, ModelPackage

from .memory import bytes_per_voxel

if TYPE_CHECKING:
    import torch


class PassInterruptedError(RuntimeError):
    """A pass was stopped between two layers."""


class TorchBackend:
    """Runs the network under inference mode, with autocast on a GPU (or in bf16 on request)."""

    name = "torch"

    def __init__(
        self,
        package: ModelPackage,
        member: Member,
        device: str,
        precision: str,
        network: torch.nn.Module | None = None,
    ) -> None:
        """network: in place of the one that the package holds."""
        self._device = device
        self._network = (package.load_network(member) if network is None else network).to(device)
        self._half = precision != "f32"
        self._precision = precision
        self._stop = threading.Event()
        self.bytes_per_voxel = bytes_per_voxel(member.network, self.name, half=self._half and device != "cpu")
        for module in self._network.modules():
            if not list(module.children()):
                module.register_forward_pre_hook(self._check)

    def run(self, volume: np.ndarray) -> np.ndarray:
        import torch

        self._stop.clear()
        with torch.inference_mode():
            images = torch.from_numpy(np.ascontiguousarray(volume, dtype=np.float32)).to(self._device)
            logits = self._forward(images, half=self._half)
            if self._half and not bool(torch.isfinite(logits).all()):
                # Half precision overflowed; once in float32 is cheaper than a wrong contour.
                logits = self._forward(images, half=False)
            return logits.cpu().numpy()

    def interrupt(self) -> None:
        self._stop.set()

    def release(self) -> None:
        if self._device.startswith("cuda"):
            import torch

            torch.cuda.empty_cache()

    def _forward(self, images: torch.Tensor, *, half: bool) -> torch.Tensor:
        import torch

        context: Any = nullcontext()
        if half:
            dtype = torch.float16 if self._precision == "f16" else torch.bfloat16
            context = torch.autocast(self._device.split(":")[0], dtype=dtype)
        with context:
            logits = self._network(images)
        # Deeply supervised networks answer with a list whose first entry is the full resolution.
        logits = logits[0] if isinstance(logits, (list, tuple)) else logits
        return logits.float()

    def _check(self, *_: Any) -> None:
        if self._stop.is_set():
            raise PassInterruptedError("The pass was interrupted.")
