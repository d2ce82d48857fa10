"""Opening and segmenting: every button changes what it should, on the real scene and the real .ui file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from panel import CENTRE, MISSED, SPACING_MM, Panel, add_phantom, ball, enabled_buttons

ALWAYS = {"sampleButton"}


# ------------------------------------------------ opening


def test_an_empty_scene_offers_only_the_sample(panel: Panel) -> None:
    assert enabled_buttons(panel) == ALWAYS
    assert panel.ui.segmentButton.toolTip == "Open a scan first."
    assert panel.ui.scanSelector.currentNode() is None
    assert panel.ui.trustSection.collapsed


def test_choosing_a_volume_opens_it_and_offers_to_segment(panel: Panel) -> None:
    node = panel.open_phantom()
    assert panel.state.phase == "ready"
    assert panel.binding.volume is node
    assert {"segmentButton", "emptyButton"} <= enabled_buttons(panel)
    assert "Phantom" in panel.ui.messageLabel.text
    assert panel.widget.memory.parameters.GetNodeReference("Scan") is node


def test_a_single_volume_of_the_scene_is_chosen_when_the_module_is_entered(panel: Panel) -> None:
    node = add_phantom(panel.scene)
    panel.widget.enter()
    panel.settle()
    assert panel.ui.scanSelector.currentNode() is node
    assert panel.state.phase == "ready"


def test_a_volume_that_was_loaded_from_a_file_opens_without_a_series(panel: Panel, tmp_path: Path) -> None:
    node = add_phantom(panel.scene)
    (tmp_path / "scan.nii.gz").write_bytes(b"\x1f\x8b")
    node.AddDefaultStorageNode()
    node.GetStorageNode().SetFileName(str(tmp_path / "scan.nii.gz"))
    panel.ui.scanSelector.setCurrentNode(node)
    panel.settle()
    assert panel.ui.errorLabel.text == ""
    assert panel.state.phase == "ready"
    assert panel.workflow.series is None


def test_a_volume_beside_damaged_dicom_opens_without_a_series(panel: Panel, tmp_path: Path) -> None:
    node = add_phantom(panel.scene)
    (tmp_path / "broken.dcm").write_bytes(bytes(128) + b"DICM")
    node.AddDefaultStorageNode()
    node.GetStorageNode().SetFileName(str(tmp_path / "broken.dcm"))
    panel.ui.scanSelector.setCurrentNode(node)
    panel.settle()
    assert panel.state.phase == "ready"
    assert panel.workflow.series is None


def test_a_colour_volume_is_refused_in_one_line(panel: Panel) -> None:
    import vtk

    node = panel.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Photo")
    data = vtk.vtkImageData()
    data.SetDimensions(4, 4, 4)
    data.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 3)
    node.SetAndObserveImageData(data)
    panel.ui.scanSelector.setCurrentNode(node)
    panel.settle()
    assert "3 values per voxel" in panel.ui.errorLabel.text
    assert "\n" not in panel.ui.errorLabel.text
    assert panel.state.phase == "empty"


def test_the_chosen_model_is_used_and_remembered_with_the_scene(panel: Panel) -> None:
    combo = panel.ui.modelSelector
    assert combo.currentData == "brain-mr"
    assert combo.currentText == "Title of brain-mr"
    assert panel.ui.licenceLabel.text == "brain-mr, version 1.0 · CC BY 4.0"
    panel.choose("modelSelector", "another")
    assert panel.ui.licenceLabel.text == "another, version 1.0 · CC BY 4.0"
    assert panel.state.package == "another"
    assert panel.widget.memory.parameters.GetParameter("Package") == "another"


# ------------------------------------------------ segmenting


def test_segmenting_draws_the_contour_and_says_how_far_to_trust_it(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("segmentButton")
    found = ball() & (np.indices(ball().shape)[2] < 24)
    assert panel.state.phase == "review"
    np.testing.assert_array_equal(panel.contour(), found)
    assert not panel.ui.trustSection.collapsed
    words = {"accept": "Accept", "review": "Review", "reject": "Reject"}
    assert panel.ui.triageLabel.text == words[panel.state.triage_level]
    assert panel.ui.qualityLabel.text.startswith("Expected overlap 0.")
    assert panel.ui.volumeLabel.text == f"Volume {panel.state.volume_ml:.1f} ml"
    for reason in panel.state.reasons:
        assert reason.lower() in panel.ui.reasonsLabel.text.lower()


def test_a_new_contour_is_brought_into_view_and_a_click_does_not_move_it(panel: Panel) -> None:
    panel.open_phantom()
    axial = panel.scene.AddNewNodeByClass("vtkMRMLSliceNode")
    axial.SetOrientationToAxial()
    panel.press("segmentButton")
    middle = panel.workflow.image.geometry.position_of(CENTRE)[2]
    assert abs(axial.GetSliceOffset() - middle) <= SPACING_MM[2]
    axial.SetSliceOffset(0.0)
    panel.press("includeButton")
    panel.place("include", MISSED)
    assert axial.GetSliceOffset() == 0.0


def test_progress_is_shown_and_cancel_leads_back(panel: Panel) -> None:
    panel.open_phantom()
    panel.networks.go_on.clear()
    panel.ui.segmentButton.click()
    while panel.ui.progressBar.value < 20:
        panel.breathe()
    assert panel.state.phase == "running"
    assert panel.ui.cancelButton.isVisibleTo(panel.widget.parent)
    assert enabled_buttons(panel) == {"cancelButton"}
    panel.press("cancelButton")
    assert panel.state.phase == "ready"
    assert not panel.ui.cancelButton.isVisibleTo(panel.widget.parent)
    assert panel.binding.segmentation is None


def test_starting_from_nothing_gives_an_empty_contour(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("emptyButton")
    assert panel.state.phase == "review"
    assert not panel.contour().any()
    assert "no network was asked" in panel.ui.reasonsLabel.text.lower()
    assert not panel.ui.qualityLabel.isVisibleTo(panel.widget.parent)


# ------------------------------------------------ the device


def test_without_a_gpu_no_device_is_asked_for(panel: Panel) -> None:
    panel.open_phantom()
    assert not panel.shows("deviceSelector")
    assert not panel.shows("deviceLabel")


def test_with_a_gpu_the_device_is_chosen_and_what_will_happen_follows(panel: Panel) -> None:
    panel.networks.gpu = ("cuda", "")
    panel.open_phantom()
    assert panel.shows("deviceSelector")
    assert panel.ui.deviceSelector.currentData == "auto"
    for device, told in (("cuda", "(GPU)"), ("cpu", "(CPU)")):
        panel.choose("deviceSelector", device)
        assert panel.state.device == device
        assert told in panel.ui.willHappenLabel.text
        panel.workflow.wait_until_warm(20)
        panel.press("segmentButton")
        assert panel.networks.device == device


def test_a_gpu_that_cannot_be_used_is_listed_with_the_reason(panel: Panel) -> None:
    panel.networks.gpu = ("cuda", "PyTorch is not installed.")
    panel.open_phantom()
    selector = panel.ui.deviceSelector
    assert [selector.model().item(row).isEnabled() for row in range(selector.count)] == [True, True, False]
    assert selector.toolTip.endswith("GPU: PyTorch is not installed.")
