"""What the workflow asks of the other rooms, as functions that tests and hosts may replace.

Each one imports its room when it is first called, so that a panel opens before torch is loaded.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..resources import resource

if TYPE_CHECKING:
    from ..image import DicomSeries, Geometry, Image
    from ..inference import Prediction
    from ..inference.forecast import Forecast
    from ..models import ModelPackage
    from ..progress import Progress
    from ..review import ReviewSession
    from ..trust import Assessment
    from .proposal import Proposal


class EnsembleLike(Protocol):
    """What `Workflow` needs of `inference.Ensemble`."""

    def warm_up(self) -> Any: ...

    def predict(self, image: Image | dict[str, Image], progress: Progress | None = None) -> Prediction: ...


EnsembleFactory = Callable[[str | None, str], EnsembleLike]
"""(id or folder of the package, None = the default one; device) -> an ensemble."""


Adapting = Callable[[EnsembleLike], EnsembleLike]
"""An ensemble -> one that predicts like it, and tries to adapt it to every scan."""


def read_scan(path: Path, series_uid: str | None = None) -> tuple[Image, DicomSeries | None]:
    """A volume file, or one DICOM series (which is what RTSTRUCT refers to): its folder, or one of its files.

    `SeveralSeries` where a folder holds several and `series_uid` does not say which one.
    """
    from ..image import read_image, read_series, series_of_file

    if path.is_dir():
        return read_series(path, series_uid)
    uid = series_of_file(path)
    return read_series(path.parent, uid) if uid is not None else (read_image(path), None)


def forecast(
    package: ModelPackage, device: str, geometry: Geometry, channels: Sequence[str]
) -> Forecast:
    """What a prediction on this grid, from these channels, will take."""
    from ..inference.forecast import forecast as of_inference

    return of_inference(package, device, geometry, channels)


def find_gpu() -> tuple[str, str]:
    """The GPU's name as a device, and why it cannot be used: see `inference.devices`."""
    from ..inference.devices import find_gpu as of_inference

    return of_inference()


def list_packages() -> Sequence[ModelPackage]:
    from ..models import list_packages as of_models

    return of_models()


def find_package(id_or_folder: str | None) -> ModelPackage:
    from ..models import find_package as of_models

    return of_models(id_or_folder)


def make_ensemble(id_or_folder: str | None, device: str) -> EnsembleLike:
    from ..inference import Ensemble

    return Ensemble(find_package(id_or_folder), device=device)


def adapting(ensemble: EnsembleLike) -> EnsembleLike:
    from ..trust.adapt import Adapting as OfTrust

    return OfTrust(ensemble)  # type: ignore[arg-type]


def assess(prediction: Prediction, image: Image, progress: Progress) -> Assessment:
    from ..trust import assess as of_trust

    return of_trust(prediction, image, progress)


def start_session(
    image: Image, journal: Path, proposal: Proposal, source: Mapping[str, Any], device: str
) -> ReviewSession:
    """device: where the network that refines runs, as are those of the next two."""
    from ..review import ReviewSession
    from ..review.shipped import default_refiner

    return ReviewSession.start(
        image,
        journal,
        probability=proposal.probability,
        threshold=proposal.threshold,
        source=dict(source),
        refiner=default_refiner(device),
    )


def resume_session(image: Image, journal: Path, device: str) -> tuple[ReviewSession, Mapping[str, Any]]:
    """The session, and the `source` that it was started with."""
    from ..review import ReviewSession
    from ..review.journal import read_journal
    from ..review.shipped import recorded_refiner

    records = read_journal(journal)
    described = records[0].data.get("refiner", {}) if records else {}
    session = ReviewSession.resume(image, journal, recorded_refiner(described, device))
    return session, records[0].data["source"]


def warm_refiner(device: str) -> None:
    """Make the network that refines ready, so that the first click does not wait for it."""
    from ..review.shipped import shipped_network

    network = shipped_network(None, device)
    if network is not None:
        network.warm_up()


@dataclass(frozen=True)
class Structure:
    """One contour for treatment planning. mask: on the scan's grid. colour: red, green, blue, 0..255.

    algorithm: how it came about, in DICOM's words.
    """

    mask: Image
    name: str
    colour: tuple[int, int, int]
    algorithm: str


def write_rtstruct(
    structures: Sequence[Structure], series: DicomSeries, out: Path, description: str
) -> Sequence[str]:
    """What the user should know of the written file."""
    from ..export import Roi, write_rtstruct_rois

    rois = [Roi(s.mask, s.name, s.colour, kind_of(s.name), s.algorithm) for s in structures]
    return write_rtstruct_rois(rois, series, out, description=description).notices


@dataclass(frozen=True)
class Origin:
    """Where contours come from: a line about it, who accepted them and which model proposed them, or ""."""

    description: str
    accepted_by: str = ""
    model: str = ""


def write_seg(
    structures: Sequence[Structure], series: DicomSeries, out: Path, origin: Origin
) -> Sequence[str]:
    """What the user should know of the written file."""
    from ..export import Roi
    from ..export import write_seg as of_export

    rois = [Roi(s.mask, s.name, s.colour, algorithm=s.algorithm) for s in structures]
    return of_export(
        rois,
        series,
        out,
        description=origin.description,
        creator=origin.accepted_by,
        model=origin.model,
    ).notices


def no_seg() -> str:
    """Why DICOM SEG cannot be written on this computer, "" where it can."""
    if importlib.util.find_spec("highdicom") is not None:
        return ""
    return (
        "DICOM SEG needs the Python package highdicom, which is not installed here: export RTSTRUCT, or save "
        "the contour as NIfTI."
    )


def kind_of(name: str) -> str:
    """DICOM's RT ROI Interpreted Type of a structure named as in AAPM TG-263."""
    return next((kind for kind in ("CTV", "PTV") if name.upper().startswith(kind)), "GTV")


def sample_folder() -> Path:
    return resource("SampleCase")


@dataclass(frozen=True)
class Rooms:
    """The seams; the defaults are the real rooms."""

    read_scan: Callable[..., tuple[Image, DicomSeries | None]] = read_scan
    forecast: Callable[[ModelPackage, str, Geometry, Sequence[str]], Forecast] = forecast
    find_gpu: Callable[[], tuple[str, str]] = find_gpu
    list_packages: Callable[[], Sequence[ModelPackage]] = list_packages
    find_package: Callable[[str | None], ModelPackage] = find_package
    make_ensemble: EnsembleFactory = make_ensemble
    adapting: Adapting = adapting
    warm_refiner: Callable[[str], None] = warm_refiner
    assess: Callable[[Prediction, Image, Progress], Assessment] = assess
    start_session: Callable[[Image, Path, Proposal, Mapping[str, Any], str], ReviewSession] = start_session
    resume_session: Callable[[Image, Path, str], tuple[ReviewSession, Mapping[str, Any]]] = resume_session
    write_rtstruct: Callable[[Sequence[Structure], DicomSeries, Path, str], Sequence[str]] = write_rtstruct
    write_seg: Callable[[Sequence[Structure], DicomSeries, Path, Origin], Sequence[str]] = write_seg
    no_seg: Callable[[], str] = no_seg
    sample_folder: Callable[[], Path] = sample_folder
