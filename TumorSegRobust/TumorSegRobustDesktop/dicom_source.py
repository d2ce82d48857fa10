"""Which DICOM series a volume of the scene came from; RTSTRUCT refers to its images one by one."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from TumorSegRobustLib.image import DicomSeries, Image

_LOG = logging.getLogger(__name__)


def series_of(node: Any, database: Any = None) -> DicomSeries | None:
    """The series of a volume node, None when nothing leads to its files.

    database: `slicer.dicomDatabase`, which knows the files of the instances that Slicer's DICOM module notes
    on the node. A volume loaded from DICOM files by itself leads to them through its storage node.
    Only those files are opened, or where just one is known its neighbours in the same folder: this happens
    while the user waits. What cannot be read is passed over: a series is only needed for export.
    """
    from TumorSegRobustLib.errors import UnusableInput
    from TumorSegRobustLib.image import is_dicom, list_series

    uids = (node.GetAttribute("DICOM.instanceUIDs") or "").split()
    files = [Path(name) for uid in uids if database is not None and (name := database.fileForInstance(uid))]
    if not files:
        files = list(_stored_files(node.GetStorageNode()))
    named = [file for file in files if is_dicom(file)]
    if not named:
        return None
    folder = Path(os.path.commonpath([file.parent for file in named]))
    if len(named) == 1:
        named = [file for file in folder.iterdir() if file.is_file()]
    try:
        found = list_series(folder, named)
    except UnusableInput as reason:
        _LOG.info("No series for %s: %s", node.GetName(), reason)
        return None
    return next((series for series in found if _holds(series, uids, files)), None)


def series_in_folder(folder: Path, image: Image) -> list[DicomSeries]:
    """The series in a folder that lie where the scan lies: one, or several to choose from.

    Raises UnusableInput when no series there covers the scan.
    """
    from TumorSegRobustLib.errors import UnusableInput
    from TumorSegRobustLib.image import list_series

    found = list_series(folder)
    matching = [series for series in found if _same_place(series, image)]
    if not found:
        raise UnusableInput(f"{folder} holds no DICOM images; choose the folder with the series of this scan")
    if not matching:
        raise UnusableInput(f"No series in {folder} lies on this scan's grid; choose its own")
    return matching


def _stored_files(storage: Any) -> Iterable[Path]:
    if storage is None:
        return
    if storage.GetFileName():
        yield Path(storage.GetFullNameFromFileName())
    for index in range(storage.GetNumberOfFileNames()):
        yield Path(storage.GetFullNameFromNthFileName(index))


def _holds(series: DicomSeries, uids: list[str], files: list[Path]) -> bool:
    if uids:
        return set(uids) <= set(series.sop_instance_uids)
    return any(file in series.files for file in files)


def _same_place(series: DicomSeries, image: Image) -> bool:
    """Whether the two grids have the same corners, in whatever order their axes run."""
    import numpy as np

    def corners(geometry: Any) -> Any:
        ends = np.array(geometry.shape) - 1
        index = np.array([[k, j, i] for k in (0, 1) for j in (0, 1) for i in (0, 1)]) * ends
        return geometry.position_of(index)

    ours, theirs = corners(image.geometry), corners(series.geometry)
    distance = np.linalg.norm(ours[:, None] - theirs[None], axis=-1)
    tolerance = 0.05 * min(image.geometry.spacing_mm)
    return bool((distance.min(axis=0) < tolerance).all() and (distance.min(axis=1) < tolerance).all())
