"""The segments of a review beside the first one: as files, as entries of the documents, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ..errors import UnusableInput
from . import results

if TYPE_CHECKING:
    from ..image import Geometry
    from ..review import ReviewSession

FIRST_FILE = "segmentation.nii.gz"
PATTERN = "segmentation-*.nii.gz"
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class SavedSegment:
    """One segment with the name of its file; mask bool (k, j, i)."""

    name: str
    file: str
    colour: Colour
    mask: NDArray


def saved_segments(session: ReviewSession) -> tuple[SavedSegment, ...]:
    """All segments, the first one first."""
    files = file_names([segment.name for segment in session.segments])
    return tuple(
        SavedSegment(segment.name, file, segment.colour, session.mask_of(segment.id))
        for segment, file in zip(session.segments, files, strict=True)
    )


def file_names(names: Sequence[str]) -> list[str]:
    """For the names of segments: segmentation.nii.gz for the first, then segmentation-<name>.nii.gz."""
    files: list[str] = []
    for number, name in enumerate(names, start=1):
        stem = re.sub(r"[^\w-]+", "_", name).strip("_") or str(number)
        file = f"segmentation-{stem}.nii.gz" if files else FIRST_FILE
        if file.casefold() in (other.casefold() for other in files):
            file = f"segmentation-{stem}-{number}.nii.gz"
        files.append(file)
    return files


def told(segments: Sequence[SavedSegment], geometry: Geometry) -> list[dict[str, Any]]:
    """The list `segments` of result.json and refine.json."""
    return [
        {
            "name": segment.name,
            "file": segment.file,
            "colour": segment.colour,
            "volume_ml": results.volume_ml(segment.mask, geometry),
        }
        for segment in segments
    ]


def first_name(document: Mapping[str, Any]) -> str:
    """What a document of results calls the first segment; "" where it does not tell."""
    segments = document.get("segments")
    first = segments[0] if isinstance(segments, list) and segments else None
    return str(first.get("name", "")) if isinstance(first, dict) else ""


def further_files(document: Mapping[str, Any], folder: Path) -> list[tuple[str, Colour, Path]]:
    """(name, colour, file) of the segments beside the first one that a document of results tells of.

    UnusableInput where it tells of them in another way than `told`.
    """
    further = []
    try:
        for entry in list(document.get("segments") or [])[1:]:
            red, green, blue = (int(value) for value in entry["colour"])
            further.append((str(entry["name"]), (red, green, blue), folder / Path(str(entry["file"])).name))
    except (KeyError, TypeError, ValueError) as error:
        raise UnusableInput(
            f"The segments that {folder} tells of cannot be read ({error}): give a folder that save wrote."
        ) from error
    return further
