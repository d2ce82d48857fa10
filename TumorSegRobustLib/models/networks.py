"""Which networks a package may name, and how one is built.

A package is data from outside: it may choose among these classes of `monai.networks.nets`, never import code.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from TumorSegRobustLib.errors import UnusableInput

if TYPE_CHECKING:
    import torch

ALLOWED_NETWORKS = (
    "AttentionUnet",
    "BasicUNet",
    "DynUNet",
    "FullyConnectedNet",
    "SegResNet",
    "UNet",
    "VNet",
)


def is_installed(name: str) -> bool:
    """Whether a library could be imported; looks without importing it."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def require_torch(purpose: str, otherwise: str = "") -> None:
    """UnusableInput, in one line, where what `purpose` names needs PyTorch and MONAI and they are missing.

    otherwise: another way out, after the installation.
    """
    libraries = (("torch", "PyTorch"), ("monai", "MONAI"))
    missing = [title for name, title in libraries if not is_installed(name)]
    if missing:
        verb = "are" if len(missing) > 1 else "is"
        raise UnusableInput(
            f"{purpose} needs {' and '.join(missing)}, which {verb} not installed; "
            f"install torch and monai{f', or {otherwise}' if otherwise else ''}."
        )


def check_network(network: Mapping[str, Any]) -> str | None:
    """Why this description cannot be built, or None."""
    name = network.get("name")
    if name not in ALLOWED_NETWORKS:
        return f"network {name!r} is not one of {', '.join(ALLOWED_NETWORKS)}"
    if not isinstance(network.get("args"), Mapping):
        return f"network {name} has no table of arguments ('args')"
    head = network.get("head", 1)
    if not isinstance(head, int) or not 1 <= head <= 64:
        return f"network {name} has a head of {head!r} outputs"
    if "head" in network and not isinstance(network["args"].get("out_channels"), int):
        return f"network {name} has a head, but no number of features for it ('out_channels')"
    return None


def build_network(network: Mapping[str, Any]) -> torch.nn.Module:
    """The network with random weights, in eval mode; UnusableInput for an unknown class or bad arguments.

    `head`: a number of outputs computed voxel by voxel (PReLU, 1x1x1 convolution) from the `out_channels`
    features of the class. MONAI's residual U-Net ends in an instance norm, which forces a positive answer
    somewhere in every scan: it needs one.
    """
    problem = check_network(network)
    if problem:
        raise UnusableInput(f"The model cannot be built: {problem}; use a package made for this version.")
    require_torch(f"Building the network {network['name']}")
    import monai.networks.nets as nets

    try:
        body = getattr(nets, network["name"])(**network["args"]).eval()
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, AssertionError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnusableInput(
            f"The model cannot be built: {network['name']} refuses its arguments ({reason}); "
            "use a package made for this version."
        ) from error
    if "head" not in network:
        return body
    from torch import nn

    features, outputs = int(network["args"]["out_channels"]), int(network["head"])
    return nn.Sequential(body, nn.PReLU(), nn.Conv3d(features, outputs, 1)).eval()
