"""A small scan with one bright tumour, networks that see it, and a workflow in a folder of the test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from TumorSegRobustLib.image import DicomSeries, Geometry, Image
from TumorSegRobustLib.inference import Prediction
from TumorSegRobustLib.progress import Progress
from TumorSegRobustLib.workflow import Rooms, State, Workflow
from TumorSegRobustLib.workflow.rooms import Structure

GEOMETRY = Geometry((20, 24, 28), (2.0, 2.0, 2.0), (-30.0, -20.0, 10.0))
TUMOUR_KJI, OTHER_KJI, AIR_KJI = (10, 12, 8), (10, 12, 20), (1, 1, 1)
RADIUS_VOXELS = 4.0
PATIENCE_S = 30.0
DISAGREE = "the networks disagree at the back of the tumour"


def at(kji: tuple[int, int, int]) -> tuple[float, float, float]:
    """LPS mm of a voxel."""
    x, y, z = GEOMETRY.position_of(kji)
    return float(x), float(y), float(z)


def ball(centre: tuple[int, int, int], radius: float = RADIUS_VOXELS) -> np.ndarray:
    grid = np.moveaxis(np.indices(GEOMETRY.shape), 0, -1)
    return np.linalg.norm(grid - np.array(centre), axis=-1) < radius


def a_scan(seed: int = 0) -> Image:
    """Grey with two bright balls: the networks see the first one only."""
    noise = np.random.default_rng(seed).normal(0, 2, GEOMETRY.shape)
    bright = ball(TUMOUR_KJI) | ball(OTHER_KJI, 3.0)
    return Image((100 + 100 * bright + noise).astype(np.float32), GEOMETRY, "FLAIR")


@dataclass(frozen=True)
class Judged:
    """The part of `trust.Assessment` that the workflow uses."""

    entropy: np.ndarray
    mutual_information: np.ndarray
    disagreement: np.ndarray
    volume_ml: float
    level: str = "review"
    reasons: tuple[str, ...] = (DISAGREE,)
    predicted_dice: float = 0.87
    interval: tuple[float, float] = (0.78, 0.93)
    shift: dict[str, Any] = field(default_factory=lambda: {"score": 0.1, "level": "low", "factors": []})

    def to_json(self) -> dict[str, Any]:
        lesions = [{"volume_ml": self.volume_ml, "centre_lps_mm": list(at(TUMOUR_KJI))}]
        return {"lesions": lesions if self.volume_ml else []}


def judge(prediction: Prediction, level: str = "review") -> Judged:
    p = np.clip(prediction.probability, 1e-6, 1 - 1e-6)
    entropy = (-p * np.log(p) - (1 - p) * np.log(1 - p)).astype(np.float32)
    return Judged(entropy, entropy / 2, entropy / 4, prediction.volume_ml, level)


class Networks:
    """Give the tumour's ball. `gate` holds them back; `heard`: what they saw; `error`: raised instead."""

    def __init__(self, gated: bool = False) -> None:
        self.gate = threading.Event()
        if not gated:
            self.gate.set()
        self.begun = threading.Event()
        self.warmed = 0
        self.heard: list[Any] = []
        self.error: Exception | None = None
        self.core: np.ndarray | None = None

    def warm_up(self) -> None:
        self.warmed += 1

    def predict(self, image: Image | dict[str, Image], progress: Progress | None = None) -> Prediction:
        assert progress is not None
        self.heard.append(image)
        progress.report(0.5, "Model 1 of 2")
        self.begun.set()
        while not self.gate.wait(0.01):
            progress.check()
        progress.check()
        if self.error is not None:
            raise self.error
        probability = np.where(ball(TUMOUR_KJI), 0.9, 0.01).astype(np.float32)
        members = np.stack([probability, probability]).astype(np.float16)
        package = {"id": "toy", "version": "1.2.3", "sha256": "0" * 64, "licence": "Apache-2.0"}
        seconds = {"networks": 0.1}
        return Prediction(
            GEOMETRY, probability, members, package, "cpu", "toy", seconds, 100.0, core=self.core
        )


@dataclass
class Desk:
    """A workflow, its networks, and everything it has told."""

    workflow: Workflow
    networks: Networks
    folder: Path
    states: list[State] = field(default_factory=list)
    contours: list[tuple[Any, Any]] = field(default_factory=list)
    written: list[tuple[Any, ...]] = field(default_factory=list)

    @property
    def state(self) -> State:
        return self.workflow.state

    def does(self, command: Callable[..., None], *arguments: Any) -> State:
        """The state after a command is done."""
        command(*arguments)
        assert self.workflow.wait(PATIENCE_S)
        return self.state

    def opened(self, image: Image | None = None, series: DicomSeries | None = None) -> Desk:
        self.does(self.workflow.open_image, image or a_scan(), series)
        return self

    def segmented(self) -> Desk:
        self.opened().does(self.workflow.segment)
        return self


def a_desk(folder: Path, gated: bool = False, level: str = "review", **options: Any) -> Desk:
    networks = Networks(gated)
    written: list[tuple[Any, ...]] = []

    def write(structures: Sequence[Structure], series: Any, out: Path, about: str) -> list[str]:
        written.extend((s.mask, series, s.name, s.algorithm, about) for s in structures)
        out.write_bytes(b"DICM")
        return []

    rooms = Rooms(
        make_ensemble=lambda *_: networks,
        assess=lambda prediction, *_: judge(prediction, level),
        write_rtstruct=write,
        list_packages=list,
    )
    options = {"background": False, "rooms": rooms, "work_folder": folder / "work", **options}
    desk = Desk(Workflow(**options), networks, folder, written=written)
    desk.workflow.changed.connect(desk.states.append)
    desk.workflow.contour_changed.connect(lambda mask, box: desk.contours.append((mask, box)))
    return desk


def a_series() -> DicomSeries:
    """What a scan that came from DICOM brings along; nothing here reads its files."""
    return DicomSeries("1.2.3", (), GEOMETRY)
