"""Segments and single clicks on the panel; painting in Slicer's own editor."""

from __future__ import annotations

import numpy as np
from panel import CENTRE, MISSED, OUTSIDE, Panel, ball


def names(combo: object) -> list[str]:
    return [combo.itemText(n).split(" (")[0] for n in range(combo.count)]  # type: ignore[attr-defined]


def listed(panel: Panel) -> list[str]:
    """The lines of the list of clicks."""
    return [panel.ui.clickList.item(row).text() for row in range(panel.ui.clickList.count)]


def add(panel: Panel, name: str) -> None:
    panel.ui.segmentEdit.text = name
    panel.press("addSegmentButton")


def choose(panel: Panel, number: int) -> None:
    panel.ui.segmentSelector.setCurrentIndex(number)
    panel.ui.segmentSelector.activated.emit(number)
    panel.settle()


def test_a_segment_is_added_by_name_and_receives_the_clicks(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("segmentButton")
    proposed = panel.contour()
    add(panel, "GTVn")
    assert names(panel.ui.segmentSelector) == ["GTVp", "GTVn"]
    assert panel.ui.segmentSelector.currentText.startswith("GTVn (0.0 ml)")
    assert panel.ui.segmentEdit.text == ""
    panel.press("includeButton")
    panel.place("include", OUTSIDE)
    assert panel.contour()[OUTSIDE]
    assert panel.ui.volumeLabel.text == f"Volume {panel.state.volume_ml:.1f} ml"
    choose(panel, 0)
    np.testing.assert_array_equal(panel.contour(), proposed)


def test_enter_in_the_field_adds_a_segment_and_each_is_listed_in_its_colour(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("segmentButton")
    panel.ui.segmentEdit.text = "GTVn"
    panel.ui.segmentEdit.returnPressed.emit()
    panel.settle()
    for row, segment in enumerate(panel.state.segments):
        pixel = panel.ui.segmentSelector.itemIcon(row).pixmap(12, 12).toImage().pixelColor(6, 6)
        assert (pixel.red(), pixel.green(), pixel.blue()) == segment.colour


def test_a_point_in_a_locked_segment_is_refused_until_it_is_unlocked(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("segmentButton")
    add(panel, "GTVn")
    panel.press("includeButton")
    panel.place("include", CENTRE)
    assert "belongs to GTVp, which is locked" in panel.ui.errorLabel.text
    choose(panel, 0)
    assert panel.ui.lockCheckBox.checked
    panel.press("lockCheckBox")
    choose(panel, 1)
    panel.place("include", CENTRE)
    assert panel.contour()[CENTRE]
    assert not panel.workflow.masks[1][CENTRE]


def test_segments_are_renamed_and_removed_but_for_the_first(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("segmentButton")
    assert not panel.ui.removeSegmentButton.enabled
    add(panel, "GTVn")
    panel.ui.segmentEdit.text = "GTVn_L"
    panel.press("renameSegmentButton")
    assert names(panel.ui.segmentSelector) == ["GTVp", "GTVn_L"]
    panel.press("removeSegmentButton")
    assert names(panel.ui.segmentSelector) == ["GTVp"]
    panel.press("undoButton")
    assert names(panel.ui.segmentSelector) == ["GTVp", "GTVn_L"]


def test_the_structure_is_called_like_the_first_segment_unless_another_name_was_typed(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("segmentButton")
    assert panel.ui.structureEdit.text == "GTVp"
    for typed, shown in (("GTVp_brain", "GTVp_brain"), ("GTVp_L", "GTVp_L")):
        panel.ui.segmentEdit.text = typed
        panel.press("renameSegmentButton")
        assert panel.ui.structureEdit.text == shown
    panel.ui.structureEdit.setText("PTV")
    panel.press("undoButton")
    assert panel.ui.structureEdit.text == "PTV"


def test_a_name_that_is_taken_is_refused_in_one_line(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("segmentButton")
    add(panel, "gtvp")
    assert "a segment called GTVp already" in panel.ui.errorLabel.text


def test_the_chosen_click_is_deleted_as_if_it_had_never_been_made(panel: Panel) -> None:
    from TumorSegRobustLib.scene import place_in_words

    panel.open_phantom()
    panel.press("segmentButton")
    proposed = panel.contour()
    assert not panel.shows("deleteClickButton")
    panel.press("includeButton")
    panel.place("include", MISSED)
    panel.place("include", OUTSIDE)
    first, second = (place_in_words(click.position_mm) for click in panel.state.clicks)
    assert listed(panel) == [f"+ {second}", f"+ {first}"]
    panel.ui.clickList.setCurrentRow(1)
    panel.press("deleteClickButton")
    assert panel.contour()[OUTSIDE]
    assert listed(panel) == [f"+ {second}"]
    panel.press("deleteClickButton")
    assert not panel.shows("clickList")
    np.testing.assert_array_equal(panel.contour(), proposed)


def test_a_stroke_of_slicers_segment_editor_is_a_step_of_the_review(panel: Panel) -> None:
    from TumorSegRobustLib.scene import mask_to_segment

    panel.open_phantom()
    panel.press("segmentButton")
    proposed = panel.contour()
    geometry = panel.workflow.image.geometry
    mask_to_segment(panel.binding.segmentation, panel.binding.segment_id, ball(), geometry)
    panel.settle()
    np.testing.assert_array_equal(panel.workflow.mask, ball())
    panel.press("undoButton")
    np.testing.assert_array_equal(panel.contour(), proposed)


def test_no_points_are_placed_in_3d_views(panel: Panel) -> None:
    from TumorSegRobustDesktop.place_tool import PlaceTool

    slices = panel.scene.AddNewNodeByClass("vtkMRMLSliceNode")
    solid = panel.scene.AddNewNodeByClass("vtkMRMLViewNode")
    tool = PlaceTool(panel.scene, lambda *_: None, lambda *_: None, lambda: None)
    for name in ("include", "exclude", "move"):
        display = tool.node(name).GetDisplayNode()
        assert display.IsDisplayableInView(slices.GetID())
        assert not display.IsDisplayableInView(solid.GetID())
    later = panel.scene.AddNewNodeByClass("vtkMRMLSliceNode")  # another arrangement of views
    tool.choose("include")
    assert tool.node("include").GetDisplayNode().IsDisplayableInView(later.GetID())
    tool.close()
    for node in (slices, solid, later):
        panel.scene.RemoveNode(node)
