"""What the scan is, its further channels, what Segment will do, and series to choose from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import slicer
from panel import Panel, add_phantom, find_model
from series import write_series


def with_two_channels(panel: Panel) -> slicer.vtkMRMLScalarVolumeNode:
    """The model that takes FLAIR and T1c, the phantom, and a second volume of it, which is returned."""
    panel.choose("modelSelector", "two")
    second = add_phantom(panel.scene, "Contrast")
    slicer.util.arrayFromVolume(second)[:] += 7
    panel.open_phantom()
    return second


def row(panel: Panel, name: str) -> object:
    return panel.widget.steps.channels.selector(name)


def choose(panel: Panel, name: str, node: object) -> None:
    row(panel, name).setCurrentNode(node)
    panel.settle()


def test_a_model_of_one_channel_asks_for_nothing_more(panel: Panel) -> None:
    panel.open_phantom()
    assert panel.shows("scanLabel")
    assert not panel.shows("firstChannelSelector")
    assert not panel.shows("channelsFrame")
    assert not panel.shows("targetSelector")


@pytest.mark.parametrize("agrees", [False, True])
def test_a_licence_that_restricts_the_use_must_be_agreed_to(
    panel: Panel, monkeypatch: pytest.MonkeyPatch, agrees: bool
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        slicer.util, "confirmOkCancelDisplay", lambda text, *_: asked.append(text) or agrees  # type: ignore[func-returns-value]
    )
    panel.choose("modelSelector", "research")
    assert [text.startswith("The model research has the licence CC BY-NC 4.0.") for text in asked] == [True]
    wanted = "research" if agrees else "brain-mr"
    assert panel.ui.modelSelector.currentData == wanted
    assert panel.ui.licenceLabel.text.startswith(f"{wanted}, version 1.0")


def test_adaptation_is_off_until_it_is_asked_for(panel: Panel) -> None:
    panel.open_phantom()
    assert not panel.ui.adaptCheckBox.checked
    panel.press("adaptCheckBox")
    assert panel.state.adapt
    assert panel.ui.willHappenLabel.text.endswith("and longer while they adapt to the scan.")
    panel.workflow.choose_adaptation(False)
    panel.settle()
    assert not panel.ui.adaptCheckBox.checked


def test_the_line_says_what_will_happen(panel: Panel) -> None:
    assert not panel.shows("willHappenLabel")
    panel.open_phantom()
    assert panel.ui.willHappenLabel.text == (
        "image: 3 networks on the processor (CPU), about 4 s and 0.9 GB of memory."
    )


def test_a_further_channel_is_added_given_to_the_networks_and_removed(panel: Panel) -> None:
    second = with_two_channels(panel)
    assert panel.shows("channelsFrame")
    assert row(panel, "t1c").toolTip == "T1c: as t1c (may be left out)"
    choose(panel, "t1c", second)
    assert panel.state.channels == ("", "t1c")
    assert panel.ui.willHappenLabel.text.startswith("FLAIR and T1c: 3 networks")
    panel.press("segmentButton")
    given = panel.networks.images[-1]
    assert list(given) == ["flair", "t1c"]
    np.testing.assert_array_equal(given["t1c"].voxels, given["flair"].voxels + 7)
    choose(panel, "t1c", None)
    assert panel.state.channels == ("",)
    assert panel.contour().any()


def test_the_scan_itself_may_be_the_other_channel(panel: Panel) -> None:
    with_two_channels(panel)
    assert panel.ui.firstChannelSelector.currentData == "flair"
    panel.choose("firstChannelSelector", "t1c")
    assert [(one.name, one.first) for one in panel.state.inputs] == [("flair", False), ("t1c", True)]
    choose(panel, "flair", panel.scene.GetFirstNode("Contrast", "vtkMRMLScalarVolumeNode"))
    panel.press("segmentButton")
    assert sorted(panel.networks.images[-1]) == ["flair", "t1c"]


def test_another_scan_begins_without_further_channels(panel: Panel) -> None:
    second = with_two_channels(panel)
    choose(panel, "t1c", second)
    panel.ui.scanSelector.setCurrentNode(second)
    panel.settle()
    assert panel.state.channels == ("",)
    assert row(panel, "t1c").currentNode() is None


def test_a_volume_that_cannot_be_a_channel_is_refused_in_one_line(panel: Panel) -> None:
    with_two_channels(panel)
    choose(panel, "t1c", panel.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Nothing"))
    assert "Nothing holds no voxels" in panel.ui.errorLabel.text
    assert panel.state.channels == ("",)


def test_what_is_contoured_can_be_chosen_where_the_model_tells_the_core(panel: Panel) -> None:
    assert "tumour core" in find_model("two").outputs
    with_two_channels(panel)
    assert panel.shows("targetSelector")
    panel.choose("targetSelector", "tumour core")
    assert panel.state.target == "tumour core"
    panel.choose("modelSelector", "brain-mr")
    assert not panel.shows("targetSelector")


# ------------------------------------------------ DICOM series


def test_of_several_series_on_the_scan_s_grid_one_is_chosen(panel: Panel, tmp_path: Path) -> None:
    import qt

    panel.open_phantom()
    panel.press("segmentButton")
    before = panel.contour()
    image = panel.workflow.image
    write_series(tmp_path / "series", image)
    write_series(tmp_path / "series" / "again", image)
    qt.QFileDialog.answers.append(str(tmp_path / "series"))
    panel.press("seriesButton")
    assert panel.workflow.series is None
    assert panel.shows("seriesSelector")
    assert panel.ui.seriesSelector.count == 3
    assert panel.ui.seriesSelector.currentText == "Choose the series of this scan"
    panel.choose("seriesSelector", 1)
    assert len(panel.workflow.series.files) == 12
    assert panel.ui.seriesLabel.text == "MR phantom, 12 images"
    assert not panel.shows("seriesSelector")
    np.testing.assert_array_equal(panel.contour(), before)


def test_a_choice_of_series_is_forgotten_with_the_scan(panel: Panel, tmp_path: Path) -> None:
    import qt

    panel.open_phantom()
    for folder in ("series", "series/again"):
        write_series(tmp_path / folder, panel.workflow.image)
    qt.QFileDialog.answers.append(str(tmp_path / "series"))
    panel.press("seriesButton")
    panel.ui.scanSelector.setCurrentNode(add_phantom(panel.scene, "Second"))
    panel.settle()
    assert not panel.shows("seriesSelector")


def test_views_are_arranged_as_in_the_browser_panel(panel: Panel) -> None:
    from TumorSegRobustLib.scene import layout_of

    node = panel.scene.AddNewNodeByClass("vtkMRMLLayoutNode")
    for button, name in (("axialLargeButton", "Axial large"), ("fourUpButton", "Four-up")):
        panel.press(button)
        assert layout_of(panel.scene) == name
    panel.scene.RemoveNode(node)
