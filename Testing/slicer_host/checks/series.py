"""A DICOM series on the phantom's grid, and the database that would know its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom


class Database:
    """`slicer.dicomDatabase` as far as the panel uses it."""

    def __init__(self, files: dict[str, Path]) -> None:
        self.files = files

    def fileForInstance(self, uid: str) -> str:
        return str(self.files.get(uid, ""))


def write_series(folder: Path, image: Any, shift_mm: float = 0.0) -> dict[str, Path]:
    """An MR series on the image's grid (axes as DICOM's), as SOP instance UID -> file."""
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

    folder.mkdir()
    geometry = image.geometry
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    row, column = np.reshape(geometry.direction, (3, 3)).T[:2]
    normal = np.cross(row, column)
    aligned = np.dot(normal, np.reshape(geometry.direction, (3, 3)).T[2]) > 0
    files: dict[str, Path] = {}
    for k in range(geometry.shape[0]):
        header = pydicom.Dataset()
        header.file_meta = pydicom.dataset.FileMetaDataset()
        header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        header.SOPClassUID = header.file_meta.MediaStorageSOPClassUID = MRImageStorage
        header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        header.StudyInstanceUID, header.SeriesInstanceUID, header.FrameOfReferenceUID = study, series, frame
        header.Modality, header.SeriesDescription, header.PatientID = "MR", "phantom", "P1"
        header.PatientName, header.InstanceNumber = "Phantom^Ball", k + 1 if aligned else 99 - k
        position = np.asarray(geometry.position_of((k, 0, 0))) + np.array([shift_mm, 0, 0])
        header.ImagePositionPatient = [f"{value:.6f}" for value in position]
        header.ImageOrientationPatient = [f"{value:.6f}" for value in (*row, *column)]
        header.PixelSpacing = [geometry.spacing_mm[1], geometry.spacing_mm[0]]
        header.SliceThickness = geometry.spacing_mm[2]
        header.Rows, header.Columns = geometry.shape[1:]
        header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
        header.BitsAllocated = header.BitsStored = 16
        header.HighBit, header.PixelRepresentation = 15, 0
        header.PixelData = image.voxels[k].astype("<u2").tobytes()
        files[str(header.SOPInstanceUID)] = folder / f"{k:03d}.dcm"
        header.save_as(folder / f"{k:03d}.dcm", enforce_file_format=True)
    return files
