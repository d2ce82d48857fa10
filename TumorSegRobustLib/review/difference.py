"""A change of a mask, kept as the compressed bits of its bounding box.

The same value serves undo, redo and the journal: flipping the bits applies the change, flipping them again
takes it back.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.review.click import Box, box_shape, overlap, within

_LEVEL = 6  # zlib's own default; a 100 ml lesion takes about 2 ms and 5 kB


@dataclass(frozen=True)
class Difference:
    """Voxels of `box` whose label flips. `packed`: zlib of `numpy.packbits` over the box in (k, j, i) order.

    An empty difference has `box` None.
    """

    box: Box | None
    packed: bytes = b""

    @classmethod
    def between(cls, before: np.ndarray, after: np.ndarray, region: Box | None = None) -> Difference:
        """Difference of two boolean arrays of one shape, which are the cut-outs at `region` of the masks."""
        return cls.of(before != after, region)

    @classmethod
    def of(cls, flips: np.ndarray, region: Box | None = None) -> Difference:
        """Difference that flips the True voxels of a boolean array, the cut-out at `region` of a mask."""
        box = bounding_box(flips)
        if box is None:
            return cls(None)
        packed = zlib.compress(np.packbits(flips[box]).tobytes(), _LEVEL)
        if region is not None:
            k, j, i = (slice(b.start + r.start, b.stop + r.start) for b, r in zip(box, region, strict=True))
            box = (k, j, i)
        return cls(box, packed)

    def without(self, flips: np.ndarray, box: Box) -> Difference:
        """The same, except for the True voxels of `flips`, the cut-out at `box` of a mask."""
        if self.box is None or (shared := overlap(self.box, box)) is None:
            return self
        kept = self.flips()
        kept[within(shared, self.box)] &= ~flips[within(shared, box)]
        return Difference.of(kept, self.box)

    def flips(self) -> np.ndarray:
        """Boolean array of the box's shape: True where the label flips. The difference must not be empty."""
        assert self.box is not None
        shape = box_shape(self.box)
        count = shape[0] * shape[1] * shape[2]
        raw = np.frombuffer(zlib.decompress(self.packed), np.uint8)
        return np.unpackbits(raw, count=count).astype(bool).reshape(shape)

    def apply(self, mask: np.ndarray) -> np.ndarray:
        """A new, read-only mask with the voxels flipped; `mask` itself stays as it is."""
        changed = mask.copy()
        if self.box is not None:
            changed[self.box] ^= self.flips()
        changed.flags.writeable = False
        return changed

    def count(self) -> int:
        """Number of voxels that flip."""
        return 0 if self.box is None else int(np.count_nonzero(self.flips()))

    def to_json(self) -> dict[str, Any] | None:
        if self.box is None:
            return None
        return {
            "start": [s.start for s in self.box],
            "stop": [s.stop for s in self.box],
            "bits": base64.b85encode(self.packed).decode("ascii"),
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any] | None, shape: tuple[int, ...]) -> Difference:
        """Read back `to_json`; UnusableInput where it does not fit a mask of `shape`."""
        if stored is None:
            return cls(None)
        try:
            k, j, i = (slice(int(a), int(b)) for a, b in zip(stored["start"], stored["stop"], strict=True))
            difference = cls((k, j, i), base64.b85decode(stored["bits"]))
            if any(not 0 <= s.start < s.stop <= n for s, n in zip((k, j, i), shape, strict=True)):
                raise ValueError("the box lies outside the image")
            difference.flips()
        except (KeyError, TypeError, ValueError, zlib.error, binascii.Error) as reason:
            raise UnusableInput(
                f"A recorded change of the mask cannot be read ({reason}); check it with 'journal verify'."
            ) from reason
        return difference


UNCHANGED = Difference(None)


def bounding_box(array: np.ndarray) -> Box | None:
    """Smallest box that holds every True voxel of a boolean (k, j, i) array; None where there is none."""
    k = _span(np.any(array, axis=(1, 2)))
    if k is None:
        return None
    rest = array[k]
    j = _span(np.any(rest, axis=(0, 2)))
    assert j is not None
    i = _span(np.any(rest[:, j], axis=(0, 1)))
    assert i is not None
    return k, j, i


def _span(line: Any) -> slice | None:
    hits = np.flatnonzero(line)
    return slice(int(hits[0]), int(hits[-1]) + 1) if hits.size else None
