"""Write an RTSTRUCT: masks and their DICOM series become contours that planning systems take."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from TumorSegRobustLib.export.keyhole import polygons
from TumorSegRobustLib.export.placement import place
from TumorSegRobustLib.export.roi import RED, Roi, check_destination, check_rois
from TumorSegRobustLib.export.saving import save
from TumorSegRobustLib.export.stack import Stack, find_series, read_stack
from TumorSegRobustLib.export.structure_set import Contour, Structure, structure_set
from TumorSegRobustLib.export.study import DISCLAIMER, SOFTWARE
from TumorSegRobustLib.export.text import MOST_SHORT, name_notice, one_line, paragraph
from TumorSegRobustLib.image import DicomSeries, Image
from TumorSegRobustLib.version import __version__


@dataclass(frozen=True)
class RoiReport:
    """What was written of one region. volume_ml is that of the voxels inside the contours."""

    name: str
    volume_ml: float
    contours: int
    points: int


@dataclass(frozen=True)
class RtstructReport(os.PathLike[str]):
    """The written file (usable wherever a path is), what is in it, and what the user should know of it."""

    path: Path
    sop_instance_uid: str
    rois: tuple[RoiReport, ...]
    notices: tuple[str, ...]

    def __fspath__(self) -> str:
        return os.fspath(self.path)

    def __str__(self) -> str:
        return str(self.path)


def write_rtstruct(
    mask: Image,
    series: DicomSeries | Path | str,
    out: Path | str,
    *,
    name: str = "GTVp",
    label: str = SOFTWARE,
    colour: tuple[int, int, int] = RED,
    description: str = "",
    algorithm: str = "SEMIAUTOMATIC",
) -> RtstructReport:
    """Write one mask as an RTSTRUCT that refers to the images of `series` (or the only series in a folder).

    Contours run along voxel edges, so the volume inside them is the mask's; holes are keyholes. A mask on
    another grid is matched by position. The file appears complete or not at all, with fresh UIDs on each
    export.

    Raises UnusableInput, with one line that says why, for an empty mask, one that does not overlap the
    series, a series that contours cannot refer to, and names that DICOM cannot hold.
    """
    roi = Roi(mask, name, colour, algorithm=algorithm)
    return write_rtstruct_rois([roi], series, out, label=label, description=description)


def write_rtstruct_rois(
    rois: Sequence[Roi],
    series: DicomSeries | Path | str,
    out: Path | str,
    *,
    label: str = SOFTWARE,
    description: str = "",
) -> RtstructReport:
    """As write_rtstruct, with several regions in one file."""
    path = Path(out)
    found = find_series(series)
    check_destination(path, found, "RTSTRUCT")
    label = one_line("structure set label", label, MOST_SHORT)
    about = paragraph("description", f"{SOFTWARE} {__version__}, {DISCLAIMER}. {description}")
    checked = check_rois(rois)
    stack = read_stack(found.files)
    structures: list[Structure] = []
    notices: list[str] = []
    for roi, roi_name in zip(rois, checked, strict=True):
        placed = place(roi.mask, stack, roi_name)
        structures.append(_structure(roi, roi_name, placed.voxels, stack))
        notices.extend(placed.notices)
        notices.extend(name_notice(roi_name))
    dataset = structure_set(structures, stack, label, about, datetime.now())
    save(dataset, path)
    reports = (
        RoiReport(s.name, s.volume_ml, len(s.contours), sum(len(c.points_mm) for c in s.contours))
        for s in structures
    )
    return RtstructReport(path, str(dataset.SOPInstanceUID), tuple(reports), tuple(notices))


def _structure(roi: Roi, name: str, voxels: np.ndarray, stack: Stack) -> Structure:
    contours = [
        Contour(plane, stack.positions_mm(plane, polygon))
        for plane in np.flatnonzero(voxels.any(axis=(1, 2))).tolist()
        for polygon in _polygons_of(voxels[plane])
    ]
    volume_ml = float(np.count_nonzero(voxels)) * stack.voxel_ml
    description = paragraph(f"description of {name}", roi.description)
    return Structure(name, contours, volume_ml, roi.colour, roi.interpreted_type, roi.algorithm, description)


def _polygons_of(plane: np.ndarray) -> list[np.ndarray]:
    """Polygons (column, row) of one plane; only the box around the foreground is looked at."""
    rows, columns = np.flatnonzero(plane.any(axis=1)), np.flatnonzero(plane.any(axis=0))
    corner = np.array([columns[0], rows[0]])
    box = plane[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return [polygon + corner for polygon in polygons(box)]
