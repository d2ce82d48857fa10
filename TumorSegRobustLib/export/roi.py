"""A region of interest to write, and what is asked of it before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.export.text import MOST_LONG, MOST_SHORT, one_line
from TumorSegRobustLib.image import DicomSeries, Image

ALGORITHMS = ("AUTOMATIC", "SEMIAUTOMATIC", "MANUAL")
RED = (255, 0, 0)


@dataclass(frozen=True)
class Roi:
    """A region of interest to write.

    mask: foreground > 0, on any grid that overlaps the series.
    name: unique in the file, AAPM TG-263 style.
    colour: red, green, blue, 0..255.
    interpreted_type: DICOM's RT ROI Interpreted Type.
    algorithm: "AUTOMATIC" when nobody touched the contour, "SEMIAUTOMATIC" when it was corrected, "MANUAL"
    when it was drawn.
    """

    mask: Image
    name: str = "GTVp"
    colour: tuple[int, int, int] = RED
    interpreted_type: str = "GTV"
    algorithm: str = "SEMIAUTOMATIC"
    description: str = ""


def check_destination(path: Path, series: DicomSeries, kind: str) -> None:
    """UnusableInput where writing `path` would replace a folder or an image; kind: "RTSTRUCT" or "SEG"."""
    if path.is_dir():
        example = path / f"{kind.lower()}.dcm"
        raise UnusableInput(f"{path} is a folder; give the file to write, such as {example}")
    if path.exists() and any(path.samefile(file) for file in series.files):
        raise UnusableInput(
            f"{path} is one of the images of the series; choose another name for the {kind}"
        )


def check_rois(rois: Sequence[Roi]) -> list[str]:
    """The names as they will be written; UnusableInput for what DICOM cannot hold."""
    if not rois:
        raise UnusableInput("There is no region of interest to write; give at least one mask")
    names = [one_line("structure name", roi.name, MOST_LONG) for roi in rois]
    for n, name in enumerate(names):
        if name.casefold() in (other.casefold() for other in names[:n]):
            raise UnusableInput(
                f"Two structures are called {name!r}; names must differ by more than upper and lower case"
            )
    for roi, name in zip(rois, names, strict=True):
        if len(roi.colour) != 3 or not all(isinstance(c, int) and 0 <= c <= 255 for c in roi.colour):
            raise UnusableInput(
                f"The colour of {name} must be three whole numbers from 0 to 255, got {roi.colour}"
            )
        if roi.algorithm not in ALGORITHMS:
            raise UnusableInput(
                f"The algorithm of {name} must be one of {', '.join(ALGORITHMS)}, got {roi.algorithm!r}"
            )
        one_line(f"type of {name}", roi.interpreted_type, MOST_SHORT)
    return names
