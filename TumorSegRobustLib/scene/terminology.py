"""What a segment is, in Slicer's own tag: SNOMED CT, the same codes as in the DICOM SEG that is exported."""

from __future__ import annotations

import vtk
from slicer import vtkSegment

from TumorSegRobustLib.export.terminology import concepts_of

_TYPES = "Segmentation category and type - DICOM master list"
_REGIONS = "Anatomic codes - DICOM master list"
_NONE = "^^"


def entry_of(name: str) -> str:
    """The terminology entry of a segment of that name, as Slicer's terminologies module writes it.

    Seven parts: list of types, category, type, its modifier, list of regions, region, its modifier; each code
    as scheme^value^meaning. Where in the body the tumour lies, nobody has said.
    """
    category, kind = ("^".join((c.scheme, c.value, c.meaning)) for c in concepts_of(name))
    return "~".join((_TYPES, category, kind, _NONE, _REGIONS, _NONE, _NONE))


def name_what_it_is(segment: vtkSegment, called: str, before: str = "") -> None:
    """Give the segment the codes of its name; those that somebody has chosen in Slicer are left alone.

    before: its name until now, whose codes count as ours.
    """
    tag = segment.GetTerminologyEntryTagName()
    nobodys = ("", tag_of(vtkSegment(), tag), entry_of(before))  # a new segment is tissue of some kind
    if tag_of(segment, tag) in nobodys:
        segment.SetTag(tag, entry_of(called))


def tag_of(segment: vtkSegment, tag: str) -> str:
    """The text of a segment's tag, "" where it has none."""
    text = vtk.reference("")
    return str(text) if segment.GetTag(tag, text) else ""
