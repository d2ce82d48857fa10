"""Real mouse events in real slice views, drawn into memory: a click changes the contour where it was made."""

from __future__ import annotations

import fixtures_app as head
import numpy as np
import pytest
from fixtures_views import (  # noqa: F401 - fixtures
    SIZE,
    a_reviewed_scan,
    a_slicer_app,
    a_viewer,
    a_workflow,
    leave,
    nodes_of,
    pixel_of,
    plane_of,
    press,
    segment_of,
    view_of,
    voxel_at,
)
from slicer import vtkMRMLInteractionNode
from trame_slicer.core import SlicerApp
from trame_slicer.views import ViewLayoutDefinition
from trame_slicer.views.render_scheduler import NoScheduleRendering

from TumorSegRobustLib.app.viewer import Viewer
from TumorSegRobustLib.scene import window_of
from TumorSegRobustLib.workflow import Workflow


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
