"""A small head with a bright tumour, and stand-ins for the networks: panels tested in seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from TumorSegRobustLib.image import Geometry, Image
from TumorSegRobustLib.inference import Prediction
from TumorSegRobustLib.progress import Progress
from TumorSegRobustLib.workflow import Rooms

GEOMETRY = Geometry((40, 64, 64), (3.0, 3.0, 3.0), (-94.5, -94.5, -60.0))
TUMOUR_MM = (33.0, -21.0, 12.0)  # LPS, centre
RADIUS_MM = 18.0
SATELLITE_MM = (-36.0, 30.0, 12.0)  # as bright, but the stand-in networks do not see it


def distance_from(centre_mm: tuple[float, float, float], geometry: Geometry = GEOMETRY) -> np.ndarray:
    """mm from every voxel to an LPS position."""
    index = np.moveaxis(np.indices(geometry.shape), 0, -1)
    return np.linalg.norm(geometry.position_of(index) - np.array(centre_mm), axis=-1)


def a_head() -> Image:
    """FLAIR-like: dark air, grey head, bright tumour and satellite, a little noise."""
    head = distance_from((0.0, 0.0, 0.0)) < 85
    voxels = 90.0 * head + np.random.default_rng(1).normal(0, 4, GEOMETRY.shape)
    voxels[distance_from(TUMOUR_MM) < RADIUS_MM] = 230
    voxels[distance_from(SATELLITE_MM) < 10] = 230
    return Image(np.clip(voxels, 0, None).astype(np.float32), GEOMETRY, "head")


def truth() -> np.ndarray:
    return distance_from(TUMOUR_MM) < RADIUS_MM


@dataclass(frozen=True)
class ToyAssessment:
    entropy: np.ndarray
    mutual_information: np.ndarray
    disagreement: np.ndarray
    uncertainty: np.ndarray
    volume_ml: float
    level: str = "review"
    predicted_dice: float = 0.87
    interval: tuple[float, float] = (0.78, 0.93)
    reasons: tuple[str, ...] = ("the members disagree at the back of the tumour",)
    shift: dict[str, Any] = field(
        default_factory=lambda: {"score": 0.4, "level": "low", "factors": [{"text": "slices of 6 mm"}]}
    )
    lesions: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"lesions": []}


class ToyEnsemble:
    """Finds the tumour by its place, and is uncertain at its edge; `gate` lets a test hold it back."""

    def warm_up(self) -> None:
        return

    def predict(self, image: Image | dict[str, Image], progress: Progress | None = None) -> Prediction:
        if progress is not None:
            progress.report(0.5, "Member 1 of 2.")
        edge = distance_from(TUMOUR_MM) - RADIUS_MM
        probability = (1 / (1 + np.exp(edge / 2))).astype(np.float32)
        package = {"id": "toy", "version": "1.0.0", "sha256": "0" * 64, "licence": "Apache-2.0"}
        members = np.stack([probability, probability]).astype(np.float16)
        return Prediction(GEOMETRY, probability, members, package, "cpu", "toy", {"predict": 0.1}, 10.0)


def assess(prediction: Prediction, image: Image, progress: Progress) -> ToyAssessment:
    p = np.clip(prediction.probability, 1e-6, 1 - 1e-6)
    entropy = (-p * np.log(p) - (1 - p) * np.log(1 - p)).astype(np.float32)
    return ToyAssessment(entropy, entropy / 2, entropy / 3, entropy, prediction.volume_ml)


def toy_rooms(sample: Path | None = None) -> Rooms:
    """The real rooms, but for networks and their judgement."""
    real = Rooms()
    return Rooms(
        make_ensemble=lambda *_: ToyEnsemble(),
        assess=assess,
        list_packages=list,
        sample_folder=(lambda: sample) if sample else real.sample_folder,
    )


def write_dicom(image: Image, folder: Path, description: str = "FLAIR axial") -> Path:
    """The image as a plain axial MR series."""
    folder.mkdir(parents=True, exist_ok=True)
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    for k, plane in enumerate(np.clip(image.voxels, 0, 4095).astype(np.uint16)):
        instance = generate_uid()
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = MRImageStorage
        meta.MediaStorageSOPInstanceUID = instance
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        slice_ = Dataset()
        slice_.file_meta = meta
        slice_.SOPClassUID, slice_.SOPInstanceUID = MRImageStorage, instance
        slice_.StudyInstanceUID, slice_.SeriesInstanceUID, slice_.FrameOfReferenceUID = study, series, frame
        slice_.PatientID, slice_.PatientName, slice_.Modality = "TEST", "Test^Head", "MR"
        slice_.PatientBirthDate = slice_.PatientSex = slice_.StudyID = slice_.AccessionNumber = ""
        slice_.StudyDate, slice_.StudyTime, slice_.ReferringPhysicianName = "20240101", "120000", ""
        slice_.SeriesNumber, slice_.InstanceNumber, slice_.SeriesDescription = 1, k + 1, description
        slice_.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        slice_.ImagePositionPatient = image.geometry.position_of((k, 0, 0)).tolist()
        slice_.PixelSpacing = [image.geometry.spacing_mm[1], image.geometry.spacing_mm[0]]
        slice_.SliceThickness = image.geometry.spacing_mm[2]
        slice_.Rows, slice_.Columns = plane.shape
        slice_.SamplesPerPixel, slice_.PhotometricInterpretation = 1, "MONOCHROME2"
        slice_.BitsAllocated, slice_.BitsStored, slice_.HighBit, slice_.PixelRepresentation = 16, 12, 11, 0
        slice_.PixelData = np.ascontiguousarray(plane).tobytes()
        slice_.save_as(folder / f"{k:03d}.dcm", enforce_file_format=True)
    return folder
