"""A member's network in OpenVINO on the CPU: 2-8 times faster than PyTorch there, with free input sizes.

Most are built directly from their weights (`openvino_graph`), the others converted once by PyTorch.
Measured: one compiled network with free sizes is as fast as one per shape and compiles in 0.1 s, so
nothing is compiled per scan.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.models import Member, ModelPackage, require_torch

from .memory import bytes_per_voxel
from .onnx_cache import cached_onnx, store_onnx
from .openvino_graph import build_graph, can_build
from .openvino_import import import_openvino

if TYPE_CHECKING:
    import torch

_AGREEMENT = 1e-3  # largest accepted difference from PyTorch in probability
_PROBE = (48, 64, 80)  # unlike the export's shape, to find a frozen size; large, to find inaccurate sums


class OpenVinoBackend:
    """Builds the network, or reads its cached conversion, or converts and checks it (needs PyTorch once)."""

    name = "openvino"

    def __init__(self, package: ModelPackage, member: Member, precision: str) -> None:
        """Raises UnusableInput for bad weights or a conversion without PyTorch, ValueError or RuntimeError
        when it does not convert.
        """
        if can_build(member.network):
            model = _build(package, member)
        else:
            package.read_weights(member)  # the cache must not outlive a package's integrity
            model = cached_onnx(member) or _convert(package, member)
        self._model = _compile(model, precision)
        self._request: Any = None
        self._busy = threading.Lock()  # a warm-up may run beside a prediction, which releases memory
        self.bytes_per_voxel = bytes_per_voxel(member.network, self.name, half=precision == "bf16")

    def run(self, volume: np.ndarray) -> np.ndarray:
        with self._busy:
            request = self._model.create_infer_request()
            self._request = request
            try:
                request.start_async({0: np.ascontiguousarray(volume, dtype=np.float32)})
                request.wait()
                return np.array(request.get_output_tensor(0).data, dtype=np.float32)
            finally:
                self._request = None

    def interrupt(self) -> None:
        request = self._request
        if request is not None:
            request.cancel()

    def release(self) -> None:
        """The plugin keeps every activation (some 300 bytes per voxel) until told otherwise."""
        with self._busy:
            self._model.release_memory()


def _build(package: ModelPackage, member: Member) -> Any:
    arrays = package.read_arrays(member)
    try:
        return build_graph(member.network, arrays)
    except UnusableInput as error:
        raise package.misfit(member, error) from error


def _compile(model: Any, precision: str) -> Any:
    """model: an `openvino.Model`, or ONNX as bytes."""
    core = import_openvino().Core()
    hints: dict[str, Any] = {"INFERENCE_PRECISION_HINT": precision}
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if threads.isdigit() and int(threads) > 0:
        hints["INFERENCE_NUM_THREADS"] = int(threads)
    if isinstance(model, bytes):
        model = core.read_model(model)
    return core.compile_model(model, "CPU", hints)


def _convert(package: ModelPackage, member: Member) -> bytes:
    require_torch(f"Converting the network {member.network['name']} for OpenVINO", "choose another model")
    from .onnx_export import export_onnx

    network = package.load_network(member)
    content = export_onnx(network, len(package.channels))
    if not _agrees(network, len(package.channels), content):
        raise ValueError("the converted network does not agree with the original")
    store_onnx(member, content)
    return content


def _agrees(network: torch.nn.Module, channels: int, content: bytes) -> bool:
    import torch

    probe = np.random.default_rng(0).standard_normal((1, channels, *_PROBE), dtype=np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(probe))
    expected = expected[0] if isinstance(expected, (list, tuple)) else expected
    found = _compile(content, "f32").create_infer_request().infer({0: probe})[0]
    reference = torch.sigmoid(expected).numpy()
    return bool(np.abs(1.0 / (1.0 + np.exp(-found.astype(np.float64))) - reference).max() <= _AGREEMENT)
