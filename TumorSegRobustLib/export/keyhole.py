"""Holes joined to their outer ring by a channel of no width (the "keyhole" of DICOM PS3.3 C.8.8.6.3).

Readers disagree about several rings in one plane (union, exclusive or), but a single ring has one inside. The
channel runs along a line between two voxel rows, so it meets no voxel centre, and it is walked once in each
direction, so it encloses nothing under the even-odd as under the nonzero winding rule.
"""

from __future__ import annotations

import numpy as np

from TumorSegRobustLib.export.rings import FULL, Outline, down_order, trace, walk


def polygons(mask: np.ndarray) -> list[np.ndarray]:
    """The simple closed polygons of one slice.

    mask: bool (rows, columns). Returns float arrays (points, 2) of (column, row) in voxel units, where
    integers are voxel centres and every coordinate ends in .5; the closing point is not repeated; at least 4
    points each. One polygon per 4-connected piece, foreground on the right hand, holes as keyholes.
    """
    outline = trace(mask)
    if not outline.starts:
        return []
    if any(outline.is_hole):
        return _cut_channels(outline)
    row_column = np.stack([outline.column, outline.row], axis=1) - 0.5
    following = outline.next.tolist()
    return [row_column[walk(following, start)] for start in outline.starts]


def _cut_channels(outline: Outline) -> list[np.ndarray]:
    """From the topmost-leftmost point of each hole go left to the next ring and join the two.

    That ring is the outer one or a hole whose own start comes earlier in row-major order, so joining in that
    order never closes a circle, and every hole ends up in the outer ring of its piece.
    """
    row, column, following = outline.row.tolist(), outline.column.tolist(), outline.next.tolist()
    previous = np.empty(len(following), np.intp)
    previous[outline.next] = np.arange(len(following))
    edge_below = _LeftEdges(outline)
    for start, is_hole in zip(outline.starts, outline.is_hole, strict=True):
        if not is_hole:
            continue
        r, c = row[start], column[start]
        line = outline.corners[r, :c]
        landing = int(np.flatnonzero(line != FULL)[-1])
        point, is_corner = edge_below.find(r, landing)
        first = len(row)
        if not is_corner:
            # A new point on a straight edge. The edge runs up and holes come in order of rows, so the new
            # point lies below all earlier ones: it belongs right after the edge's lower end.
            row.append(r)
            column.append(landing)
            following.append(following[point])
            following[point] = first
            point, first = first, first + 1
        row.extend((r, r))
        column.extend((c, landing))
        following.extend((first + 1, following[point]))  # copy of the hole's start, then copy of the landing
        following[int(previous[start])] = first
        following[point] = start
    places = np.stack([column, row], axis=1) - 0.5
    return [
        places[walk(following, start)]
        for start, is_hole in zip(outline.starts, outline.is_hole, strict=True)
        if not is_hole
    ]


class _LeftEdges:
    """Finds the turning point at or below a corner on a left-hand border of the foreground."""

    def __init__(self, outline: Outline) -> None:
        self._order = down_order(outline.row, outline.column, outline.code)
        self._key = outline.column[self._order] * outline.corners.shape[0] + outline.row[self._order]
        self._rows = outline.corners.shape[0]

    def find(self, row: int, column: int) -> tuple[int, bool]:
        """Index of the point, and whether it lies at the corner itself."""
        key = column * self._rows + row
        at = int(np.searchsorted(self._key, key))
        return int(self._order[at]), bool(self._key[at] == key)
