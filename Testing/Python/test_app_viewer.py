"""What real slice views show of a review, drawn into memory."""

from __future__ import annotations

from collections.abc import Callable

import fixtures_app as head
import numpy as np
import pytest
from fixtures_views import (  # noqa: F401 - fixtures
    a_reviewed_scan,
    a_slicer_app,
    a_viewer,
    a_workflow,
    coloured_pixels,
    cyan_pixels,
    leave,
    nodes_of,
    picture,
    plane_of,
    view_of,
)
from trame_slicer.core import SlicerApp

from TumorSegRobustLib.app.viewer import Viewer
from TumorSegRobustLib.app.viewports import place_of
from TumorSegRobustLib.image import Geometry, Image
from TumorSegRobustLib.scene import volume_to_image
from TumorSegRobustLib.workflow import Workflow


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
