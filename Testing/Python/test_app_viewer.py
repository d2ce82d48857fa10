"""Real mouse events in real slice views, drawn into memory: a click changes the contour where it was made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import fixtures_app as head
import numpy as np
import pytest
from slicer import vtkMRMLInteractionNode, vtkMRMLNode
from trame_slicer.core import SlicerApp
from trame_slicer.views import DirectViewFactory, SliceView, ViewLayoutDefinition
from trame_slicer.views.render_scheduler import NoScheduleRendering

from TumorSegRobustLib.app.viewer import Viewer
from TumorSegRobustLib.app.viewports import place_of
from TumorSegRobustLib.image import Geometry, Image
from TumorSegRobustLib.scene import segment_to_mask, show_in_slices, volume_to_image, window_of
from TumorSegRobustLib.workflow import Workflow

SIZE = (400, 300)


@pytest.fixture
def workflow(tmp_path: Path) -> Iterator[Workflow]:
    flow = Workflow(work_folder=tmp_path, background=False, rooms=head.toy_rooms())
    yield flow
    flow.close()


@pytest.fixture(scope="module")
def slicer_app() -> SlicerApp:
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


@pytest.fixture
def viewer(slicer_app: SlicerApp, workflow: Workflow) -> Iterator[Viewer]:
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


@pytest.fixture
def reviewed(workflow: Workflow, viewer: Viewer) -> Viewer:
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


# ------------------------------------------------ clicks


@pytest.mark.parametrize("orientation", ["Axial", "Coronal", "Sagittal"])
def test_include_click_adds_tumour_where_it_was_clicked(
    reviewed: Viewer, workflow: Workflow, orientation: str
) -> None:
    assert not voxel_at(segment_of(reviewed), head.SATELLITE_MM)
    reviewed.look_at(head.SATELLITE_MM)
    view = view_of(reviewed, orientation)
    workflow.set_tool("include")
    press(view, pixel_of(view, head.SATELLITE_MM))

    (click,) = workflow.state.clicks
    assert click.include
    pixel_mm = view.get_view_node().GetFieldOfView()[0] / SIZE[0]
    assert np.abs(np.subtract(click.position_mm, head.SATELLITE_MM)).max() <= max(pixel_mm, 1.5)
    assert voxel_at(segment_of(reviewed), head.SATELLITE_MM)
    assert np.array_equal(segment_of(reviewed), workflow.mask)


def test_exclude_click_takes_tumour_away_and_undo_brings_it_back(
    reviewed: Viewer, workflow: Workflow
) -> None:
    before = segment_of(reviewed)
    edge = (head.TUMOUR_MM[0] + 15.0, head.TUMOUR_MM[1], head.TUMOUR_MM[2])
    assert voxel_at(before, edge)
    view = view_of(reviewed, "Axial")
    workflow.set_tool("exclude")
    press(view, pixel_of(view, edge))
    assert not voxel_at(segment_of(reviewed), edge)
    assert workflow.state.volume_ml < before.sum() * head.GEOMETRY.voxel_ml

    workflow.undo()
    assert np.array_equal(segment_of(reviewed), before)
    workflow.redo()
    assert not voxel_at(segment_of(reviewed), edge)


def test_the_tool_stays_in_hand_until_it_is_put_away(reviewed: Viewer, workflow: Workflow) -> None:
    view = view_of(reviewed, "Axial")
    workflow.set_tool("include")
    for x in (190, 200, 210):
        press(view, (x, 150))
    assert len(workflow.state.clicks) == 3
    workflow.set_tool("none")
    press(view, (220, 150))
    assert len(workflow.state.clicks) == 3


def test_without_a_tool_a_click_looks_in_all_views(reviewed: Viewer, workflow: Workflow) -> None:
    axial = view_of(reviewed, "Axial")
    reviewed.look_at((0.0, 0.0, head.SATELLITE_MM[2]))
    press(axial, pixel_of(axial, head.SATELLITE_MM))
    assert workflow.state.clicks == ()
    assert plane_of(reviewed, "Sagittal")[0] == pytest.approx(head.SATELLITE_MM[0], abs=1.0)
    assert plane_of(reviewed, "Coronal")[1] == pytest.approx(head.SATELLITE_MM[1], abs=1.0)


def test_a_drag_is_no_click(reviewed: Viewer, workflow: Workflow) -> None:
    workflow.set_tool("include")
    press(view_of(reviewed, "Axial"), (200, 150), (230, 150))
    assert workflow.state.clicks == ()


def test_a_trembling_hand_clicks_where_it_pressed(reviewed: Viewer, workflow: Workflow) -> None:
    view = view_of(reviewed, "Axial")
    workflow.set_tool("include")
    press(view, (200, 150), (203, 148))
    (click,) = workflow.state.clicks
    assert click.position_mm == pytest.approx(reviewed.tool_of(view).position_at(200, 150))


def test_with_a_modifier_key_the_button_is_not_ours(reviewed: Viewer, workflow: Workflow) -> None:
    workflow.set_tool("include")
    press(view_of(reviewed, "Axial"), (200, 150), shift=True)
    assert workflow.state.clicks == ()


def test_a_click_beside_the_scan_is_refused_in_one_line(reviewed: Viewer, workflow: Workflow) -> None:
    view = view_of(reviewed, "Axial")
    workflow.set_tool("include")
    with pytest.raises(ValueError, match="outside the scan"):
        workflow.click(reviewed.tool_of(view).position_at(2, 2))
    assert "outside the scan" in workflow.state.error
    assert workflow.state.clicks == ()


def test_dragging_changes_the_grey_values_of_the_scan_under_the_uncertainty(reviewed: Viewer) -> None:
    reviewed.binding.show_overlay(True)
    before, over = window_of(reviewed.binding.volume), window_of(reviewed.binding.overlay)
    press(view_of(reviewed, "Axial"), (150, 150), (250, 180))
    assert window_of(reviewed.binding.volume) != before
    assert window_of(reviewed.binding.overlay) == over


def test_dragging_changes_grey_values_only_without_a_tool(reviewed: Viewer, workflow: Workflow) -> None:
    def window_after_drag() -> tuple[float, float]:
        press(view_of(reviewed, "Axial"), (150, 150), (250, 180))
        return window_of(reviewed.binding.volume)

    before = window_of(reviewed.binding.volume)
    workflow.set_tool("include")
    assert window_after_drag() == before
    workflow.set_tool("none")
    assert window_after_drag() != before
    node = reviewed.app.scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    assert node.GetCurrentInteractionMode() == vtkMRMLInteractionNode.AdjustWindowLevel


def test_clicks_are_marked_where_they_were_made(reviewed: Viewer, workflow: Workflow) -> None:
    workflow.click(head.SATELLITE_MM, True)
    workflow.click((0.0, 0.0, 0.0), False)
    nodes = {node.GetName(): node for node in nodes_of(reviewed.app, "MarkupsFiducial")}
    position = [0.0] * 3
    nodes["Include"].GetNthControlPointPositionWorld(0, position)
    assert position == pytest.approx([-head.SATELLITE_MM[0], -head.SATELLITE_MM[1], head.SATELLITE_MM[2]])
    assert nodes["Exclude"].GetNumberOfControlPoints() == 1
    workflow.undo()
    assert nodes["Exclude"].GetNumberOfControlPoints() == 0


# ------------------------------------------------ what the views show


def test_views_jump_to_the_tumour_after_segment(reviewed: Viewer) -> None:
    for orientation, axis in (("Axial", 2), ("Coronal", 1), ("Sagittal", 0)):
        assert plane_of(reviewed, orientation)[axis] == pytest.approx(head.TUMOUR_MM[axis], abs=3.0)


def test_views_stay_where_they_are_after_a_click(reviewed: Viewer, workflow: Workflow) -> None:
    reviewed.look_at(head.SATELLITE_MM)
    workflow.click(head.SATELLITE_MM, True)
    assert view_of(reviewed, "Axial").get_slice_value() == pytest.approx(head.SATELLITE_MM[2], abs=0.1)


def test_contour_is_drawn_as_an_outline(reviewed: Viewer) -> None:
    display = reviewed.binding.segmentation.GetDisplayNode()
    assert display.GetVisibility2DOutline()
    assert not display.GetVisibility2DFill()
    assert cyan_pixels(view_of(reviewed, "Axial")) > 50


def test_no_contour_is_drawn_before_segment(workflow: Workflow, viewer: Viewer) -> None:
    workflow.open_image(head.a_head())
    assert cyan_pixels(view_of(viewer, "Axial")) == 0


def test_uncertainty_is_drawn_only_when_it_is_switched_on(reviewed: Viewer) -> None:
    axial = view_of(reviewed, "Axial")
    plain = picture(axial)
    assert coloured_pixels(plain) < 700  # the contour and the crosshair
    reviewed.binding.show_overlay(True, opacity=0.8, percentile=(20, 99))
    shown = coloured_pixels(picture(axial))
    assert shown > coloured_pixels(plain) + 500
    reviewed.binding.show_overlay(percentile=(90, 99))
    assert coloured_pixels(picture(axial)) < shown
    reviewed.binding.show_overlay(False)
    assert np.array_equal(picture(axial), plain)


def test_every_kind_of_uncertainty_is_drawn(reviewed: Viewer, workflow: Workflow) -> None:
    for kind in workflow.state.overlay_kinds:
        reviewed.binding.show_overlay(True, kind=kind)
        values, _, _ = workflow.overlay(kind)
        assert np.array_equal(volume_to_image(reviewed.binding.overlay).voxels, values), kind
        assert coloured_pixels(picture(view_of(reviewed, "Axial"))) > 700, kind


def test_uncertainty_follows_the_clicks(reviewed: Viewer, workflow: Workflow) -> None:
    reviewed.binding.show_overlay(True)
    workflow.click(head.SATELLITE_MM, True)
    values, _, _ = workflow.overlay()
    assert np.array_equal(volume_to_image(reviewed.binding.overlay).voxels, values)


def test_a_contour_from_nothing_covers_nothing(workflow: Workflow, viewer: Viewer) -> None:
    workflow.open_image(head.a_head())
    viewer.binding.show_overlay(True)
    workflow.start_empty()
    assert coloured_pixels(picture(view_of(viewer, "Axial"))) == 0


def test_surface_holds_the_tumour_only(reviewed: Viewer) -> None:
    bounds = np.array(reviewed.binding.surface.GetPolyData().GetBounds()).reshape(3, 2)
    x, y, z = head.TUMOUR_MM
    assert bounds.mean(axis=1) == pytest.approx([-x, -y, z], abs=1.5)
    assert (bounds[:, 1] - bounds[:, 0]) == pytest.approx([2 * head.RADIUS_MM] * 3, abs=4.0)


def test_surface_waits_for_a_pause_when_it_may(slicer_app: SlicerApp, workflow: Workflow) -> None:
    waiting: list[Callable[[], None]] = []

    class Handle:
        def __init__(self, call: Callable[[], None]) -> None:
            self.call = call
            waiting.append(call)

        def cancel(self) -> None:
            waiting.remove(self.call)

    viewer = Viewer(slicer_app, workflow, later=lambda _seconds, call: Handle(call))
    workflow.open_image(head.a_head())
    workflow.start_empty()
    workflow.click(head.TUMOUR_MM, True)
    workflow.click(head.SATELLITE_MM, True)
    assert len(waiting) == 1
    assert viewer.binding.surface.GetPolyData().GetNumberOfPoints() == 0
    waiting[0]()
    assert viewer.binding.surface.GetPolyData().GetNumberOfPoints() > 0
    leave(viewer)


def test_another_scan_clears_what_belonged_to_the_first(reviewed: Viewer, workflow: Workflow) -> None:
    reviewed.binding.show_overlay(True)
    workflow.click(head.SATELLITE_MM, True)
    other = Image(
        np.random.default_rng(0).random((20, 30, 30)).astype(np.float32), Geometry((20, 30, 30)), "other"
    )
    workflow.open_image(other)
    assert nodes_of(reviewed.app, "Segmentation") == nodes_of(reviewed.app, "Model") == []
    assert len(nodes_of(reviewed.app, "ScalarVolume")) == 1
    assert [node.GetNumberOfControlPoints() for node in nodes_of(reviewed.app, "MarkupsFiducial")] == [0, 0]
    assert reviewed.binding.volume.GetName() == "other"
    assert cyan_pixels(view_of(reviewed, "Axial")) == 0


def test_patient_left_is_on_the_right_of_axial_and_coronal_views(workflow: Workflow, viewer: Viewer) -> None:
    workflow.open_image(head.a_head())
    expected = {"Axial": "RLAP", "Coronal": "RLSI", "Sagittal": "APSI"}
    for orientation, letters in expected.items():
        place = place_of(view_of(viewer, orientation))
        assert "".join(place[side] for side in ("left", "right", "top", "bottom")) == letters


@pytest.mark.parametrize("orientation", ["Axial", "Coronal", "Sagittal"])
def test_letters_tell_the_truth_about_the_picture(
    workflow: Workflow, viewer: Viewer, orientation: str
) -> None:
    workflow.open_image(head.a_head())
    view = view_of(viewer, orientation)
    tool = viewer.tool_of(view)
    place = place_of(view)
    axis_of = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "S": (2, 1), "I": (2, -1)}  # LPS
    for side, start, stop in (("right", (0, 150), (399, 150)), ("top", (200, 0), (200, 299))):
        way = np.subtract(tool.position_at(*stop), tool.position_at(*start))
        axis, sign = axis_of[place[side]]
        assert np.argmax(np.abs(way)) == axis
        assert np.sign(way[axis]) == sign


def test_the_slice_position_is_told_in_patient_directions(reviewed: Viewer) -> None:
    reviewed.look_at(head.TUMOUR_MM)
    assert place_of(view_of(reviewed, "Sagittal"))["offset"] == "L 33.0 mm"
    assert place_of(view_of(reviewed, "Axial"))["offset"] == "S 12.0 mm"
    assert place_of(view_of(reviewed, "Coronal"))["offset"] == "A 21.0 mm"


# ------------------------------------------------ looking at pictures


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


# ------------------------------------------------ segments, the brush, single clicks


def test_a_drag_with_the_brush_is_one_stroke(reviewed: Viewer, workflow: Workflow) -> None:
    reviewed.look_at(head.SATELLITE_MM)
    view = view_of(reviewed, "Axial")
    before = workflow.mask
    workflow.set_tool("paint")
    workflow.set_brush(6.0)
    start = pixel_of(view, head.SATELLITE_MM)
    stop = start[0] + 40, start[1]
    press(view, start, stop)
    tool = reviewed.tool_of(view)
    for pixel in (start, ((start[0] + stop[0]) / 2, start[1]), stop):
        assert voxel_at(workflow.mask, tool.position_at(*pixel)), "the way is painted, not only its ends"
    assert workflow.state.clicks == ()
    assert np.array_equal(segment_of(reviewed), workflow.mask)
    workflow.set_tool("erase")
    press(view, stop, start)
    assert np.array_equal(workflow.mask, before)
    workflow.undo()
    workflow.undo()
    assert "undo" not in workflow.state.can


def test_without_a_brush_a_drag_paints_nothing(reviewed: Viewer, workflow: Workflow) -> None:
    before = workflow.mask
    for tool in ("include", "none"):
        workflow.set_tool(tool)
        press(view_of(reviewed, "Axial"), (200, 150), (230, 150))
    assert workflow.mask is before


def test_a_click_goes_into_the_segment_that_was_chosen(reviewed: Viewer, workflow: Workflow) -> None:
    before = workflow.mask
    workflow.add_segment("GTVn")
    reviewed.look_at(head.SATELLITE_MM)
    view = view_of(reviewed, "Axial")
    workflow.set_tool("include")
    press(view, pixel_of(view, head.SATELLITE_MM))
    assert voxel_at(segment_of(reviewed), head.SATELLITE_MM)
    assert np.array_equal(workflow.masks[1], before)


def test_a_click_is_moved_by_the_next_click_in_a_slice(reviewed: Viewer, workflow: Workflow) -> None:
    workflow.click((0.0, 0.0, 12.0), True)
    reviewed.look_at(head.SATELLITE_MM)
    view = view_of(reviewed, "Axial")
    reviewed.move_next(workflow.state.click_numbers[0])
    press(view, pixel_of(view, head.SATELLITE_MM))
    (click,) = workflow.state.clicks
    assert np.abs(np.subtract(click.position_mm, head.SATELLITE_MM)).max() < 3.0
    assert voxel_at(workflow.mask, head.SATELLITE_MM)
    assert not voxel_at(workflow.mask, (0.0, 0.0, 12.0))
    press(view, (200, 150))
    assert len(workflow.state.clicks) == 1, "once; after it a click looks, as without a tool"


def test_taking_a_tool_forgets_that_a_click_was_to_be_moved(reviewed: Viewer, workflow: Workflow) -> None:
    workflow.click((0.0, 0.0, 12.0), True)
    reviewed.move_next(workflow.state.click_numbers[0])
    workflow.set_tool("include")
    press(view_of(reviewed, "Axial"), (200, 150))
    assert len(workflow.state.clicks) == 2


def test_a_click_in_the_3d_view_is_refused_in_one_line_and_a_drag_is_not(
    slicer_app: SlicerApp, workflow: Workflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = slicer_app.view_manager.create_view(ViewLayoutDefinition.threed_view())
    view.interactor().UpdateSize(*SIZE)
    view.set_scheduled_render(NoScheduleRendering())
    refused: list[str] = []
    monkeypatch.setattr(workflow, "refuse", refused.append)
    viewer = Viewer(slicer_app, workflow)
    viewer.adopt_views()
    workflow.open_image(head.a_head())
    workflow.segment()
    press(view, (200, 150))
    workflow.set_tool("include")
    press(view, (200, 150), (240, 150))
    assert refused == [], "turning the view is no click, nor is a click without a tool"
    press(view, (200, 150))
    assert refused == ["A place in the 3D view has no depth: click in one of the slices."]
    assert workflow.state.clicks == ()
    leave(viewer)


def test_the_next_place_is_shown_in_all_views(reviewed: Viewer, workflow: Workflow) -> None:
    place = workflow.state.places[0]
    workflow.next_place()
    for orientation in ("Axial", "Coronal", "Sagittal"):
        pixel = pixel_of(view_of(reviewed, orientation), place.position_mm)
        seen = reviewed.tool_of(view_of(reviewed, orientation)).position_at(*pixel)
        assert seen == pytest.approx(place.position_mm, abs=2.0)
