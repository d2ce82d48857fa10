"""A reader who must search a scan for errors, slice by slice, and one who is told where to look.

Both see one axial slice at a time and nothing of the rest. An error can be seen where one kind (tumour is
missing, or there is too much) covers at least VISIBLE_MM2 in one piece of that slice. The reader clicks the
middle of the largest, and again while there is one, `clicks_per_look` times at most; then he looks at another
slice.

The searching reader begins at the first slice of the contour, goes through it to its last slice, then through
the slices below it (from the contour downwards) and above it; without a contour from the first slice of the
body to the last. He begins again until a whole round needed no click. The guided reader goes to the places of
a list, the first one first; the list is made anew after every look that led to a click. When it is empty he
searches like the other one. So both end in the same way, and what a useless list costs is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from TumorSegRobustLib.evaluation.metrics import dice
from TumorSegRobustLib.evaluation.reader import Correctable
from TumorSegRobustLib.image import Image
from TumorSegRobustLib.models import find_foreground
from TumorSegRobustLib.review import Click
from TumorSegRobustLib.trust.places import Position, axial_axis

VISIBLE_MM2 = 50.0
"""The smallest error that is seen: a disc of 8 mm."""
GOAL = 0.85
MOST_CLICKS = 20
CLICKS_PER_LOOK = 3
"""Nobody leaves a slice with an error that he sees; nobody clicks for ever either."""
_SHARE_OF_BODY = 0.05  # slices that hold less body than this share of the fullest one are not searched


Guide = Callable[[Sequence[Position]], Sequence[Position]]
"""(places looked at so far, LPS mm) -> the places worth a look now, the best first."""


@dataclass(frozen=True)
class Search:
    """What a reader did: `dice` before the first and after each click, `slices` looked at by then.

    looked: slices looked at in all, each look counted. places: how many of them the list asked for.
    """

    dice: tuple[float, ...]
    slices: tuple[int, ...]
    looked: int
    places: int = 0

    @property
    def clicks(self) -> int:
        return len(self.dice) - 1

    def reached(self, goal: float = GOAL) -> bool:
        """Whether Dice was `goal` or better at any time."""
        return max(self.dice) >= goal

    def slices_to(self, goal: float = GOAL) -> int:
        """Slices looked at before Dice was first `goal` or better; all of them where it never was."""
        looked = zip(self.dice, self.slices, strict=True)
        return next((slices for value, slices in looked if value >= goal), self.looked)

    def clicks_to(self, goal: float = GOAL) -> int:
        """Clicks until then; all of them where it never was."""
        return next((n for n, value in enumerate(self.dice) if value >= goal), self.clicks)


def search(
    image: Image,
    truth: NDArray[np.bool_],
    session: Correctable,
    guide: Guide | None = None,
    goal: float = GOAL,
    most_clicks: int = MOST_CLICKS,
    clicks_per_look: int = CLICKS_PER_LOOK,
) -> Search:
    """Let a reader correct the contour of `session` towards `truth`, bool (k, j, i) on the image's grid.

    Ends at `goal`, after `most_clicks`, or after a whole round without a click. Without a `guide` the reader
    searches.
    """
    reader = _Reader(image, truth, session, goal, most_clicks, clicks_per_look)
    if guide is not None:
        reader.follow(guide)
    reader.scan()
    return Search(tuple(reader.dice), tuple(reader.slices), reader.looked, reader.places)


def visible_error(
    mask: NDArray[np.bool_], truth: NDArray[np.bool_], spacing_mm: tuple[float, float]
) -> tuple[tuple[int, int], bool] | None:
    """In one slice (row, column; spacing likewise): the pixel deepest inside the largest error that can be
    seen, and whether tumour is missing there; None where there is none of VISIBLE_MM2.
    """
    kinds = (truth & ~mask).astype(np.uint8) + 2 * (mask & ~truth).astype(np.uint8)
    if not kinds.any():
        return None
    labels = cc3d.connected_components(kinds, connectivity=4)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    largest = int(np.argmax(sizes))
    if sizes[largest] * spacing_mm[0] * spacing_mm[1] < VISIBLE_MM2:
        return None
    depth = distance_transform_edt(np.pad(labels == largest, 1), sampling=spacing_mm)[1:-1, 1:-1]
    row, column = (int(v) for v in np.unravel_index(int(np.argmax(depth)), depth.shape))
    return (row, column), bool(truth[row, column])


class _Reader:
    def __init__(
        self,
        image: Image,
        truth: NDArray[np.bool_],
        session: Correctable,
        goal: float,
        most_clicks: int,
        clicks_per_look: int,
    ) -> None:
        self._geometry = image.geometry
        self._axis = axial_axis(image.geometry)
        self._body = _body_slices(image, self._axis)
        self._truth, self._session = truth, session
        self._goal, self._most_clicks, self._clicks_per_look = goal, most_clicks, clicks_per_look
        self.dice = [dice(session.mask, truth)]
        self.slices = [0]
        self.looked = self.places = 0

    @property
    def _done(self) -> bool:
        return self.dice[-1] >= self._goal or len(self.dice) > self._most_clicks

    def follow(self, guide: Guide) -> None:
        seen: list[Position] = []
        while not self._done:
            places = guide(tuple(seen))
            if not places:
                return
            for place in places:
                if self._done:
                    return
                seen.append(place)
                self.places += 1
                if self._look(self._geometry.index_of(place)[self._axis]):
                    break  # the list is another one now

    def scan(self) -> None:
        clicked = True
        while clicked and not self._done:
            clicked = False
            for number in self._round():
                clicked |= self._look(number)
                if self._done:
                    return

    def _round(self) -> Iterator[int]:
        others = tuple(axis for axis in range(3) if axis != self._axis)
        drawn = np.flatnonzero(self._session.mask.any(axis=others))
        first, last = self._body
        if not len(drawn):
            yield from range(first, last + 1)
            return
        low, high = int(drawn[0]), int(drawn[-1])
        yield from range(low, high + 1)
        yield from range(low - 1, first - 1, -1)
        yield from range(high + 1, last + 1)

    def _look(self, number: int) -> bool:
        """Look at a slice; whether that led to a click."""
        self.looked += 1
        before = len(self.dice)
        for _ in range(self._clicks_per_look):
            if self._done or not self._correct(number):
                break
        return len(self.dice) > before

    def _correct(self, number: int) -> bool:
        """Click the largest error that can be seen in a slice; False where there is none."""
        spacing = list(self._geometry.spacing_mm[::-1])
        del spacing[self._axis]
        planes = (np.take(volume, number, axis=self._axis) for volume in (self._session.mask, self._truth))
        mask, truth = planes
        found = visible_error(mask, truth, (spacing[0], spacing[1]))
        if found is None:
            return False
        voxel = list(found[0])
        voxel.insert(self._axis, number)
        x, y, z = self._geometry.position_of(voxel).tolist()
        self._session.click(Click((x, y, z), found[1]))
        self.dice.append(dice(self._session.mask, self._truth))
        self.slices.append(self.looked)
        return True


def _body_slices(image: Image, axis: int) -> tuple[int, int]:
    """The first and the last slice that hold a fair share of the body."""
    foreground, _ = find_foreground(image.voxels)
    others = tuple(other for other in range(3) if other != axis)
    filled = np.count_nonzero(foreground, axis=others)
    held = np.flatnonzero(filled >= _SHARE_OF_BODY * filled.max())
    return int(held[0]), int(held[-1])
