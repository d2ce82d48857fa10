"""Commands that change the contour: clicks and painting, checked before they join the queue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from ..errors import UnusableInput
from .desk import Desk
from .doing import Doing
from .pointing import place_in, stroke_in, usable_radius
from .running import Runner

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..image import Image

T = TypeVar("T")
Positions = Sequence[Sequence[float]]


class Correcting:
    """What a place or a brush cannot mean is refused at once; the rest is done in order by the worker."""

    def __init__(self, desk: Desk, runner: Runner, do: Doing) -> None:
        self._desk, self._runner, self._do = desk, runner, do

    def click(self, position_mm: Sequence[float], include: bool | None) -> None:
        """Without `include` the tool in hand decides."""
        if not self._do.allowed("click"):
            return
        tool = self._desk.state.tool
        if include is None and tool in ("paint", "erase"):
            self.stroke([position_mm], None, None)
            return
        if include is None and tool == "none":
            self._runner.refuse("Choose Include or Exclude first, then click.")
            return
        from ..review import Click

        include = tool == "include" if include is None else bool(include)
        position = self._checked(lambda: place_in(self._image, position_mm))
        if position is not None:
            click = Click(position, include)
            self._do.edit("click", "The click.", lambda review: review.click(click))

    def move_click(self, number: int, position_mm: Sequence[float]) -> None:
        if self._do.allowed("click"):
            position = self._checked(lambda: place_in(self._image, position_mm))
            if position is not None:
                self._do.edit("click", "Moving the click.", lambda r: r.move_click(number, position))

    def paint(self, mask: NDArray, segment: int | None) -> None:
        painted = mask.astype(bool)  # a copy, since the host may go on painting
        self._do.edit("paint", "Painting.", lambda review: review.paint(painted, segment))

    def stroke(self, along_mm: Positions, radius_mm: float | None, add: bool | None) -> None:
        """Without `radius_mm` and `add` the brush and the tool in hand decide."""
        if not self._do.allowed("paint"):
            return
        state = self._desk.state
        along = self._checked(lambda: stroke_in(self._image, along_mm))
        radius = state.brush_mm if radius_mm is None else float(radius_mm)
        adds = state.tool != "erase" if add is None else bool(add)
        if along is not None:
            self._do.edit("paint", "Painting.", lambda review: review.stroke(along, radius, adds))

    def set_brush(self, radius_mm: float) -> None:
        radius = self._checked(lambda: usable_radius(radius_mm))
        if radius is not None:
            self._desk.update(brush_mm=radius, error="")

    @property
    def _image(self) -> Image | None:
        return self._desk.case.image if self._desk.case else None

    def _checked(self, look: Callable[[], T]) -> T | None:
        """What `look` gives; None, and the reason told, where it refuses."""
        try:
            return look()
        except UnusableInput as why:
            self._runner.refuse(str(why))
            return None
