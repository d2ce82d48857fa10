"""Write a DICOM SEG: masks voxel by voxel on the images of their series, for archives and viewers."""

from __future__ import annotations

import copy
import os
import re
import uuid
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.export.colour import cielab_of
from TumorSegRobustLib.export.placement import place
from TumorSegRobustLib.export.roi import Roi, check_destination, check_rois
from TumorSegRobustLib.export.saving import save
from TumorSegRobustLib.export.stack import Stack, find_series, read_stack
from TumorSegRobustLib.export.study import (
    DISCLAIMER,
    SOFTWARE,
    fresh_uid,
    series_number,
    take_over,
    text_of,
)
from TumorSegRobustLib.export.terminology import concepts_of
from TumorSegRobustLib.export.text import (
    MOST_LONG,
    MOST_SHORT,
    character_set,
    one_line,
    paragraph,
    person_name,
)
from TumorSegRobustLib.image import DicomSeries
from TumorSegRobustLib.version import __version__

_CODE = re.compile(r"[A-Z0-9 _]{1,16}")  # a DICOM code string (PS3.5, 6.2)
_OF_AN_IMAGE = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "ImagePositionPatient",
    "Rows",
    "Columns",
)
_EMPTY = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)


@dataclass(frozen=True)
class SegmentReport:
    """What was written of one segment."""

    name: str
    volume_ml: float


@dataclass(frozen=True)
class SegReport(os.PathLike[str]):
    """The written file (usable wherever a path is), what is in it, and what the user should know of it."""

    path: Path
    sop_instance_uid: str
    segments: tuple[SegmentReport, ...]
    notices: tuple[str, ...]

    def __fspath__(self) -> str:
        return os.fspath(self.path)

    def __str__(self) -> str:
        return str(self.path)


def write_seg(
    rois: Sequence[Roi],
    series: DicomSeries | Path | str,
    out: Path | str,
    *,
    label: str = SOFTWARE,
    description: str = "",
    creator: str = "",
    model: str = "",
) -> SegReport:
    """Write masks as the segments of one binary DICOM SEG (PS3.3 A.51) that refers to the images of `series`.

    Each segment carries its name, colour, terminology (see `concepts_of`), how it came about, and a tracking
    UID that stays the same for the same name on the same series. A mask on another grid is matched by
    position, as in `write_rtstruct`; segments may overlap. Planes need be neither evenly spaced nor axial.
    The file appears complete or not at all, with fresh UIDs on each export.

    label: of the content, at most 16 letters, digits, spaces or underscores; written in capitals.
    description: of every segment that has none of its own. creator: who answers for the content.
    model: id and version of the networks that proposed it.

    Raises UnusableInput, with one line that says why, for an empty mask, one that does not overlap the
    series, a series that cannot be referred to, text that DICOM cannot hold, and where highdicom is missing.
    """
    path = Path(out)
    highdicom = _highdicom()
    found = find_series(series)
    check_destination(path, found, "SEG")
    label = _code_string(label)
    names = check_rois(rois)
    about = [
        paragraph(f"description of {name}", roi.description or description)
        for roi, name in zip(rois, names, strict=True)
    ]
    creator = person_name(creator)
    model = one_line("model", model, MOST_LONG) if model else ""
    stack = read_stack(found.files)
    placed = [place(roi.mask, stack, name) for roi, name in zip(rois, names, strict=True)]
    described = [
        _describe(highdicom, number, roi, name, text, model, stack)
        for number, (roi, name, text) in enumerate(zip(rois, names, about, strict=True), start=1)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about names of persons without a "^", which people type
        dataset = highdicom.seg.Segmentation(
            source_images=_sources(stack),
            pixel_array=np.stack([one.voxels for one in placed], axis=-1).view(np.uint8),
            segmentation_type="BINARY",
            segment_descriptions=described,
            series_instance_uid=fresh_uid(),
            series_number=series_number(stack, 2000),
            sop_instance_uid=fresh_uid(),
            instance_number=1,
            manufacturer=SOFTWARE,
            manufacturer_model_name=SOFTWARE,
            software_versions=__version__,
            device_serial_number="1",
            content_description=f"{SOFTWARE} {__version__}, {DISCLAIMER}"[:MOST_LONG],
            content_creator_name=creator or None,
        )
    _finish(dataset, stack, label, [*names, *about, creator, model])
    save(dataset, path)
    reports = (
        SegmentReport(name, float(np.count_nonzero(one.voxels)) * stack.voxel_ml)
        for name, one in zip(names, placed, strict=True)
    )
    notices = tuple(notice for one in placed for notice in one.notices)
    return SegReport(path, str(dataset.SOPInstanceUID), tuple(reports), notices)


def tracking_uid(series_uid: str, name: str) -> str:
    """The same for the same structure of the same series, so that one export follows up on another."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'{series_uid}/{name}').int}"


def _highdicom() -> Any:
    try:
        import highdicom
        import highdicom.seg
    except ImportError as error:
        raise UnusableInput(
            f"DICOM SEG needs the Python package highdicom, which cannot be loaded ({error}); "
            "install it, or export RTSTRUCT"
        ) from error
    return highdicom


def _code_string(label: str) -> str:
    text = one_line("label of the SEG", label, MOST_SHORT).upper()
    if not _CODE.fullmatch(text):
        raise UnusableInput(
            f"The label {label!r} holds signs that DICOM does not allow there; "
            "use letters A to Z, digits, spaces and underscores"
        )
    return text


def _describe(
    highdicom: Any, number: int, roi: Roi, name: str, about: str, model: str, stack: Stack
) -> Dataset:
    category, kind = (highdicom.sr.CodedConcept(*concept) for concept in concepts_of(name))
    algorithm = None
    if roi.algorithm != "MANUAL":
        algorithm = highdicom.AlgorithmIdentificationSequence(
            name=SOFTWARE,
            family=highdicom.sr.CodedConcept("123109", "DCM", "Artificial Intelligence"),
            version=__version__,
            parameters={"model": model} if model else None,
        )
    item = highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=name,
        segmented_property_category=category,
        segmented_property_type=kind,
        algorithm_type=roi.algorithm,
        algorithm_identification=algorithm,
        tracking_uid=tracking_uid(str(stack.headers[0].SeriesInstanceUID), name),
        tracking_id=name,
    )
    item.RecommendedDisplayCIELabValue = _as_dicom(cielab_of(roi.colour))
    if about:
        item.SegmentDescription = about
    return item


def _as_dicom(lab: tuple[float, float, float]) -> list[int]:
    """L*, a*, b* as 16-bit numbers: 0..100 and -128..127 over the whole range (PS3.3 C.10.7.1.1)."""
    light, a, b = lab
    return [round(light * 65535 / 100), round((a + 128) * 65535 / 255), round((b + 128) * 65535 / 255)]


def _sources(stack: Stack) -> list[Dataset]:
    """The images as highdicom wants to see them, in the order of the stack.

    Patient and study are empty here and written by `_finish` as they are in the images: a birth date or a sex
    that the standard does not allow must not keep a contour from being written.
    """
    first = stack.headers[0]
    steps = np.diff(stack.distance_mm)
    sources = []
    for header in stack.headers:
        source = Dataset()
        for name in _OF_AN_IMAGE:
            if name in header:
                source[name] = copy.deepcopy(header[name])
        for name in _EMPTY:
            setattr(source, name, "")
        source.ImageOrientationPatient = first.ImageOrientationPatient
        source.PixelSpacing = first.PixelSpacing
        source.SliceThickness = round(float(steps.mean()), 6) if len(steps) else 1.0
        source.Modality = header.get("Modality", None) or "OT"
        sources.append(source)
    return sources


def _finish(dataset: Dataset, stack: Stack, label: str, own: list[str]) -> None:
    """Patient, study and characters as in the images; label and names of the series."""
    take_over(dataset, stack)
    characters = character_set(stack.headers[0].get("SpecificCharacterSet"), text_of(dataset), own)
    if characters:
        dataset.SpecificCharacterSet = characters
    now = datetime.now()
    dataset.ContentLabel = label
    dataset.SeriesDescription = f"{SOFTWARE} segments"
    dataset.SeriesDate, dataset.SeriesTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
