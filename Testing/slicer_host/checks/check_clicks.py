"""Single clicks: listed, looked at, moved, deleted; a click in a 3D view is answered."""

from __future__ import annotations

import numpy as np
import pytest
import vtk
from panel import CENTRE, MISSED, OUTSIDE, Panel, mouse_mode


def with_two_clicks(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("segmentButton")
    panel.press("includeButton")
    panel.place("include", MISSED)
    panel.press("excludeButton")
    panel.place("exclude", CENTRE)
    panel.press("excludeButton")


def lines(panel: Panel) -> list[str]:
    return [panel.ui.clickList.item(row).text() for row in range(panel.ui.clickList.count)]


def place_of(panel: Panel, index: tuple[int, int, int]) -> str:
    from TumorSegRobustLib.scene import place_in_words

    return place_in_words(panel.workflow.image.geometry.position_of(index))


def mark(panel: Panel, row: int) -> None:
    panel.ui.clickList.setCurrentRow(row)
    panel.ui.clickList.itemClicked.emit(panel.ui.clickList.item(row))


def test_clicks_are_listed_with_their_places_the_newest_first(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("segmentButton")
    assert not panel.shows("clickList")
    with_two_clicks(panel)
    assert lines(panel) == [f"− {place_of(panel, CENTRE)}", f"+ {place_of(panel, MISSED)}"]
    assert panel.ui.clickCountLabel.text == "2 clicks"
    assert panel.ui.clickList.currentRow == 0


def test_a_click_that_is_pressed_in_the_list_is_shown_in_the_slices(panel: Panel) -> None:
    with_two_clicks(panel)
    axial = panel.scene.AddNewNodeByClass("vtkMRMLSliceNode")
    axial.SetOrientationToAxial()
    crosshair = panel.scene.AddNewNodeByClass("vtkMRMLCrosshairNode")
    mark(panel, 1)
    x, y, z = panel.workflow.image.geometry.position_of(MISSED)
    assert axial.GetSliceOffset() == pytest.approx(z)
    assert crosshair.GetCrosshairRAS() == pytest.approx((-x, -y, z))
    panel.scene.RemoveNode(axial)


def test_a_click_is_moved_by_the_next_point(panel: Panel) -> None:
    with_two_clicks(panel)
    assert not panel.contour()[OUTSIDE]
    mark(panel, 1)
    panel.press("moveClickButton")
    assert panel.ui.toolLabel.text.startswith("Click in a slice where this click is to lie")
    assert mouse_mode(panel) == "Place"
    panel.place("move", OUTSIDE)
    assert panel.contour()[OUTSIDE]
    assert sorted(lines(panel)) == sorted([f"+ {place_of(panel, OUTSIDE)}", f"− {place_of(panel, CENTRE)}"])
    assert not panel.ui.moveClickButton.checked
    assert mouse_mode(panel) == "ViewTransform"


def test_moving_is_given_up_by_the_button_or_by_escape(panel: Panel) -> None:
    with_two_clicks(panel)
    before, listed = panel.contour(), lines(panel)
    for give_up in (lambda: panel.press("moveClickButton"), panel.widget.steps.correct.put_away):
        panel.press("moveClickButton")
        give_up()
        assert not panel.ui.moveClickButton.checked
        assert mouse_mode(panel) == "ViewTransform"
    np.testing.assert_array_equal(panel.contour(), before)
    assert lines(panel) == listed


def test_taking_a_tool_gives_up_moving_and_the_tool_comes_back_after_it(panel: Panel) -> None:
    with_two_clicks(panel)
    panel.press("moveClickButton")
    panel.press("includeButton")
    assert not panel.ui.moveClickButton.checked
    panel.press("moveClickButton")
    panel.place("move", OUTSIDE)
    assert panel.ui.includeButton.checked
    assert mouse_mode(panel) == "Place"
    panel.place("include", MISSED)
    assert panel.ui.clickCountLabel.text == "3 clicks"


def test_leaving_place_mode_in_slicers_way_gives_up_moving(panel: Panel) -> None:
    with_two_clicks(panel)
    panel.press("moveClickButton")
    panel.scene.GetNodeByID("vtkMRMLInteractionNodeSingleton").SwitchToViewTransformMode()
    assert not panel.ui.moveClickButton.checked
    assert panel.tool.moving is None


def test_a_click_moved_outside_the_scan_stays_where_it_was(panel: Panel) -> None:
    with_two_clicks(panel)
    before = lines(panel)
    panel.press("moveClickButton")
    panel.place("move", (6, 20, 60))
    assert "outside the scan" in panel.ui.errorLabel.text
    assert lines(panel) == before


def test_a_marked_click_stays_marked_while_others_are_made_elsewhere(panel: Panel) -> None:
    with_two_clicks(panel)
    mark(panel, 1)
    panel.press("undoButton")
    assert panel.ui.clickList.currentRow == 0
    panel.press("redoButton")
    assert panel.ui.clickList.currentRow == 0  # the newest, which has come back
    mark(panel, 1)
    panel.press("deleteClickButton")
    assert lines(panel) == [f"− {place_of(panel, CENTRE)}"]


# ------------------------------------------------ 3D views


class View:
    """The interactor of a 3D view, and a mouse."""

    def __init__(self) -> None:
        self.interactor = vtk.vtkRenderWindowInteractor()

    def click(self, drag: int = 0) -> None:
        self.interactor.SetEventInformation(100, 100)
        self.interactor.InvokeEvent("LeftButtonPressEvent")
        self.interactor.SetEventInformation(100 + drag, 100)
        self.interactor.InvokeEvent("LeftButtonReleaseEvent")


def test_a_click_in_a_3d_view_is_refused_in_words(panel: Panel) -> None:
    view = View()
    panel.widget.solids._find = lambda: [view.interactor]
    panel.widget.enter()
    with_two_clicks(panel)
    view.click()
    assert panel.ui.errorLabel.text == ""
    panel.press("includeButton")
    view.click(drag=30)  # turns the view
    assert panel.ui.errorLabel.text == ""
    view.click()
    assert panel.ui.errorLabel.text == "A place in the 3D view has no depth: click in one of the slices."
    assert panel.ui.clickCountLabel.text == "2 clicks"
    panel.press("includeButton")
    panel.press("moveClickButton")
    view.click()
    assert "has no depth" in panel.ui.errorLabel.text
    assert panel.ui.moveClickButton.checked
