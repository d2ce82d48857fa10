"""A reference beside the review: read from a mask or an RTSTRUCT, followed through corrections, put away."""

from __future__ import annotations

from pathlib import Path

import fixtures_app as app
import numpy as np
import pytest
from fixtures_workflow import (
    AIR_KJI,
    GEOMETRY,
    OTHER_KJI,
    PATIENCE_S,
    TUMOUR_KJI,
    Desk,
    a_desk,
    a_scan,
    at,
    ball,
)

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.evaluation.comparing import MISSED, SUPERFLUOUS, Comparison, ContourError, compare
from TumorSegRobustLib.export import Roi, write_rtstruct_rois
from TumorSegRobustLib.image import Image, write_image
from TumorSegRobustLib.workflow import Workflow, error_line, listed, rows_of
from TumorSegRobustLib.workflow.reference import choose_structure


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """The networks see one of two tumours."""
    return a_desk(tmp_path).segmented()


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    return a_mask(tmp_path / "truth.nii.gz", ball(TUMOUR_KJI) | ball(OTHER_KJI, 3.0))


def a_mask(path: Path, voxels: np.ndarray) -> Path:
    write_image(Image(voxels.astype(np.uint8), GEOMETRY), path)
    return path


def comparison_of(desk: Desk) -> Comparison:
    assert desk.state.comparison is not None
    return desk.state.comparison


def test_a_missed_lesion_is_found_and_named(desk: Desk, truth: Path) -> None:
    state = desk.does(desk.workflow.compare, truth)
    (error,) = comparison_of(desk).errors
    assert error.kind == "missed lesion"
    assert ball(OTHER_KJI, 3.0)[GEOMETRY.index_of(error.position_mm)]
    assert state.compared_with == "truth.nii.gz"
    assert state.message == f"Compared with truth.nii.gz: Dice {comparison_of(desk).dice:.2f}."
    wrong = desk.workflow.error_map
    assert wrong is not None
    assert np.array_equal(wrong == MISSED, ball(OTHER_KJI, 3.0))


def test_figures_are_those_of_the_contour_on_show(desk: Desk, truth: Path) -> None:
    desk.does(desk.workflow.compare, truth)
    reference = ball(TUMOUR_KJI) | ball(OTHER_KJI, 3.0)
    assert comparison_of(desk) == compare(desk.workflow.mask, reference, GEOMETRY)


def test_the_comparison_follows_a_click_and_undo(desk: Desk, truth: Path) -> None:
    heard: list[Comparison | None] = []
    desk.workflow.comparison_changed.connect(heard.append)
    desk.does(desk.workflow.compare, truth)
    before = comparison_of(desk)
    desk.does(desk.workflow.click, at(OTHER_KJI), True)
    after = comparison_of(desk)
    assert after.dice > before.dice
    assert "missed lesion" not in {error.kind for error in after.errors}
    desk.does(desk.workflow.undo)
    assert comparison_of(desk) == before
    assert heard == [before, after, before]


def test_superfluous_tissue_is_marked_otherwise_than_missed(desk: Desk, tmp_path: Path) -> None:
    desk.does(desk.workflow.compare, a_mask(tmp_path / "other.nii.gz", ball(OTHER_KJI, 3.0)))
    assert {error.kind for error in comparison_of(desk).errors} == {"missed lesion", "false lesion"}
    wrong = desk.workflow.error_map
    assert wrong is not None
    assert (wrong[TUMOUR_KJI], wrong[OTHER_KJI], wrong[AIR_KJI]) == (SUPERFLUOUS, MISSED, 0)


def test_errors_are_walked_through_in_order_and_the_first_follows_the_last(
    desk: Desk, tmp_path: Path
) -> None:
    shown: list[ContourError] = []
    desk.workflow.place_changed.connect(shown.append)
    desk.does(desk.workflow.compare, a_mask(tmp_path / "other.nii.gz", ball(OTHER_KJI, 3.0)))
    first, second = comparison_of(desk).errors
    assert desk.does(desk.workflow.next_error).error_shown == 1
    assert desk.state.message == f"Error 1 of 2: {error_line(first)}."
    assert desk.does(desk.workflow.next_error).error_shown == 2
    assert desk.does(desk.workflow.next_error).error_shown == 1
    assert desk.does(desk.workflow.next_error, 2).error_shown == 2
    assert desk.does(desk.workflow.next_error, 7).error_shown == 2
    assert shown == [first, second, first, second]


def test_put_away_nothing_is_left_of_it(desk: Desk, truth: Path) -> None:
    desk.does(desk.workflow.compare, truth)
    state = desk.does(desk.workflow.stop_comparing)
    assert (state.comparison, state.compared_with, desk.workflow.error_map) == (None, "", None)
    assert state.why_not["next_error"] == "Choose a reference first."
    assert desk.does(desk.workflow.click, at(OTHER_KJI), True).comparison is None


def test_without_a_contour_the_panel_says_what_comes_first(tmp_path: Path, truth: Path) -> None:
    desk = a_desk(tmp_path)
    assert desk.state.why_not["compare"] == "Open a scan first."
    desk.opened()
    assert desk.state.why_not["compare"].startswith("There is no contour yet")
    with pytest.raises(UnusableInput, match="There is no contour yet"):
        desk.workflow.compare(truth)


def test_equal_contours_have_no_error_to_look_at(desk: Desk, tmp_path: Path) -> None:
    state = desk.does(desk.workflow.compare, a_mask(tmp_path / "same.nii.gz", desk.workflow.mask))
    assert comparison_of(desk).dice == 1.0
    assert state.why_not["next_error"] == "Contour and reference agree everywhere."


def test_a_reference_stays_for_the_next_review_of_the_scan_and_leaves_with_it(
    desk: Desk, truth: Path
) -> None:
    desk.does(desk.workflow.compare, truth)
    assert desk.does(desk.workflow.start_empty).comparison is not None
    assert comparison_of(desk).dice == 0.0
    state = desk.does(desk.workflow.open_image, a_scan(seed=1))
    assert (state.comparison, state.compared_with) == (None, "")


def test_it_is_about_the_segment_that_was_active(desk: Desk, truth: Path) -> None:
    desk.does(desk.workflow.compare, truth)
    before = comparison_of(desk)
    desk.does(desk.workflow.add_segment, "GTVn")
    desk.does(desk.workflow.click, at(OTHER_KJI), True)
    assert comparison_of(desk) == before


def test_a_place_where_no_reference_lies_is_refused_and_the_one_before_stays(
    desk: Desk, truth: Path, tmp_path: Path
) -> None:
    desk.does(desk.workflow.compare, truth)
    (tmp_path / "text.nii.gz").write_text("no mask")
    for path, words in (
        (tmp_path / "gone.nii.gz", "does not exist: give a mask file"),
        (tmp_path, "is a folder: give a mask file"),
        (tmp_path / "text.nii.gz", r"text\.nii\.gz"),
    ):
        with pytest.raises(UnusableInput, match=words):
            desk.workflow.compare(path)
    assert desk.state.compared_with == "truth.nii.gz"


def test_in_the_background_many_clicks_are_compared_and_the_last_one_counts(
    tmp_path: Path, truth: Path
) -> None:
    desk = a_desk(tmp_path, background=True)
    desk.does(desk.workflow.open_image, a_scan())
    desk.does(desk.workflow.segment)
    desk.does(desk.workflow.compare, truth)
    for _ in range(3):
        desk.workflow.click(at(OTHER_KJI), True)
        desk.workflow.undo()
    desk.workflow.click(at(OTHER_KJI), True)
    assert desk.workflow.wait(PATIENCE_S)
    reference = ball(TUMOUR_KJI) | ball(OTHER_KJI, 3.0)
    assert comparison_of(desk) == compare(desk.workflow.mask, reference, GEOMETRY)
    desk.workflow.close()


# ------------------------------------------------ an RTSTRUCT of the series


def test_an_rtstruct_of_the_series_is_a_reference_too(tmp_path: Path) -> None:
    workflow = Workflow(work_folder=tmp_path / "work", background=False, rooms=app.toy_rooms())
    workflow.open(app.write_dicom(app.a_head(), tmp_path / "series"))
    workflow.segment()
    image, mask = workflow.image, workflow.mask
    assert image is not None
    assert mask is not None
    rois = [Roi(image.with_voxels(mask), "gtvP"), Roi(image.with_voxels(np.roll(mask, 3, 2)), "Brainstem")]
    write_rtstruct_rois(rois, workflow.series, tmp_path / "rt.dcm")
    workflow.compare(tmp_path / "rt.dcm")
    assert workflow.state.compared_with == "gtvP of rt.dcm"
    assert workflow.state.comparison is not None
    assert workflow.state.comparison.dice == 1.0
    assert workflow.state.message.endswith("gtvP is one of 2 structures of rt.dcm.")
    workflow.compare(tmp_path / "rt.dcm", "brainstem")
    assert workflow.state.comparison.dice < 1.0
    workflow.close()


def test_a_dicom_reference_of_a_scan_from_another_kind_of_file_says_what_to_do(
    desk: Desk, tmp_path: Path
) -> None:
    (tmp_path / "rt.dcm").write_bytes(b"\0" * 128 + b"DICM")
    with pytest.raises(UnusableInput, match="open the DICOM folder, or give the reference as a mask file"):
        desk.workflow.compare(tmp_path / "rt.dcm")


@pytest.mark.parametrize(
    ("names", "wanted", "like", "chosen"),
    [
        (["A"], "", "GTVp", "A"),
        (["A", "gtvp"], "", "GTVp", "gtvp"),
        (["A", "GTV-1"], "", "GTVp", "GTV-1"),
        (["A", "GTV-1"], "a", "GTVp", "A"),
    ],
)
def test_the_structure_is_the_one_that_is_meant(
    names: list[str], wanted: str, like: str, chosen: str
) -> None:
    assert choose_structure(names, wanted, like, "rt.dcm") == chosen


def test_a_structure_that_is_anybodys_guess_is_refused_with_the_names() -> None:
    with pytest.raises(UnusableInput, match=r"several structures \(GTV1, GTV2\) and none is called GTVp"):
        choose_structure(["GTV1", "GTV2"], "", "GTVp", "rt.dcm")
    with pytest.raises(UnusableInput, match="no structure called X: choose one of A"):
        choose_structure(["A"], "X", "A", "rt.dcm")


# ------------------------------------------------ in words


def test_the_table_is_the_same_in_every_panel() -> None:
    assert rows_of(Comparison(0.876, 0.913, 3.16, 42.06, 45.0, ())) == [
        ("Overlap (Dice)", "0.88"),
        ("Surface within 1 mm", "91 %"),
        ("Distance (HD95)", "3.2 mm"),
        ("Volume", "42.1 ml"),
        ("Reference", "45.0 ml"),
        ("Difference", "−2.9 ml"),
    ]
    assert rows_of(Comparison(0.0, 0.0, None, 0.0, 1.0, ()))[2] == ("Distance (HD95)", "none: one is empty")


def test_an_error_in_words() -> None:
    here = (0.0, 0.0, 0.0)
    assert error_line(ContourError("missed lesion", 0.412, here, 31.0)) == "missed lesion, 0.41 ml"
    wide = ContourError("border too wide", 12.34, here, 4.4)
    assert error_line(wide) == "border too wide, 12.3 ml, up to 4 mm"


def test_specks_beyond_a_dozen_are_summed_up() -> None:
    errors = [ContourError("false lesion", 0.5, (0.0, 0.0, 0.0), 1.0)] * 15
    few, line = listed(errors)
    assert len(few) == 12
    assert line == "and 3 smaller ones, 1.5 ml together"
    assert listed(errors[:12]) == (errors[:12], "")
