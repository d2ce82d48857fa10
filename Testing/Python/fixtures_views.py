"""Slicer's slice views, drawn into memory, with a workflow behind them; what a test does and sees there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fixtures_app as head
import numpy as np
import pytest
from slicer import vtkMRMLNode
from trame_slicer.core import SlicerApp
from trame_slicer.views import DirectViewFactory, SliceView, ViewLayoutDefinition
from trame_slicer.views.render_scheduler import NoScheduleRendering

from TumorSegRobustLib.app.viewer import Viewer
from TumorSegRobustLib.scene import segment_to_mask, show_in_slices
from TumorSegRobustLib.workflow import Workflow

SIZE = (400, 300)


@pytest.fixture(name="workflow")
def a_workflow(tmp_path: Path) -> Iterator[Workflow]:
    flow = Workflow(work_folder=tmp_path, background=False, rooms=head.toy_rooms())
    yield flow
    flow.close()


@pytest.fixture(scope="module", name="slicer_app")
def a_slicer_app() -> SlicerApp:
    """Slicer with three slice views that draw into memory; making it takes longer than a test."""
    app = SlicerApp()
    app.view_manager.register_factory(DirectViewFactory(do_render_offscreen=True))
    for definition in (
        ViewLayoutDefinition.axial_view(),
        ViewLayoutDefinition.coronal_view(),
        ViewLayoutDefinition.sagittal_view(),
    ):
        view = app.view_manager.create_view(definition)
        view.interactor().UpdateSize(*SIZE)
        view.set_scheduled_render(NoScheduleRendering())  # drawn when a test looks, not at every event
    return app


@pytest.fixture(name="viewer")
def a_viewer(slicer_app: SlicerApp, workflow: Workflow) -> Iterator[Viewer]:
    """A viewer on views that show nothing yet; surfaces follow at once."""
    viewer = Viewer(slicer_app, workflow)
    viewer.adopt_views()
    yield viewer
    leave(viewer)


def leave(viewer: Viewer) -> None:
    """Close the viewer and take its nodes out of the scene."""
    viewer.close()
    show_in_slices(viewer.app.scene, None)
    for kind in ("Segmentation", "Model", "MarkupsFiducial", "ScalarVolume"):
        for node in nodes_of(viewer.app, kind):
            viewer.app.scene.RemoveNode(node)


def nodes_of(app: SlicerApp, kind: str) -> list[vtkMRMLNode]:
    """Nodes of a class, by the middle of its name, without the hidden ones that views keep for themselves."""
    name = f"vtkMRML{kind}Node"
    nodes = [app.scene.GetNthNodeByClass(n, name) for n in range(app.scene.GetNumberOfNodesByClass(name))]
    return [node for node in nodes if not node.GetHideFromEditors()]


@pytest.fixture(name="reviewed")
def a_reviewed_scan(workflow: Workflow, viewer: Viewer) -> Viewer:
    """The head is open and segmented."""
    workflow.open_image(head.a_head())
    workflow.segment()
    return viewer


def view_of(viewer: Viewer, orientation: str) -> SliceView:
    return next(v for v in viewer.app.view_manager.get_slice_views() if v.get_orientation() == orientation)


def pixel_of(view: SliceView, position_mm: tuple[float, float, float]) -> tuple[int, int]:
    """The pixel that shows an LPS position; the position must lie on the view's plane."""
    matrix = view.get_view_node().GetXYToRAS()
    to_xy = type(matrix)()
    to_xy.DeepCopy(matrix)
    to_xy.Invert()
    x, y, z, _ = to_xy.MultiplyPoint((-position_mm[0], -position_mm[1], position_mm[2], 1.0))
    assert abs(z) < 1.0, "the view shows another slice"
    return round(x), round(y)


def plane_of(viewer: Viewer, orientation: str) -> tuple[float, float, float]:
    """LPS mm in the middle of a view."""
    return viewer.tool_of(view_of(viewer, orientation)).position_at(SIZE[0] / 2, SIZE[1] / 2)


def press(
    view: SliceView, start: tuple[int, int], stop: tuple[int, int] | None = None, *, shift: bool = False
) -> None:
    """Left button down at `start`, up at `stop` (default: the same pixel)."""
    interactor = view.interactor()
    interactor.SetShiftKey(shift)
    interactor.SetEventPosition(*start)
    interactor.InvokeEvent("MouseMoveEvent")
    interactor.InvokeEvent("LeftButtonPressEvent")
    if stop is not None:
        interactor.SetEventPosition(*stop)
        interactor.InvokeEvent("MouseMoveEvent")
    interactor.InvokeEvent("LeftButtonReleaseEvent")
    interactor.SetShiftKey(False)


def segment_of(viewer: Viewer) -> np.ndarray:
    return segment_to_mask(viewer.binding.segmentation, viewer.binding.segment_id, head.GEOMETRY)


def voxel_at(mask: np.ndarray, position_mm: tuple[float, float, float]) -> bool:
    return bool(mask[head.GEOMETRY.index_of(position_mm)])


def picture(view: SliceView) -> np.ndarray:
    """(rows, columns, 3) int16 of the view as it is drawn now."""
    from vtk.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkRenderingCore import vtkWindowToImageFilter

    view.render()
    grab = vtkWindowToImageFilter()
    grab.SetInput(view.render_window())
    grab.ReadFrontBufferOff()
    grab.Update()
    data = grab.GetOutput()
    columns, rows, _ = data.GetDimensions()
    pixels = vtk_to_numpy(data.GetPointData().GetScalars()).reshape(rows, columns, -1)[..., :3]
    return pixels.astype(np.int16)


def cyan_pixels(view: SliceView) -> int:
    red, green, blue = np.moveaxis(picture(view), -1, 0)
    return int(((green - red > 60) & (blue - red > 60)).sum())


def coloured_pixels(pixels: np.ndarray) -> int:
    return int((pixels.max(axis=-1) - pixels.min(axis=-1) > 30).sum())
