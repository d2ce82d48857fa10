"""The values of DICOM slices, rescale slope and intercept applied."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.errors import UnusableInput

if TYPE_CHECKING:
    from pydicom import Dataset


def read_planes(paths: Sequence[Path]) -> NDArray:
    """Voxels (n, j, i) of single-frame files: the smallest integer type that holds them, or float32.

    Each file's own slope and intercept are used (PET has one pair per slice). Raises UnusableInput for a
    damaged file.
    """
    return _compact(np.stack([_plane(path) for path in paths]))


def _compact(values: NDArray) -> NDArray:
    """The smallest integer type that holds integers, or float32."""
    if np.issubdtype(values.dtype, np.integer):
        low, high = int(values.min()), int(values.max())
        for kind in (np.int16, np.uint16, np.int32):
            if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
                return values.astype(kind, copy=False)
    return values.astype(np.float32, copy=False)


def _plane(path: Path) -> NDArray:
    import pydicom

    try:
        data = pydicom.dcmread(path)
        slope = float(data.get("RescaleSlope") or 1)
        intercept = float(data.get("RescaleIntercept") or 0)
        stored = _stored_values(data)
    except Exception as error:  # pydicom and GDCM raise whatever a damaged file trips over
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise UnusableInput(
            f"{path.name} is damaged or cut off ({lines[-1].strip()}); copy or export it again"
        ) from error
    if stored.shape != (int(data.Rows), int(data.Columns)):
        raise UnusableInput(
            f"{path.name} holds {'x'.join(map(str, stored.shape))} values, not one grey "
            "image; choose a series of grey-scale images"
        )
    if np.issubdtype(stored.dtype, np.integer) and slope.is_integer() and intercept.is_integer():
        return _compact(stored.astype(np.int64) * int(slope) + int(intercept))
    return _compact(stored * slope + intercept)


def _stored_values(data: Dataset) -> NDArray:
    """Pixel values before rescaling."""
    from pydicom.uid import RLELossless

    syntax = data.file_meta.TransferSyntaxUID
    if not syntax.is_compressed or syntax == RLELossless:
        return data.pixel_array
    return _decompressed(data)


def _decompressed(data: Dataset) -> NDArray:
    """JPEG, JPEG-LS and JPEG 2000 through GDCM, which SimpleITK always carries; pydicom needs extra packages.

    GDCM rescales by itself, to a type of its choice; without the two attributes it gives the stored values.
    """
    import SimpleITK as sitk

    for keyword in ("RescaleSlope", "RescaleIntercept"):
        if keyword in data:
            delattr(data, keyword)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "slice.dcm"
        data.save_as(copy)
        reader = sitk.ImageFileReader()
        reader.SetImageIO("GDCMImageIO")
        reader.SetFileName(str(copy))
        voxels = sitk.GetArrayFromImage(reader.Execute())
    return voxels[0] if voxels.ndim == 3 else voxels
