"""Accepting, saving, RTSTRUCT, and what happens when the scene is closed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import slicer
from panel import MISSED, Panel, add_phantom, enabled_buttons
from series import Database, write_series

ALWAYS = {"sampleButton"}


# ------------------------------------------------ finishing


def test_accepting_asks_for_a_name_and_records_it(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("segmentButton")
    panel.press("acceptButton")
    assert "name" in panel.ui.errorLabel.text
    panel.ui.readerEdit.text = "Dr Example"
    panel.press("acceptButton")
    assert panel.state.phase == "accepted"
    assert panel.ui.acceptedLabel.text == "✓ Accepted by Dr Example"
    assert not panel.shows("readerEdit")
    assert panel.ui.errorLabel.text == ""


def test_the_comment_stands_beside_the_name_in_the_journal(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("segmentButton")
    panel.ui.readerEdit.text, panel.ui.commentEdit.text = "Dr Example", "edge at the falx"
    panel.press("acceptButton")
    accepted = panel.workflow.session.accepted
    assert (accepted.name, accepted.comment) == ("Dr Example", "edge at the falx")


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
    assert panel.ui.seriesLabel.text.startswith("MR phantom, 12 images")
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


@pytest.fixture
def database(panel: Panel, tmp_path: Path) -> Iterator[Database]:
    """The phantom's series in Slicer's DICOM database, and more beside its files."""
    panel.open_phantom()
    slicer.dicomDatabase = Database(write_series(tmp_path / "series", panel.workflow.image))
    (tmp_path / "series" / "more").mkdir()
    (tmp_path / "series" / "more" / "damaged.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"torn off")
    yield slicer.dicomDatabase
    del slicer.dicomDatabase


def open_from(panel: Panel, database: Database) -> None:
    node = add_phantom(panel.scene, "From DICOM")
    node.SetAttribute("DICOM.instanceUIDs", " ".join(database.files))
    panel.ui.scanSelector.setCurrentNode(node)
    panel.settle()


def test_a_volume_from_slicers_dicom_database_knows_its_series(panel: Panel, database: Database) -> None:
    open_from(panel, database)
    assert len(panel.workflow.series.files) == 12
    assert panel.ui.seriesLabel.text.startswith("MR phantom, 12 images")
    assert not panel.shows("seriesButton")


def test_its_files_may_lie_in_several_folders(panel: Panel, database: Database, tmp_path: Path) -> None:
    for number, (uid, file) in enumerate(list(database.files.items())):
        folder = tmp_path / f"disk {number % 3}"
        folder.mkdir(exist_ok=True)
        database.files[uid] = file.rename(folder / file.name)
    open_from(panel, database)
    assert len(panel.workflow.series.files) == 12


@pytest.mark.parametrize("slash", ["/", "\\"])
def test_a_long_path_in_a_message_does_not_widen_the_panel(panel: Panel, slash: str) -> None:
    folders = ["a_folder_with_a_long_name", "and_another_one_with_a_longer_name", "and_one_more"]
    panel.widget.view.show_error(slash.join(["C:", *folders, "report.json"]))
    assert panel.ui.errorLabel.isVisibleTo(panel.widget.parent)
    assert narrowest(panel) <= 400


@pytest.mark.parametrize("label", ["error", "message", "accepted_by", "will_happen"])
def test_a_long_word_does_not_widen_the_panel(panel: Panel, label: str) -> None:
    panel.open_phantom()
    panel.press("segmentButton")
    state = replace(panel.state, **{label: "a_name_without_any_place_to_break_it_" * 6})
    panel.widget.view.draw(state)
    panel.widget.steps.draw(state)
    assert narrowest(panel) <= 400


def test_a_very_long_error_is_cut_and_its_tooltip_has_all_of_it(panel: Panel) -> None:
    panel.open_phantom()
    panel.press("segmentButton")
    line = "The folder cannot be written: " + "nothing was written. " * 40
    panel.widget.view.show_error(line)
    assert panel.ui.errorLabel.toolTip == line
    assert panel.ui.errorLabel.text.startswith("The folder cannot be written: nothing")
    assert panel.ui.errorLabel.text.endswith("…")
    parent = panel.widget.parent
    parent.resize(400, 560)
    parent.show()
    panel.breathe()
    assert panel.ui.errorLabel.heightForWidth(378) <= 6 * panel.ui.errorLabel.fontMetrics().height()
    panel.widget.view.show_error("")
    assert panel.ui.errorLabel.toolTip == ""


def narrowest(panel: Panel) -> int:
    """The least width of the panel, once what was written into it has been laid out."""
    parent = panel.widget.parent
    parent.resize(400, 560)
    parent.show()
    panel.breathe()
    return max(parent.grab().width(), parent.minimumSizeHint().width())


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


def test_an_accepted_contour_is_replaced_only_after_asking_and_can_be_opened_again(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    answers = [False, True]

    def confirm(text: str, _title: str) -> bool:
        asked.append(text)
        return answers.pop(0)

    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", confirm)
    panel.open_phantom()
    panel.press("segmentButton")
    panel.ui.readerEdit.text = "Dr Ada"
    panel.press("acceptButton")
    accepted = panel.contour()
    panel.press("emptyButton")
    panel.settle()
    assert panel.state.accepted_by == "Dr Ada"
    assert asked[0].startswith("This contour was accepted by Dr Ada.")
    panel.press("emptyButton")
    panel.settle()
    assert len(asked) == 2
    assert not panel.contour().any()
    assert panel.ui.resumeButton.text == "Open the review again"
    assert "by Dr Ada" in panel.ui.resumeButton.toolTip
    panel.press("resumeButton")
    np.testing.assert_array_equal(panel.contour(), accepted)
    assert panel.state.accepted_by == "Dr Ada"


def test_each_of_several_earlier_reviews_can_be_opened_again(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda *_: True)
    panel.open_phantom()
    panel.press("segmentButton")
    panel.press("includeButton")
    panel.place("include", MISSED)
    corrected, older = panel.contour(), str(panel.workflow.session.journal_path)
    panel.press("segmentButton")
    panel.settle()
    assert not panel.shows("resumeSelector"), "there is one only"
    panel.ui.readerEdit.text = "Dr Ada"
    panel.press("acceptButton")
    panel.press("emptyButton")
    panel.settle()
    assert panel.ui.resumeSelector.itemText(0).startswith("accepted ")
    panel.choose("resumeSelector", older)
    assert panel.ui.resumeButton.text == "Continue the unfinished review"
    panel.press("resumeButton")
    np.testing.assert_array_equal(panel.contour(), corrected)


def test_a_loud_message_is_seen(panel: Panel) -> None:
    panel.open_phantom()
    panel.widget.view.draw(replace(panel.state, message="This one click changed 416 ml.", loud=True))
    assert panel.ui.messageLabel.text.startswith("⚠ This one click")
    assert "bold" in panel.ui.messageLabel.styleSheet
    panel.widget.view.draw(panel.state)
    assert panel.ui.messageLabel.styleSheet == ""


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
