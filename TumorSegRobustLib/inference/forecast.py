"""What a prediction will take, before it is asked for: device, time and memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from TumorSegRobustLib.models import ModelPackage, padded_shape

from .channels import confirmed_without
from .devices import resolve_backend
from .ensemble import Ensemble
from .memory import available_mb, bytes_per_voxel

if TYPE_CHECKING:
    from TumorSegRobustLib.image import Geometry

# Measured on two cores (OpenVINO 2026.4, brain-mr 0.4.0, scans of 0.2 to 13 million voxels), in seconds per
# million voxels: of a network's input for each of its passes, where one pass takes 171 bytes a voxel, and of
# the scan for fusing and judging. What PyTorch takes on the same cores is several times that.
_PASS, _PASS_BYTES, _SCAN, _TORCH = 0.12, 171.0, 0.2, 4.0


@dataclass(frozen=True)
class Forecast:
    """device: "cpu", "cuda", "mps"; backend: "openvino" or "torch"; networks: how many there are.

    seconds: on two processor cores, once the networks are loaded: to be scaled by what a run took here; None
    where that cannot be told yet.
    memory_mb: peak of the process, libraries included; free_mb: memory of the device that is free now.
    """

    device: str
    backend: str
    networks: int
    seconds: float | None
    memory_mb: float
    free_mb: float


def forecast(
    package: ModelPackage, device: str, geometry: Geometry, channels: Sequence[str] = ()
) -> Forecast:
    """For a scan on this grid; background that is cut away makes it quicker. Loads no weights.

    channels: the names of those that are given. UnusableInput where `device` is not there.
    """
    ensemble = Ensemble(package, device)
    backend = resolve_backend("auto", ensemble.device)
    names = {name.lower() for name in channels}
    given = [channel.name.lower() in names for channel in package.channels]
    views = 2 if package.calibration.get("flip_average") else 1
    views *= 2 if confirmed_without(package, given) else 1
    passes = 0.0
    for member in package.members:
        voxels = np.prod(padded_shape(geometry.with_spacing(member.spacing_mm).shape))
        passes += views * float(voxels) * bytes_per_voxel(member.network, "openvino") / _PASS_BYTES
    scan = float(np.prod(geometry.shape))
    slower = _TORCH if backend == "torch" else 1.0
    seconds = (_PASS * slower * passes + _SCAN * scan) / 1e6
    memory_mb = ensemble.estimate_memory_mb(geometry)
    return Forecast(
        ensemble.device, backend, len(package.members), seconds, memory_mb, _free_mb(ensemble.device)
    )


def _free_mb(device: str) -> float:
    if not device.startswith("cuda"):
        return available_mb()
    import torch

    return float(torch.cuda.mem_get_info(device)[0]) / 1e6
