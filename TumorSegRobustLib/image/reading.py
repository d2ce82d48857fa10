"""Read an image or a mask from a file or a DICOM folder, and refuse what cannot be trusted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image.checks import check_contrast, check_finite, check_geometry
from TumorSegRobustLib.image.dicom import read_series, series_of_file
from TumorSegRobustLib.image.geometry import Geometry
from TumorSegRobustLib.image.itk_files import read_with_itk
from TumorSegRobustLib.image.nifti import read_nifti
from TumorSegRobustLib.image.resampling import resample
from TumorSegRobustLib.image.volume import Image

_READERS = {
    ".nii.gz": read_nifti,
    ".nii": read_nifti,
    ".nrrd": read_with_itk,
    ".nhdr": read_with_itk,
    ".mha": read_with_itk,
    ".mhd": read_with_itk,
}
_WANTED = "a NIfTI (.nii, .nii.gz), NRRD or MHA file, or a folder with one DICOM series"


def read_image(path: str | Path) -> Image:
    """A scan from a NIfTI, NRRD or MetaImage file, or from a folder with one DICOM series.

    A single DICOM file stands for the series that it belongs to. Integers keep their type, float64 becomes
    float32. Raises UnusableInput, in one line, for whatever is not a 3D image of finite, varying values on an
    orthogonal grid.
    """
    path = Path(path)
    if path.is_dir():
        return read_series(path)[0]
    series_uid = series_of_file(path)
    if series_uid is not None:
        return read_series(path.parent, series_uid)[0]
    image = _read_file(path)
    check_geometry(image.geometry, path.name)
    check_finite(image.voxels, path.name)
    check_contrast(image.voxels, path.name)
    return image


def read_mask(path: str | Path, geometry: Geometry | None = None) -> Image:
    """A mask as bool voxels (value > 0) from a NIfTI, NRRD or MetaImage file; it may be empty.

    With a geometry, a mask on another grid is resampled to it (nearest neighbour; the image's notices say
    so). Raises UnusableInput when the file is no mask or when the two do not overlap.
    """
    labels = read_labels(path, geometry)
    return labels.with_voxels(labels.voxels > 0)


def read_labels(path: str | Path, geometry: Geometry | None = None) -> Image:
    """As `read_mask`, with the values of the file kept, for masks that tell parts of a tumour apart."""
    path = Path(path)
    if path.is_dir():
        raise UnusableInput(f"{path} is a folder; give the mask as a NIfTI, NRRD or MHA file")
    mask = _read_file(path)
    check_finite(mask.voxels, path.name)
    if geometry is None:
        return mask
    if mask.geometry.matches(geometry):
        return replace(mask, geometry=geometry)
    grids = f"{mask.geometry.describe()} vs {geometry.describe()}"
    lost = _share_outside(mask, geometry)
    if lost == 1 or not geometry.overlaps(mask.geometry):
        raise UnusableInput(
            f"{path.name} does not overlap the image ({grids}); choose the mask that belongs to it"
        )
    notice = f"{path.name} and the image lie on different grids ({grids}); resampled {path.name} to the image"
    if lost > 0:
        notice += f"; {lost:.1%} of it lies outside the image and is left out"
    return replace(resample(mask, geometry, "nearest"), notices=(*mask.notices, notice))


def _share_outside(mask: Image, geometry: Geometry) -> float:
    """Fraction of the marked voxels whose centres lie outside a grid; 0 for an empty mask."""
    marked = np.argwhere(mask.voxels > 0)
    if not len(marked):
        return 0.0
    index = geometry.continuous_index(mask.geometry.position_of(marked))
    inside = ((index >= -0.5 - 1e-6) & (index <= np.asarray(geometry.shape) - 0.5 + 1e-6)).all(axis=1)
    return 1.0 - float(inside.mean())


def _read_file(path: Path) -> Image:
    if not path.exists():
        raise UnusableInput(f"{path} does not exist; check the path")
    reader = next((reader for suffix, reader in _READERS.items() if path.name.lower().endswith(suffix)), None)
    if reader is None:
        raise UnusableInput(f"{path.name} is not an image that can be read here; give {_WANTED}")
    if path.stat().st_size == 0:
        raise UnusableInput(f"{path.name} is an empty file; copy or export it again")
    return reader(path)
