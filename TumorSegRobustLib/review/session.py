"""A review: what the clinician does to a contour, with nothing lost and everything told."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Image
from TumorSegRobustLib.review import events
from TumorSegRobustLib.review.belief import LIMIT, levels_of_probability, to_levels, to_probability
from TumorSegRobustLib.review.click import Box, Click, ClickResult, Seed
from TumorSegRobustLib.review.difference import Difference
from TumorSegRobustLib.review.geodesic import GeodesicRefiner
from TumorSegRobustLib.review.history import History, Step
from TumorSegRobustLib.review.journal import Journal
from TumorSegRobustLib.review.levels import LevelChange, nothing_known, relabelled
from TumorSegRobustLib.review.prior import load_prior, prior_path, save_prior
from TumorSegRobustLib.review.refiner import Refiner, Situation


@dataclass(frozen=True)
class Acceptance:
    """Who took responsibility for the contour, and when (UTC, ISO 8601)."""

    name: str
    comment: str
    time: str


class ReviewSession:
    """State = replay of the journal's events; a command returns only once its event is on the disk.

    Every click is a promise: its voxel has its label afterwards, the newest word wins, and nothing changes
    outside the click's region of influence. One thread at a time.
    """

    def __init__(self, image: Image, journal: Journal, refiner: Refiner, opening: events.Opening) -> None:
        """For `start` and `resume`."""
        self._image, self._journal, self._refiner, self._opening = image, journal, refiner, opening
        shape = image.geometry.shape
        folder = journal.path.parent
        self._prior = load_prior(opening.prior, folder, shape) if opening.prior else None
        self._levels = nothing_known(shape) if self._prior is None else self._prior.copy()
        self._mask = self._levels > 0
        self._mask.flags.writeable = False
        self._changes: dict[int, LevelChange | None] = {}
        self._history = History()
        self._clicks: dict[int, Click] = {}
        self._acceptance: Acceptance | None = None
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

    @property
    def image(self) -> Image:
        return self._image

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The contour now: (k, j, i), read-only; a later event makes a new array."""
        return self._mask

    @property
    def probability(self) -> NDArray[np.float32]:
        """How sure the review is, (k, j, i) in [0, 1]: above .5 exactly where `mask` is True."""
        return to_probability(self._levels)

    def probability_in(self, box: Box) -> NDArray[np.float32]:
        """`probability` inside `box` alone: what a panel needs after a click, without the whole volume."""
        return to_probability(self._levels[box])

    @property
    def clicks(self) -> tuple[Click, ...]:
        """The clicks that count (not taken back), oldest first."""
        return tuple(self._clicks[step.number] for step in self._history.done if step.seed is not None)

    @property
    def can_undo(self) -> bool:
        return bool(self._history.done)

    @property
    def can_redo(self) -> bool:
        return bool(self._history.undone)

    @property
    def accepted(self) -> Acceptance | None:
        """The acceptance, as long as nothing was changed after it."""
        return self._acceptance

    @property
    def journal_path(self) -> Path:
        return self._journal.path

    @property
    def head(self) -> str:
        """Hash of the journal's last line; noted elsewhere, it proves later that no event was cut off the
        end.
        """
        return self._journal.head

    @property
    def volume_ml(self) -> float:
        return float(np.count_nonzero(self._mask)) * self._image.geometry.voxel_ml

    def click(self, click: Click) -> ClickResult:
        """Correct the contour at one point. UnusableInput, and nothing changed, where it lies outside the
        image.
        """
        begun = time.perf_counter()
        x, y, z = (float(v) for v in click.position_mm)
        click = Click((x, y, z), bool(click.include))
        seed = Seed(self._image.geometry.index_of(click.position_mm), click.include)
        step, change = self._refine(seed, self._journal.next_number)
        self._journal.append("click", events.click_event(click, step))
        self._clicks[step.number] = click
        self._do(step, change)
        k, j, i = seed.voxel
        return ClickResult(
            honoured=bool(self._mask[k, j, i]) == seed.include,
            changed_ml=step.difference.count() * self._image.geometry.voxel_ml,
            box=step.difference.box or (slice(k, k + 1), slice(j, j + 1), slice(i, i + 1)),
            seconds=time.perf_counter() - begun,
            region=step.region or (slice(k, k + 1), slice(j, j + 1), slice(i, i + 1)),
        )

    def paint(self, mask: NDArray) -> None:
        """Replace the contour by a drawn one, (k, j, i). Later clicks keep what was drawn unless they
        contradict it.
        """
        if mask.shape != self._mask.shape:
            raise UnusableInput(f"The drawn mask has {mask.shape} voxels but the image {self._mask.shape}.")
        difference = Difference.between(self._mask, np.asarray(mask) > 0)
        if difference.box is None:
            return
        step = Step(self._journal.next_number, difference, added=events.added_part(difference, self._mask))
        self._journal.append("painted", {"change": difference.to_json()})
        self._do(step, relabelled(self._levels, difference))

    def undo(self) -> bool:
        """Take the last click or painting back; False where there is none."""
        if not self.can_undo:
            return False
        self._journal.append("undo", {"step": self._history.done[-1].number})
        step = self._history.undo()
        self._show(step, self._changes[step.number])
        return True

    def redo(self) -> bool:
        """Do what was last taken back again; False where there is nothing."""
        if not self.can_redo:
            return False
        step = self._history.undone[-1]
        self._journal.append("redo", {"step": step.number})
        if step.number not in self._changes:  # taken back before the journal was resumed
            self._changes[step.number] = self._recall(step)
        self._history.redo()
        self._show(step, self._changes[step.number])
        return True

    def accept(self, name: str, comment: str = "") -> None:
        """Take responsibility for the contour as it is now; any later change takes the acceptance away."""
        if not name.strip():
            raise UnusableInput("Accepting needs the name of the person who takes responsibility.")
        data = {"name": name.strip(), "comment": comment, "volume_ml": self.volume_ml}
        data["mask_sha256"] = events.mask_fingerprint(self._mask)
        record = self._journal.append("accept", data)
        self._acceptance = Acceptance(name.strip(), comment, record.time)

    def exported(self, path: Path, kind: str, known_as: Path | None = None) -> None:
        """Note that the contour of now was written to `path` as `kind` ("rtstruct", "nifti", ...).

        `known_as`: where the file will lie, if it is to be moved.
        """
        data: dict[str, str | None] = {"file": str(known_as or path), "kind": kind}
        data["file_sha256"] = events.file_fingerprint(Path(path))
        data["mask_sha256"] = events.mask_fingerprint(self._mask)
        self._journal.append("export", data)

    def copy_to(self, folder: Path, name: str = "journal.jsonl") -> Path:
        """Copy the journal, with the prediction that it starts from, to another folder; returns the
        journal there.
        """
        return events.copy_journal(self.journal_path, Path(folder), name)

    def close(self) -> None:
        """Give the journal free for another session; reading the state stays possible."""
        self._journal.close()

    def __enter__(self) -> ReviewSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _refine(self, seed: Seed, number: int) -> tuple[Step, LevelChange]:
        situation = Situation(self._image, self._levels, self._prior, self._history.seeds, seed)
        refinement = self._refiner.refine(situation)
        region = refinement.region
        frees = self._history.contradicts_paint(seed)
        labels = self._history.fixed(region, Step(number, Difference(None), seed, region, frees))
        levels = to_levels(np.where(labels == 0, refinement.log_odds, labels.astype(np.float32) * LIMIT))
        before = np.ascontiguousarray(self._levels[region])
        difference = Difference.between(self._mask[region], levels > 0, region)
        return Step(number, difference, seed, region, frees), LevelChange.between(before, levels, region)

    def _do(self, step: Step, change: LevelChange | None) -> None:
        for taken_back in self._history.undone:
            self._changes.pop(taken_back.number, None)
        self._history.add(step)
        self._changes[step.number] = change
        self._show(step, change)

    def _show(self, step: Step, change: LevelChange | None) -> None:
        self._mask = step.difference.apply(self._mask)
        if change is not None:
            change.apply(self._levels)
        self._acceptance = None

    def _recall(self, step: Step) -> LevelChange | None:
        """The change of the log-odds that belongs to a recorded step: computed again, and held to the
        recorded mask.
        """
        if step.seed is None:
            return relabelled(self._levels, step.difference)
        again, change = self._refine(step.seed, step.number)
        if again.difference == step.difference and again.region == step.region:
            return change
        self.notices += (
            f"Event {step.number + 1} gives another contour with this version than when it was recorded; "
            "the recorded one is kept.",
        )
        return relabelled(self._levels, step.difference, level=32)

    def _replay(self) -> None:
        history, mask = events.replay_steps(self._journal.records[1:], self._mask)
        for step in history.done:
            change = self._recall(step)
            self._do(step, change)
        self._history.undone.extend(history.undone)
        assert np.array_equal(self._mask, mask)
        for record in self._journal.records:
            if record.event == "click":
                self._clicks[record.number] = events.read_click(record)
            if record.event == "accept":
                self._acceptance = Acceptance(record.data["name"], record.data["comment"], record.time)
            elif record.event in ("click", "painted", "undo", "redo"):
                self._acceptance = None
