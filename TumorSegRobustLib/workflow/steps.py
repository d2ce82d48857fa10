"""The long work behind the commands as plain functions: no threads, no state; `Progress` cancels them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UnusableInput
from ..progress import Progress
from . import results, saving, segment_files
from .case import Case
from .channels import CORE
from .journals import new_journal
from .networks import Networks
from .proposal import Proposal
from .reviewing import FIRST, Review
from .rooms import Origin, Rooms, Structure
from .state import State

if TYPE_CHECKING:
    from ..image import DicomSeries, Image

_RED = (255, 0, 0)


def open_scan(
    rooms: Rooms, path: Path, series: str, channel: str, case: Case | None, progress: Progress
) -> Case:
    """A new case, or `case` with one more channel; `series`: UID, where a folder holds several."""
    began = time.perf_counter()
    if not path.exists():
        raise UnusableInput(f"{path} does not exist: choose a volume file or a folder with a DICOM series.")
    image, found = rooms.read_scan(path, series) if series else rooms.read_scan(path)
    progress.check()
    return open_image(image, found, channel, case, time.perf_counter() - began)


def open_image(
    image: Image, series: DicomSeries | None, channel: str, case: Case | None, seconds: float = 0.0
) -> Case:
    if image.source is None and series is not None:
        image = replace(image, source=series.source)  # a volume of Slicer's scene brings no header along
    if channel and case is not None:
        return case.with_channel(channel, image)
    return Case.of(image, series, channel, seconds)


def segment(
    rooms: Rooms, networks: Networks, case: Case, folder: Path, chosen: State, progress: Progress
) -> Review:
    """Predict, judge, and begin a review of the proposal in a journal of its own.

    chosen: when Segment was pressed; its `target` is contoured, its `inputs` are what the networks see.
    """
    began = time.perf_counter()
    prediction = networks.predict(case, progress.part(0.0, 0.9))
    progress.report(0.9, "Judging how far to trust the contour.")
    judged = time.perf_counter()
    assessment = rooms.assess(prediction, case.image, progress.part(0.9, 0.97))
    now = time.perf_counter()
    seconds = {"open": case.seconds, "assess": now - judged, "total": case.seconds + now - began}
    progress.report(0.97, "Beginning the review.")
    seen = {one.name: one.volume for one in chosen.inputs if one.volume}
    proposal = Proposal.of_networks(prediction, assessment, seconds, seen)
    of_target = proposal.of_core() if chosen.target == CORE else proposal
    return begin(rooms, case, of_target, folder, chosen.device)


def begin(rooms: Rooms, case: Case, proposal: Proposal, folder: Path, device: str) -> Review:
    """A review with a new journal, whose first event says where the contour came from. device: where the
    network that refines runs.
    """
    proposal = proposal.about(case.channels)
    source = {"started_from": proposal.started_from, "image": case.image.name, "result": proposal.result}
    journal = new_journal(folder, case.digest)
    session = rooms.start_session(case.image, journal, proposal, source, device)
    if proposal.name:
        session.rename_segment(FIRST, proposal.name)
    for name, colour, mask in proposal.further:
        session.paint(mask, session.add_segment(name, colour))
    return Review(case.image, session, proposal)


def resume(rooms: Rooms, case: Case, journal: Path, device: str) -> Review:
    """Continue after a crash; what the networks had said comes from the journal."""
    session, source = rooms.resume_session(case.image, journal, device)
    return Review(case.image, session, Proposal.of_journal(session, source).about(case.channels))


def earlier_results(folder: Path, image: Image) -> Proposal:
    """The proposal that `save` wrote into `folder`; grid and voxels must be the image's. Results that do not
    tell which voxels they are of (of an older version) are taken with a notice.
    """
    document = _read_result(folder / saving.RESULT)
    volumes = {}
    told = [saving.CORE] if (folder / saving.CORE).exists() else []
    for name in (saving.PROBABILITY, saving.UNCERTAINTY, *told):
        volumes[name] = _read_on(image, folder / name).voxels
    document = _of_this_scan(document, image, folder)
    maps = {"entropy": volumes[saving.UNCERTAINTY]}
    core = volumes[saving.CORE] > 0 if saving.CORE in volumes else None
    further = tuple(
        (name, colour, _read_on(image, file).voxels > 0)
        for name, colour, file in segment_files.further_files(document, folder)
    )
    name = segment_files.first_name(document)
    probability = volumes[saving.PROBABILITY]
    return Proposal(document, maps, "results", probability, core=core, name=name, further=further)


def save(
    case: Case, review: Review, folder: Path, progress: Progress, known_as: Callable[[Path], Path]
) -> str:
    """The files of `segment`, and those of `refine` once there was anything to review."""
    mask, geometry = review.session.mask, case.image.geometry
    touched = review.touched
    document = review.proposal.result
    core = review.proposal.core_within(mask)
    segments = segment_files.saved_segments(review.session)
    if touched:
        told = segment_files.told(segments, geometry)
        document = results.corrected(document, mask, geometry, core, told)
    bundle = saving.Bundle(
        case.image,
        mask,
        review.session.probability,
        review.entropy(),
        document,
        review.document() if touched else None,
        review.session.copy_to if touched else None,
        core,
        {segment.file: segment.mask for segment in segments[1:]},
    )
    saved = saving.save_bundle(bundle, folder, lambda fraction: progress.report(fraction, "Saving."))
    written = saved / saving.SEGMENTATION
    review.session.exported(written, "nifti", known_as(written))
    return f"Written: {saved}"


def export_rtstruct(
    rooms: Rooms, case: Case, review: Review, path: Path, name: str, known_as: Callable[[Path], Path]
) -> str:
    """Write RTSTRUCT to `path`, or into a new file in the folder `path`; returns what to tell of it."""
    assert case.series is not None
    out = _file_in(path, "RTSTRUCT", case)
    notices = rooms.write_rtstruct(_structures(case, review, name, _RED), case.series, out, review.provenance)
    review.session.exported(out, "rtstruct", known_as(out))
    return " ".join([f"Written: {out}", *notices])


def export_seg(
    rooms: Rooms, case: Case, review: Review, path: Path, name: str, known_as: Callable[[Path], Path]
) -> str:
    """The same as DICOM SEG, in the colours of the panel; who accepted the review answers for its content."""
    assert case.series is not None
    out = _file_in(path, "SEG", case)
    accepted = review.session.accepted
    notices = rooms.write_seg(
        _structures(case, review, name),
        case.series,
        out,
        Origin(review.provenance, accepted.name if accepted else "", review.model),
    )
    review.session.exported(out, "seg", known_as(out))
    return " ".join([f"Written: {out}", *notices])


def _file_in(path: Path, kind: str, case: Case) -> Path:
    """A new file in the folder `path`; or `path` itself, where it is no folder."""
    return path / f"{kind}_{case.digest}_{datetime.now():%Y%m%d_%H%M%S}.dcm" if path.is_dir() else path


def _structures(
    case: Case, review: Review, name: str, first_colour: tuple[int, int, int] | None = None
) -> list[Structure]:
    """The segments that hold anything; the first one is called `name`, and may have a colour of its own (red,
    as in planning systems).
    """
    session = review.session
    return [
        Structure(
            case.image.with_voxels(session.mask_of(segment.id)),
            name if segment.id == FIRST else segment.name,
            first_colour if first_colour and segment.id == FIRST else segment.colour,
            review.algorithm_of(segment.id),
        )
        for segment in session.segments
        if session.mask_of(segment.id).any()
    ]


def _of_this_scan(document: Mapping[str, Any], image: Image, folder: Path) -> Mapping[str, Any]:
    same = results.is_of(document, image)
    if same is None:
        older = f"{folder} does not tell which scan its results are of: only the grid was compared."
        return {**document, "notices": [*(document.get("notices") or ()), older]}
    if not same:
        name = document["scan"][0].get("name") or "without a name"
        raise UnusableInput(
            f"{folder} holds results of another scan ({name}): open that scan, or segment this one."
        )
    return document


def _read_on(image: Image, path: Path) -> Image:
    volume = _read_volume(path)
    if not volume.geometry.matches(image.geometry):
        raise UnusableInput(f"{path} lies on another grid than the scan: open the scan it is of.")
    return volume


def _read_volume(path: Path) -> Image:
    """As `read_image`, but a map that is the same everywhere is a legitimate one here."""
    import SimpleITK as sitk

    from ..image import from_sitk

    try:
        return from_sitk(sitk.ReadImage(str(path)), path.name)
    except RuntimeError as error:
        raise UnusableInput(f"{path} cannot be read: give a folder that segment wrote.") from error


def _read_result(path: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(document, dict) or not {"triage", "quality", "model"} <= set(document):
            raise ValueError("keys are missing")
    except OSError as error:
        raise UnusableInput(f"{path} cannot be read: give a folder that segment wrote.") from error
    except ValueError as error:
        raise UnusableInput(f"{path} is no result of segment ({error}): give its folder.") from error
    return document
