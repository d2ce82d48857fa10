"""Scenes that are saved and loaded, several scans in one, and the way to the Segment Editor and back."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import slicer
from panel import CENTRE, OUTSIDE, Panel, add_phantom, ball, enabled_buttons


def reviewed(panel: Panel) -> np.ndarray:
    """The phantom, segmented, with a second segment in which a click was made; all masks."""
    panel.open_phantom()
    panel.press("segmentButton")
    panel.ui.segmentEdit.text = "GTVn"
    panel.press("addSegmentButton")
    panel.press("includeButton")
    panel.place("include", OUTSIDE)
    panel.press("includeButton")
    return masks(panel)


def masks(panel: Panel) -> np.ndarray:
    """The segments in the scene, one after the other: (number, k, j, i)."""
    from TumorSegRobustLib.scene import segment_to_mask

    ids, node = panel.binding.segments.ids, panel.binding.segmentation
    geometry = panel.workflow.image.geometry
    return np.stack([segment_to_mask(node, ids[number], geometry) for number in sorted(ids)])


def save_and_load(panel: Panel, folder: Path, between: Callable[[], None] = lambda: None) -> None:
    assert panel.scene.WriteToMRB(str(folder / "scene.mrb"))
    panel.scene.Clear(0)
    assert panel.state.phase == "empty"
    between()
    assert panel.scene.ReadFromMRB(str(folder / "scene.mrb"))
    panel.settle()


def of_class(panel: Panel, kind: str) -> list[str]:
    scene, name = panel.scene, f"vtkMRML{kind}Node"
    return [scene.GetNthNodeByClass(n, name).GetName() for n in range(scene.GetNumberOfNodesByClass(name))]


# ------------------------------------------------ saved scenes


def test_a_loaded_scene_goes_on_with_its_unfinished_review(panel: Panel, tmp_path: Path) -> None:
    before = reviewed(panel)
    save_and_load(panel, tmp_path)
    assert panel.state.phase == "review"
    assert panel.ui.scanSelector.currentNode().GetName() == "Phantom"
    np.testing.assert_array_equal(masks(panel), before)
    assert panel.ui.segmentSelector.currentText.startswith("GTVn")
    assert panel.ui.clickList.count == 1
    assert of_class(panel, "Segmentation") == ["Tumour"]
    panel.press("undoButton")
    assert not panel.contour().any()


def test_the_parameter_node_tells_scan_package_journal_review_and_segment(panel: Panel) -> None:
    node = panel.ui.scanSelector.currentNode
    panel.choose("modelSelector", "another")
    reviewed(panel)
    kept = panel.widget.memory.parameters
    assert kept.GetNodeReference("Scan") is node()
    journal = panel.workflow.session.journal_path
    values = {key: kept.GetParameter(key) for key in ("Package", "Journal", "Review", "Segment")}
    named = {"Package": "another", "Journal": f"journals/{journal.name}", "Review": journal.stem}
    assert values == {**named, "Segment": "2"}


def test_a_saved_scene_names_no_folder_of_the_computer(panel: Panel, tmp_path: Path) -> None:
    reviewed(panel)
    assert panel.scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    with zipfile.ZipFile(tmp_path / "scene.mrb") as archive:
        (scene,) = (name for name in archive.namelist() if name.endswith(".mrml"))
        text = archive.read(scene).decode("utf-8")
    assert "journals/" in text
    assert str(panel.folder) not in text


def test_a_loaded_scene_uses_the_package_it_was_saved_with(panel: Panel, tmp_path: Path) -> None:
    panel.choose("modelSelector", "another")
    panel.open_phantom()
    save_and_load(panel, tmp_path)
    assert panel.state.package == "another"
    assert panel.ui.modelSelector.currentData == "another"


def test_an_accepted_review_is_accepted_when_the_scene_is_loaded(panel: Panel, tmp_path: Path) -> None:
    reviewed(panel)
    panel.ui.readerEdit.text = "Dr Example"
    panel.press("acceptButton")
    save_and_load(panel, tmp_path)
    assert panel.state.phase == "accepted"
    assert panel.ui.acceptedLabel.text == "✓ Accepted by Dr Example"


def test_on_another_computer_the_contour_stays_and_the_missing_journal_is_told(
    panel: Panel, tmp_path: Path
) -> None:
    reviewed(panel)
    save_and_load(panel, tmp_path, lambda: shutil.rmtree(panel.folder / "work" / "journals"))
    assert panel.state.phase == "ready"
    assert "is not on this computer" in panel.ui.errorLabel.text
    panel.press("segmentButton")
    np.testing.assert_array_equal(masks(panel)[0], panel.workflow.mask)
    assert of_class(panel, "Segmentation") == ["Tumour (saved)", "Tumour"]
    assert panel.ui.sceneSegmentSelector.findText("Tumour (saved): GTVn") > 0


def test_nothing_that_the_journal_has_is_saved_twice(panel: Panel, tmp_path: Path) -> None:
    reviewed(panel)
    panel.press("overlayCheckBox")
    panel.binding.show_surface()
    save_and_load(panel, tmp_path, lambda: panel.ui.overlayCheckBox.setChecked(False))
    assert of_class(panel, "ScalarVolume") == ["Phantom"]
    assert of_class(panel, "Model") == []


def test_how_the_uncertainty_is_drawn_stays_when_the_scene_is_loaded(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After loading, only the entropy is known; the kind that was chosen comes back with the next contour."""
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda *_: True)
    reviewed(panel)
    panel.press("overlayCheckBox")
    panel.choose("overlayKindSelector", "disagreement")
    panel.ui.overlaySlider.value = 25
    save_and_load(panel, tmp_path)
    assert panel.ui.overlayKindSelector.currentData == panel.binding.overlay_kind == "entropy"
    panel.press("segmentButton")
    panel.settle()
    assert panel.ui.overlayKindSelector.currentData == panel.binding.overlay_kind == "disagreement"
    view = panel.scene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode")
    assert view.GetForegroundVolumeID() == panel.binding.overlay.GetID()
    assert view.GetForegroundOpacity() == 0.25


# ------------------------------------------------ several scans


def test_choosing_a_scan_back_goes_on_with_its_review(panel: Panel) -> None:
    first_masks = reviewed(panel)
    first = panel.ui.scanSelector.currentNode()
    second = add_phantom(panel.scene, "Second")
    slicer.util.arrayFromVolume(second)[0] += 5
    panel.ui.scanSelector.setCurrentNode(second)
    panel.settle()
    assert panel.state.phase == "ready"
    panel.press("segmentButton")
    panel.press("excludeButton")
    panel.place("exclude", CENTRE)
    panel.ui.scanSelector.setCurrentNode(first)
    panel.settle()
    np.testing.assert_array_equal(masks(panel), first_masks)
    panel.ui.scanSelector.setCurrentNode(second)
    panel.settle()
    assert not panel.contour()[CENTRE]
    assert [segment.name for segment in panel.state.segments] == ["GTVp"]


def test_the_sample_stays_in_the_scene_when_another_scan_is_opened(panel: Panel) -> None:
    panel.press("sampleButton")
    name = panel.ui.scanSelector.currentNode().GetName()
    panel.open_phantom()
    assert of_class(panel, "ScalarVolume") == [name, "Phantom"]


def test_a_scan_that_is_removed_from_the_scene_leaves_an_empty_panel(panel: Panel) -> None:
    before = reviewed(panel)
    panel.press("overlayCheckBox")
    panel.binding.show_surface()
    panel.scene.RemoveNode(panel.ui.scanSelector.currentNode())
    panel.settle()
    assert panel.state.phase == "empty"
    assert [of_class(panel, kind) for kind in ("ScalarVolume", "Model")] == [[], []]
    assert [name for name in of_class(panel, "MarkupsFiducial") if "tool" not in name] == []
    assert of_class(panel, "Segmentation") == ["Tumour"]
    assert enabled_buttons(panel) == {"sampleButton"}
    panel.open_phantom()
    panel.press("resumeButton")
    np.testing.assert_array_equal(masks(panel), before)
    assert of_class(panel, "Segmentation") == ["Tumour"]


def test_choosing_no_scan_leaves_the_one_that_is_open(panel: Panel) -> None:
    node = panel.open_phantom()
    panel.ui.scanSelector.setCurrentNode(None)
    panel.settle()
    assert panel.ui.scanSelector.currentNode() is node
    assert panel.state.phase == "ready"


# ------------------------------------------------ Slicer's Segment Editor


@pytest.fixture
def opened_modules(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The modules that were opened."""
    names: list[str] = []
    monkeypatch.setattr(slicer.util, "selectModule", names.append)
    return names


def test_the_segment_editor_opens_on_scan_and_segment(panel: Panel, opened_modules: list[str]) -> None:
    reviewed(panel)
    panel.press("editorButton")
    assert opened_modules == ["SegmentEditor"]
    editor = panel.scene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
    assert editor.GetSegmentationNode() is panel.binding.segmentation
    assert editor.GetSourceVolumeNode() is panel.binding.volume
    assert editor.GetSelectedSegmentID() == panel.binding.segment_id
    panel.press("editorButton")
    assert panel.scene.GetNumberOfNodesByClass("vtkMRMLSegmentEditorNode") == 1


def test_nothing_is_lost_on_the_way_to_the_editor_and_back(panel: Panel, opened_modules: list[str]) -> None:
    from TumorSegRobustLib.review.journal import read_journal
    from TumorSegRobustLib.scene import mask_to_segment

    before = reviewed(panel)
    panel.press("editorButton")
    panel.widget.exit()
    node, geometry = panel.binding.segmentation, panel.workflow.image.geometry
    segmentation, ids = node.GetSegmentation(), dict(panel.binding.segments.ids)
    stroke = before[0] & (np.indices(ball().shape)[2] != CENTRE[2])  # erases one sagittal slice
    mask_to_segment(node, ids[1], stroke, geometry)
    segmentation.GetSegment(ids[2]).SetName("Node, left")
    segmentation.GetSegment(ids[2]).SetColor(0.25, 0.5, 0.75)
    added = segmentation.AddEmptySegment("", "Necrosis", [0.5, 0.5, 0.5])
    panel.settle()
    panel.widget.enter()
    panel.settle()
    assert [segment.name for segment in panel.state.segments] == ["GTVp", "Node, left", "Necrosis"]
    np.testing.assert_array_equal(masks(panel)[0], stroke)
    np.testing.assert_array_equal(masks(panel)[1], before[1])
    assert segmentation.GetSegment(ids[2]).GetColor() == (0.25, 0.5, 0.75)
    assert panel.binding.segment_id == added
    records = read_journal(panel.workflow.session.journal_path)
    assert [record.event for record in records][-3:] == ["painted", "segment_renamed", "segment_added"]
    for _step in range(3):
        panel.press("undoButton")
    np.testing.assert_array_equal(masks(panel), before)
    assert [segment.name for segment in panel.state.segments] == ["GTVp", "GTVn"]


def test_a_mask_that_the_editor_erased_as_a_whole_is_noticed_on_coming_back(panel: Panel) -> None:
    reviewed(panel)
    node, ids = panel.binding.segmentation, panel.binding.segments.ids
    panel.widget.exit()
    with panel.binding.segments._write():  # the event is what is missing there
        from TumorSegRobustLib.scene import mask_to_segment

        mask_to_segment(node, ids[2], np.zeros_like(ball()), panel.workflow.image.geometry)
    panel.widget.enter()
    panel.settle()
    assert not panel.workflow.masks[2].any()
    panel.press("undoButton")
    assert panel.workflow.masks[2].any()


def test_the_volume_and_its_contour_lie_under_one_patient_and_carry_codes(panel: Panel) -> None:
    from TumorSegRobustLib.scene.terminology import tag_of

    reviewed(panel)
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(panel.scene)
    nodes = (panel.binding.volume, panel.binding.segmentation)
    (parent,) = {tree.GetItemParent(tree.GetItemByDataNode(node)) for node in nodes}
    assert tree.GetItemName(parent) == "Patient"
    segment = panel.binding.segmentation.GetSegmentation().GetSegment(panel.binding.segment_id)
    assert "SCT^108369006^Neoplasm" in tag_of(segment, segment.GetTerminologyEntryTagName())


def test_a_new_panel_finds_what_the_one_before_has_left(panel: Panel) -> None:
    """Reload: the module is set up again on a scene that is full already."""
    before = reviewed(panel)
    panel.scene.InvokeEvent(slicer.vtkMRMLScene.StartCloseEvent)
    panel.scene.InvokeEvent(slicer.vtkMRMLScene.EndCloseEvent)
    panel.widget.enter()
    panel.settle()
    np.testing.assert_array_equal(masks(panel), before)
    assert panel.contour()[OUTSIDE]
