"""Commands that hand a contour over: acceptance, DICOM objects for planning and archive, files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..progress import Progress
from . import steps
from .case import Case
from .doing import Doing
from .reviewing import Review
from .rooms import Rooms

KnownAs = Callable[[Path], Path]


class Finishing:
    """`known_as`: what the journal calls a file that is written to a path and then moved by the caller."""

    def __init__(self, do: Doing, rooms: Rooms, known_as: KnownAs) -> None:
        self._do, self._rooms, self._known_as = do, rooms, known_as

    def accept(self, name: str, comment: str) -> None:
        self._do.edit("accept", "Accepting.", lambda review: review.accept(name.strip(), comment.strip()))

    def export_rtstruct(self, path: str | Path, name: str) -> None:
        out = Path(path).expanduser()

        def work(case: Case, review: Review, _: Progress) -> str:
            return steps.export_rtstruct(self._rooms, case, review, out, name, self._known_as)

        self._do.finish("export", "Writing RTSTRUCT.", work)

    def export_seg(self, path: str | Path, name: str) -> None:
        out = Path(path).expanduser()

        def work(case: Case, review: Review, _: Progress) -> str:
            return steps.export_seg(self._rooms, case, review, out, name, self._known_as)

        self._do.finish("export", "Writing DICOM SEG.", work)

    def save(self, folder: str | Path) -> None:
        out = Path(folder).expanduser()

        def work(case: Case, review: Review, progress: Progress) -> str:
            return steps.save(case, review, out, progress, self._known_as)

        self._do.finish("save", "Saving.", work)
