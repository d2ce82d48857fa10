"""The panel as a clinician handles it, and a phantom scan with networks that know half of its tumour."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import slicer
from TumorSegRobustDesktop.dependencies import Installer

SHAPE = (12, 40, 40)
CENTRE = (6, 20, 20)
MISSED = (6, 20, 28)  # in the tumour, outside what the networks find
OUTSIDE = (6, 5, 5)
SPACING_MM = (1.0, 1.0, 3.0)


def ball() -> np.ndarray:
    """The phantom's tumour: bool (k, j, i)."""
    k, j, i = np.indices(SHAPE)
    return 9 * (k - CENTRE[0]) ** 2 + (j - CENTRE[1]) ** 2 + (i - CENTRE[2]) ** 2 < 10**2


def add_phantom(scene: Any, name: str = "Phantom") -> Any:
    """A volume node with a bright ball in a textured background."""
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.SetSpacing(*SPACING_MM)
    j, i = np.indices(SHAPE)[1:]
    slicer.util.updateVolumeFromArray(node, (100.0 + 80.0 * ball() + (i + j) % 3).astype(np.float32))
    node.CreateDefaultDisplayNodes()
    return node


def a_model(name: str, *channels: str, licence: str = "CC BY 4.0") -> SimpleNamespace:
    """A model package as far as panels and workflow read it; without channels, it takes one image."""
    taken = [SimpleNamespace(name=c, required=False, description=f"as {c}") for c in channels or ("image",)]
    return SimpleNamespace(
        id=name,
        title=f"Title of {name}",
        version="1.0",
        licence=licence,
        channels=taken,
        first_channel=taken[0],
        outputs=("whole tumour", "tumour core") if channels else ("whole tumour",),
        calibration={},
    )


ONE = {name: a_model(name) for name in ("another", "brain-mr")}
MODELS = {
    **ONE,
    "two": a_model("two", "flair", "t1c"),
    "research": a_model("research", licence="CC BY-NC 4.0"),
}


def find_model(name: str | None) -> SimpleNamespace:
    return MODELS[name or "brain-mr"]


def a_forecast(_package: Any, device: str, _geometry: Any, _channels: Any) -> Any:
    from TumorSegRobustLib.inference.forecast import Forecast

    return Forecast("cpu" if device == "auto" else device, "openvino", 3, 4.0, 900.0, 8000.0)


class BallFinder:
    """Stands for the networks: finds the left half of the ball; waits before it answers when told to.

    gpu: that of the machine (`inference.devices.find_gpu`), to be set before a scan is opened. device: what
    they were built for.
    """

    def __init__(self) -> None:
        self.images: list[Any] = []  # what it was given
        self.gpu, self.device = ("", ""), ""
        self.go_on = threading.Event()
        self.go_on.set()

    def of(self, package: str | None, device: str) -> BallFinder:
        """The same finder as the networks of this package, on this device."""
        self.package, self.device = find_model(package), device
        return self

    def warm_up(self) -> None:
        """Nothing to load."""

    def predict(self, image: Any, progress: Any = None) -> Any:
        from TumorSegRobustLib.inference import Prediction

        self.images.append(image)
        progress.report(0.3, "Member 1 of 3")
        while not self.go_on.wait(0.01):
            progress.check()
        column = np.indices(SHAPE)[2]
        found = [ball() & (column < stop) for stop in (24, 24, 20)]  # the third member sees less
        members = np.stack([0.05 + 0.9 * part for part in found]).astype(np.float32)
        return Prediction(
            geometry=(image if not isinstance(image, dict) else next(iter(image.values()))).geometry,
            probability=members.mean(axis=0),
            members=members.astype(np.float16),
            package={"id": "ball-finder", "version": "1.0", "sha256": "0" * 64, "licence": "Apache-2.0"},
            device="cpu",
            backend="none",
            seconds={"predict": 0.0},
            peak_memory_mb=1.0,
        )


class Panel:
    """One panel of the module; `press` a button, `settle` until the work is done, look at `ui`."""

    def __init__(
        self, host: Any, module: Any, folder: Path, networks: BallFinder, installer: Installer | None = None
    ) -> None:
        self.host, self.folder, self.networks = host, folder, networks
        host.scene.Clear(0)
        self.view = host.scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
        from TumorSegRobustLib.workflow import Rooms
        from TumorSegRobustLib.workflow.rooms import start_session

        logic = module.TumorSegRobustLogic(
            work_folder=folder / "work",
            ensemble_factory=networks.of,
            rooms=Rooms(
                list_packages=lambda: list(MODELS.values()),
                find_package=find_model,
                forecast=a_forecast,
                find_gpu=lambda: networks.gpu,
                start_session=lambda *about: start_session(*about[:-1], "cpu"),
            ),
        )
        self.widget = host.open_panel(
            module, logic=logic, installer=installer or Installer(find=lambda name: name)
        )
        self.ui = self.widget.ui

    @property
    def scene(self) -> Any:
        return self.host.scene

    @property
    def workflow(self) -> Any:
        return self.widget.logic.workflow

    @property
    def binding(self) -> Any:
        return self.widget.logic.binding

    @property
    def state(self) -> Any:
        return self.workflow.state

    def choose(self, combo: str, data: Any) -> None:
        """Choose the entry of a list that stands for `data`, and wait until what it began is done."""
        widget = getattr(self.ui, combo)
        assert widget.enabled, f"{combo} is disabled"
        assert widget.findData(data) >= 0, f"{combo} has no entry for {data}"
        widget.setCurrentIndex(widget.findData(data))
        widget.activated.emit(widget.currentIndex)
        self.settle()

    def shows(self, name: str) -> bool:
        """Whether a widget is not hidden (it may lie in a step that is closed)."""
        return not getattr(self.ui, name).isHidden()

    def press(self, button: str) -> None:
        """Press an enabled button and wait until what it began is done."""
        widget = getattr(self.ui, button)
        assert widget.enabled, f"{button} is disabled: {widget.toolTip}"
        widget.click()
        self.settle()

    def settle(self, seconds: float = 20.0) -> None:
        """Until nothing is under way, and nothing that was put off for a moment either."""
        for _turn in range(2):
            assert self.workflow.wait(seconds, pump=self.breathe), "the work did not end"
            self.widget.mainThread.turn()

    def breathe(self) -> None:
        """Let Qt deliver what is waiting."""
        slicer.app.processEvents()

    def open_phantom(self) -> Any:
        node = add_phantom(self.scene)
        self.ui.scanSelector.setCurrentNode(node)
        self.settle()
        return node

    def place(self, tool: str, index: tuple[int, int, int]) -> None:
        """What Slicer's place mode does for a click on this voxel: add a point to the active list."""
        selection = self.scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
        active = self.scene.GetNodeByID(selection.GetActivePlaceNodeID())
        assert active is self.tool.node(tool)
        x, y, z = (float(value) for value in self.workflow.image.geometry.position_of(index))
        active.AddControlPointWorld(-x, -y, z)
        self.settle()

    @property
    def tool(self) -> Any:
        return self.widget.steps.correct.tool

    def contour(self) -> np.ndarray:
        """The segment in the scene as a mask on the scan's grid."""
        from TumorSegRobustLib.scene import segment_to_mask

        geometry = self.workflow.image.geometry
        return segment_to_mask(self.binding.segmentation, self.binding.segment_id, geometry)

    def close(self) -> None:
        self.networks.go_on.set()
        self.widget.cleanup()
        self.widget.parent.deleteLater()
        self.breathe()


def enabled_buttons(panel: Panel) -> set[str]:
    """Names of the command buttons that may be pressed now."""
    from TumorSegRobustDesktop.view import BUTTONS

    return {name for name in BUTTONS if getattr(panel.ui, name).enabled}


def mouse_mode(panel: Panel) -> str:
    """What Slicer's mouse does: "ViewTransform" (look around) or "Place"."""
    node = panel.scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    return str(node.GetInteractionModeAsString(node.GetCurrentInteractionMode()))
