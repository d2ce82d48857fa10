"""Which device the networks run on; PyTorch (1.3 s to import) is asked only where a GPU may be.

Without PyTorch everything runs on the CPU, in OpenVINO.
"""

from __future__ import annotations

import ctypes.util
import platform
import sys
from pathlib import Path

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.models import is_installed, require_torch

DEVICES = ("auto", "cpu", "cuda", "mps")
BACKENDS = ("auto", "torch", "openvino")
PRECISIONS = ("auto", "f32", "bf16")


def resolve_device(wanted: str = "auto") -> str:
    """"cpu", "cuda" or "mps" ("cuda:1" is kept). UnusableInput when the wanted one is unknown or absent."""
    if wanted.split(":")[0] not in DEVICES:
        raise UnusableInput(f"Device {wanted!r} is unknown; use one of {', '.join(DEVICES)}.")
    if wanted == "cpu" or (wanted == "auto" and not (_may_have_gpu() and _has_torch())):
        return "cpu"
    require_torch(f"Device {wanted}", "use cpu")
    import torch

    usable = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return next((name for name, there in usable.items() if there), "cpu")
    kind, _, number = wanted.partition(":")
    if not usable[kind]:
        what = "CUDA GPU" if kind == "cuda" else "Apple GPU"
        raise UnusableInput(
            f"Device {wanted} is not available (PyTorch {torch.__version__} sees no {what}); use cpu or auto."
        )
    if number and (not number.isdigit() or int(number) >= torch.cuda.device_count()):
        raise UnusableInput(
            f"Device {wanted} does not exist (CUDA GPUs here: {torch.cuda.device_count()}); use cuda or auto."
        )
    return wanted


def find_gpu() -> tuple[str, str]:
    """(the device that the GPU here is, why networks cannot use it or ""); ("", "") where there is none.

    What only looks like one counts, so that somebody who has a GPU learns what is missing.
    """
    if not _may_have_gpu():
        return "", ""
    kind = "mps" if sys.platform == "darwin" else "cuda"
    try:
        resolve_device(kind)
    except UnusableInput as error:
        return kind, str(error)
    return kind, ""


def resolve_backend(wanted: str, device: str) -> str:
    """"torch" or "openvino" for a resolved device. UnusableInput when the wanted one cannot be used."""
    if wanted not in BACKENDS:
        raise UnusableInput(f"Backend {wanted!r} is unknown; use one of {', '.join(BACKENDS)}.")
    installed = is_installed("openvino")
    if wanted == "torch":
        require_torch("Backend torch", "use backend openvino")
    if wanted == "openvino":
        if device != "cpu":
            raise UnusableInput(f"Backend openvino runs on the CPU, not on {device}; use device cpu.")
        if not installed:
            raise UnusableInput("Backend openvino is not installed; install 'openvino' or use backend torch.")
    if wanted == "auto":
        if device == "cpu" and not (installed or _has_torch()):
            raise UnusableInput(
                "Networks need OpenVINO or PyTorch, and neither is installed; install 'openvino'."
            )
        return "openvino" if device == "cpu" and installed else "torch"
    return wanted


def resolve_precision(wanted: str, device: str) -> str:
    """"f32" (the reference), "bf16" (CPU) or "f16" (autocast on a GPU)."""
    if wanted not in PRECISIONS:
        raise UnusableInput(f"Precision {wanted!r} is unknown; use one of {', '.join(PRECISIONS)}.")
    if wanted == "auto":
        return "f32" if device == "cpu" else "f16"
    return wanted


def _has_torch() -> bool:
    return is_installed("torch") and is_installed("monai")


def _may_have_gpu() -> bool:
    """A cheap guess that errs towards True."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    if sys.platform == "win32":
        return ctypes.util.find_library("nvcuda") is not None
    return any(Path(path).exists() for path in ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg"))
