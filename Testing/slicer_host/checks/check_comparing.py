"""A reference beside the contour: figures and errors, drawn, put away; DICOM SEG beside RTSTRUCT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
from panel import MISSED, Panel, ball
from series import write_series


def compare_with_the_ball(panel: Panel, tmp_path: Path) -> None:
    """The truth of the phantom, of which the networks find the left half."""
    import qt

    from TumorSegRobustLib.image import write_image

    panel.open_phantom()
    panel.press("segmentButton")
    truth = panel.workflow.image.with_voxels(ball().astype(np.uint8))
    write_image(truth, tmp_path / "truth.nii.gz")
    qt.QFileDialog.answers.append(str(tmp_path / "truth.nii.gz"))
    panel.press("referenceButton")


def test_before_there_is_a_reference_the_section_says_what_to_do(panel: Panel) -> None:
    assert panel.ui.compareLabel.text.startswith("Choose a reference: a mask file on this scan")
    assert not panel.ui.referenceButton.enabled
    assert not panel.shows("errorsCheckBox")


def test_a_reference_gives_figures_and_errors_in_the_words_of_the_browser(
    panel: Panel, tmp_path: Path
) -> None:
    compare_with_the_ball(panel, tmp_path)
    lines = panel.ui.compareLabel.text.splitlines()
    assert lines[0] == "Compared with truth.nii.gz"
    assert lines[1] == f"Overlap (Dice): {panel.state.comparison.dice:.2f}"
    assert lines[-1].startswith("Difference: −")
    assert panel.ui.errorSelector.itemText(0).startswith("1. Border too tight, ")
    assert panel.shows("errorSelector")


def test_it_follows_a_click_and_shows_the_next_error(panel: Panel, tmp_path: Path) -> None:
    compare_with_the_ball(panel, tmp_path)
    before = panel.state.comparison.dice
    panel.press("includeButton")
    panel.place("include", MISSED)
    assert panel.state.comparison.dice > before
    assert f"Overlap (Dice): {panel.state.comparison.dice:.2f}" in panel.ui.compareLabel.text
    panel.press("nextErrorButton")
    assert panel.state.error_shown == 1
    assert panel.ui.errorSelector.currentIndex == 0


def test_an_error_is_chosen_from_the_list(panel: Panel, tmp_path: Path) -> None:
    compare_with_the_ball(panel, tmp_path)
    last = panel.ui.errorSelector.count
    panel.choose("errorSelector", last)
    assert panel.state.error_shown == last


def test_errors_are_drawn_hidden_and_gone_with_the_reference(panel: Panel, tmp_path: Path) -> None:
    compare_with_the_ball(panel, tmp_path)
    assert panel.view.GetLabelVolumeID() == panel.binding.errors.node.GetID()
    panel.ui.errorsCheckBox.click()
    assert panel.view.GetLabelVolumeID() is None
    panel.ui.errorsCheckBox.click()
    panel.press("putAwayButton")
    assert panel.binding.errors.node is None
    assert panel.view.GetLabelVolumeID() is None
    assert not panel.shows("putAwayButton")
    assert panel.ui.compareLabel.text.startswith("Choose a reference")


def test_dicom_seg_is_written_beside_rtstruct_under_the_same_condition(panel: Panel, tmp_path: Path) -> None:
    import qt

    panel.open_phantom()
    panel.press("segmentButton")
    assert not panel.ui.exportSegButton.enabled
    assert panel.ui.exportSegButton.toolTip == panel.ui.exportButton.toolTip
    write_series(tmp_path / "series", panel.workflow.image)
    qt.QFileDialog.answers.append(str(tmp_path / "series"))
    panel.press("seriesButton")
    qt.QFileDialog.answers.append(str(tmp_path / "out.dcm"))
    panel.ui.structureEdit.text = "GTVp_test"
    panel.press("exportSegButton")
    written = pydicom.dcmread(tmp_path / "out.dcm")
    assert (written.Modality, written.SegmentSequence[0].SegmentLabel) == ("SEG", "GTVp_test")


def rtstruct(panel: Panel, folder: Path, *names: str) -> Path:
    """An RTSTRUCT of the phantom's series: the ball under the first name, its left half under the others."""
    import qt

    from TumorSegRobustLib.export import Roi, write_rtstruct_rois

    panel.open_phantom()
    panel.press("segmentButton")
    write_series(folder / "series", panel.workflow.image)
    qt.QFileDialog.answers.append(str(folder / "series"))
    panel.press("seriesButton")
    half = ball() & (np.indices(ball().shape)[2] < 22)
    masks = [ball(), *(half for _name in names[1:])]
    image = panel.workflow.image
    rois = [
        Roi(image.with_voxels(mask.astype(np.uint8)), name) for name, mask in zip(names, masks, strict=True)
    ]
    write_rtstruct_rois(rois, panel.workflow.series, folder / "structures.dcm")
    return folder / "structures.dcm"


def test_of_several_structures_one_is_chosen(panel: Panel, tmp_path: Path) -> None:
    import qt

    qt.QFileDialog.answers.append(str(rtstruct(panel, tmp_path, "Reader A", "Reader B")))
    panel.press("referenceButton")
    assert panel.state.comparison is None
    assert "holds several structures (Reader A, Reader B)" in panel.ui.errorLabel.text
    entries = [panel.ui.structureSelector.itemText(row) for row in range(panel.ui.structureSelector.count)]
    assert entries == ["Choose a structure", "Reader A", "Reader B"]
    panel.choose("structureSelector", "Reader B")
    assert panel.state.compared_with == "Reader B of structures.dcm"
    first = panel.state.comparison.reference_ml
    panel.choose("structureSelector", "Reader A")
    assert panel.state.comparison.reference_ml > first
    assert panel.ui.structureSelector.currentData == "Reader A"
    panel.press("putAwayButton")
    assert not panel.shows("structureSelector")


def test_the_structure_called_like_the_segment_is_taken_at_first(panel: Panel, tmp_path: Path) -> None:
    import qt

    qt.QFileDialog.answers.append(str(rtstruct(panel, tmp_path, "GTVp", "CTV")))
    panel.press("referenceButton")
    assert panel.state.compared_with == "GTVp of structures.dcm"
    assert panel.ui.structureSelector.currentData == "GTVp"
    panel.choose("structureSelector", "CTV")
    assert panel.state.compared_with == "CTV of structures.dcm"


def test_a_reference_with_one_structure_asks_nothing(panel: Panel, tmp_path: Path) -> None:
    import qt

    qt.QFileDialog.answers.append(str(rtstruct(panel, tmp_path, "Any name")))
    panel.press("referenceButton")
    assert panel.state.compared_with == "Any name of structures.dcm"
    assert not panel.shows("structureSelector")


def test_a_segment_of_the_scene_can_be_the_reference(panel: Panel) -> None:
    from TumorSegRobustLib.scene import create_segmentation, mask_to_segment

    panel.open_phantom()
    panel.press("segmentButton")
    assert not panel.shows("sceneSegmentSelector")
    node, segment = create_segmentation(panel.scene, panel.binding.volume, name="Reader A", segment="GTV")
    mask_to_segment(node, segment, ball(), panel.workflow.image.geometry)
    panel.widget.enter()
    assert panel.shows("sceneSegmentSelector")
    panel.choose("sceneSegmentSelector", f"{node.GetID()} {segment}")
    assert panel.state.compared_with == "Reader A: GTV"
    assert not panel.shows("sceneSegmentSelector")
    np.testing.assert_array_equal(panel.workflow.error_map == 1, ball() & ~panel.workflow.mask)
