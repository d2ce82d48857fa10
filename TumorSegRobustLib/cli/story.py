"""The story that `demo` tells, on the generated head that ships with the program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..evaluation import dice, largest_error
from ..image import Image, read_mask
from ..resources import resource
from ..review import verify_journal
from ..workflow import Workflow, results, saving
from .driving import workflow_for
from .job import Job
from .outputs import Places, read_json, results_folder, write_json
from .pictures import Picture, draw, largest_slice_centre

Mask = NDArray[np.bool_]

FILES = {
    "segment/": "the networks' contour, probability and uncertainty, and result.json",
    "refine/": "the corrected contour, refine.json and the journal of the review",
    "rtstruct.dcm": "the corrected contour for treatment planning",
    "pictures/": "scan, contour, uncertainty and correction to look at",
    "story.json": "all figures of this story",
}


def tell_story(out: Path, job: Job) -> dict[str, Any]:
    """Segment, judge, correct, export; all files into `out`. Returns story.json."""
    with results_folder(out, job) as places, workflow_for(job, places) as workflow:
        workflow.open_sample()
        image = workflow.image
        assert image is not None
        truth = read_mask(resource("SampleCase", "truth.nii.gz"), image.geometry).voxels
        workflow.segment()
        workflow.save(places.results / "segment")
        proposed = _contour(workflow)
        _draw_proposal(workflow, image, proposed, places)
        for include in (True, False):
            job.progress.check()
            _correct(workflow, image, truth, include)
        _draw_correction(workflow, image, truth, places)
        workflow.export_rtstruct(places.results / "rtstruct.dcm")
        workflow.save(places.results / "refine")
        story = _summary(image, (proposed, _contour(workflow)), truth, places)
        write_json(story, places.results / "story.json")
    return story


def _contour(workflow: Workflow) -> Mask:
    assert workflow.mask is not None
    return workflow.mask


def _correct(workflow: Workflow, image: Image, truth: Mask, include: bool) -> None:
    """Click where most tumour is missing (`include`), or where most of it is too much; nothing if nowhere."""
    mask = _contour(workflow)
    error = largest_error(mask & truth if include else mask | truth, truth, image.geometry)
    if error is not None:
        voxel, _ = error
        workflow.click(image.geometry.position_of(voxel).tolist(), include)


def _summary(image: Image, contours: tuple[Mask, Mask], truth: Mask, places: Places) -> dict[str, Any]:
    refined = places.results / "refine"
    journal = verify_journal(refined / saving.JOURNAL)
    return {
        "sample": "a generated head with a generated tumour; no patient",
        "result": read_json(places.results / "segment" / saving.RESULT),
        "clicks": read_json(refined / saving.REFINE)["clicks"],
        "volume_ml": [results.volume_ml(mask, image.geometry) for mask in contours],
        "dice": [dice(mask, truth) for mask in contours],
        "journal": {"ok": journal.ok, "events": journal.events, "message": journal.message},
        "files": FILES,
    }


def _draw_proposal(workflow: Workflow, image: Image, proposed: Mask, places: Places) -> None:
    folder = places.results / "pictures"
    folder.mkdir()
    centre = largest_slice_centre(image, proposed)
    unsure = Picture("How unsure the networks are", proposed, workflow.overlay())
    draw(image, centre, Picture("The scan"), folder / "1-scan.png")
    draw(image, centre, Picture("The networks' contour", proposed), folder / "2-contour.png")
    draw(image, centre, unsure, folder / "3-uncertainty.png")


def _draw_correction(workflow: Workflow, image: Image, truth: Mask, places: Places) -> None:
    """One picture per click, through it."""
    clicks = workflow.state.clicks
    for number, click in enumerate(clicks, 4):
        word = "include" if click.include else "exclude"
        title = f"After the clicks, through the {word} click (dashed: the truth)"
        picture = Picture(title, _contour(workflow), None, truth, clicks)
        draw(image, click.position_mm, picture, places.results / "pictures" / f"{number}-{word}.png")
