"""The two files that make a package a MONAI bundle: `metadata.json` and `inference.json`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import TYPE_CHECKING, Any

from .package import REFINES

if TYPE_CHECKING:
    from .package import Member, ModelPackage

# The schema the MONAI model zoo checks its bundles against since MONAI 1.4.
METADATA_SCHEMA = (
    "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
)
_REQUIRED = ("safetensors", "SimpleITK", "scipy")
_OPTIONAL = ("openvino", "onnx")


def metadata(
    package: ModelPackage, changelog: Mapping[str, str], authors: str, copyright: str
) -> dict[str, Any]:
    """MONAI's description of the networks' input and output tensors and of where they come from."""
    multiple = int(package.preprocessing.get("multiple", 16))
    sides = [f"{multiple}*{letter}" for letter in "abc"]
    low, high = package.preprocessing.get("z_clip", [-4, 6])
    return {
        "schema": METADATA_SCHEMA,
        "version": package.version,
        "changelog": dict(changelog),
        "monai_version": _version_of("monai"),
        "pytorch_version": _version_of("torch"),
        "numpy_version": _version_of("numpy"),
        "required_packages_version": {name: _version_of(name) for name in _REQUIRED},
        "optional_packages_version": {name: _version_of(name) for name in _OPTIONAL},
        "name": package.title,
        "task": f"Segmentation of {package.outputs[0]}",
        "description": f"{package.title}: an ensemble of {len(_run(package))} networks.",
        "authors": authors,
        "copyright": copyright,
        "license": package.licence,
        "intended_use": "Research only; not a medical device.",
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "format": "magnitude",
                    "modality": str(package.fingerprint.get("modality", "MR")),
                    "num_channels": len(package.channels),
                    "spatial_shape": sides,
                    "dtype": "float32",
                    "value_range": [low, high],
                    "is_patch_data": True,
                    "channel_def": {str(n): channel.name for n, channel in enumerate(package.channels)},
                }
            },
            "outputs": {
                "pred": {
                    "type": "image",
                    "format": "segmentation",
                    "num_channels": len(package.outputs),
                    "spatial_shape": sides,
                    "dtype": "float32",
                    "value_range": [],
                    "is_patch_data": True,
                    "channel_def": {str(n): output for n, output in enumerate(package.outputs)},
                }
            },
        },
    }


def inference_config(package: ModelPackage) -> dict[str, Any]:
    """A MONAI bundle configuration that builds every member, loads its weights and names a sliding window.

    `networks` are the loaded members in the order of `weights`; `network_def` is the first one's definition.
    """
    bodies = [
        {"_target_": f"monai.networks.nets.{member.network['name']}", **member.network["args"]}
        for member in _run(package)
    ]
    definitions = [_with_head(n, member.network) for n, member in enumerate(_run(package))]
    return {
        "imports": ["$import torch", "$from safetensors.torch import load_file"],
        "bundle_root": ".",
        "spacing_mm": [list(member.spacing_mm) for member in _run(package)],
        "weights": [f"$@bundle_root + '/{member.weights}'" for member in _run(package)],
        "bodies": bodies,
        "network_def": "@network_defs#0",
        "network_defs": definitions,
        # load_state_dict copies float16 weights into the network's float32 parameters.
        "load": "$[n.load_state_dict(load_file(w)) for n, w in zip(@network_defs, @weights)]",
        "networks": "$[n.eval() for n in (@network_defs if @load else [])]",
        "inferer": {
            "_target_": "monai.inferers.SlidingWindowInferer",
            "roi_size": [96, 96, 96],
            "sw_batch_size": 1,
            "overlap": 0.25,
            "mode": "gaussian",
        },
    }


def _run(package: ModelPackage) -> tuple[Member, ...]:
    """The members that take the package's channels: of one that refines, the first (`review.extent`)."""
    return package.members[:1] if package.kind == REFINES else package.members


def _with_head(number: int, network: Mapping[str, Any]) -> str:
    """How the configuration names a member's network, which may end in a head (`models.networks`)."""
    if "head" not in network:
        return f"@bodies#{number}"
    features, outputs = network["args"]["out_channels"], network["head"]
    head = f"torch.nn.PReLU(), torch.nn.Conv3d({features}, {outputs}, 1)"
    return f"$torch.nn.Sequential(@bodies#{number}, {head})"


def _version_of(name: str) -> str:
    try:
        return installed_version(name)
    except PackageNotFoundError:
        return "not installed"
