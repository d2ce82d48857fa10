"""The presenter behind every panel and the command line: what may be done now, and the doing of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .asking import Asking
from .beginning import Beginning
from .choosing import Choosing
from .comparing import Comparing
from .correcting import Correcting
from .desk import Desk
from .doing import Doing
from .finishing import Finishing
from .forecasting import Forecasting
from .journals import EarlierReview, default_work_folder
from .looking import Looking
from .networks import Networks
from .opening import Opening
from .pointing import next_name
from .proposal import Proposal
from .rooms import EnsembleFactory, Rooms
from .running import Runner
from .state import TOOLS, State, Tool
from .worker import Call, Dispatch, run_now

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..image import DicomSeries, Image
    from ..inference import Prediction
    from ..models import ModelPackage
    from ..review import ReviewSession
    from ..trust import Assessment

_PATIENCE_S = 20.0


class Workflow:
    """Open a scan, segment it, correct it, accept it, export it.

    Commands return at once and never raise: the work runs in one background thread, its results arrive
    through `dispatch` in the thread of the user interface, and what went wrong is one line in `state.error`.
    With `background=False` (the command line) a command returns when it is done, and raises `UnusableInput`,
    `Cancelled`, or the unexpected exception, after showing it in `state` too.

    Signals: `changed(State)`, `image_changed(Image)`, `assessment_changed(Assessment | None)`, and
    `contour_changed(mask, box)`: the active segment, bool (k, j, i), read-only, None while a new scan has no
    contour; in no segment (`masks`) anything changed outside `box` (None: anything may have);
    `place_changed(Place | ContourError)`: look here; `comparison_changed(Comparison | None)`.
    """

    def __init__(
        self,
        *,
        work_folder: Path | None = None,
        dispatch: Dispatch = run_now,
        background: bool = True,
        ensemble_factory: EnsembleFactory | None = None,
        rooms: Rooms | None = None,
        known_as: Callable[[Path], Path] = Path,
        calm: Callable[[Call], Any] = run_now,
    ) -> None:
        """work_folder: where journals are kept, by default the platform's folder for application data.
        ensemble_factory(package id or None, device) -> ensemble; rooms: stand-ins for the other rooms.
        known_as: what the journal calls a file that is written to a path and then moved by the caller.
        calm(call): runs `call`, which loads networks ahead of need, when the panel has drawn a new scan."""
        self.work_folder = Path(work_folder) if work_folder is not None else default_work_folder()
        self._rooms, self._calm = rooms or Rooms(), calm
        self._networks = Networks(
            ensemble_factory or self._rooms.make_ensemble, self._rooms.adapting, self._rooms.warm_refiner
        )
        self._desk = Desk(lambda: (self._runner.running, self._runner.edits))
        self._runner = Runner(dispatch, background, self._desk.update)
        self.changed, self.contour_changed = self._desk.changed, self._desk.contour_changed
        self.image_changed, self.assessment_changed = self._desk.image_changed, self._desk.assessment_changed
        self._looking = Looking(self._desk, self._runner)
        self.place_changed = self._looking.place_changed
        self._do = Doing(self._desk, self._runner, self.work_folder, self._warm_up)
        self._compare = Comparing(self._desk, self._runner, self._do, self.place_changed)
        self.comparison_changed = self._compare.comparison_changed
        self._correct = Correcting(self._desk, self._runner, self._do)
        self._asking = Asking(self._desk, self._runner)
        self._finish = Finishing(self._desk, self._do, self._asking, self._rooms, known_as)
        self._beginning = Beginning(
            self._desk, self._do, self._asking, self._rooms, self._networks, self.work_folder
        )
        self._opening = Opening(self._desk, self._runner, self._do, self._rooms, self.work_folder)
        self._forecasting = Forecasting(self._desk, self._runner, self._rooms, self.work_folder)
        self._choose = Choosing(
            self._desk, self._runner, self._asking, self._networks,
            self._rooms, self.work_folder, self._warm_up,
        )  # fmt: skip
        self._desk.update()

    # What there is to see

    @property
    def state(self) -> State:
        return self._desk.state

    @property
    def image(self) -> Image | None:
        """The first channel; its grid is the grid of everything else."""
        return self._desk.case.image if self._desk.case else None

    @property
    def channels(self) -> Mapping[str, Image]:
        """Every channel by name; a scan opened without a name has the name ""."""
        return self._desk.case.channels if self._desk.case else {}

    @property
    def series(self) -> DicomSeries | None:
        """The DICOM series of the first channel, None when it came from another kind of file."""
        return self._desk.case.series if self._desk.case else None

    @property
    def proposal(self) -> Proposal | None:
        """Where the review under way began."""
        return self._desk.review.proposal if self._desk.review else None

    @property
    def prediction(self) -> Prediction | None:
        return self.proposal.prediction if self.proposal else None

    @property
    def assessment(self) -> Assessment | None:
        return self.proposal.assessment if self.proposal else None

    @property
    def result(self) -> Mapping[str, Any]:
        """result.json of the proposal that the review began with; empty before there is one."""
        return self.proposal.result if self.proposal else {}

    @property
    def session(self) -> ReviewSession | None:
        """The review under way. Read it when nothing is running; change it only through commands."""
        return self._desk.review.session if self._desk.review else None

    @property
    def mask(self) -> NDArray | None:
        """The active segment as shown: bool (k, j, i), read-only."""
        return self._desk.look.mask if self._desk.look else None

    @property
    def masks(self) -> Mapping[int, NDArray]:
        """Every segment as shown, by its id: bool (k, j, i), read-only, a new array when it changes."""
        return self._desk.look.masks if self._desk.look else {}

    def overlay(
        self, kind: str = "entropy", percentile: tuple[float, float] = (50, 99)
    ) -> tuple[NDArray, float, float]:
        """(map, lo, hi): uncertainty (k, j, i), not a copy, and the window to show it in.

        kind: "entropy", which follows the clicks; "mutual_information" or "disagreement" of the networks,
        zeros where they were not asked. ValueError where there is no contour yet.
        """
        if self._desk.review is None:
            raise ValueError("There is no contour yet, and so no uncertainty to show.")
        return self._desk.review.uncertainty.show(kind, percentile)

    @property
    def error_map(self) -> NDArray | None:
        """Where the contour differs from the reference: uint8 (k, j, i), see `evaluation.comparing`."""
        return self._compare.error_map

    def resumable(self) -> tuple[EarlierReview, ...]:
        """Other reviews of the open scan that were corrected or accepted, the last one first."""
        return self._desk.earlier

    # Choosing

    def packages(self) -> Sequence[ModelPackage]:
        return self._rooms.list_packages()

    def choose_package(self, id_or_folder: str | None) -> None:
        """Use this package from the next `segment` on, once its licence is agreed to (`state.question`) where
        that restricts the use; None is the default one.
        """
        self._choose.choose_package(id_or_folder)

    def choose_device(self, device: str) -> None:
        """auto, cpu, cuda or mps, from the next `segment` on."""
        self._choose.choose_device(device)

    def choose_adaptation(self, wanted: bool) -> None:
        """Whether the networks try to adapt to the scan: `result["adaptation"]` tells what came of it."""
        self._choose.choose_adaptation(wanted)

    def choose_target(self, target: str) -> None:
        """What the next `segment` contours: one of `state.targets`, "whole tumour" or "tumour core"."""
        self._choose.choose_target(target)

    def set_tool(self, tool: Tool) -> None:
        """What a click in the scan means from now on: "none", "include", "exclude", "paint" or "erase"."""
        if tool not in TOOLS:
            self._runner.refuse(f"There is no tool called {tool}: choose {', '.join(TOOLS)}.")
            return
        self._desk.update(tool=tool, error="")

    # Opening

    def open(self, path: str | Path, channel: str | None = None, series: str | None = None) -> None:
        """A volume file, or DICOM; with `channel`, one more channel of the scan. series: UID; without it, a
        folder of several fills `state.choices` (without a background: `SeveralSeries` is raised).
        """
        self._opening.open(path, channel, series)

    def open_image(self, image: Image, series: DicomSeries | None = None, channel: str | None = None) -> None:
        """A volume that the host has read already, and the DICOM series it came from."""
        self._opening.open_image(image, series, channel)

    def choose_series(self, uid: str) -> None:
        """Open one of `state.choices`, as what the folder was opened for."""
        self._opening.choose_series(uid)

    def stop_choosing(self) -> None:
        """Leave the folder with several series alone; what was open before stays open."""
        self._opening.stop_choosing()

    def name_first_channel(self, name: str) -> None:
        """Say what the scan itself is; whatever had that name so far changes places with it."""
        self._opening.name_first_channel(name)

    def drop_channel(self, name: str) -> None:
        """Take a further channel away; the scan itself stays."""
        self._opening.drop_channel(name)

    def open_sample(self) -> None:
        """The generated head that ships with the program."""
        self.open(self._rooms.sample_folder())

    # Beginning a review: each keeps the journal of the review before, and asks (`state.question`) before it
    # replaces one that was corrected or accepted

    def segment(self) -> None:
        """Let the networks propose a contour and say how far to trust it."""
        self._beginning.segment()

    def start_empty(self) -> None:
        """Begin from nothing: where the networks are wrong, a few clicks do better than a wrong proposal."""
        self._beginning.start_empty()

    def start_from(self, folder: str | Path) -> None:
        """Begin from the results that `save` (or `tumorsegrobust segment`) wrote into `folder`."""
        self._beginning.start_from(Path(folder).expanduser())

    def resume(self, journal: str | Path) -> None:
        """Go on with an earlier review (see `resumable`) where it stopped, accepted or not."""
        self._beginning.resume(Path(journal).expanduser())

    def answer(self, yes: bool) -> None:
        """Say yes or no to `state.question`."""
        self._asking.answer(yes)

    def cancel(self) -> None:
        """Stop the long command; the phase before comes back and nothing is written."""
        if self._do.allowed("cancel"):
            self._runner.cancel()

    # Correcting

    def click(self, position_mm: Sequence[float], include: bool | None = None) -> None:
        """`position_mm`: LPS. Without `include` the tool in hand decides. Clicks are done in order."""
        self._correct.click(position_mm, include)

    def remove_click(self, number: int) -> None:
        """Delete one click (`number`: one of `state.click_numbers`), as if it had never been made."""
        self._do.edit("click", "Deleting the click.", lambda review: review.remove_click(number))

    def move_click(self, number: int, position_mm: Sequence[float]) -> None:
        """Put one click elsewhere (LPS mm)."""
        self._correct.move_click(number, position_mm)

    def paint(self, mask: NDArray, segment: int | None = None) -> None:
        """Take a whole contour edited by hand, bool (k, j, i): of the active segment, or of another."""
        self._correct.paint(mask, segment)

    def brush(
        self, position_mm: Sequence[float], radius_mm: float | None = None, add: bool | None = None
    ) -> None:
        """A dab of the round brush: see `stroke`."""
        self.stroke([position_mm], radius_mm, add)

    def stroke(
        self, along_mm: Sequence[Sequence[float]], radius_mm: float | None = None, add: bool | None = None
    ) -> None:
        """Paint (`add`) or erase with a round brush along positions (LPS); one step for undo. Without
        `radius_mm` and `add` the brush and the tool in hand decide.
        """
        self._correct.stroke(along_mm, radius_mm, add)

    def set_brush(self, radius_mm: float) -> None:
        """Radius of the tools "paint" and "erase"."""
        self._correct.set_brush(radius_mm)

    def refuse(self, why: str) -> None:
        """The host cannot take what was asked for: one line is shown, nothing else changes."""
        self._runner.refuse(why)

    # Segments: ids as in `state.segments`. The active one receives clicks and painting; the others are locked

    def add_segment(self, name: str = "") -> None:
        """One more segment, which begins from nothing and becomes the active one."""
        called = name.strip() or next_name([segment.name for segment in self.state.segments])
        self._do.edit("paint", "Adding a segment.", lambda review: review.add_segment(called))

    def choose_segment(self, segment: int) -> None:
        """Let clicks and painting be about this segment from now on."""
        self._do.edit("paint", "Choosing the segment.", lambda review: review.choose_segment(segment))

    def rename_segment(self, segment: int, name: str) -> None:
        self._do.edit("paint", "Renaming.", lambda review: review.rename_segment(segment, name))

    def lock_segment(self, segment: int, locked: bool) -> None:
        """Whether clicks, painting and predictions of the others leave its voxels alone; at first they do."""
        self._do.edit("paint", "Locking.", lambda review: review.lock_segment(segment, locked))

    def remove_segment(self, segment: int) -> None:
        """Take a segment out, not the first one; undo brings it back."""
        self._do.edit("paint", "Removing the segment.", lambda review: review.remove_segment(segment))

    def next_place(self, number: int | None = None) -> None:
        """Look at the next of `state.places`, or at the one of this number (from 1)."""
        if self._do.allowed("next_place"):
            self._looking.show(number)

    def undo(self) -> None:
        self._do.edit("undo", "Undo.", lambda review: review.undo())

    def redo(self) -> None:
        self._do.edit("redo", "Redo.", lambda review: review.redo())

    # Comparing: `state.comparison` follows every correction

    def compare(self, path: str | Path, structure: str = "") -> None:
        """Lay a reference beside the active segment: a mask file, or an RTSTRUCT of the scan's series.
        `structure`: which one; without it, the one called like the segment, the only one, or the only GTV.
        """
        self._compare.compare(path, structure)

    def compare_mask(self, mask: NDArray, name: str) -> None:
        """The same with a mask that the host has: bool (k, j, i) on the scan's grid."""
        self._compare.compare_mask(mask, name)

    def stop_comparing(self) -> None:
        """Put the reference away."""
        self._compare.stop()

    def next_error(self, number: int | None = None) -> None:
        """Look at the next error of the comparison, or at the one of this number (from 1)."""
        self._compare.show(number)

    # Finishing

    def accept(self, name: str, comment: str = "", no_tumour: bool = False) -> None:
        """Record who accepted the contour. Possible whatever the triage says: nothing is forced. An empty
        contour needs the statement that there is `no_tumour`: without it, that is asked first.
        """
        self._finish.accept(name, comment, no_tumour)

    def export_rtstruct(self, path: str | Path, name: str = "GTVp") -> None:
        """Write every segment as RTSTRUCT to `path`, or into the folder `path`; `name`: of the first one."""
        self._finish.export_rtstruct(path, name)

    def export_seg(self, path: str | Path, name: str = "GTVp") -> None:
        """Write every segment as DICOM SEG to `path`, or into the folder `path`; `name`: of the first one."""
        self._finish.export_seg(path, name)

    def save(self, folder: str | Path) -> None:
        """Write the files of `tumorsegrobust segment`, and those of `refine` once there was a review."""
        self._finish.save(folder)

    def wait(self, timeout: float | None = None, pump: Call | None = None) -> bool:
        """Until every command is done and its result has arrived; False after `timeout` seconds. `pump`: in
        the thread that `dispatch` hands results to, called meanwhile to let them arrive."""
        return self._runner.wait(timeout, pump)

    def wait_until_warm(self, timeout: float | None = None) -> bool:
        """Until the networks that load in the background after `open` are ready (or have failed to load)."""
        return self._networks.wait(timeout)

    def close(self) -> None:
        """Cancel what runs, end the thread, give the journal free. The journal stays for `resume`."""
        self._runner.close()
        self._networks.wait(_PATIENCE_S)  # a thread still inside torch at exit would abort the program
        if self.session is not None:
            self.session.close()

    def _warm_up(self) -> None:
        self._forecasting.refresh()
        if self._runner.background and self._desk.case is not None:
            self._calm(self._networks.warm_up)
