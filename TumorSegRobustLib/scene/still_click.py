"""A still click in a view that cannot take one: a place in the 3D view has no depth."""

from __future__ import annotations

from collections.abc import Callable

from vtk import vtkRenderWindowInteractor

IN_3D = "A place in the 3D view has no depth: click in one of the slices."
_STILL = 4  # pixels: a hand that moves less while the button is down has clicked, not dragged
_FIRST = 10.0  # priority: before Slicer's own interactor style, which has 0


class StillClicks:
    """Calls `on_click()` at every still click in the view while `active`; nothing is kept from Slicer."""

    def __init__(self, interactor: vtkRenderWindowInteractor, on_click: Callable[[], None]) -> None:
        self._interactor = interactor
        self._on_click = on_click
        self._pressed: tuple[int, int] | None = None
        self.active = False
        self._tags = [
            interactor.AddObserver("LeftButtonPressEvent", self._press, _FIRST),
            interactor.AddObserver("LeftButtonReleaseEvent", self._release, _FIRST),
        ]

    def close(self) -> None:
        for tag in self._tags:
            self._interactor.RemoveObserver(tag)

    def _press(self, *_: object) -> None:
        self._pressed = self._interactor.GetEventPosition()

    def _release(self, *_: object) -> None:
        pressed, self._pressed = self._pressed, None
        if pressed is None or not self.active:
            return
        x, y = self._interactor.GetEventPosition()
        if max(abs(x - pressed[0]), abs(y - pressed[1])) <= _STILL:
            self._on_click()
