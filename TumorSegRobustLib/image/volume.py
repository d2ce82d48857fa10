"""An image: voxels and where they lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image.geometry import Geometry
from TumorSegRobustLib.image.source import Source

if TYPE_CHECKING:
    import SimpleITK as sitk


@dataclass(frozen=True, eq=False)
class Image:
    """Voxels in (k, j, i) order on a grid; notices say in plain words what reading or resampling changed.

    source: what the DICOM header says the scan is; None for other files.
    """

    voxels: NDArray
    geometry: Geometry
    name: str = ""
    notices: tuple[str, ...] = ()
    source: Source | None = None

    def __post_init__(self) -> None:
        if self.voxels.shape != self.geometry.shape:
            raise ValueError(f"Voxels of shape {self.voxels.shape} do not fit the grid {self.geometry.shape}")

    def with_voxels(self, voxels: NDArray) -> Image:
        """Other voxels on the same grid, under the same name, with the same notices and source."""
        return replace(self, voxels=np.asarray(voxels))


def storable(voxels: NDArray) -> NDArray:
    """Voxels in a type that files and SimpleITK know: bool as uint8, float16 as float32, native bytes."""
    if voxels.dtype == bool:
        return voxels.astype(np.uint8)
    if voxels.dtype == np.float16:
        return voxels.astype(np.float32)
    return voxels.astype(voxels.dtype.newbyteorder("="), copy=False)


def to_sitk(image: Image) -> sitk.Image:
    """A SimpleITK copy; bool becomes uint8 and float16 float32, which SimpleITK lacks."""
    import SimpleITK as sitk

    result = sitk.GetImageFromArray(np.ascontiguousarray(storable(image.voxels)))
    result.SetSpacing(image.geometry.spacing_mm)
    result.SetOrigin(image.geometry.origin_mm)
    # ITK cannot invert a direction with numbers that underflow when they are multiplied.
    result.SetDirection([0.0 if abs(cosine) < 1e-30 else cosine for cosine in image.geometry.direction])
    return result


def from_sitk(source: sitk.Image, name: str = "") -> Image:
    """A copy of a 3D scalar SimpleITK image; float64 becomes float32.

    Raises UnusableInput for an image that is not 3D, has several values per voxel, or whose axes are not
    perpendicular.
    """
    import SimpleITK as sitk

    if source.GetDimension() != 3 or source.GetNumberOfComponentsPerPixel() != 1:
        raise UnusableInput(
            f"Expected a 3D image with one value per voxel, got {source.GetDimension()}D "
            f"with {source.GetNumberOfComponentsPerPixel()} values per voxel"
        )
    size = source.GetSize()
    shape = (size[2], size[1], size[0])
    geometry = Geometry(shape, source.GetSpacing(), source.GetOrigin(), source.GetDirection())
    voxels = sitk.GetArrayFromImage(source)
    if np.iscomplexobj(voxels):
        raise UnusableInput("Expected real values, got complex ones; give the magnitude image")
    return Image(voxels.astype(np.float32) if voxels.dtype == np.float64 else voxels, geometry, name)
