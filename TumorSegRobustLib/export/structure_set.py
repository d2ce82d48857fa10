"""The RT Structure Set object (DICOM PS3.3 A.19) with every Type 1 and 2 attribute of its modules.

Encoded as Implicit VR Little Endian: an explicit VR leaves 16 bits for the length of a contour, which a
ragged outline of some 2,000 points already exceeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ImplicitVRLittleEndian

from TumorSegRobustLib.export.stack import Stack
from TumorSegRobustLib.export.study import DISCLAIMER, SOFTWARE, fresh_uid, series_number, take_over, text_of
from TumorSegRobustLib.export.text import character_set, decimal
from TumorSegRobustLib.version import __version__

RT_STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
# Detached Study Management: retired as a service, still the class by which RTSTRUCT refers to a study.
_STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"
# Made once from a random UUID (PS3.5 B.2): tells which software wrote a file.
_IMPLEMENTATION = "2.25.258710408028255733555847088664984337310"
_CONTOUR_DATA = 0x30060050


@dataclass(frozen=True)
class Contour:
    """A closed polygon on a plane of the stack; points_mm (points, 3) LPS, the first not repeated."""

    plane: int
    points_mm: np.ndarray


@dataclass(frozen=True)
class Structure:
    """One region of interest, ready to be written. colour: red, green, blue, 0..255."""

    name: str
    contours: Sequence[Contour]
    volume_ml: float
    colour: tuple[int, int, int]
    interpreted_type: str
    algorithm: str
    description: str


def structure_set(
    structures: Sequence[Structure], stack: Stack, label: str, description: str, now: datetime
) -> FileDataset:
    """A new instance in a new series of the images' study, with fresh UIDs."""
    uid = fresh_uid()
    dataset = FileDataset("", {}, file_meta=_file_meta(uid), preamble=b"\0" * 128)
    take_over(dataset, stack)
    own = [label, description, *(text for s in structures for text in (s.name, s.description))]
    characters = character_set(stack.headers[0].get("SpecificCharacterSet"), text_of(dataset), own)
    if characters:
        dataset.SpecificCharacterSet = characters
    date, time = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    _set(
        dataset,
        SOPClassUID=RT_STRUCTURE_SET,
        SOPInstanceUID=uid,
        InstanceCreationDate=date,
        InstanceCreationTime=time,
        Modality="RTSTRUCT",
        SeriesInstanceUID=fresh_uid(),
        SeriesNumber=str(series_number(stack)),
        SeriesDate=date,
        SeriesTime=time,
        SeriesDescription=f"{SOFTWARE} contours",
        OperatorsName="",
        InstanceNumber="1",
        Manufacturer=SOFTWARE,
        ManufacturerModelName=SOFTWARE,
        SoftwareVersions=__version__,
        FrameOfReferenceUID=stack.frame_of_reference_uid,
        StructureSetLabel=label,
        StructureSetName=label,
        StructureSetDate=date,
        StructureSetTime=time,
        StructureSetDescription=description,
        ApprovalStatus="UNAPPROVED",
    )
    dataset.ReferencedFrameOfReferenceSequence = Items([_referenced_images(stack)])
    numbered = list(enumerate(structures, start=1))
    dataset.StructureSetROISequence = Items([_roi(n, s, stack) for n, s in numbered])
    dataset.ROIContourSequence = Items([_roi_contours(n, s, stack) for n, s in numbered])
    dataset.RTROIObservationsSequence = Items([_observation(n, s) for n, s in numbered])
    return dataset


def _file_meta(uid: str) -> FileMetaDataset:
    meta = FileMetaDataset()
    _set(
        meta,
        FileMetaInformationVersion=b"\0\1",
        MediaStorageSOPClassUID=RT_STRUCTURE_SET,
        MediaStorageSOPInstanceUID=uid,
        TransferSyntaxUID=ImplicitVRLittleEndian,
        ImplementationClassUID=_IMPLEMENTATION,
        ImplementationVersionName=f"TUMORSEG {__version__}"[:16],
    )
    return meta


def _referenced_images(stack: Stack) -> Dataset:
    series = _item(
        SeriesInstanceUID=stack.headers[0].SeriesInstanceUID,
        ContourImageSequence=Items([_image_reference(header) for header in stack.headers]),
    )
    study = _item(
        ReferencedSOPClassUID=_STUDY_CLASS,
        ReferencedSOPInstanceUID=stack.headers[0].StudyInstanceUID,
        RTReferencedSeriesSequence=Items([series]),
    )
    return _item(FrameOfReferenceUID=stack.frame_of_reference_uid, RTReferencedStudySequence=Items([study]))


def _image_reference(header: Dataset) -> Dataset:
    return _item(ReferencedSOPClassUID=header.SOPClassUID, ReferencedSOPInstanceUID=header.SOPInstanceUID)


def _roi(number: int, structure: Structure, stack: Stack) -> Dataset:
    item = _item(
        ROINumber=str(number),
        ReferencedFrameOfReferenceUID=stack.frame_of_reference_uid,
        ROIName=structure.name,
        ROIVolume=decimal(structure.volume_ml),
        ROIGenerationAlgorithm=structure.algorithm,
        ROIGenerationDescription=f"{SOFTWARE} {__version__}, {DISCLAIMER}"[:64],
    )
    if structure.description:
        item.ROIDescription = structure.description
    return item


def _roi_contours(number: int, structure: Structure, stack: Stack) -> Dataset:
    contours = [_contour(n, contour, stack) for n, contour in enumerate(structure.contours, start=1)]
    return _item(
        ROIDisplayColor=list(structure.colour),
        ContourSequence=Items(contours),
        ReferencedROINumber=str(number),
    )


def _contour(number: int, contour: Contour, stack: Stack) -> Dataset:
    item = _item(
        ContourNumber=str(number),
        ContourImageSequence=Items([_image_reference(stack.headers[contour.plane])]),
        ContourGeometricType="CLOSED_PLANAR",
        NumberOfContourPoints=str(len(contour.points_mm)),
    )
    # Already text: taking every coordinate through pydicom's decimal type would cost more than all the rest.
    text = "\\".join([decimal(value) for value in contour.points_mm.ravel().tolist()])
    item[_CONTOUR_DATA] = DataElement(_CONTOUR_DATA, "DS", text, already_converted=True)
    return item


def _observation(number: int, structure: Structure) -> Dataset:
    return _item(
        ObservationNumber=str(number),
        ReferencedROINumber=str(number),
        RTROIInterpretedType=structure.interpreted_type,
        ROIInterpreter="",
    )


def _item(**attributes: Any) -> Dataset:
    return _set(Dataset(), **attributes)


def _set(dataset: Dataset, **attributes: Any) -> Dataset:
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return dataset
