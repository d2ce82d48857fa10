"""An image: voxels and where they lie."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image.geometry import Geometry


@dataclass(frozen=True, eq=False)
class Image:
    """Voxels in (k, j, i) order on a grid; notices say in plain words what reading or resampling changed."""

    voxels: NDArray
    geometry: Geometry
    name: str = ""
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.voxels.shape != self.geometry.shape:
            raise ValueError(f"Voxels of shape {self.voxels.shape} do not fit the grid {self.geometry.shape}")

    def with_voxels(self, voxels: NDArray) -> Image:
        """Other voxels on the same grid, under the same name."""
        return replace(self, voxels=np.asarray(voxels))


def to_sitk(image: Image) -> sitk.Image:
    """A SimpleITK copy; bool becomes uint8 and float16 float32, which SimpleITK lacks."""
    voxels = np.ascontiguousarray(image.voxels)
    if voxels.dtype == bool:
        voxels = voxels.astype(np.uint8)
    elif voxels.dtype == np.float16:
        voxels = voxels.astype(np.float32)
    result = sitk.GetImageFromArray(voxels.astype(voxels.dtype.newbyteorder("="), copy=False))
    result.SetSpacing(image.geometry.spacing_mm)
    result.SetOrigin(image.geometry.origin_mm)
    result.SetDirection(image.geometry.direction)
    return result


def from_sitk(source: sitk.Image, name: str = "") -> Image:
    """A copy of a 3D scalar SimpleITK image; float64 becomes float32. Raises UnusableInput for other images."""
    if source.GetDimension() != 3 or source.GetNumberOfComponentsPerPixel() != 1:
        raise UnusableInput(f"Expected a 3D image with one value per voxel, got {source.GetDimension()}D with "
                            f"{source.GetNumberOfComponentsPerPixel()} values per voxel")
    voxels = sitk.GetArrayFromImage(source)
    if voxels.dtype == np.float64:
        voxels = voxels.astype(np.float32)
    size = source.GetSize()
    geometry = Geometry((size[2], size[1], size[0]), source.GetSpacing(), source.GetOrigin(), source.GetDirection())
    return Image(voxels, geometry, name)
