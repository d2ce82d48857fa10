"""Read an image or a mask from a file or a DICOM folder, and refuse what cannot be trusted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import SimpleITK as sitk

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image.checks import check_contrast, check_finite, check_geometry
from TumorSegRobustLib.image.dicom import read_series
from TumorSegRobustLib.image.geometry import Geometry
from TumorSegRobustLib.image.resampling import resample
from TumorSegRobustLib.image.volume import Image, from_sitk

SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")


def read_image(path: str | Path) -> Image:
    """A scan from a NIfTI, NRRD or MetaImage file, or from a folder with one DICOM series.

    Integers keep their type, float64 becomes float32. Raises UnusableInput, in one line, for whatever is not a
    3D image of finite, varying values on an orthogonal grid.
    """
    path = Path(path)
    image = read_series(path)[0] if path.is_dir() else _read_file(path)
    check_geometry(image.geometry, path.name)
    check_finite(image.voxels, path.name)
    check_contrast(image.voxels, path.name)
    return image


def read_mask(path: str | Path, geometry: Geometry | None = None) -> Image:
    """A mask as bool voxels (value > 0).

    With a geometry, a mask on another grid is resampled to it (nearest neighbour; the image's notices say so).
    Raises UnusableInput when the two do not overlap.
    """
    path = Path(path)
    source = read_series(path)[0] if path.is_dir() else _read_file(path)
    check_finite(source.voxels, path.name)
    mask = source.with_voxels(source.voxels > 0)
    if geometry is None:
        return mask
    if mask.geometry.matches(geometry):
        return replace(mask, geometry=geometry)
    if geometry.overlap(mask.geometry) == 0:
        raise UnusableInput(f"{path.name} does not overlap the image ({mask.geometry.describe()} vs "
                            f"{geometry.describe()}); choose the mask that belongs to it")
    notice = (f"{path.name} and the image lie on different grids ({mask.geometry.describe()} vs "
              f"{geometry.describe()}); resampled {path.name} to the image")
    return replace(resample(mask, geometry, "nearest"), notices=(*mask.notices, notice))


def _read_file(path: Path) -> Image:
    if not path.exists():
        raise UnusableInput(f"{path} does not exist; check the path")
    try:
        source = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise UnusableInput(f"{path.name} cannot be read as an image ({_last_line(error)}); give a NIfTI, NRRD or "
                            "MHA file or a folder with a DICOM series") from error
    if source.GetDimension() != 3:
        raise UnusableInput(f"{path.name} is {source.GetDimension()}D; give one 3D volume")
    if source.GetNumberOfComponentsPerPixel() != 1:
        raise UnusableInput(f"{path.name} has {source.GetNumberOfComponentsPerPixel()} values per voxel (colour or "
                            "vector); give an image with one value per voxel")
    try:
        return from_sitk(source, path.name)
    except UnusableInput as error:
        raise UnusableInput(f"{path.name}: {error}") from error


def _last_line(error: RuntimeError) -> str:
    return str(error).strip().splitlines()[-1].strip()
