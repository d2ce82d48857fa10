"""A folder of DICOM files as one volume."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image.checks import SMALLEST_SIDE, check_contrast, check_finite, check_geometry
from TumorSegRobustLib.image.dicom_grid import Stack, stack_slices
from TumorSegRobustLib.image.dicom_headers import files_below, image_headers, series_of_file, slice_of
from TumorSegRobustLib.image.dicom_pixels import read_planes
from TumorSegRobustLib.image.geometry import Geometry
from TumorSegRobustLib.image.series_choice import SeriesChoice, SeveralSeries
from TumorSegRobustLib.image.source import Source, source_of
from TumorSegRobustLib.image.volume import Image

__all__ = ["DicomSeries", "list_series", "read_series", "series_of_file"]

_UNTOLD = Source()


@dataclass(frozen=True)
class DicomSeries:
    """One series that forms a volume.

    files, sop_instance_uids and positions_mm (LPS of the first pixel) are sorted along the slice normal.
    geometry is the grid of the image that read_series gives; where `regular` is true its plane k is files[k],
    otherwise the slices are sheared or unevenly spaced, were resampled to it, and the notices say so.
    source: what the header of the first slice says the scan is.
    """

    series_uid: str
    files: tuple[Path, ...]
    geometry: Geometry
    modality: str = ""
    description: str = ""
    study_uid: str = ""
    frame_of_reference_uid: str = ""
    patient_id: str = ""
    sop_instance_uids: tuple[str, ...] = ()
    positions_mm: tuple[tuple[float, float, float], ...] = ()
    regular: bool = True
    notices: tuple[str, ...] = ()
    source: Source = _UNTOLD

    def describe(self) -> str:
        """For messages and lists: "MR FLAIR axial, 40 images"."""
        return SeriesChoice(self.series_uid, self.modality, self.description, len(self.files)).words


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A series as found: it forms a volume (stack), or the fault says why not."""

    uid: str
    count: int
    modality: str
    description: str
    name: str
    file: str
    stack: Stack | None
    fault: str

    @property
    def choice(self) -> SeriesChoice:
        spacing = self.stack.geometry.spacing_mm if self.stack else None
        said = (self.uid, self.modality, self.description, self.count)
        return SeriesChoice(*said, spacing, self.fault, self.file)

    @property
    def too_short(self) -> bool:
        """A localizer or a screenshot: nobody means it when there is a volume beside it."""
        return self.count < SMALLEST_SIDE


def list_series(folder: str | Path, files: Iterable[Path] | None = None) -> list[DicomSeries]:
    """Every series below a folder that forms a volume, in order of files; RTSTRUCT and such are left out.

    files: look at these of the folder only, so that nothing else below it is opened.
    Raises UnusableInput when there is none, with the reason.
    """
    found = _candidates(Path(folder), files)
    usable = [_series(one, one.stack) for one in found if one.stack is not None]
    if not usable:
        raise UnusableInput(found[0].fault) if len(found) == 1 else _several(folder, found)
    return usable


def read_series(folder: str | Path, series_uid: str | None = None) -> tuple[Image, DicomSeries]:
    """The volume of one series, slope and intercept applied, and the series itself.

    Without a series_uid the folder must hold one series; series of one or two images beside it (localizers,
    screenshots) are passed over. Sheared and unevenly spaced series are resampled to an orthogonal, even
    grid. Raises UnusableInput for missing, repeated, unlike or damaged slices; `SeveralSeries`, which lists
    them, where there are several.
    """
    found = _candidates(Path(folder))
    if series_uid is not None:
        wanted = [one for one in found if one.uid == series_uid]
        if not wanted:
            held = "; ".join(one.choice.listed for one in found)
            raise UnusableInput(f"{folder} has no series {series_uid}; it holds {held}")
    else:
        wanted = [one for one in found if not one.too_short] or found
    if len(wanted) > 1:
        raise _several(folder, wanted)
    chosen = wanted[0]
    if chosen.stack is None:
        raise UnusableInput(chosen.fault)
    series = _series(chosen, chosen.stack)
    check_geometry(series.geometry, f"Series {chosen.name}")
    voxels = chosen.stack.straighten(read_planes(series.files))
    check_finite(voxels, f"Series {chosen.name}")
    check_contrast(voxels, f"Series {chosen.name}")
    return Image(voxels, series.geometry, chosen.name, series.notices, series.source), series


def _candidates(folder: Path, only: Iterable[Path] | None = None) -> list[_Candidate]:
    if not folder.exists():
        raise UnusableInput(f"{folder} does not exist; check the path")
    if not folder.is_dir():
        raise UnusableInput(f"{folder} is a file; give the folder of the DICOM series")
    groups = image_headers(files_below(folder) if only is None else sorted(only))
    if not groups:
        raise UnusableInput(f"{folder} holds no DICOM images; give a folder with one DICOM series")
    found = []
    for uid, files in groups.items():
        header = files[0][1]
        description = str(header.get("SeriesDescription", "") or "").strip()
        name = description or folder.name
        file = files[0][0].relative_to(folder).as_posix()
        said = (uid, len(files), str(header.get("Modality", "") or ""), description, name, file)
        try:
            stack = stack_slices([slice_of(path, header) for path, header in files], f"Series {name}")
            found.append(_Candidate(*said, stack, ""))
        except UnusableInput as error:
            found.append(_Candidate(*said, None, str(error)))
    return found


def _series(candidate: _Candidate, stack: Stack) -> DicomSeries:
    source = source_of(stack.slices[0].header)
    return DicomSeries(
        series_uid=candidate.uid,
        files=tuple(one.path for one in stack.slices),
        geometry=stack.geometry,
        modality=source.modality,
        description=source.description,
        study_uid=source.study_uid,
        frame_of_reference_uid=source.frame_of_reference_uid,
        patient_id=source.patient_id,
        sop_instance_uids=tuple(str(one.header.get("SOPInstanceUID", "")) for one in stack.slices),
        positions_mm=tuple(
            (float(x), float(y), float(z)) for x, y, z in (one.position_mm for one in stack.slices)
        ),
        regular=stack.regular,
        notices=stack.notices,
        source=source,
    )


def _several(folder: str | Path, found: list[_Candidate]) -> SeveralSeries:
    return SeveralSeries(Path(folder), tuple(one.choice for one in found))
