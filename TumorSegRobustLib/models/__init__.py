"""Model packages: networks, weights, preprocessing, calibration, fingerprint, licence and hashes."""

from TumorSegRobustLib.models.catalogue import broken_packages, find_package, list_packages
from TumorSegRobustLib.models.networks import ALLOWED_NETWORKS, build_network, is_installed, require_torch
from TumorSegRobustLib.models.package import REFINES, SEGMENTS, Channel, Member, ModelPackage, label_of
from TumorSegRobustLib.models.preprocess import (
    DEFAULT_PREPROCESSING,
    Prepared,
    find_foreground,
    normalise,
    pad,
    padded_shape,
    prepare,
)
from TumorSegRobustLib.models.separable import resample_parallel
from TumorSegRobustLib.models.writing import TrainedMember, add_member, revise_package, write_package

__all__ = [
    "ALLOWED_NETWORKS",
    "DEFAULT_PREPROCESSING",
    "REFINES",
    "SEGMENTS",
    "Channel",
    "Member",
    "ModelPackage",
    "Prepared",
    "TrainedMember",
    "add_member",
    "broken_packages",
    "build_network",
    "find_foreground",
    "find_package",
    "is_installed",
    "label_of",
    "list_packages",
    "normalise",
    "pad",
    "padded_shape",
    "prepare",
    "require_torch",
    "resample_parallel",
    "revise_package",
    "write_package",
]
