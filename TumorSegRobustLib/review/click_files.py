"""Clicks from files: our own JSON list, or the markups that Slicer saves."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.review.click import Click

_RAS = ("RAS", "0")
_LPS = ("LPS", "1")
_MM = {"mm": 1.0, "millimeter": 1.0, "millimeters": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001}


def read_clicks(path: Path, include: bool = True, notices: list[str] | None = None) -> tuple[Click, ...]:
    """The clicks of a file, in order, whatever segment they are in; see `read_segment_clicks`."""
    return tuple(click for _, click in read_segment_clicks(path, include, notices))


def read_segment_clicks(
    path: Path, include: bool = True, notices: list[str] | None = None
) -> tuple[tuple[str, Click], ...]:
    """(name of the segment, "" for the first one; click) of a file, in order; what was left out is told in
    `notices`, one line each.

    Either a list of {"position_lps_mm": [x, y, z], "include": true, "segment": "GTVn"} (`segment` may be
    left out), or a Slicer `.mrk.json` (point lists; coordinate system LPS or RAS, as word or as the number of
    older versions; undefined points are left out), whose points all get the label `include`. UnusableInput,
    in one line, where it is neither.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as reason:
        raise UnusableInput(f"Cannot read the clicks {path}: {reason.strerror}.") from reason
    except ValueError as reason:
        raise UnusableInput(
            f"{path} is not JSON ({_short(reason)}); see 'refine --help' for the format."
        ) from reason
    if isinstance(content, list):
        own = (_own(item, number, path) for number, item in enumerate(content, 1))
        return tuple(zip(_segments(content, path), own, strict=True))
    if isinstance(content, dict) and isinstance(content.get("markups"), list):
        clicks, skipped = _slicer(content["markups"], path, include)
        if skipped and notices is not None:
            notices.append(f"{skipped} undefined points in {path.name} were left out.")
        return tuple(("", click) for click in clicks)
    raise UnusableInput(f"{path} is neither a list of clicks nor a Slicer markups file; see 'refine --help'.")


def _own(item: Any, number: int, path: Path) -> Click:
    wanted = '{"position_lps_mm": [x, y, z], "include": true}'
    if not isinstance(item, dict) or "position_lps_mm" not in item:
        raise UnusableInput(f"Click {number} in {path} must look like {wanted}.")
    if not isinstance(item.get("include"), bool):
        raise UnusableInput(
            f'Click {number} in {path} needs "include": true or false; it must look like {wanted}.'
        )
    return Click(_position(item["position_lps_mm"], f"Click {number} in {path}"), item["include"])


def _segments(items: list[Any], path: Path) -> list[str]:
    """The names of the segments that a list of our own gives."""
    names = []
    for number, item in enumerate(items, 1):
        name = item.get("segment", "") if isinstance(item, dict) else ""
        if not isinstance(name, str):
            raise UnusableInput(f'Click {number} in {path}: "segment" must be a name, such as "GTVn".')
        names.append(" ".join(name.split()))
    return names


def _slicer(markups: list[Any], path: Path, include: bool) -> tuple[tuple[Click, ...], int]:
    clicks: list[Click] = []
    skipped = 0
    for markup in markups:
        if not isinstance(markup, dict) or not isinstance(markup.get("controlPoints", []), list):
            raise UnusableInput(
                f"{path} is not a Slicer markups file: a markup has no list of control points."
            )
        sign, scale = _frame(markup, path)
        for number, point in enumerate(markup.get("controlPoints", []), 1):
            if not isinstance(point, dict):
                raise UnusableInput(f"Point {number} in {path} is not a control point.")
            if point.get("positionStatus", "defined") != "defined":
                skipped += 1
                continue
            x, y, z = _position(point.get("position"), f"Point {number} in {path}")
            clicks.append(Click((sign * scale * x, sign * scale * y, scale * z), include))
    return tuple(clicks), skipped


def _frame(markup: dict[str, Any], path: Path) -> tuple[float, float]:
    system = str(markup.get("coordinateSystem", "LPS"))
    if system not in _RAS + _LPS:
        raise UnusableInput(f"{path} uses the coordinate system '{system}'; save it in LPS or RAS.")
    units = markup.get("coordinateUnits", "mm")
    word = str(units[0] if isinstance(units, list) and units else units)
    if word not in _MM:
        raise UnusableInput(f"{path} gives positions in '{word}'; save it in mm.")
    return (-1.0 if system in _RAS else 1.0), _MM[word]


def _position(value: Any, what: str) -> tuple[float, float, float]:
    numbers = value if isinstance(value, list) and len(value) == 3 else []
    if not numbers or not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in numbers):
        raise UnusableInput(f"{what} has no position of three numbers.")
    x, y, z = (float(v) for v in numbers)
    if not all(map(math.isfinite, (x, y, z))):
        raise UnusableInput(f"{what} has a position that is not finite.")
    return x, y, z


def _short(reason: ValueError) -> str:
    return str(reason).splitlines()[0]
