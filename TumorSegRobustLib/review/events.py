"""What the lines of a review's journal mean: from values to plain JSON and back.

`started` | `segmented` (the first line: image, refiner, prediction), the steps (see `step_events`), `undo`,
`redo`, `accept`, `export`, and `resumed` where an interrupted review went on with something to report.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Geometry, Image
from TumorSegRobustLib.review.board import Board
from TumorSegRobustLib.review.chain import Record
from TumorSegRobustLib.review.journal import read_journal
from TumorSegRobustLib.review.prior import PriorFile
from TumorSegRobustLib.review.refiner import Refiner
from TumorSegRobustLib.review.segment import FIRST

FORMAT = 1


@dataclass(frozen=True)
class Opening:
    """The first line of a journal: what the review is about."""

    geometry: Geometry
    image_sha256: str
    image_name: str
    refiner: dict[str, Any]
    source: dict[str, Any]
    prior: PriorFile | None


@dataclass(frozen=True)
class Acceptance:
    """Who took responsibility for the contour, and when (UTC, ISO 8601)."""

    name: str
    comment: str
    time: str


def describe_refiner(refiner: Refiner) -> dict[str, Any]:
    return {"name": refiner.name, "version": refiner.version, "parameters": refiner.parameters()}


def opening_event(opening: Opening) -> tuple[str, dict[str, Any]]:
    data = {
        "format": FORMAT,
        "image": {
            "name": opening.image_name,
            "sha256": opening.image_sha256,
            "geometry": opening.geometry.to_json(),
        },
        "refiner": opening.refiner,
        "source": opening.source,
        "prior": opening.prior.to_json() if opening.prior else None,
    }
    return ("segmented" if opening.prior else "started"), data


def read_opening(record: Record) -> Opening:
    data = record.data
    try:
        if record.event not in ("started", "segmented") or data["format"] != FORMAT:
            raise ValueError(f"it begins with '{record.event}'")
        image = data["image"]
        return Opening(
            Geometry.from_json(image["geometry"]),
            image["sha256"],
            image["name"],
            data["refiner"],
            data["source"],
            PriorFile.from_json(data["prior"]) if data["prior"] else None,
        )
    except (KeyError, TypeError, ValueError) as reason:
        raise UnusableInput(
            f"The journal is of an unknown kind ({reason}); use the version that wrote it."
        ) from reason


def check_image(opening: Opening, image: Image, path: Path) -> None:
    """UnusableInput where `image` is not the one that the journal at `path` is about."""
    if not opening.geometry.matches(image.geometry):
        raise UnusableInput(
            f"{path} is about an image of {opening.geometry.describe()}, this one has "
            f"{image.geometry.describe()} or lies elsewhere; open the image that was reviewed."
        )
    if opening.image_sha256 != fingerprint(image):
        raise UnusableInput(
            f"{path} is about another image ({opening.image_name or 'unnamed'}): same grid, "
            "other voxel values; open the image that was reviewed."
        )


def copy_journal(path: Path, folder: Path, name: str) -> Path:
    """Copy a journal and the prediction beside it; the journal last, so that it never names an absent
    file.
    """
    opening = read_opening(read_journal(path)[0])
    target = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source, copy in (
            ((path.parent / opening.prior.name, folder / opening.prior.name),) if opening.prior else ()
        ):
            _copy(source, copy)
        _copy(path, target)
    except OSError as reason:
        raise UnusableInput(f"Cannot copy the journal {path} to {folder}: {reason.strerror}.") from reason
    return target


def _copy(source: Path, target: Path) -> None:
    if target.exists() and target.samefile(source):
        return
    draft = target.with_name(target.name + ".part")
    try:
        shutil.copyfile(source, draft)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def fingerprint(image: Image) -> str:
    """SHA-256 of the voxel values, as little-endian float32 whatever the image was stored in."""
    digest = hashlib.sha256()
    for plane in image.voxels:
        digest.update(np.ascontiguousarray(plane, dtype="<f4").data)
    return digest.hexdigest()


def file_fingerprint(path: Path) -> str | None:
    """SHA-256 of a file; None where it is not a readable file (a PACS address, a folder)."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def contours_now(board: Board, geometry: Geometry) -> dict[str, Any]:
    """What is accepted or exported: fingerprints of the masks, one by one where there are several."""
    told: dict[str, Any] = {"mask_sha256": mask_fingerprint(board.masks[FIRST])}
    if len(board.segments) > 1:
        told["segments"] = [
            {
                "id": segment.id,
                "name": segment.name,
                "volume_ml": float(np.count_nonzero(board.masks[segment.id])) * geometry.voxel_ml,
                "mask_sha256": mask_fingerprint(board.masks[segment.id]),
            }
            for segment in board.segments.values()
        ]
    return told


def mask_fingerprint(mask: np.ndarray) -> str:
    """SHA-256 of the mask's packed bits in (k, j, i) order."""
    return hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()
