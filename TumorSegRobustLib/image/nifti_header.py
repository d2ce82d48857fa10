"""The header of a NIfTI file, and the grid it describes.

NIfTI is read here and not by ITK, because ITK accepts truncated files in silence, takes the voxels of
scan.nii when asked for a scan.nii.gz beside it, takes the spacing from pixdim where the sform says otherwise,
and replaces a sheared or singular sform by the qform without a word.
Layout: nifti1.h and nifti2.h of the NIfTI Data Format Working Group.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image.geometry import Geometry, fault_of_direction

HEADER_BYTES = {1: 348, 2: 540}
VOXEL_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8",
               256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}  # fmt: skip
_MANY_VALUED = {32: "complex", 128: "RGB", 1792: "complex", 2304: "RGBA"}
# NIfTI counts x to the right and y to the front, LPS to the left and to the back.
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_MM_PER_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # unknown (mm by custom), metre, millimetre, micrometre
# field -> (format, offset) in version 1 and version 2
_FIELDS = {
    "dim": (("8h", 40), ("8q", 16)),
    "datatype": (("h", 70), ("h", 12)),
    "pixdim": (("8f", 76), ("8d", 104)),
    "vox_offset": (("f", 108), ("q", 168)),
    "scale": (("2f", 112), ("2d", 176)),
    "units": (("b", 123), ("i", 500)),
    "qform_code": (("h", 252), ("i", 344)),
    "sform_code": (("h", 254), ("i", 348)),
    "quaternion": (("6f", 256), ("6d", 352)),
    "sform": (("12f", 280), ("12d", 400)),
}


@dataclass(frozen=True)
class NiftiHeader:
    """What is needed of the header: size is (i, j, k), voxel_type a numpy type with its byte order."""

    size: tuple[int, int, int]
    voxel_type: np.dtype
    data_offset: int
    slope: float
    intercept: float
    geometry: Geometry
    notices: tuple[str, ...] = ()


def parse_header(data: bytes, name: str) -> NiftiHeader:
    """The header in the first bytes of a file: 348 in NIfTI-1, 540 in NIfTI-2.

    Raises UnusableInput for what is not one volume of one value per voxel.
    """
    order, version = _byte_order_and_version(data, name)
    fields = {
        field: struct.unpack_from(order + layout[version - 1][0], data, layout[version - 1][1])
        for field, layout in _FIELDS.items()
    }
    size = _size(fields["dim"], name)
    code = fields["datatype"][0]
    if code in _MANY_VALUED:
        raise UnusableInput(
            f"{name} is a colour or vector image ({_MANY_VALUED[code]}); "
            "give an image with one value per voxel"
        )
    if code not in VOXEL_TYPES:
        raise UnusableInput(f"{name} has an unknown voxel type ({code}); convert it to 16-bit or float")
    slope, intercept = fields["scale"]
    if slope == 0 or not np.isfinite([slope, intercept]).all():  # "no scaling" by the standard
        slope, intercept = 1.0, 0.0
    geometry, notices = _geometry(fields, size, name)
    voxel_type = np.dtype(order + VOXEL_TYPES[code])
    return NiftiHeader(size, voxel_type, int(fields["vox_offset"][0]), slope, intercept, geometry, notices)


def _byte_order_and_version(data: bytes, name: str) -> tuple[str, int]:
    for order in "<>":
        for version, length in HEADER_BYTES.items():
            if len(data) >= length and struct.unpack_from(order + "i", data)[0] == length:
                magic = data[344:348] if version == 1 else data[4:8]
                if magic[:3] in (b"ni1", b"ni2"):
                    raise UnusableInput(
                        f"{name} is only the header of a two-file image; convert it to .nii.gz"
                    )
                if magic[:3] in (b"n+1", b"n+2"):
                    return order, version
    raise UnusableInput(f"{name} is not a NIfTI file or is cut off within its header; export it again")


def _size(dim: tuple[int, ...], name: str) -> tuple[int, int, int]:
    rank = dim[0]
    if not 1 <= rank <= 7:
        raise UnusableInput(
            f"{name} is not a NIfTI file: its header claims {rank} dimensions; export it again"
        )
    counts = list(dim[1 : rank + 1])
    if any(count < 1 for count in counts):
        raise UnusableInput(f"{name} is empty ({'x'.join(map(str, counts))} voxels); export it again")
    if rank > 4 and max(counts[4:]) > 1:
        raise UnusableInput(
            f"{name} is a vector image ({max(counts[4:])} values per voxel); "
            "give an image with one value per voxel"
        )
    if rank > 3 and counts[3] > 1:
        raise UnusableInput(f"{name} is 4D ({counts[3]} volumes); give one 3D volume of it")
    i, j, k = [*counts, 1, 1][:3]
    return i, j, k


def _geometry(fields: dict[str, tuple], size: tuple[int, ...], name: str) -> tuple[Geometry, tuple[str, ...]]:
    """The sform where it is set, else the qform, else pixdim alone; as nibabel and the FSL tools choose."""
    unit = fields["units"][0] & 7
    if unit not in _MM_PER_UNIT:
        raise UnusableInput(
            f"{name} gives its voxel size in an unknown unit ({unit}); repair the header (mm)"
        )
    scale = np.diag([_MM_PER_UNIT[unit]] * 3 + [1.0])
    has_qform = fields["qform_code"][0] > 0
    if fields["sform_code"][0] > 0:
        sform = np.vstack([np.reshape(fields["sform"], (3, 4)), [0, 0, 0, 1]]).astype(float)
        geometry = _grid(scale @ sform, size, name, "sform")
        if not has_qform or _fault_of_qform(fields):
            return geometry, ()
        other = _grid(scale @ _qform(fields), size, name, "qform")
        apart = float(np.linalg.norm(geometry.corners_mm() - other.corners_mm(), axis=1).max())
        # Half a voxel is more than rounding in either of them can explain.
        if apart <= max(0.1, 0.5 * min(geometry.spacing_mm)):
            return geometry, ()
        return geometry, (f"{name} places itself twice in its header, {apart:.1f} mm apart; used the sform",)
    fault = _fault_of_qform(fields)
    if fault:
        raise UnusableInput(f"{name}: its {'qform' if has_qform else 'pixdim'} {fault}")
    if has_qform:
        return _grid(scale @ _qform(fields), size, name, "qform"), ()
    # No orientation at all: ITK and Slicer take the axes as L, P, S, so a mask drawn there lies on this grid.
    lps = scale @ np.diag([*fields["pixdim"][1:4], 1.0])
    return _grid(_RAS_TO_LPS @ lps, size, name, "pixdim"), (
        f"{name} does not say how it lies in the patient; took its axes as left, posterior, superior",
    )


def _fault_of_qform(fields: dict[str, tuple]) -> str | None:
    steps = fields["pixdim"][1:4]
    if not all(step > 0 for step in steps):
        voxel = "x".join(f"{step:.3g}" for step in steps)
        return f"gives a voxel size that is not positive ({voxel} mm); repair the header"
    if fields["qform_code"][0] > 0:
        if not np.isfinite(fields["quaternion"]).all():
            return "holds values that are not finite; repair the header"
        if sum(part * part for part in fields["quaternion"][:3]) > 1.01:
            return "is unusable: its quaternion is no rotation; repair the header"
    return None


def _qform(fields: dict[str, tuple]) -> NDArray[np.float64]:
    """RAS matrix of the quaternion; NIfTI-1 standard, method 2."""
    b, c, d, *offset = fields["quaternion"]
    # At half a turn rounding may make the three parts longer than one.
    length = max(1.0, np.sqrt(b * b + c * c + d * d))
    b, c, d = b / length, c / length, d / length
    a = np.sqrt(max(0.0, 1.0 - (b * b + c * c + d * d)))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
        ]
    )
    flip = -1.0 if fields["pixdim"][0] < 0 else 1.0
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * np.array(fields["pixdim"][1:4]) * [1.0, 1.0, flip]
    matrix[:3, 3] = offset
    return matrix


def _fault(affine: NDArray[np.float64]) -> str | None:
    if not np.isfinite(affine).all():
        return "holds values that are not finite; repair the header"
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if spacing.min() <= 0:
        voxel = "x".join(f"{step:.3g}" for step in spacing)
        return f"gives a voxel size of zero ({voxel} mm); repair the header"
    fault = fault_of_direction(affine[:3, :3] / spacing)
    return f"is unusable: {fault[0].lower()}{fault[1:]}" if fault else None


def _grid(ras: NDArray[np.float64], size: tuple[int, ...], name: str, source: str) -> Geometry:
    """The grid of a RAS matrix, or UnusableInput that names which part of the header is broken."""
    fault = _fault(ras)
    if fault:
        raise UnusableInput(f"{name}: its {source} {fault}")
    lps = _RAS_TO_LPS @ ras
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    return Geometry(
        (size[2], size[1], size[0]),
        tuple(spacing.tolist()),
        tuple(lps[:3, 3].tolist()),
        tuple((lps[:3, :3] / spacing).ravel().tolist()),
    )
