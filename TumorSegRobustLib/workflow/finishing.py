"""Commands that hand a contour over: acceptance, DICOM objects for planning and archive, files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..progress import Progress
from . import steps
from .asking import Asking, about_no_tumour
from .case import Case
from .desk import Desk
from .doing import Doing
from .reviewing import Review
from .rooms import Rooms

KnownAs = Callable[[Path], Path]


class Finishing:
    """`known_as`: what the journal calls a file that is written to a path and then moved by the caller."""

    def __init__(self, desk: Desk, do: Doing, asking: Asking, rooms: Rooms, known_as: KnownAs) -> None:
        self._desk, self._do, self._asking = desk, do, asking
        self._rooms, self._known_as = rooms, known_as
        desk.no_seg = rooms.no_seg()

    def accept(self, name: str, comment: str, no_tumour: bool) -> None:
        """An empty contour is a finding of its own, which somebody must state; else `Review` refuses it."""
        empty = not any(segment.volume_ml for segment in self._desk.state.segments)

        def act(stated: bool) -> None:
            told = name.strip(), comment.strip(), stated
            self._do.edit("accept", "Accepting.", lambda review: review.accept(*told))

        if self._do.allowed("accept"):
            asks = self._asking.asks and empty and bool(name.strip()) and not no_tumour
            self._asking.before(lambda: act(no_tumour or asks), about_no_tumour() if asks else None)

    def export_rtstruct(self, path: str | Path, name: str) -> None:
        out = Path(path).expanduser()

        def work(case: Case, review: Review, _: Progress) -> str:
            return steps.export_rtstruct(self._rooms, case, review, out, name, self._known_as)

        self._do.finish("export", "Writing RTSTRUCT.", work)

    def export_seg(self, path: str | Path, name: str) -> None:
        out = Path(path).expanduser()

        def work(case: Case, review: Review, _: Progress) -> str:
            return steps.export_seg(self._rooms, case, review, out, name, self._known_as)

        self._do.finish("export_seg", "Writing DICOM SEG.", work)

    def save(self, folder: str | Path) -> None:
        out = Path(folder).expanduser()

        def work(case: Case, review: Review, progress: Progress) -> str:
            return steps.save(case, review, out, progress, self._known_as)

        self._do.finish("save", "Saving.", work)
