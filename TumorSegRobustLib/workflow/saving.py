"""A folder of results that appears complete or not at all."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnusableInput
from .segment_files import FIRST_FILE, PATTERN

if TYPE_CHECKING:
    from ..image import Image

SEGMENTATION, PROBABILITY, UNCERTAINTY = FIRST_FILE, "probability.nii.gz", "uncertainty.nii.gz"
CORE = "tumour_core.nii.gz"
RESULT, REFINE, JOURNAL = "result.json", "refine.json", "journal.jsonl"
_PATTERNS = ("*.prior", PATTERN)
_OURS = (REFINE, JOURNAL, SEGMENTATION, PROBABILITY, UNCERTAINTY, CORE)


@dataclass(frozen=True)
class Bundle:
    """What is to be saved. mask bool, probability and uncertainty float (k, j, i) on the image's grid.

    refine and copy_journal(folder, name) are None where there was no review; core (bool) where the networks
    could not tell the tumour core. further: name of the file -> mask (bool) of every segment but the first.
    """

    image: Image
    mask: NDArray
    probability: NDArray
    uncertainty: NDArray
    result: Mapping[str, Any]
    refine: Mapping[str, Any] | None = None
    copy_journal: Callable[[Path, str], Any] | None = None
    core: NDArray | None = None
    further: Mapping[str, NDArray] = field(default_factory=dict)


def save_bundle(bundle: Bundle, folder: Path, report: Callable[[float], None]) -> Path:
    """Write the files of `segment` (and of `refine`) into `folder`, replacing those of an earlier run.

    `report(fraction)` is called between files and may raise to cancel; then nothing has been written.
    Raises UnusableInput when the place cannot be written.
    """
    from ..image import write_image

    volumes = {
        SEGMENTATION: bundle.mask.astype(bool),
        PROBABILITY: bundle.probability.astype(np.float32),
        UNCERTAINTY: bundle.uncertainty.astype(np.float32),
    }
    if bundle.core is not None:
        volumes[CORE] = bundle.core.astype(bool)
    volumes |= {name: mask.astype(bool) for name, mask in bundle.further.items()}
    with staging(folder) as stage:
        for done, (name, voxels) in enumerate(volumes.items()):
            report(done / len(volumes))
            write_image(bundle.image.with_voxels(voxels), stage / name)
        if bundle.copy_journal is not None:
            bundle.copy_journal(stage, JOURNAL)
        if bundle.refine is not None:
            write_json(bundle.refine, stage / REFINE)
        write_json(bundle.result, stage / RESULT)
        report(1.0)
    return folder


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """A temporary folder whose files are moved into `folder` on success; on any error it disappears.

    It lies beside a folder that does not exist yet, which then appears by one rename; and inside one that
    does, since that may be a mount point, beside which nothing can be written.
    """
    folder = Path(folder).absolute()
    stage = (folder if folder.is_dir() else folder.parent) / f".{folder.name}.{uuid.uuid4().hex[:8]}"
    try:
        if folder.exists() and not folder.is_dir():
            raise UnusableInput(f"{folder} is a file: give a folder for the results.")
        stage.mkdir(parents=True)
        yield stage
        _move(stage, folder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnusableInput(f"{folder} cannot be written: {reason}; choose another folder.") from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def write_json(document: Mapping[str, Any], path: Path) -> None:
    path.write_text(
        json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
    )


def _move(stage: Path, folder: Path) -> None:
    """result.json is the first to go and the last to arrive, so a folder that has one is whole."""
    if not folder.exists():
        os.replace(stage, folder)
        return
    old = (file.name for pattern in _PATTERNS for file in folder.glob(pattern))
    for name in (RESULT, *_OURS, *old):
        if name == RESULT or not (stage / name).exists():
            (folder / name).unlink(missing_ok=True)
    for file in sorted(stage.iterdir(), key=lambda file: file.name == RESULT):
        os.replace(file, folder / file.name)
