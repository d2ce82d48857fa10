"""What a segment is, in codes that readers of DICOM SEG know: SNOMED CT, as in PS3.16 CID 7150 and 7151."""

from __future__ import annotations

from typing import NamedTuple


class Concept(NamedTuple):
    """A coded concept: value, coding scheme, and its meaning for a person."""

    value: str
    scheme: str
    meaning: str


ALTERED = Concept("49755003", "SCT", "Morphologically Altered Structure")
SPATIAL = Concept("309825002", "SCT", "Spatial and Relational Concept")
NEOPLASM = Concept("108369006", "SCT", "Neoplasm")
NECROSIS = Concept("6574001", "SCT", "Necrosis")
EDEMA = Concept("79654002", "SCT", "Edema")
CTV = Concept("228792001", "SCT", "Clinical Target Volume")
PTV = Concept("228793006", "SCT", "Planning Target Volume")
# What a name holds -> (category, type); the first that fits. A name that holds none of these is the tumour.
_BY_NAME = (
    ("necro", (ALTERED, NECROSIS)),
    ("edema", (ALTERED, EDEMA)),
    ("oedem", (ALTERED, EDEMA)),
    ("ödem", (ALTERED, EDEMA)),
)
_BY_PREFIX = (("ctv", (SPATIAL, CTV)), ("ptv", (SPATIAL, PTV)))


def concepts_of(name: str) -> tuple[Concept, Concept]:
    """(category, type) of a segment by its name: tumour, necrosis, oedema, or a target volume (TG-263)."""
    called = name.casefold()
    for part, concepts in _BY_NAME:
        if part in called:
            return concepts
    for prefix, concepts in _BY_PREFIX:
        if called.startswith(prefix):
            return concepts
    return ALTERED, NEOPLASM
