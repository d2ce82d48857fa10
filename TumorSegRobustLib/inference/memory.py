"""How much memory a run will need, how much there is, and how much the process has used at its peak."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_MB = 1e6
_UNKNOWN_MB = 4000.0  # when the system does not tell: assume a small machine

# Peak memory of one pass per input voxel, in float32 values per channel of the widest full-resolution layer.
# Measured as the growth of resident memory on 128x128x96 and 160x192x160 inputs (one thread, torch 2.13,
# OpenVINO 2026.4), rounded up by a tenth: (torch, openvino).
_VALUES_PER_CHANNEL: Mapping[str, tuple[float, float]] = {
    "AttentionUnet": (13.0, 8.6),
    "BasicUNet": (9.3, 5.2),
    "DynUNet": (8.1, 5.5),
    "SegResNet": (6.9, 6.7),
    "UNet": (2.2, 1.3),
    "VNet": (10.5, 9.0),
}
_HALF_PRECISION = 0.55  # of float32, measured with bf16


def bytes_per_voxel(network: Mapping[str, Any], backend: str, *, half: bool = False) -> float:
    """Peak memory of one pass of this network per voxel of its input."""
    torch_values, openvino_values = _VALUES_PER_CHANNEL[network["name"]]
    values = openvino_values if backend == "openvino" else torch_values
    head = network["args"]["out_channels"] + network["head"] if "head" in network else 0
    return 4.0 * (values * _width(network) + 2 * head) * (_HALF_PRECISION if half else 1.0)


def _width(network: Mapping[str, Any]) -> int:
    """Channels at full resolution."""
    args = network["args"]
    for key in ("features", "channels", "filters"):
        if args.get(key):
            return int(args[key][0])
    # MONAI's own defaults, for arguments that are left out.
    defaults = {"BasicUNet": 32, "VNet": 16, "SegResNet": 8}
    return int(args.get("init_filters") or defaults.get(network["name"], 32))


def available_mb() -> float:
    """Main memory that can still be used: the least of what the system and a container's limit leave."""
    known = [value for value in (_from_meminfo(), _from_cgroup(), _from_windows()) if value is not None]
    if known:
        return min(known)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2 / _MB
    except (AttributeError, ValueError, OSError):
        return _UNKNOWN_MB


def peak_mb() -> float:
    """Highest resident memory of this process so far; 0 when the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return _windows_peak()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / _MB if sys.platform == "darwin" else peak * 1024 / _MB


def _from_meminfo() -> float | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    values = dict(line.split(":", 1) for line in lines if ":" in line)
    return float(values["MemAvailable"].split()[0]) * 1024 / _MB if "MemAvailable" in values else None


def _from_cgroup() -> float | None:
    """What a container's limit leaves; page cache counts as free because the kernel drops it first."""
    root = Path("/sys/fs/cgroup")
    try:
        limit = (root / "memory.max").read_text(encoding="ascii").strip()
        used = int((root / "memory.current").read_text(encoding="ascii"))
        statistics = (root / "memory.stat").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    if limit == "max":
        return None
    files = ("inactive_file ", "active_file ")
    cache = sum(int(line.split()[1]) for line in statistics if line.startswith(files))
    return max(0.0, (int(limit) - used + cache) / _MB)


def _from_windows() -> float | None:
    if sys.platform != "win32":
        return None
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong)] + [
            (name, ctypes.c_ulonglong)
            for name in ("total", "available", "total_page", "available_page", "total_virtual",
                         "available_virtual", "extended")
        ]

    status = Status(length=ctypes.sizeof(Status))
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None
    return float(status.available) / _MB


def _windows_peak() -> float:
    if sys.platform != "win32":
        return 0.0
    import ctypes

    class Counters(ctypes.Structure):
        _fields_ = [("size", ctypes.c_ulong), ("faults", ctypes.c_ulong)] + [
            (f"field{n}", ctypes.c_size_t) for n in range(8)
        ]

    counters = Counters(size=ctypes.sizeof(Counters))
    process = ctypes.c_void_p(-1)  # the pseudo handle of the current process
    found = ctypes.windll.psapi.GetProcessMemoryInfo(process, ctypes.byref(counters), counters.size)
    return float(counters.field0) / _MB if found else 0.0
