"""Read and write NIfTI volumes (.nii, .nii.gz)."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image.checks import check_size
from TumorSegRobustLib.image.geometry import Geometry
from TumorSegRobustLib.image.nifti_header import HEADER_BYTES, VOXEL_TYPES, parse_header
from TumorSegRobustLib.image.volume import Image, storable

_DATA_OFFSET = 352
_GZIP_LEVEL = 3  # a probability map of 9 million voxels: a third of the time of level 6, 2 % larger


def read_nifti(path: Path) -> Image:
    """The volume with its scaling applied. Raises UnusableInput for anything but one complete 3D volume."""
    try:
        with path.open("rb") as probe:
            compressed = probe.read(2) == b"\x1f\x8b"
        # The content decides, not the name: files renamed from .nii to .nii.gz are common.
        with gzip.open(path) if compressed else path.open("rb") as stream:
            return _read(cast(IO[bytes], stream), path.name)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnusableInput(f"{path.name} is damaged or cut off ({error}); copy it again") from error
    except OSError as error:
        raise UnusableInput(f"{path} cannot be read: {error.strerror or error}") from error


def _read(stream: IO[bytes], name: str) -> Image:
    start = stream.read(HEADER_BYTES[2])
    header = parse_header(start, name)
    check_size(header.size, name)
    stream.seek(max(header.data_offset, HEADER_BYTES[1]))
    voxels = np.empty(header.size[::-1], dtype=header.voxel_type)
    filled = _fill(stream, voxels)
    if filled < voxels.nbytes:
        raise UnusableInput(
            f"{name} is cut off: {filled} of {voxels.nbytes} bytes of voxels; copy or export it again"
        )
    native = voxels.astype(voxels.dtype.newbyteorder("="), copy=False)
    if (header.slope, header.intercept) != (1.0, 0.0):
        native = (native * np.float64(header.slope) + header.intercept).astype(np.float32)
    elif native.dtype == np.float64:
        native = native.astype(np.float32)
    return Image(native, header.geometry, name, header.notices)


def _fill(stream: IO[bytes], voxels: NDArray) -> int:
    """Reads into the array until it is full or the stream ends; returns the number of bytes."""
    target = voxels.reshape(-1).view(np.uint8).data
    filled = 0
    while filled < len(target):
        part = stream.readinto(target[filled : filled + (1 << 24)])  # type: ignore[attr-defined]
        if not part:
            break
        filled += part
    return filled


def write_nifti(image: Image, path: Path, compress: bool) -> None:
    """Write NIfTI-1 with equal sform and qform (scanner coordinates). Raises OSError when the disk refuses.

    Equal images give equal bytes: no time stamp is stored.
    """
    voxels = storable(image.voxels)
    data = (_header(image.geometry, voxels.dtype), np.ascontiguousarray(voxels).data)
    with path.open("wb") as file:
        if not compress:
            file.writelines(data)
            return
        with gzip.GzipFile("", "wb", _GZIP_LEVEL, file, mtime=0) as stream:
            for part in data:
                stream.write(part)


def _header(geometry: Geometry, voxel_type: np.dtype) -> bytes:
    if max(geometry.shape) > 32767:
        raise UnusableInput(
            f"NIfTI holds at most 32767 voxels a side, not {geometry.describe()}; write .nrrd"
        )
    codes = {np.dtype(text): code for code, text in VOXEL_TYPES.items()}
    ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ geometry.affine
    b, c, d, flip = _quaternion(ras[:3, :3] / geometry.spacing_mm)
    header = bytearray(_DATA_OFFSET)
    struct.pack_into("<i", header, 0, HEADER_BYTES[1])
    struct.pack_into("<8h", header, 40, 3, *geometry.size, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, codes[voxel_type], voxel_type.itemsize * 8)
    struct.pack_into("<8f", header, 76, flip, *geometry.spacing_mm, 0, 0, 0, 0)
    struct.pack_into("<3f", header, 108, _DATA_OFFSET, 1, 0)
    struct.pack_into("<b", header, 123, 2)  # millimetres
    struct.pack_into("<2h", header, 252, 1, 1)  # both forms: scanner coordinates
    struct.pack_into("<6f", header, 256, b, c, d, *ras[:3, 3])
    struct.pack_into("<12f", header, 280, *ras[:3].ravel())
    header[344:348] = b"n+1\0"
    return bytes(header)


def _quaternion(direction: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """(b, c, d, qfac) of a RAS direction matrix: a rotation, with the third axis flipped where qfac is -1."""
    flip = 1.0 if np.linalg.det(direction) > 0 else -1.0
    # The nearest rotation: the forms of a slightly skewed matrix would otherwise not be a unit quaternion.
    left, _, right = np.linalg.svd(direction * [1.0, 1.0, flip])
    r = left @ right
    # Eigenvector of the largest eigenvalue of Bar-Itzhack's matrix (J. Guidance 23:1085, 2000): stable for
    # every rotation, half turns included, where formulas from the trace divide by zero.
    k = np.array(
        [
            [r[0, 0] - r[1, 1] - r[2, 2], r[0, 1] + r[1, 0], r[0, 2] + r[2, 0], r[2, 1] - r[1, 2]],
            [0, r[1, 1] - r[0, 0] - r[2, 2], r[1, 2] + r[2, 1], r[0, 2] - r[2, 0]],
            [0, 0, r[2, 2] - r[0, 0] - r[1, 1], r[1, 0] - r[0, 1]],
            [0, 0, 0, r[0, 0] + r[1, 1] + r[2, 2]],
        ]
    )
    b, c, d, a = np.linalg.eigh(k, UPLO="U")[1][:, -1].tolist()
    sign = math.copysign(1.0, a)
    return sign * b, sign * c, sign * d, flip
