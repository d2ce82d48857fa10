"""Whether a MetaImage file holds all the data that its header promises.

ITK finds out too, but prints its own lines to the terminal first.
"""

from __future__ import annotations

import math
from pathlib import Path

from TumorSegRobustLib.errors import UnusableInput

_BYTES = {
    "MET_CHAR": 1,
    "MET_UCHAR": 1,
    "MET_SHORT": 2,
    "MET_USHORT": 2,
    "MET_INT": 4,
    "MET_UINT": 4,
    "MET_LONG_LONG": 8,
    "MET_ULONG_LONG": 8,
    "MET_FLOAT": 4,
    "MET_DOUBLE": 8,
}
_LONGEST_HEADER = 1 << 16


def check_complete(path: Path) -> None:
    """Raises UnusableInput when the data of a .mha or .mhd file are missing or shorter than promised.

    What the header does not say in the usual words is left to ITK.
    """
    fields, header_length = _fields(path)
    place = fields.get("ElementDataFile", "")
    expected = _expected_bytes(fields)
    if not place or place.startswith("LIST") or "%" in place or expected is None:
        return
    data = path if place.upper() == "LOCAL" else path.parent / place
    if not data.is_file():
        raise UnusableInput(f"{path.name} lacks its data file {place}; copy both files together")
    present = data.stat().st_size - (header_length if data == path else 0)
    if present < expected:
        raise UnusableInput(
            f"{path.name} is cut off: {max(present, 0)} of {expected} bytes of voxels; copy it again"
        )


def _fields(path: Path) -> tuple[dict[str, str], int]:
    """The lines "key = value" up to ElementDataFile, which is always the last, and their length in bytes."""
    fields: dict[str, str] = {}
    length = 0
    with path.open("rb") as stream:
        while length < _LONGEST_HEADER and "ElementDataFile" not in fields:
            line = stream.readline(_LONGEST_HEADER)
            if not line:
                break
            length += len(line)
            key, _, value = line.decode("latin-1").partition("=")
            fields[key.strip()] = value.strip()
    return fields, length


def _expected_bytes(fields: dict[str, str]) -> int | None:
    try:
        if fields.get("CompressedData", "False").lower() == "true":
            return int(fields["CompressedDataSize"])
        channels = int(fields.get("ElementNumberOfChannels", "1"))
        return math.prod(map(int, fields["DimSize"].split())) * channels * _BYTES[fields["ElementType"]]
    except (KeyError, ValueError):
        return None
