"""From a journal back to the contours, without the program that was open when it was written."""

from __future__ import annotations

from pathlib import Path

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Image
from TumorSegRobustLib.review import events
from TumorSegRobustLib.review.board import Board
from TumorSegRobustLib.review.journal import read_journal
from TumorSegRobustLib.review.levels import nothing_known
from TumorSegRobustLib.review.prior import load_prior
from TumorSegRobustLib.review.segment import FIRST
from TumorSegRobustLib.review.step_events import replay_steps


def replay_journal(path: Path, image: Image | None = None) -> Image:
    """The first segment's mask (bool voxels) that the journal's events lead to, bit for bit; needs neither
    image nor model.

    With `image`, checks first that the journal is about it. UnusableInput where the journal is absent or
    damaged.
    """
    opening, board = _replayed(Path(path), image)
    return Image(board.masks[FIRST], opening.geometry, opening.image_name)


def replay_segments(path: Path, image: Image | None = None) -> dict[str, Image]:
    """Every segment's mask by its name, the first one first; as `replay_journal`."""
    opening, board = _replayed(Path(path), image)
    return {s.name: Image(board.masks[s.id], opening.geometry, s.name) for s in board.segments.values()}


def _replayed(path: Path, image: Image | None) -> tuple[events.Opening, Board]:
    records = read_journal(path)
    if not records:
        raise UnusableInput(f"{path} holds no event.")
    opening = events.read_opening(records[0])
    if image is not None:
        events.check_image(opening, image, path)
    shape = opening.geometry.shape
    first = load_prior(opening.prior, path.parent, shape) if opening.prior else nothing_known(shape)
    board = Board(first > 0)
    replay_steps(records[1:], board)
    return opening, board
