"""A reference contour beside the review's: figures and errors that follow every correction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from numpy.typing import NDArray

from ..errors import UnusableInput
from ..progress import Progress
from .case import Case
from .desk import Desk
from .doing import Doing
from .reference import Reference, read_reference
from .reviewing import FIRST, Review
from .running import Runner
from .signal import Signal

if TYPE_CHECKING:
    from ..evaluation.comparing import Comparison, ContourError

HOW_TO_BEGIN = "Choose a reference: a mask file on this scan, or an RTSTRUCT of its series."
MOST_LISTED = 12
"""Errors that a panel lists; the many specks at a border would hide them."""


def rows_of(comparison: Comparison) -> list[tuple[str, str]]:
    """The table of figures, the same in every panel: name and value."""
    off = comparison.hd95_mm
    return [
        ("Overlap (Dice)", f"{comparison.dice:.2f}"),
        ("Surface within 1 mm", f"{100 * comparison.surface_dice:.0f} %"),
        ("Distance (HD95)", "none: one is empty" if off is None else f"{off:.1f} mm"),
        ("Volume", f"{comparison.volume_ml:.1f} ml"),
        ("Reference", f"{comparison.reference_ml:.1f} ml"),
        ("Difference", f"{comparison.difference_ml:+.1f} ml".replace("-", "−")),
    ]


def error_line(error: ContourError) -> str:
    """An error in words, the same in every panel: "border too tight, 1.2 ml, up to 4 mm"."""
    size = f"{error.size_ml:.2g}" if error.size_ml < 1 else f"{error.size_ml:.1f}"
    at_border = error.off_mm is not None and error.kind.startswith("border")
    return f"{error.kind}, {size} ml" + (f", up to {error.off_mm:.0f} mm" if at_border else "")


def listed(errors: Sequence[ContourError]) -> tuple[Sequence[ContourError], str]:
    """The errors that a panel lists, and a line about the others ("" where there are none)."""
    others = errors[MOST_LISTED:]
    if not others:
        return errors, ""
    total = sum(error.size_ml for error in others)
    return errors[:MOST_LISTED], f"and {len(others)} smaller ones, {total:.1f} ml together"


@dataclass(frozen=True)
class _Found:
    review: Review
    reference: _Beside
    comparison: Comparison
    error_map: NDArray


@dataclass(frozen=True)
class _Beside:
    """The reference, and the id of the segment that it is laid beside."""

    reference: Reference
    segment: int


class Comparing:
    """Keeps `State.comparison` in step with the contour.

    The worker compares after a correction has been shown, once for all corrections that wait. A reference
    stays while reviews of the same scan begin anew. `comparison_changed(Comparison | None)`: then
    `error_map` (see `evaluation.comparing.error_map`) is a new one. `place_changed(ContourError)`: look here.
    """

    def __init__(self, desk: Desk, runner: Runner, do: Doing, place_changed: Signal) -> None:
        self.comparison_changed = Signal()
        self.place_changed = place_changed
        self.error_map: NDArray | None = None
        self._desk, self._runner, self._do = desk, runner, do
        self._beside: _Beside | None = None
        self._queued = False
        desk.contour_changed.connect(self._follow)

    def compare(self, path: str | Path, structure: str) -> None:
        """Lay a reference beside the active segment."""
        file = Path(path).expanduser()
        self._lay_beside(lambda c, called: read_reference(file, c.image, c.series, structure, called))

    def compare_mask(self, mask: NDArray, name: str) -> None:
        """The same with a mask that the host has read already."""
        copied = mask.astype(bool)

        def read(case: Case, _called: str) -> Reference:
            if copied.shape != case.image.geometry.shape:
                raise UnusableInput(f"{name} lies on another grid than the scan: choose another reference.")
            return Reference(copied, name)

        self._lay_beside(read)

    def _lay_beside(self, read: Callable[[Case, str], Reference]) -> None:
        """read(the scan, what the active segment is called) gives the reference."""
        case, review = self._desk.case, self._desk.review
        if not self._do.allowed("compare") or case is None or review is None:
            return
        active = next((s for s in self._desk.state.segments if s.active), None)
        segment, called = (active.id, active.name) if active else (FIRST, "")

        def work(progress: Progress) -> _Found:
            reference = read(case, called)
            progress.report(0.5, "Comparing.")
            return self._found(review, _Beside(reference, segment))

        def show(found: _Found) -> None:
            self._beside = found.reference
            reference = found.reference.reference
            told = [f"Compared with {reference.name}: Dice {found.comparison.dice:.2f}.", *reference.notices]
            self._desk.update(message=" ".join(told), error="")
            self._show(found)

        self._runner.long("Comparing.", work, show)

    def stop(self) -> None:
        """Put the reference away."""
        if self._beside is not None:
            self._beside, self.error_map = None, None
            self._desk.update(comparison=None, compared_with="", error_shown=0, error="")
            self.comparison_changed.emit(None)

    def show(self, number: int | None = None) -> None:
        """Look at one error, numbered from 1: by default at the next one; the first follows the last."""
        state = self._desk.state
        errors, _ = listed(state.comparison.errors if state.comparison else ())
        if number is None and errors:
            number = state.error_shown % len(errors) + 1
        if number is None or not 1 <= number <= len(errors) or not self._do.allowed("next_error"):
            return
        error = errors[number - 1]
        told = f"Error {number} of {len(errors)}: {error_line(error)}."
        self._desk.update(error_shown=number, message=told, error="")
        self.place_changed.emit(error)

    def _follow(self, mask: NDArray | None, *_: object) -> None:
        review = self._desk.review
        if mask is None or review is None:
            self.stop()
            return
        beside = self._beside
        if beside is None or self._queued:
            return
        self._queued = True

        def work() -> _Found:
            self._queued = False
            return self._found(review, beside)

        self._runner.quietly(work, self._show)

    def _found(self, review: Review, beside: _Beside) -> _Found:
        from ..evaluation.comparing import compare, error_map

        session = review.session
        known = {segment.id for segment in session.segments}
        mask = session.mask_of(beside.segment if beside.segment in known else FIRST)
        reference = beside.reference.mask
        compared = compare(mask, reference, review.image.geometry)
        return _Found(review, beside, compared, error_map(mask, reference))

    def _show(self, found: _Found) -> None:
        if found.review is not self._desk.review or found.reference is not self._beside:
            return
        self.error_map = found.error_map
        name = found.reference.reference.name
        self._desk.update(comparison=found.comparison, compared_with=name, error_shown=0)
        self.comparison_changed.emit(found.comparison)
