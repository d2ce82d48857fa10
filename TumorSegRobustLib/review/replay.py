"""From a journal back to the contour, without the program that was open when it was written."""

from __future__ import annotations

from pathlib import Path

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Image
from TumorSegRobustLib.review import events
from TumorSegRobustLib.review.journal import read_journal
from TumorSegRobustLib.review.levels import nothing_known
from TumorSegRobustLib.review.prior import load_prior


def replay_journal(path: Path, image: Image | None = None) -> Image:
    """The mask (bool voxels) that the journal's events lead to, bit for bit; needs neither image nor model.

    With `image`, checks first that the journal is about it. UnusableInput where the journal is absent or
    damaged.
    """
    path = Path(path)
    records = read_journal(path)
    if not records:
        raise UnusableInput(f"{path} holds no event.")
    opening = events.read_opening(records[0])
    if image is not None:
        events.check_image(opening, image, path)
    shape = opening.geometry.shape
    first = load_prior(opening.prior, path.parent, shape) if opening.prior else nothing_known(shape)
    _, mask = events.replay_steps(records[1:], first > 0)
    return Image(mask, opening.geometry, opening.image_name)
