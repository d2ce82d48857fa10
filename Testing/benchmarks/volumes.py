"""Generated volumes of the sizes that the budgets name, the same in every run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom

from TumorSegRobustLib.image import Geometry, Image

HEAD = Geometry((155, 240, 240), (1.0, 1.0, 1.0), (-119.5, -119.5, -77.0))
CT = Geometry((200, 512, 512), (0.8, 0.8, 2.0), (-204.4, -204.4, -199.0))


def head() -> Image:
    """FLAIR-like, 240x240x155 at 1 mm: air, scalp, brain with dark ventricles, a bright uneven tumour."""
    radius = _radius(HEAD, (0.0, 0.0, 0.0), (85.0, 105.0, 75.0))
    texture = _texture(HEAD.shape, seed=1)
    voxels = np.where(radius < 0.8, 100 + 12 * texture, 0)
    voxels[(radius >= 0.88) & (radius < 1)] = 130
    voxels[_radius(HEAD, (0.0, 0.0, 5.0), (15.0, 35.0, 12.0)) < 1] = 35
    voxels[tumour(HEAD, (35.0, -25.0, 15.0), 24.0)] += 80
    noise = np.random.default_rng(2).normal(0, 5, HEAD.shape)
    return Image((np.clip(voxels, 0, None) + np.abs(noise)).astype(np.float32), HEAD, "generated head")


def ct() -> Image:
    """CT-like, 512x512x200: air, soft tissue, bone, a lesion hardly brighter than its surroundings (HU)."""
    radius = _radius(CT, (0.0, 0.0, 0.0), (170.0, 120.0, 400.0))
    voxels = np.where(radius < 1, 40 + 8 * _texture(CT.shape, seed=3), -1000)
    voxels[_radius(CT, (0.0, 80.0, 0.0), (20.0, 20.0, 400.0)) < 1] = 700
    voxels[tumour(CT, (60.0, 0.0, 20.0), 28.0)] += 45
    noise = np.random.default_rng(4).normal(0, 10, CT.shape)
    return Image((voxels + noise).astype(np.float32), CT, "generated CT")


def made_elsewhere(name: str) -> Image:
    """`head()` or `ct()` out of another process, so that making it does not count as memory of this one."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "voxels.npy"
        subprocess.run([sys.executable, "-m", "Testing.benchmarks.volumes", name, str(file)], check=True)
        return Image(np.load(file), HEAD if name == "head" else CT, f"generated {name}")


def tumour(geometry: Geometry, centre_mm: tuple[float, float, float], radius_mm: float) -> NDArray[np.bool_]:
    """A ball with an uneven surface; its volume is that of the ball within some per cent."""
    radius = _radius(geometry, centre_mm, (radius_mm,) * 3)
    return radius < 1 + 0.15 * _texture(geometry.shape, seed=5)


def write_series(image: Image, folder: Path) -> Path:
    """The image as an axial MR series of one file per slice."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

    folder.mkdir(parents=True, exist_ok=True)
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    for k, plane in enumerate(np.clip(image.voxels, 0, 4095).astype(np.uint16)):
        data, data.file_meta = Dataset(), FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = MRImageStorage
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
        data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = study, series, frame
        data.PatientID, data.PatientName, data.Modality = "BENCHMARK", "Generated^Head", "MR"
        data.PatientBirthDate = data.PatientSex = data.StudyID = data.AccessionNumber = ""
        data.StudyDate, data.StudyTime, data.ReferringPhysicianName = "20260101", "120000", ""
        data.SeriesNumber, data.InstanceNumber, data.SeriesDescription = 1, k + 1, image.name
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.ImagePositionPatient = image.geometry.position_of((k, 0, 0)).tolist()
        data.PixelSpacing = [image.geometry.spacing_mm[1], image.geometry.spacing_mm[0]]
        data.SliceThickness = image.geometry.spacing_mm[2]
        data.Rows, data.Columns = plane.shape
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
        data.PixelData = np.ascontiguousarray(plane).tobytes()
        data.save_as(folder / f"{k:03d}.dcm", enforce_file_format=True)
    return folder


def _radius(
    geometry: Geometry, centre_mm: tuple[float, float, float], half_axes_mm: tuple[float, float, float]
) -> NDArray[np.float32]:
    """Elliptic distance of every voxel from a centre, 1 on the surface; for grids along the axes."""
    total = np.zeros(geometry.shape, np.float32)
    for axis in range(3):  # i, j, k against x, y, z
        count = geometry.shape[2 - axis]
        line = geometry.origin_mm[axis] + geometry.spacing_mm[axis] * np.arange(count) - centre_mm[axis]
        shape = [1, 1, 1]
        shape[2 - axis] = count
        total += ((line / half_axes_mm[axis]) ** 2).astype(np.float32).reshape(shape)
    return np.sqrt(total)


def _texture(shape: tuple[int, int, int], seed: int) -> NDArray[np.float32]:
    """Smooth noise with mean 0 and standard deviation about 1."""
    small = [n // 8 + 2 for n in shape]
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=small), 1.0)
    large = zoom(noise / noise.std(), 8, order=1)
    return large[tuple(slice(n) for n in shape)].astype(np.float32)


if __name__ == "__main__":
    wanted, target = sys.argv[1:]
    np.save(target, (head() if wanted == "head" else ct()).voxels)
