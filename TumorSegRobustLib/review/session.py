"""A review: what the clinician does to a contour, with nothing lost and everything told."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Image
from TumorSegRobustLib.review import events
from TumorSegRobustLib.review.belief import levels_of_probability, to_probability
from TumorSegRobustLib.review.board import Board
from TumorSegRobustLib.review.brush import Position, stroke
from TumorSegRobustLib.review.click import Box, Click, ClickResult, Seed, box_around
from TumorSegRobustLib.review.contours import Contours, Draft
from TumorSegRobustLib.review.difference import Difference
from TumorSegRobustLib.review.geodesic import GeodesicRefiner
from TumorSegRobustLib.review.history import History
from TumorSegRobustLib.review.journal import Journal
from TumorSegRobustLib.review.prior import load_prior, prior_path, save_prior
from TumorSegRobustLib.review.refiner import Refiner
from TumorSegRobustLib.review.rules import Rules
from TumorSegRobustLib.review.segment import FIRST, Colour, Segment, Step
from TumorSegRobustLib.review.step_events import STEPS, replay_steps, step_event


class ReviewSession:
    """State = replay of the journal's events; a command returns only once its event is on the disk.

    Every click is a promise: its voxel has its label afterwards, the newest word wins, and nothing changes
    outside the click's region of influence. There may be several segments; no voxel belongs to two, and
    nothing takes a voxel from a locked neighbour. Where a method takes a `segment` (its id), the first one is
    meant without it. One thread at a time.
    """

    def __init__(self, image: Image, journal: Journal, refiner: Refiner, opening: events.Opening) -> None:
        """For `start` and `resume`."""
        self._image, self._journal, self._refiner, self._opening = image, journal, refiner, opening
        shape = image.geometry.shape
        prior = load_prior(opening.prior, journal.path.parent, shape) if opening.prior else None
        self._contours = Contours(image, refiner, prior)
        self._board = self._contours.board
        self._rules = Rules(self._board)
        self._history = History()
        self._drafts: dict[int, Draft] = {}
        self._acceptance: events.Acceptance | None = None
        self.notices: tuple[str, ...] = journal.notices

    @classmethod
    def start(
        cls,
        image: Image,
        journal: Path,
        *,
        probability: NDArray | None = None,
        threshold: float = 0.5,
        source: dict[str, Any] | None = None,
        refiner: Refiner | None = None,
    ) -> ReviewSession:
        """Begin a review; `journal` (a file that holds no review yet) is created, its folder too.

        `probability`: (k, j, i) on the image's grid, in [0, 1], tumour where >= `threshold`; None begins
        from nothing.
        `source`: where it comes from (model, version, ...), plain JSON. UnusableInput where the file
        cannot be used.
        """
        refiner = refiner or GeodesicRefiner()
        path = Path(journal)
        if probability is not None and probability.shape != image.geometry.shape:
            raise UnusableInput(
                f"The prediction has {probability.shape} voxels but the image "
                f"{image.geometry.shape}; resample it first."
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as reason:
            raise UnusableInput(f"Cannot make the folder {path.parent}: {reason.strerror}.") from reason
        opened = Journal.create(path)
        try:
            prior = None
            if probability is not None:
                prior = save_prior(levels_of_probability(probability, threshold), prior_path(path))
            fingerprint = events.fingerprint(image)
            described = events.describe_refiner(refiner)
            opening = events.Opening(image.geometry, fingerprint, image.name, described, source or {}, prior)
            opened.append(*events.opening_event(opening))
            return cls(image, opened, refiner, opening)
        except BaseException:
            opened.close()
            raise

    @classmethod
    def resume(cls, image: Image, journal: Path, refiner: Refiner | None = None) -> ReviewSession:
        """Go on with a review after a pause or a crash, where its last acknowledged event left it.

        UnusableInput where the journal is absent, damaged, in use, or about another image. What is worth
        telling (an incomplete last line was cut off, another refiner is at work) stands in `notices`.
        """
        opened = Journal.open(Path(journal))
        try:
            opening = events.read_opening(opened.records[0])
            events.check_image(opening, image, opened.path)
            chosen = refiner or GeodesicRefiner.recorded(opening.refiner) or GeodesicRefiner()
            session = cls(image, opened, chosen, opening)
            session._replay()
            return session
        except BaseException:
            opened.close()
            raise

    # What there is

    @property
    def image(self) -> Image:
        return self._image

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Those that are there, the first one first."""
        return tuple(self._board.segments.values())

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The first segment's contour now: (k, j, i), read-only; a later event makes a new array."""
        return self._board.masks[FIRST]

    def mask_of(self, segment: int) -> NDArray[np.bool_]:
        """A segment's contour now, as `mask`."""
        return self._board.masks[self._rules.segment(segment).id]

    @property
    def probability(self) -> NDArray[np.float32]:
        """How sure the review is of the first segment, (k, j, i) in [0, 1]; above .5 is `mask`."""
        return self.probability_of(FIRST)

    def probability_of(self, segment: int) -> NDArray[np.float32]:
        """How sure the review is of a segment, as `probability`."""
        return to_probability(self._contours.levels(self._rules.segment(segment).id))

    def probability_in(self, box: Box, segment: int = FIRST) -> NDArray[np.float32]:
        """`probability` inside `box` alone: what a panel needs after a click, without the whole volume."""
        return to_probability(self._contours.levels(self._rules.segment(segment).id)[box])

    def open_box(self, segment: int = FIRST) -> Box | None:
        """A box outside which no voxel is tumour or in doubt; None where none was from the beginning on."""
        return self._contours.open_box(self._rules.segment(segment).id)

    @property
    def clicks(self) -> tuple[Click, ...]:
        """The clicks that count (not taken back), in all segments, oldest first."""
        return tuple(self.clicks_of().values())

    def clicks_of(self, segment: int | None = None) -> dict[int, Click]:
        """The clicks that count in one segment, or in all, by number (see `remove_click`), oldest first."""
        chosen = self.segments if segment is None else (self._rules.segment(segment),)
        clicks = {word.number: word.click for s in chosen for word in s.words if word.click is not None}
        age = {step.click or step.number: age for age, step in enumerate(self._history.done)}
        return {number: clicks[number] for number in sorted(clicks, key=age.__getitem__)}

    @property
    def can_undo(self) -> bool:
        return bool(self._history.done)

    @property
    def can_redo(self) -> bool:
        return bool(self._history.undone)

    @property
    def accepted(self) -> events.Acceptance | None:
        """The acceptance, as long as nothing was changed after it."""
        return self._acceptance

    @property
    def journal_path(self) -> Path:
        return self._journal.path

    @property
    def head(self) -> str:
        """Hash of the journal's last line; noted elsewhere, it proves later that no event was cut off."""
        return self._journal.head

    @property
    def proposed(self) -> NDArray[np.bool_]:
        """The first segment as it was when the review began: (k, j, i), a new array."""
        return self._contours.proposed()

    @property
    def volume_ml(self) -> float:
        return self.volume_of(FIRST)

    def volume_of(self, segment: int) -> float:
        return float(np.count_nonzero(self.mask_of(segment))) * self._image.geometry.voxel_ml

    # Correcting a contour

    def click(self, click: Click, segment: int = FIRST) -> ClickResult:
        """Correct the contour at one point. UnusableInput, and nothing changed, outside the image, or where
        it would take a voxel of a locked neighbour.
        """
        begun = time.perf_counter()
        chosen = self._rules.segment(segment)
        click, seed = self._placed(click)
        self._rules.may_take(seed, chosen)
        draft = self._contours.click(self._journal.next_number, chosen, click, seed)
        self._add(draft)
        return self._result(draft, [draft.step.number], seed, begun)

    def paint(self, mask: NDArray, segment: int = FIRST) -> None:
        """Replace the contour by a drawn one, (k, j, i), which later clicks keep unless they contradict it.
        What a locked neighbour owns stays the neighbour's.
        """
        chosen = self._rules.segment(segment)
        before = self._board.masks[chosen.id]
        if mask.shape != before.shape:
            raise UnusableInput(f"The drawn mask has {mask.shape} voxels but the image {before.shape}.")
        difference = self._rules.paintable(Difference.between(before, np.asarray(mask) > 0), chosen)
        if difference.box is not None:
            self._add(self._contours.paint(self._journal.next_number, chosen, difference))

    def stroke(self, along: Sequence[Position], radius_mm: float, add: bool, segment: int = FIRST) -> None:
        """Paint (`add`) or erase with a round brush along positions (LPS mm); refused as a click at the first
        of them would be.
        """
        drawn = stroke(self._image.geometry, along, radius_mm)
        self._rules.may_take(self._placed(Click(along[0], add))[1], self._rules.segment(segment))
        before = self.mask_of(segment)
        self.paint(before | drawn if add else before & ~drawn, segment)

    def remove_click(self, number: int) -> ClickResult:
        """Delete one click (by its number, see `clicks_of`): the contour becomes as if it had never been
        made, beside the neighbours as they are now. UnusableInput where there is no such click.

        `honoured` of the result: whether all remaining clicks of the segment are.
        """
        begun = time.perf_counter()
        segment, word = self._rules.click(number)
        draft = self._contours.without_click(self._journal.next_number, segment, number)
        self._add(draft)
        assert word.seed is not None
        return self._result(draft, list(self.clicks_of(segment.id)), word.seed, begun)

    def move_click(self, number: int, position_mm: Position) -> ClickResult:
        """Put one click elsewhere (LPS mm): as if it had not been made before, but now and there. Refused as
        `click` and `remove_click` are.
        """
        begun = time.perf_counter()
        segment, word = self._rules.click(number)
        assert word.click is not None
        click, seed = self._placed(Click(position_mm, word.click.include))
        self._rules.may_take(seed, segment)
        draft = self._contours.with_click_at(self._journal.next_number, segment, number, click, seed)
        self._add(draft)
        return self._result(draft, [number], seed, begun)

    # Segments

    def add_segment(self, name: str, colour: Colour | None = None) -> int:
        """One more segment, from nothing; its id. UnusableInput where the name is empty or taken."""
        return self._add_step(self._rules.added(self._journal.next_number, name, colour))

    def rename_segment(self, segment: int, name: str) -> None:
        """UnusableInput where the name is empty or taken."""
        self._add_step(self._rules.renamed(self._journal.next_number, segment, name))

    def lock_segment(self, segment: int, locked: bool) -> None:
        """Protect a segment from clicks, painting and predictions of the others; as every segment begins."""
        self._add_step(self._rules.lock(self._journal.next_number, segment, locked))

    def remove_segment(self, segment: int) -> None:
        """Take a segment and its voxels out. UnusableInput for the first one, which the review is about."""
        self._add_step(self._rules.removed(self._journal.next_number, segment))

    # Back and forth

    def undo(self) -> bool:
        """Take the last step back, whatever segment it was about; False where there is none."""
        if not self.can_undo:
            return False
        self._journal.append("undo", {"step": self._history.done[-1].number})
        step = self._history.undo()
        self._contours.undo(self._drafts[step.number])
        self._acceptance = None
        return True

    def redo(self) -> bool:
        """Do what was last taken back again; False where there is nothing."""
        if not self.can_redo:
            return False
        step = self._history.undone[-1]
        self._journal.append("redo", {"step": step.number})
        if step.number not in self._drafts:  # taken back before the journal was resumed
            self._drafts[step.number] = self._recalled(step)
        self._history.redo()
        self._contours.do(self._drafts[step.number])
        self._acceptance = None
        return True

    # Finishing

    def accept(self, name: str, comment: str = "") -> None:
        """Take responsibility for the contour as it is now; any later change takes the acceptance away."""
        if not name.strip():
            raise UnusableInput("Accepting needs the name of the person who takes responsibility.")
        data = {"name": name.strip(), "comment": comment, "volume_ml": self.volume_ml}
        now = events.contours_now(self._board, self._image.geometry)
        record = self._journal.append("accept", data | now)
        self._acceptance = events.Acceptance(name.strip(), comment, record.time)

    def exported(self, path: Path, kind: str, known_as: Path | None = None) -> None:
        """Note that the contour of now was written to `path` as `kind` ("rtstruct", "nifti", ...), and will
        lie at `known_as`, if it is to be moved.
        """
        data = {"file": str(known_as or path), "kind": kind}
        told = {"file_sha256": events.file_fingerprint(Path(path))}
        now = events.contours_now(self._board, self._image.geometry)
        self._journal.append("export", {**data, **told, **now})

    def copy_to(self, folder: Path, name: str = "journal.jsonl") -> Path:
        """Copy the journal and the prediction that it starts from to a folder; the journal there."""
        return events.copy_journal(self.journal_path, Path(folder), name)

    def close(self) -> None:
        """Give the journal free for another session; reading the state stays possible."""
        self._journal.close()

    def __enter__(self) -> ReviewSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _placed(self, click: Click) -> tuple[Click, Seed]:
        x, y, z = (float(v) for v in click.position_mm)
        seed = Seed(self._image.geometry.index_of(click.position_mm), bool(click.include))
        return Click((x, y, z), seed.include), seed

    def _result(self, draft: Draft, clicks: list[int], place: Seed, begun: float) -> ClickResult:
        """What a step about clicks did; `clicks`: those that must be honoured after it."""
        main = draft.step.main
        assert main.after is not None
        seeds = {word.number: word.seed for word in main.after.words if word.seed is not None}
        here = box_around(place.voxel, (0, 0, 0), self._image.geometry.shape)
        box = main.difference.box or here
        region = main.after.words[-1].region if draft.step.kind == "click" else box
        return ClickResult(
            honoured=all(self._board.agrees(main.id, seeds[number]) for number in clicks),
            changed_ml=main.difference.count() * self._image.geometry.voxel_ml,
            box=box,
            seconds=time.perf_counter() - begun,
            region=region or here,
        )

    def _add_step(self, step: Step | None) -> int:
        """A step that moves no voxel; None where there is nothing to change."""
        if step is None:
            return FIRST
        self._add(Draft(step, {}))
        return step.main.id

    def _add(self, draft: Draft) -> None:
        """Write a step down, then do it."""
        self._journal.append(*step_event(draft.step))
        for taken_back in self._history.undone:
            self._drafts.pop(taken_back.number, None)
        self._do(draft)
        self._acceptance = None

    def _do(self, draft: Draft) -> None:
        self._history.add(draft.step)
        self._drafts[draft.step.number] = draft
        self._contours.do(draft)

    def _recalled(self, step: Step) -> Draft:
        draft, same = self._contours.recalled(step)
        if not same:
            self.notices += (
                f"Event {step.number + 1} gives another contour with this version than when it was recorded; "
                "the recorded one is kept.",
            )
        return draft

    def _replay(self) -> None:
        board = Board(self.mask)
        history = replay_steps(self._journal.records[1:], board)
        for step in history.done:
            self._do(self._recalled(step))
        self._history.undone.extend(history.undone)
        assert all(np.array_equal(self.mask_of(s.id), board.masks[s.id]) for s in self.segments)
        for record in self._journal.records:
            if record.event == "accept":
                self._acceptance = events.Acceptance(record.data["name"], record.data["comment"], record.time)
            elif record.event in STEPS or record.event in ("undo", "redo"):
                self._acceptance = None
