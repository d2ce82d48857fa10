"""Read an RTSTRUCT back to masks on the grid of its series, exactly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.export.raster import fill
from TumorSegRobustLib.export.stack import Stack, find_series, read_stack
from TumorSegRobustLib.image import DicomSeries, Geometry, Image

_AREAS = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
_CONTOUR_DATA = 0x30060050
_ON_GRID = 0.05  # voxels by which a plane may lie off the series' regular grid
_COPLANAR_MM = 0.01


def read_rtstruct(path: Path | str, series: DicomSeries | Path | str) -> dict[str, Image]:
    """Each region of interest as a bool image on the grid of `series` (or of the only series in a folder).

    A voxel belongs to a region when its centre lies inside its contours of that plane by the even-odd rule,
    so rings in rings are holes, whether written as keyholes, as exclusive-or contours or as separate rings.
    Each contour fills the image plane nearest to it; what lies beside the images is cut off. Contours between
    or beyond the planes, and those of fewer than 3 points, are told in the image's `notices`. A region
    without closed contours gives an empty mask. Equal names get " (2)", " (3)" behind them.

    Raises UnusableInput for a file that is not an RTSTRUCT, of another frame of reference, or with broken
    contours.
    """
    dataset = _read(Path(path))
    found = find_series(series)
    stack = read_stack(found.files)
    geometry = _grid_of(found, stack)
    regions = {int(item.ReferencedROINumber): item for item in dataset.get("ROIContourSequence", None) or []}
    masks: dict[str, Image] = {}
    for roi in dataset.StructureSetROISequence:
        name = str(roi.get("ROIName", "") or f"ROI {roi.ROINumber}")
        frame = str(roi.get("ReferencedFrameOfReferenceUID", "") or "")
        if frame and frame != stack.frame_of_reference_uid:
            raise UnusableInput(
                f"{name} in {path} was drawn in another frame of reference than series {found.series_uid}; "
                "give the series it was drawn on"
            )
        voxels, notices = _fill_region(regions.get(int(roi.ROINumber)), stack, name)
        unique, count = name, 1
        while unique in masks:
            count += 1
            unique = f"{name} ({count})"
        masks[unique] = Image(voxels, geometry, unique, tuple(notices))
    return masks


def _read(path: Path) -> Dataset:
    try:
        dataset = pydicom.dcmread(path)
    except (InvalidDicomError, OSError) as error:
        raise UnusableInput(f"{path} cannot be read as DICOM ({error}); give an RTSTRUCT file") from None
    if dataset.get("Modality") != "RTSTRUCT" or not dataset.get("StructureSetROISequence"):
        raise UnusableInput(
            f"{path} is not an RTSTRUCT with structures (its modality is {dataset.get('Modality')})"
        )
    return dataset


def _grid_of(series: DicomSeries, stack: Stack) -> Geometry:
    corner = np.array([[0, 0], [stack.shape[2] - 1, stack.shape[1] - 1]])
    places = np.stack([stack.positions_mm(plane, corner) for plane in range(stack.shape[0])])
    index = series.geometry.continuous_index(places)
    planes = np.broadcast_to(np.arange(stack.shape[0])[:, None, None], (stack.shape[0], 2, 1))
    wanted = np.concatenate([planes, np.broadcast_to(corner[:, ::-1], (stack.shape[0], 2, 2))], axis=2)
    if series.geometry.shape != stack.shape or np.abs(index - wanted).max() > _ON_GRID:
        raise UnusableInput(
            f"Series {series.series_uid} is tilted or unevenly spaced; "
            "masks can be read on a regular series only"
        )
    return series.geometry


def _fill_region(region: Dataset | None, stack: Stack, name: str) -> tuple[np.ndarray, list[str]]:
    by_plane: dict[int, list[tuple[float, np.ndarray]]] = defaultdict(list)
    degenerate = beyond = between = 0
    distance = stack.distance_mm
    step = float(np.diff(distance).mean()) if len(distance) > 1 else np.inf
    for contour in (region and region.get("ContourSequence", None)) or []:
        if contour.get("ContourGeometricType") not in _AREAS:
            continue
        points = _points_of(contour, name)
        if len(points) < 3:
            degenerate += 1
            continue
        along = points @ stack.normal
        if np.ptp(along) > step / 2:
            raise UnusableInput(
                f"A contour of {name} is not parallel to the images; give the series it was drawn on"
            )
        level = float(np.median(along))
        plane = int(stack.nearest_plane(np.array(level)))
        off = abs(level - distance[plane]) / step
        if off > 0.5 + _ON_GRID:
            beyond += 1
            continue
        between += off > _ON_GRID
        by_plane[plane].append((level, stack.column_row(plane, points)))
    voxels = np.zeros(stack.shape, bool)
    for plane, contours in by_plane.items():
        for together in _coplanar(contours):
            voxels[plane] |= fill(together, stack.shape[1:])
    told = {
        "lie beyond the images and are left out": beyond,
        "lie between images; each fills the nearest image": between,
        "have fewer than 3 points and are left out": degenerate,
    }
    return voxels, [f"{count} contours of {name} {what}" for what, count in told.items() if count]


def _coplanar(contours: list[tuple[float, np.ndarray]]) -> Iterator[list[np.ndarray]]:
    """Groups of equal level: rings of one plane exclude each other, those of neighbouring planes do not."""
    group: list[np.ndarray] = []
    previous = -np.inf
    for level, polygon in sorted(contours, key=lambda item: item[0]):
        if group and level - previous > _COPLANAR_MM:
            yield group
            group = []
        group.append(polygon)
        previous = level
    yield group


def _points_of(contour: Dataset, name: str) -> np.ndarray:
    element = contour.get_item(_CONTOUR_DATA)
    raw = element.value if element is not None else None
    try:
        if isinstance(raw, bytes):
            raw = raw.decode("ascii").rstrip(" \0").split("\\")
        points = np.array(raw, dtype=np.float64).reshape(-1, 3)
    except (TypeError, ValueError):
        raise UnusableInput(
            f"A contour of {name} has coordinates that are not triples of numbers; repair the file"
        ) from None
    if not np.isfinite(points).all():
        raise UnusableInput(f"A contour of {name} has coordinates that are not finite; repair the file")
    return points
