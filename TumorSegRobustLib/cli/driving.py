"""The same `Workflow` that the panels show, driven by a command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UnusableInput
from .job import Job
from .options import Device
from .outputs import Places
from .speaking import note

if TYPE_CHECKING:
    from ..models import ModelPackage
    from ..workflow import State, Workflow


@contextmanager
def workflow_for(job: Job, places: Places) -> Iterator[Workflow]:
    """A workflow whose commands return when they are done, tell their progress, and stop with the job."""
    from ..workflow import Workflow

    workflow = Workflow(work_folder=places.work, background=False, known_as=places.known_as)

    def tell(state: State) -> None:
        if state.progress is not None:
            job.show(state.progress, state.message)

    def cancel() -> None:
        with suppress(UnusableInput):  # between two commands nothing runs; the job's own check stops those
            workflow.cancel()

    workflow.changed.connect(tell)
    job.on_cancel(cancel)
    try:
        yield workflow
    finally:
        workflow.close()


def open_scan(
    workflow: Workflow, job: Job, scan: Path, channels: Sequence[tuple[str, Path]] = (), image_is: str = ""
) -> None:
    """Open `scan` (as the channel `image_is`) and its further channels; what was done to fit is noted on
    stderr.
    """
    workflow.open(scan, channel=image_is or None)
    for name, path in channels:
        job.progress.check()
        workflow.open(path, channel=name)
    for remark in workflow.state.notices:
        note(remark)
    job.progress.check()


def choose(workflow: Workflow, model: str | None, device: Device) -> None:
    """Use this package on this device. Raises `UnusableInput` where one of them is not there."""
    from ..models import find_package

    note_licence(find_package(model))
    workflow.choose_package(model)
    workflow.choose_device(device.value)


def note_licence(package: ModelPackage) -> None:
    """On stderr, what a licence that restricts the use permits: who names such a model agrees to it."""
    from ..models.licences import restriction_of

    if restriction := restriction_of(package.licence):
        note(f"the model {package.id} has the licence {package.licence}. {restriction}")


def read_channels(
    words: Sequence[str], package: ModelPackage, image_is: str | None = None
) -> tuple[str, list[tuple[str, Path]]]:
    """What IMAGE itself is, and `NAME=IMAGE` words as (name, path).

    IMAGE is the channel `image_is`; without it the package's first. Upper and lower case are the same. Raises
    `UnusableInput` for a name that is no channel.
    """
    names = {channel.name.lower(): channel.name for channel in package.channels}
    first = package.first_channel.name
    if image_is is not None:
        if image_is.lower() not in names:
            raise UnusableInput(
                f"--image-is {image_is}: the model {package.id} has no channel {image_is}; "
                f"it takes {', '.join(names.values())}."
            )
        first = names[image_is.lower()]
    further = ", ".join(name for name in names.values() if name != first)
    known = f"its further channels are: {further}" if further else f"{first} is its only channel"
    channels: dict[str, Path] = {}
    for word in words:
        given, equals, path = word.partition("=")
        name = names.get(given.lower(), "")
        if not equals or not path:
            raise UnusableInput(f"--channel {word}: write NAME=IMAGE, for example --channel t1c=t1c.nii.gz.")
        if not name:
            raise UnusableInput(f"--channel {word}: the model {package.id} has no channel {given} ({known}).")
        if name == first or name in channels:
            which = "is IMAGE itself" if name == first else "was given before"
            raise UnusableInput(f"--channel {word}: the channel {name} {which}; give each channel once.")
        channels[name] = Path(path)
    return first, list(channels.items())
