"""The contour that a review is compared with: a mask file, or a structure of an RTSTRUCT of the series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from numpy.typing import NDArray

from ..errors import UnusableInput

if TYPE_CHECKING:
    from ..image import DicomSeries, Image

_DICOM_MARK = b"DICM"  # at byte 128 of every DICOM file (PS3.10, 7.1)


@dataclass(frozen=True)
class Reference:
    """mask: bool (k, j, i) on the scan's grid. name: for a person. notices: one line each."""

    mask: NDArray
    name: str
    notices: tuple[str, ...] = ()


def read_reference(
    path: Path, image: Image, series: DicomSeries | None, structure: str = "", like: str = ""
) -> Reference:
    """`structure`: its name in an RTSTRUCT; without one, the one called `like`, the only one, or a GTV.

    Raises UnusableInput for a file that is neither, lies elsewhere than the scan, or leaves the choice open.
    """
    from ..image import read_mask

    if path.is_dir():
        raise UnusableInput(f"{path} is a folder: give a mask file, or one RTSTRUCT file.")
    if not path.exists():
        raise UnusableInput(f"{path} does not exist: give a mask file, or one RTSTRUCT file.")
    if _is_dicom(path):
        return _of_rtstruct(path, image, series, structure, like)
    mask = read_mask(path, image.geometry)
    return Reference(mask.voxels, path.name, mask.notices)


def structures_in(path: Path) -> tuple[str, ...]:
    """The names of an RTSTRUCT's structures, for a panel that lets choose; empty for any other file."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        header = pydicom.dcmread(path, specific_tags=["StructureSetROISequence"])
    except (OSError, InvalidDicomError):
        return ()  # `read_reference` tells what is wrong with it
    return tuple(str(roi.ROIName) for roi in header.get("StructureSetROISequence", ()))


def choose_structure(names: Mapping[str, object] | list[str], wanted: str, like: str, file: str) -> str:
    """The name of the structure to compare with; UnusableInput where that is anybody's guess."""
    known = list(names)
    listed = ", ".join(known)
    for name in (wanted, like):
        same = [one for one in known if name and one.casefold() == name.casefold()]
        if same:
            return same[0]
        if name and name == wanted:
            raise UnusableInput(f"{file} has no structure called {wanted}: choose one of {listed}.")
    if len(known) == 1:
        return known[0]
    tumours = [name for name in known if name.upper().startswith("GTV")]
    if len(tumours) == 1:
        return tumours[0]
    raise UnusableInput(
        f"{file} holds several structures ({listed}) and none is called {like or 'like the segment'}: "
        "name the one to compare with, or rename the segment like it."
    )


def _of_rtstruct(
    path: Path, image: Image, series: DicomSeries | None, structure: str, like: str
) -> Reference:
    from ..export import read_rtstruct
    from ..image import resample

    if series is None:
        raise UnusableInput(
            f"{path.name} is a DICOM file, and this scan was opened from another kind of file: open the "
            "DICOM folder, or give the reference as a mask file."
        )
    masks = read_rtstruct(path, series)
    name = choose_structure(masks, structure, like, path.name)
    mask = masks[name]
    notices = mask.notices
    if len(masks) > 1:
        notices = (*notices, f"{name} is one of {len(masks)} structures of {path.name}.")
    if not mask.geometry.matches(image.geometry):
        mask = resample(mask, image.geometry, "nearest")
    return Reference(mask.voxels.astype(bool), f"{name} of {path.name}", notices)


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            stream.seek(128)
            return stream.read(4) == _DICOM_MARK
    except OSError as error:
        raise UnusableInput(f"{path} cannot be read ({error.strerror}): choose another file.") from error
