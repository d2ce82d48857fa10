"""Clicks through Slicer's place mode change the segment in the scene; the uncertainty lies over the scan."""

from __future__ import annotations

import numpy as np
from panel import CENTRE, MISSED, OUTSIDE, SPACING_MM, Panel, ball, mouse_mode

# ------------------------------------------------ correcting


def test_the_tools_switch_slicers_mouse_and_exclude_each_other(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("segmentButton")
    panel.press("includeButton")
    assert mouse_mode(panel) == "Place"
    panel.press("excludeButton")
    assert (panel.ui.includeButton.checked, panel.ui.excludeButton.checked) == (False, True)
    assert mouse_mode(panel) == "Place"
    panel.press("excludeButton")
    assert not panel.ui.excludeButton.checked
    assert mouse_mode(panel) == "ViewTransform"


def test_leaving_place_mode_in_slicers_way_puts_the_tool_away(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("emptyButton")
    panel.press("includeButton")
    panel.scene.GetNodeByID("vtkMRMLInteractionNodeSingleton").SwitchToViewTransformMode()
    assert not panel.ui.includeButton.checked
    assert panel.state.tool == "none"


def test_leaving_the_module_gives_the_mouse_back(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("emptyButton")
    panel.press("includeButton")
    panel.widget.exit()
    assert mouse_mode(panel) == "ViewTransform"


def test_a_placed_include_point_enlarges_the_segment(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("segmentButton")
    before = panel.contour()
    assert not before[MISSED]
    panel.press("includeButton")
    panel.place("include", MISSED)
    after = panel.contour()
    assert after[MISSED]
    assert after.sum() > before.sum()
    assert (after & ball()).sum() > (before & ball()).sum()
    assert panel.ui.clickCountLabel.text == "1 click"
    assert panel.tool.node("include").GetNumberOfControlPoints() == 0


def test_a_placed_exclude_point_takes_its_voxel_out(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("segmentButton")
    assert panel.contour()[CENTRE]
    panel.press("excludeButton")
    panel.place("exclude", CENTRE)
    assert not panel.contour()[CENTRE]


def test_undo_and_redo_go_through_the_clicks_bit_for_bit(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("segmentButton")
    proposed = panel.contour()
    panel.press("includeButton")
    panel.place("include", MISSED)
    clicked = panel.contour()
    panel.press("undoButton")
    np.testing.assert_array_equal(panel.contour(), proposed)
    assert not panel.ui.undoButton.enabled
    panel.press("redoButton")
    np.testing.assert_array_equal(panel.contour(), clicked)


def test_next_place_moves_the_views_and_says_why(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("emptyButton")
    assert not panel.ui.nextPlaceButton.enabled
    panel.press("segmentButton")
    places = panel.workflow.state.places
    assert not panel.shows("placeSelector")
    panel.press("nextPlaceButton")
    assert panel.shows("placeSelector")
    assert panel.ui.placeSelector.count == len(places)
    words = panel.ui.placeSelector.currentText
    assert words.lower().startswith(f"1. {places[0].reason} (".lower())


def test_a_point_outside_the_scan_is_refused_in_one_line(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("emptyButton")
    panel.press("includeButton")
    panel.place("include", (6, 20, 60))
    assert "outside the scan" in panel.ui.errorLabel.text
    assert not panel.contour().any()


def test_clicks_from_nothing_mark_what_they_say(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("emptyButton")
    panel.press("includeButton")
    panel.place("include", CENTRE)
    panel.press("excludeButton")
    panel.place("exclude", OUTSIDE)
    contour = panel.contour()
    assert contour[CENTRE]
    assert not contour[OUTSIDE]
    overlap = 2 * (contour & ball()).sum() / (contour.sum() + ball().sum())
    assert overlap > 0.8


def test_a_place_is_chosen_from_the_list_and_the_tumour_is_found_again(panel: Panel) -> None:
    panel.open_phantom()
    axial = panel.scene.AddNewNodeByClass("vtkMRMLSliceNode")
    axial.SetOrientationToAxial()
    panel.press("emptyButton")
    assert not panel.ui.tumourButton.enabled
    panel.press("segmentButton")
    panel.press("nextPlaceButton")
    last = len(panel.state.places)
    panel.choose("placeSelector", last)
    assert panel.state.place == last
    assert abs(axial.GetSliceOffset() - panel.state.places[-1].position_mm[2]) < 0.1
    axial.SetSliceOffset(-40.0)
    panel.press("tumourButton")
    middle = panel.workflow.image.geometry.position_of(CENTRE)[2]
    assert abs(axial.GetSliceOffset() - middle) <= SPACING_MM[2]
    panel.scene.RemoveNode(axial)


# ------------------------------------------------ uncertainty


def test_uncertainty_is_laid_over_the_scan_with_the_chosen_opacity(panel: Panel) -> None:
    node = panel.open_phantom()
    panel.press("segmentButton")
    panel.press("overlayCheckBox")
    assert panel.view.GetBackgroundVolumeID() == node.GetID()
    assert panel.view.GetForegroundVolumeID() == panel.binding.overlay.GetID()
    panel.ui.overlaySlider.value = 25
    assert panel.view.GetForegroundOpacity() == 0.25
    assert panel.shows("overlaySlider")
    panel.press("overlayCheckBox")
    assert panel.view.GetForegroundVolumeID() is None
    assert not panel.shows("overlaySlider")


def test_the_window_of_the_uncertainty_is_in_percentiles(panel: Panel) -> None:
    from TumorSegRobustLib.scene import window_of

    panel.open_phantom()
    panel.press("segmentButton")
    panel.press("overlayCheckBox")
    for low, high in ((50.0, 99.0), (20.0, 80.0)):
        panel.ui.overlayWindow.minimumValue, panel.ui.overlayWindow.maximumValue = low, high
        _, lowest, highest = panel.workflow.overlay("entropy", (low, high))
        np.testing.assert_allclose(window_of(panel.binding.overlay), (lowest, highest), rtol=1e-4, atol=1e-5)


def test_the_chosen_kind_of_uncertainty_is_drawn(panel: Panel) -> None:
    from TumorSegRobustLib.scene import volume_to_image

    panel.open_phantom()
    panel.press("segmentButton")
    panel.press("overlayCheckBox")
    for kind in ("disagreement", "mutual_information", "entropy"):
        panel.choose("overlayKindSelector", kind)
        drawn, values = volume_to_image(panel.binding.overlay).voxels, panel.workflow.overlay(kind)[0]
        np.testing.assert_array_equal(drawn, values)
        assert values.any()


def test_the_uncertainty_volume_is_not_offered_as_a_scan(panel: Panel) -> None:
    node = panel.open_phantom()
    panel.press("segmentButton")
    panel.press("overlayCheckBox")
    assert panel.ui.scanSelector.nodeCount() == 1
    assert panel.ui.scanSelector.currentNode() is node
