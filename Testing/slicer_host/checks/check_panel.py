"""Every button of the panel changes what it should, on the real scene and the module's real .ui file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import slicer
from panel import CENTRE, MISSED, OUTSIDE, SPACING_MM, Panel, add_phantom, ball

ALWAYS = {"sampleButton"}


def enabled_buttons(panel: Panel) -> set[str]:
    from TumorSegRobustDesktop.view import BUTTONS

    return {name for name in BUTTONS if getattr(panel.ui, name).enabled}


def mouse_mode(panel: Panel) -> str:
    node = panel.scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    return node.GetInteractionModeAsString(node.GetCurrentInteractionMode())


# ------------------------------------------------ opening


def test_an_empty_scene_offers_only_the_sample(panel: Panel) -> None:
    assert enabled_buttons(panel) == ALWAYS
    assert panel.ui.segmentButton.toolTip == "Open a scan first."
    assert panel.ui.scanSelector.currentNode() is None
    assert not panel.ui.trustSection.isVisibleTo(panel.widget.parent)


def test_choosing_a_volume_opens_it_and_offers_to_segment(panel: Panel) -> None:
    node = panel.open_phantom()
    assert panel.state.phase == "ready"
    assert panel.binding.volume is node
    assert {"segmentButton", "emptyButton"} <= enabled_buttons(panel)
    assert "Phantom" in panel.ui.messageLabel.text
    assert panel.widget.parameters.GetNodeReference("Scan") is node


def test_a_single_volume_of_the_scene_is_chosen_when_the_module_is_entered(panel: Panel) -> None:
    node = add_phantom(panel.scene)
    panel.widget.enter()
    panel.settle()
    assert panel.ui.scanSelector.currentNode() is node
    assert panel.state.phase == "ready"


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
    combo.setCurrentIndex(combo.findData("another"))
    combo.activated.emit(combo.currentIndex)
    assert panel.state.package == "another"
    assert panel.widget.parameters.GetParameter("Package") == "another"


# ------------------------------------------------ segmenting


def test_segmenting_draws_the_contour_and_says_how_far_to_trust_it(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("segmentButton")
    found = ball() & (np.indices(ball().shape)[2] < 24)
    assert panel.state.phase == "review"
    np.testing.assert_array_equal(panel.contour(), found)
    assert panel.ui.trustSection.isVisibleTo(panel.widget.parent)
    words = {"accept": "Accept", "review": "Review", "reject": "Reject"}
    assert panel.ui.triageLabel.text.startswith(words[panel.state.triage_level])
    assert panel.ui.qualityLabel.text.startswith("Expected overlap (Dice) 0.")
    assert f"{panel.state.volume_ml:.1f} ml" in panel.ui.contourLabel.text
    for reason in panel.state.reasons:
        assert reason in panel.ui.reasonsLabel.text


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
    assert "no network was asked" in panel.ui.reasonsLabel.text
    assert not panel.ui.qualityLabel.isVisibleTo(panel.widget.parent)


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
    assert panel.ui.contourLabel.text.endswith("1 include, 0 exclude")
    assert panel.widget.tool.node("include").GetNumberOfControlPoints() == 0


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
    assert (contour & ball()).sum() > 0.9 * contour.sum()


# ------------------------------------------------ uncertainty


def test_uncertainty_is_laid_over_the_scan_with_the_chosen_opacity(panel: Panel) -> None:
    node = panel.open_phantom()
    panel.press("segmentButton")
    panel.press("overlayCheckBox")
    assert panel.view.GetBackgroundVolumeID() == node.GetID()
    assert panel.view.GetForegroundVolumeID() == panel.binding.overlay.GetID()
    panel.ui.overlaySlider.value = 0.25
    assert panel.view.GetForegroundOpacity() == 0.25
    panel.press("overlayCheckBox")
    assert panel.view.GetForegroundVolumeID() is None


def test_the_uncertainty_volume_is_not_offered_as_a_scan(panel: Panel) -> None:
    node = panel.open_phantom()
    panel.press("segmentButton")
    panel.press("overlayCheckBox")
    assert panel.ui.scanSelector.nodeCount() == 1
    assert panel.ui.scanSelector.currentNode() is node


# ------------------------------------------------ finishing


def test_accepting_asks_for_a_name_and_records_it(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("segmentButton")
    panel.press("acceptButton")
    assert "name" in panel.ui.errorLabel.text
    panel.ui.readerEdit.text = "Dr Example"
    panel.press("acceptButton")
    assert panel.state.phase == "accepted"
    assert panel.ui.contourLabel.text.endswith("accepted by Dr Example")
    assert panel.ui.errorLabel.text == ""


def test_saving_writes_the_files_of_the_command_line(panel: Panel, tmp_path: Path) -> None:
    import qt

    panel.open_phantom()
    panel.press("segmentButton")
    qt.QFileDialog.answers.append(str(tmp_path / "saved"))
    panel.press("saveButton")
    names = {path.name for path in (tmp_path / "saved").iterdir()}
    assert {"segmentation.nii.gz", "probability.nii.gz", "uncertainty.nii.gz", "result.json"} <= names


def test_a_cancelled_file_dialog_changes_nothing(panel: Panel) -> None:
    import qt

    panel.open_phantom()
    panel.press("segmentButton")
    before = panel.state
    qt.QFileDialog.answers.append("")
    panel.press("saveButton")
    assert panel.state == before


def test_rtstruct_needs_the_dicom_series_and_says_so(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("segmentButton")
    assert not panel.ui.exportButton.enabled
    assert "DICOM" in panel.ui.exportButton.toolTip
    assert panel.ui.seriesButton.enabled


def test_pointing_at_the_series_keeps_the_review_and_exports_rtstruct(panel: Panel, tmp_path: Path) -> None:
    import qt

    panel.open_phantom()
    panel.press("segmentButton")
    panel.press("includeButton")
    panel.place("include", MISSED)
    corrected = panel.contour()
    write_series(tmp_path / "series", panel.workflow.image)
    qt.QFileDialog.answers.append(str(tmp_path / "series"))
    panel.press("seriesButton")
    np.testing.assert_array_equal(panel.contour(), corrected)
    assert panel.ui.seriesLabel.text.startswith("12 images")
    qt.QFileDialog.answers.append(str(tmp_path / "out.dcm"))
    panel.ui.structureEdit.text = "GTVp_test"
    panel.press("exportButton")
    structure = pydicom.dcmread(tmp_path / "out.dcm")
    assert structure.Modality == "RTSTRUCT"
    assert [roi.ROIName for roi in structure.StructureSetROISequence] == ["GTVp_test"]


def test_a_folder_with_another_series_is_refused(panel: Panel, tmp_path: Path) -> None:
    import qt

    panel.open_phantom()
    write_series(tmp_path / "series", panel.workflow.image, shift_mm=15.0)
    qt.QFileDialog.answers.append(str(tmp_path / "series"))
    panel.press("seriesButton")
    assert "lies on this scan's grid" in panel.ui.errorLabel.text
    assert panel.workflow.series is None


def test_a_volume_from_slicers_dicom_database_knows_its_series(panel: Panel, tmp_path: Path) -> None:
    panel.open_phantom()
    files = write_series(tmp_path / "series", panel.workflow.image)
    node = add_phantom(panel.scene, "From DICOM")
    node.SetAttribute("DICOM.instanceUIDs", " ".join(files))
    slicer.dicomDatabase = Database(files)
    try:
        panel.ui.scanSelector.setCurrentNode(node)
        panel.settle()
    finally:
        del slicer.dicomDatabase
    assert len(panel.workflow.series.files) == 12
    assert panel.ui.seriesLabel.text.startswith("12 images")
    assert not panel.ui.seriesButton.enabled


@pytest.mark.parametrize("slash", ["/", "\\"])
def test_a_long_path_in_a_message_does_not_widen_the_panel(panel: Panel, slash: str) -> None:
    folders = ["a_folder_with_a_long_name", "and_another_one_with_a_longer_name", "and_one_more"]
    panel.widget.view.show_error(slash.join(["C:", *folders, "report.json"]))
    assert panel.ui.errorLabel.isVisibleTo(panel.widget.parent)
    assert panel.widget.parent.minimumSizeHint().width() <= 400


# ------------------------------------------------ the scene's life


def test_closing_the_scene_empties_the_panel_which_then_works_again(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("segmentButton")
    panel.scene.Clear(0)
    assert panel.state.phase == "empty"
    assert enabled_buttons(panel) == ALWAYS
    panel.open_phantom()
    panel.press("segmentButton")
    assert panel.contour().any()


def test_an_unfinished_review_can_be_continued(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("segmentButton")
    panel.press("includeButton")
    panel.place("include", MISSED)
    corrected = panel.contour()
    panel.scene.Clear(0)
    assert not panel.ui.resumeButton.isVisibleTo(panel.widget.parent)
    panel.open_phantom()
    panel.press("resumeButton")
    np.testing.assert_array_equal(panel.contour(), corrected)


def test_a_picture_of_the_panel_can_be_taken(panel: Panel, tmp_path: Path) -> None:
    """At 400 points, the width of Slicer's module panel, nothing is cut off."""
    panel.open_phantom()
    panel.press("segmentButton")
    panel.press("includeButton")
    panel.place("include", MISSED)
    parent = panel.widget.parent
    assert parent.minimumSizeHint().width() <= 400
    parent.resize(
        400, parent.heightForWidth(400) if parent.hasHeightForWidth() else parent.sizeHint().height()
    )
    parent.show()
    panel.breathe()
    picture = Path(os.environ.get("TUMORSEGROBUST_PICTURE", tmp_path / "panel.png"))
    assert parent.grab().save(str(picture))
    assert picture.stat().st_size > 5000


# ------------------------------------------------ helpers


class Database:
    """`slicer.dicomDatabase` as far as the panel uses it."""

    def __init__(self, files: dict[str, Path]) -> None:
        self._files = files

    def fileForInstance(self, uid: str) -> str:
        return str(self._files.get(uid, ""))


def write_series(folder: Path, image: Any, shift_mm: float = 0.0) -> dict[str, Path]:
    """An MR series on the image's grid (axes as DICOM's), as SOP instance UID -> file."""
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

    folder.mkdir()
    geometry = image.geometry
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    row, column = np.reshape(geometry.direction, (3, 3)).T[:2]
    normal = np.cross(row, column)
    aligned = np.dot(normal, np.reshape(geometry.direction, (3, 3)).T[2]) > 0
    files: dict[str, Path] = {}
    for k in range(geometry.shape[0]):
        header = pydicom.Dataset()
        header.file_meta = pydicom.dataset.FileMetaDataset()
        header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        header.SOPClassUID = header.file_meta.MediaStorageSOPClassUID = MRImageStorage
        header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        header.StudyInstanceUID, header.SeriesInstanceUID, header.FrameOfReferenceUID = study, series, frame
        header.Modality, header.SeriesDescription, header.PatientID = "MR", "phantom", "P1"
        header.PatientName, header.InstanceNumber = "Phantom^Ball", k + 1 if aligned else 99 - k
        position = np.asarray(geometry.position_of((k, 0, 0))) + np.array([shift_mm, 0, 0])
        header.ImagePositionPatient = [f"{value:.6f}" for value in position]
        header.ImageOrientationPatient = [f"{value:.6f}" for value in (*row, *column)]
        header.PixelSpacing = [geometry.spacing_mm[1], geometry.spacing_mm[0]]
        header.SliceThickness = geometry.spacing_mm[2]
        header.Rows, header.Columns = geometry.shape[1:]
        header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
        header.BitsAllocated = header.BitsStored = 16
        header.HighBit, header.PixelRepresentation = 15, 0
        header.PixelData = image.voxels[k].astype("<u2").tobytes()
        files[str(header.SOPInstanceUID)] = folder / f"{k:03d}.dcm"
        header.save_as(folder / f"{k:03d}.dcm", enforce_file_format=True)
    return files
