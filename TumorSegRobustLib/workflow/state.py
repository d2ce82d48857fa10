"""What a panel shows and which commands may be pressed now: one immutable value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from .channels import WHOLE, ChannelState
from .devices import DeviceChoice

if TYPE_CHECKING:
    from ..evaluation.comparing import Comparison
    from ..image import SeriesChoice
    from ..inference.forecast import Forecast
    from ..review import Click
    from ..trust import Place
    from .asking import Question
    from .recent import RecentScan

Phase = Literal["empty", "ready", "running", "review", "accepted"]
Tool = Literal["none", "include", "exclude", "paint", "erase"]

COMMANDS = (
    "open",
    "segment",
    "cancel",
    "start_empty",
    "resume",
    "choose_series",
    "add_channel",
    "drop_channel",
    "click",
    "paint",
    "undo",
    "redo",
    "accept",
    "export",
    "export_seg",
    "save",
    "next_place",
    "compare",
    "stop_comparing",
    "next_error",
)
_OF_A_CONTOUR = COMMANDS[COMMANDS.index("click") :]
TOOLS: tuple[Tool, ...] = ("none", "include", "exclude", "paint", "erase")


@dataclass(frozen=True)
class SegmentState:
    """One segment as a panel lists it. colour: red, green, blue, 0..255. active: it receives the clicks.

    locked: no click, painting or prediction of another segment takes a voxel of it.
    """

    id: int
    name: str
    colour: tuple[int, int, int]
    volume_ml: float
    locked: bool = True
    active: bool = False


@dataclass(frozen=True)
class State:
    """Everything a panel needs to draw itself; a new one is emitted at every change.

    phase: "empty" (no scan) -> "ready" (a scan) -> "review" (a contour) -> "accepted"; "running" meanwhile.
    message: one line in a clinician's words about what happened last.
    progress: 0..1 while running and known, else None.
    pending: corrections asked for whose result is not here yet.
    can: commands that may be pressed now; why_not: one line for each command that may not.
    triage_level: "accept", "review", "reject", or "" before there is an assessment; with `reasons`.
    device: what was chosen; devices: what to choose from, empty where there is nothing to choose.
    predicted_dice, interval: expected overlap with a clinician's contour, of the networks' proposal;
    calibrated: False where both are guesses, None where that is not known.
    overlay_kinds: the kinds of uncertainty that can be shown now (`Workflow.overlay`).
    live_dice, live_interval: the same of the contour as it is now (`trust.LiveQuality`), None where unknown.
    inputs: what the chosen package takes, and which volume stands for each.
    choices: the series of a folder that waits for `Workflow.choose_series`, empty where none does.
    recent: scans that were opened from files before and are still there, the newest first.
    targets: what the package can contour, empty where there is no choice; target: what the next `segment`
    contours. adapt: whether it tries to adapt the networks.
    forecast: what the next `segment` takes, None where it is not known; will_happen: the same in one line.
    places: where the contour is worth a look, the best first; place: the number (from 1) of the one shown,
    0 for none.
    comparison: of the contour as it is now with a reference, None where there is none; compared_with: what
    the reference is called; error_shown: the number (from 1) of its error on show, 0 for none.
    segments: those of the review, the first one first; one of them is active.
    volume_ml: volume of the active segment now, None before there is one.
    clicks: the clicks in force in the active segment, in order of time; click_numbers: their numbers, for
    `Workflow.remove_click`.
    brush_mm: radius of the tools "paint" and "erase".
    loud: whether `message` is a warning, to be shown so that nobody misses it.
    question: what waits for `Workflow.answer`, None where nothing does; it goes by itself with its review.
    error: one line when the last command could not be done, else "".
    """

    phase: Phase = "empty"
    message: str = "Open a scan to begin."
    loud: bool = False
    question: Question | None = None
    progress: float | None = None
    pending: int = 0
    package: str = ""
    device: str = "auto"
    devices: tuple[DeviceChoice, ...] = ()
    image_name: str = ""
    channels: tuple[str, ...] = ()
    inputs: tuple[ChannelState, ...] = ()
    choices: tuple[SeriesChoice, ...] = ()
    recent: tuple[RecentScan, ...] = ()
    targets: tuple[str, ...] = ()
    target: str = WHOLE
    adapt: bool = False
    forecast: Forecast | None = None
    will_happen: str = ""
    can: frozenset[str] = frozenset({"open"})
    why_not: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    tool: Tool = "none"
    triage_level: str = ""
    reasons: tuple[str, ...] = ()
    predicted_dice: float | None = None
    interval: tuple[float, float] | None = None
    calibrated: bool | None = None
    overlay_kinds: tuple[str, ...] = ()
    live_dice: float | None = None
    live_interval: tuple[float, float] | None = None
    places: tuple[Place, ...] = ()
    place: int = 0
    comparison: Comparison | None = None
    compared_with: str = ""
    error_shown: int = 0
    volume_ml: float | None = None
    segments: tuple[SegmentState, ...] = ()
    clicks: tuple[Click, ...] = ()
    click_numbers: tuple[int, ...] = ()
    brush_mm: float = 5.0
    accepted_by: str = ""
    notices: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Situation:
    """The facts from which phase and permissions follow; nothing else decides what may be pressed."""

    running: str = ""
    has_image: bool = False
    has_series: bool = False
    has_review: bool = False
    accepted: bool = False
    can_undo: bool = False
    can_redo: bool = False
    volume_ml: float = 0.0  # of all segments together
    resumable: bool = False
    has_places: bool = False
    has_reference: bool = False
    has_errors: bool = False
    has_choices: bool = False
    has_further_channels: bool = False
    takes_channels: int = 0  # of the chosen package
    unfit: str = ""  # why the networks cannot segment this scan
    no_seg: str = ""  # why DICOM SEG cannot be written here

    @property
    def phase(self) -> Phase:
        """`running` hides the phase before, so a cancelled command returns to it by itself."""
        if self.running:
            return "running"
        if self.has_review:
            return "accepted" if self.accepted else "review"
        return "ready" if self.has_image else "empty"

    def why_not(self) -> dict[str, str]:
        """Command -> the one line that says why it cannot be done now; commands that can are absent."""
        if self.running:
            busy = f"{self.running} Wait for it or press Cancel."
            return {command: busy for command in COMMANDS if command != "cancel"}
        reasons = {"cancel": "Nothing is running."}
        if not self.has_choices:
            reasons["choose_series"] = "No folder with several series was opened."
        if not self.has_image:
            needs_none = ("open", "cancel", "choose_series")
            return reasons | {c: "Open a scan first." for c in COMMANDS if c not in needs_none}
        if self.takes_channels < 2:
            reasons["add_channel"] = "The model looks at one channel only."
        if not self.has_further_channels:
            reasons["drop_channel"] = "There is no further channel."
        if self.unfit:
            reasons["segment"] = self.unfit
        if not self.resumable:
            reasons["resume"] = "There is no earlier review of this scan."
        if not self.has_review:
            first = "There is no contour yet: press Segment, or start from nothing."
            reasons |= dict.fromkeys(_OF_A_CONTOUR, first)
            return reasons
        if not self.can_undo:
            reasons["undo"] = "There is nothing to undo."
        if not self.can_redo:
            reasons["redo"] = "There is nothing to redo."
        if not self.has_places:
            reasons["next_place"] = "There is no place that is in doubt."
        if not self.has_reference:
            reasons |= dict.fromkeys(("stop_comparing", "next_error"), "Choose a reference first.")
        elif not self.has_errors:
            reasons["next_error"] = "Contour and reference agree everywhere."
        if self.accepted:
            reasons["accept"] = "This contour has been accepted already."
        if not self.has_series:
            reasons["export"] = (
                "RTSTRUCT and DICOM SEG need the DICOM series of the scan, and this scan was opened from "
                "another kind of file: open the DICOM folder, or save the contour as NIfTI."
            )
        elif self.volume_ml <= 0:
            reasons["export"] = "The contour is empty: there is nothing to export."
        if no_seg := reasons.get("export", self.no_seg):
            reasons["export_seg"] = no_seg
        return reasons
