"""The left mouse button in a view: a click of the tool in hand, a stroke of the brush, or a jump of the other
views.
"""

from __future__ import annotations

from collections.abc import Callable

from trame_slicer.views import SliceView

from TumorSegRobustLib.scene import lps_of

Position = tuple[float, float, float]
_STILL = 4  # pixels: a hand that moves less while the button is down has clicked, not dragged
_FIRST = 10.0  # priority: before Slicer's own interactor style, which has 0


class ClickTool:
    """Watches one slice view: `on_click(position)` with a tool in hand, `on_look(position)` without; LPS mm.

    With a brush in hand (`brushing`) a drag is a stroke: `on_stroke(positions)` when the button goes up.
    With a tool the press does not reach Slicer, so that no drag changes the grey values by accident; wheel,
    middle and right button stay Slicer's. Without one, a still click looks and a drag is Slicer's. With a
    modifier key the button is Slicer's in both cases.
    """

    def __init__(
        self,
        view: SliceView,
        on_click: Callable[[Position], None],
        on_look: Callable[[Position], None],
        on_stroke: Callable[[list[Position]], None],
    ) -> None:
        self._view = view
        self._on_click = on_click
        self._on_look = on_look
        self._on_stroke = on_stroke
        self._pressed: tuple[int, int] | None = None
        self._drawn: list[Position] = []
        self.active = False
        self.brushing = False
        self._tags = {
            event: view.interactor().AddObserver(event, handler, _FIRST)
            for event, handler in (
                ("LeftButtonPressEvent", self._press),
                ("LeftButtonDoubleClickEvent", self._press),
                ("MouseMoveEvent", self._move),
                ("LeftButtonReleaseEvent", self._release),
            )
        }

    def close(self) -> None:
        """Give the button back to Slicer."""
        for tag in self._tags.values():
            self._view.interactor().RemoveObserver(tag)

    def position_at(self, x: float, y: float) -> Position:
        """LPS mm under a pixel of the view, counted from its lower left corner."""
        matrix = self._view.get_view_node().GetXYToRAS()
        return lps_of(matrix.MultiplyPoint((float(x), float(y), 0.0, 1.0))[:3])

    def _press(self, interactor: object, event: str) -> None:
        if self._modified():
            self._pressed = None
            return
        self._pressed = self._view.interactor().GetEventPosition()
        self._drawn = [self.position_at(*self._pressed)]
        if self.active:
            self._keep_from_slicer(event)

    def _move(self, interactor: object, event: str) -> None:
        if self._pressed is not None and self.active and self.brushing:
            self._drawn.append(self.position_at(*self._view.interactor().GetEventPosition()))

    def _release(self, interactor: object, event: str) -> None:
        pressed, self._pressed = self._pressed, None
        if pressed is None:
            return
        if self.active:
            self._keep_from_slicer(event)
        if self.active and self.brushing:
            self._on_stroke(self._drawn)
            return
        x, y = self._view.interactor().GetEventPosition()
        if max(abs(x - pressed[0]), abs(y - pressed[1])) > _STILL:
            return
        (self._on_click if self.active else self._on_look)(self.position_at(*pressed))

    def _modified(self) -> bool:
        interactor = self._view.interactor()
        return bool(interactor.GetControlKey() or interactor.GetShiftKey() or interactor.GetAltKey())

    def _keep_from_slicer(self, event: str) -> None:
        self._view.interactor().GetCommand(self._tags[event]).AbortFlagOn()
