"""Several segments through the workflow: who receives a click, what is told, what is written."""

from __future__ import annotations

import json
from pathlib import Path

import fixtures_app as app
import numpy as np
import pydicom
import pytest
from fixtures_workflow import (
    AIR_KJI,
    GEOMETRY,
    OTHER_KJI,
    TUMOUR_KJI,
    Desk,
    a_desk,
    a_series,
    at,
    ball,
)

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import read_image
from TumorSegRobustLib.workflow import Workflow

GTVP, GTVN = 1, 2


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A proposal, and a second segment that is empty and active."""
    desk = a_desk(tmp_path).segmented()
    desk.workflow.add_segment("GTVn")
    return desk


def told(desk: Desk) -> list[tuple]:
    return [(s.id, s.name, s.locked, s.active) for s in desk.state.segments]


# ------------------------------------------------ which segment


def test_a_review_begins_with_one_segment_which_is_the_proposal(tmp_path: Path) -> None:
    desk = a_desk(tmp_path).opened()
    assert desk.state.segments == ()
    desk.workflow.segment()
    assert told(desk) == [(GTVP, "GTVp", True, True)]
    assert desk.state.segments[0].volume_ml == desk.state.volume_ml


def test_an_added_segment_is_empty_locked_and_active(desk: Desk) -> None:
    assert told(desk) == [(GTVP, "GTVp", True, False), (GTVN, "GTVn", True, True)]
    assert desk.state.volume_ml == 0.0
    assert not desk.workflow.mask.any()
    np.testing.assert_array_equal(desk.workflow.masks[GTVP], ball(TUMOUR_KJI))
    assert desk.state.message == "GTVn was added: choose Include and click in it."


def test_a_segment_without_a_name_gets_the_next_one(desk: Desk) -> None:
    desk.workflow.add_segment()
    desk.workflow.add_segment("gtvP3")
    desk.workflow.add_segment(" ")
    assert [s.name for s in desk.state.segments] == ["GTVp", "GTVn", "GTVp2", "gtvP3", "GTVp4"]


def test_clicks_are_about_the_active_segment(desk: Desk) -> None:
    desk.workflow.click(at(OTHER_KJI), True)
    assert desk.workflow.masks[GTVN][OTHER_KJI]
    assert not desk.workflow.masks[GTVP][OTHER_KJI]
    assert len(desk.state.clicks) == len(desk.state.click_numbers) == 1
    assert desk.state.message.endswith(f"GTVn of {desk.state.volume_ml:.1f} ml.")
    desk.workflow.choose_segment(GTVP)
    assert desk.state.clicks == ()
    assert told(desk)[0] == (GTVP, "GTVp", True, True)
    desk.workflow.click(at(AIR_KJI), True)
    assert desk.workflow.masks[GTVP][AIR_KJI]


def test_a_click_in_a_locked_segment_is_refused_with_the_way_out(desk: Desk) -> None:
    before = desk.workflow.masks
    with pytest.raises(UnusableInput, match="belongs to GTVp, which is locked: choose GTVp"):
        desk.workflow.click(at(TUMOUR_KJI), True)
    assert desk.state.error.endswith("or unlock it to give the point to GTVn.")
    assert desk.workflow.masks == before
    desk.workflow.lock_segment(GTVP, False)
    desk.workflow.click(at(TUMOUR_KJI), True)
    assert desk.workflow.masks[GTVN][TUMOUR_KJI]
    assert not desk.workflow.masks[GTVP][TUMOUR_KJI]


def test_the_first_segment_takes_the_clicks_where_the_active_one_is_gone(desk: Desk) -> None:
    desk.workflow.remove_segment(GTVN)
    assert told(desk) == [(GTVP, "GTVp", True, True)]
    desk.workflow.undo()
    desk.workflow.choose_segment(GTVN)
    desk.workflow.undo()
    assert told(desk) == [(GTVP, "GTVp", True, True)]
    assert "undo" not in desk.state.can


def test_undo_walks_over_all_segments_whichever_is_active(desk: Desk) -> None:
    desk.workflow.click(at(OTHER_KJI), True)
    desk.workflow.choose_segment(GTVP)
    desk.workflow.undo()
    assert not desk.workflow.masks[GTVN].any()
    assert desk.contours[-1][1] is not None
    desk.workflow.redo()
    assert desk.workflow.masks[GTVN][OTHER_KJI]


@pytest.mark.parametrize(
    ("command", "arguments", "why"),
    [
        ("choose_segment", (7,), r"There is no segment 7: choose one of 1 \(GTVp\), 2 \(GTVn\)"),
        ("rename_segment", (GTVN, "gtvp"), "a segment called GTVp already: give another name"),
        ("remove_segment", (GTVP,), "GTVp is what the review began with and stays"),
        ("remove_click", (99,), "There is no click 99 any more: choose one of the list"),
        ("set_brush", (0.0,), "A brush of 0 mm is of no use: choose a radius of 0.5 to 50 mm"),
        ("brush", ((-500.0, 0.0, 0.0), 3.0, True), "outside the scan: click inside it"),
        ("move_click", (1, (float("nan"), 0.0, 0.0)), "outside the scan: click inside it"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line_and_is_no_step(
    desk: Desk, command: str, arguments: tuple, why: str
) -> None:
    segments = desk.state.segments
    with pytest.raises(UnusableInput, match=why):
        getattr(desk.workflow, command)(*arguments)
    assert "\n" not in desk.state.error
    assert desk.state.segments == segments


def test_segments_need_a_contour_first(tmp_path: Path) -> None:
    desk = a_desk(tmp_path).opened()
    with pytest.raises(UnusableInput, match="There is no contour yet"):
        desk.workflow.add_segment("GTVn")


def test_a_host_refuses_a_place_without_depth_in_one_line(desk: Desk) -> None:
    with pytest.raises(UnusableInput, match="in a slice"):
        desk.workflow.refuse("Click in a slice.")
    assert desk.state.error == "Click in a slice."


# ------------------------------------------------ single clicks


def test_a_click_in_the_middle_of_the_list_is_deleted(desk: Desk) -> None:
    desk.workflow.choose_segment(GTVP)
    for kji, include in ((AIR_KJI, True), (OTHER_KJI, True)):
        desk.workflow.click(at(kji), include)
    both = desk.workflow.mask
    desk.workflow.remove_click(desk.state.click_numbers[0])
    assert [c.position_mm for c in desk.state.clicks] == [at(OTHER_KJI)]
    assert not desk.workflow.mask[AIR_KJI]
    assert desk.workflow.mask[OTHER_KJI]
    assert desk.state.message.startswith("The click was deleted. GTVp of ")
    desk.workflow.undo()
    np.testing.assert_array_equal(desk.workflow.mask, both)
    assert len(desk.state.clicks) == 2


def test_a_click_is_moved(desk: Desk) -> None:
    desk.workflow.click(at(AIR_KJI), True)
    (number,) = desk.state.click_numbers
    desk.workflow.move_click(number, at(OTHER_KJI))
    assert desk.state.click_numbers == (number,)
    assert [c.position_mm for c in desk.state.clicks] == [at(OTHER_KJI)]
    assert desk.workflow.mask[OTHER_KJI]
    assert not desk.workflow.mask[AIR_KJI]


# ------------------------------------------------ the brush


def test_the_brush_paints_and_erases_a_ball_in_the_active_segment(desk: Desk) -> None:
    desk.workflow.set_tool("paint")
    desk.workflow.set_brush(4.0)
    desk.workflow.click(at(OTHER_KJI))
    mask, box = desk.contours[-1]
    distance = np.linalg.norm(
        GEOMETRY.position_of(np.moveaxis(np.indices(GEOMETRY.shape), 0, -1)) - at(OTHER_KJI), axis=-1
    )
    np.testing.assert_array_equal(mask, (distance <= 4.0) & ~ball(TUMOUR_KJI))
    assert mask[box].sum() == mask.sum()
    desk.workflow.set_tool("erase")
    desk.workflow.brush(at(OTHER_KJI), 2.0)
    assert not desk.workflow.mask[distance <= 2.0].any()
    desk.workflow.undo()
    desk.workflow.undo()
    assert not desk.workflow.mask.any()


def test_a_stroke_is_one_step_and_forgets_what_leaves_the_scan(desk: Desk) -> None:
    desk.workflow.stroke([at(OTHER_KJI), at(AIR_KJI), (-500.0, 0.0, 0.0)], 2.0, True)
    assert desk.workflow.mask[OTHER_KJI]
    assert desk.workflow.mask[AIR_KJI]
    desk.workflow.undo()
    assert not desk.workflow.mask.any()


def test_painting_over_a_locked_segment_says_what_stayed(desk: Desk) -> None:
    everything = np.ones(GEOMETRY.shape, bool)
    desk.workflow.paint(everything)
    np.testing.assert_array_equal(desk.workflow.mask, ~ball(TUMOUR_KJI))
    kept = ball(TUMOUR_KJI).sum() * GEOMETRY.voxel_ml
    assert f"Painted, but {kept:.1f} ml stayed with locked segments: unlock them" in desk.state.message
    desk.workflow.paint(everything)
    assert desk.state.message.startswith("Nothing was painted: ")
    desk.workflow.undo()
    assert not desk.workflow.mask.any(), "painting nothing is no step"


def test_a_host_may_paint_a_segment_that_is_not_active(desk: Desk) -> None:
    desk.workflow.paint(ball(OTHER_KJI), GTVP)
    np.testing.assert_array_equal(desk.workflow.masks[GTVP], ball(OTHER_KJI))
    assert told(desk)[1][3], "the active one stays active"


# ------------------------------------------------ written


def load(path: Path) -> dict:
    return json.loads(path.read_text())


def test_every_segment_has_its_file_and_is_told_in_the_documents(desk: Desk, tmp_path: Path) -> None:
    desk.workflow.rename_segment(GTVN, "GTVn left/1")
    desk.workflow.click(at(OTHER_KJI), True)
    desk.workflow.save(tmp_path / "out")
    first = read_image(tmp_path / "out" / "segmentation.nii.gz").voxels > 0
    second = read_image(tmp_path / "out" / "segmentation-GTVn_left_1.nii.gz").voxels > 0
    np.testing.assert_array_equal(first, desk.workflow.masks[GTVP])
    np.testing.assert_array_equal(second, desk.workflow.masks[GTVN])
    for document in ("result.json", "refine.json"):
        segments = load(tmp_path / "out" / document)["segments"]
        assert [(s["name"], s["file"]) for s in segments] == [
            ("GTVp", "segmentation.nii.gz"),
            ("GTVn left/1", "segmentation-GTVn_left_1.nii.gz"),
        ]
        assert [s["volume_ml"] for s in segments] == [s.volume_ml for s in desk.state.segments]
    (click,) = load(tmp_path / "out" / "refine.json")["clicks"]
    assert (click["segment"], click["honoured"]) == ("GTVn left/1", True)


def test_files_of_segments_that_are_gone_do_not_stay(desk: Desk, tmp_path: Path) -> None:
    desk.workflow.click(at(OTHER_KJI), True)
    desk.workflow.save(tmp_path / "out")
    desk.workflow.remove_segment(GTVN)
    desk.workflow.save(tmp_path / "out")
    assert list((tmp_path / "out").glob("segmentation-*")) == []
    assert [s["name"] for s in load(tmp_path / "out" / "refine.json")["segments"]] == ["GTVp"]


def test_saved_segments_are_there_when_a_review_starts_from_the_results(desk: Desk, tmp_path: Path) -> None:
    desk.workflow.click(at(OTHER_KJI), True)
    desk.workflow.rename_segment(GTVP, "GTV_left")
    masks = dict(desk.workflow.masks)
    desk.workflow.save(tmp_path / "out")
    again = a_desk(tmp_path / "again").opened()
    again.workflow.start_from(tmp_path / "out")
    assert told(again) == [(GTVP, "GTV_left", True, True), (GTVN, "GTVn", True, False)]
    assert [s.colour for s in again.state.segments] == [s.colour for s in desk.state.segments]
    for segment, mask in masks.items():
        np.testing.assert_array_equal(again.workflow.masks[segment], mask)


def test_a_review_of_several_segments_is_continued_after_a_crash(desk: Desk) -> None:
    desk.workflow.click(at(OTHER_KJI), True)
    desk.workflow.lock_segment(GTVN, False)
    masks, segments = dict(desk.workflow.masks), told(desk)
    desk.workflow.close()
    again = a_desk(desk.folder).opened()
    (offered,) = again.workflow.resumable()
    assert offered.edits == 3
    again.workflow.resume(offered.path)
    assert [s[:3] for s in told(again)] == [s[:3] for s in segments]
    for segment, mask in masks.items():
        np.testing.assert_array_equal(again.workflow.masks[segment], mask)


def test_rtstruct_holds_every_segment_that_holds_anything(tmp_path: Path) -> None:
    desk = a_desk(tmp_path).opened(series=a_series())
    desk.workflow.segment()
    for name in ("GTVn", "Empty"):
        desk.workflow.add_segment(name)
    desk.workflow.choose_segment(GTVN)
    desk.workflow.click(at(OTHER_KJI), True)
    desk.workflow.export_rtstruct(tmp_path / "out.dcm", "GTV_left")
    assert [(name, algorithm) for _, _, name, algorithm, _ in desk.written] == [
        ("GTV_left", "SEMIAUTOMATIC"),
        ("GTVn", "SEMIAUTOMATIC"),
    ]
    np.testing.assert_array_equal(desk.written[1][0].voxels, desk.workflow.masks[GTVN])


def test_a_planning_system_reads_every_segment_by_its_name_and_colour(tmp_path: Path) -> None:
    workflow = Workflow(work_folder=tmp_path / "work", background=False, rooms=app.toy_rooms())
    workflow.open(app.write_dicom(app.a_head(), tmp_path / "series"))
    workflow.segment()
    workflow.add_segment("PTVn")
    workflow.brush(app.SATELLITE_MM, 9.0, True)
    workflow.export_rtstruct(tmp_path / "out.dcm")
    written = pydicom.dcmread(tmp_path / "out.dcm")
    assert [roi.ROIName for roi in written.StructureSetROISequence] == ["GTVp", "PTVn"]
    assert [o.RTROIInterpretedType for o in written.RTROIObservationsSequence] == ["GTV", "PTV"]
    colours = [list(roi.ROIDisplayColor) for roi in written.ROIContourSequence]
    assert colours == [[255, 0, 0], list(workflow.state.segments[1].colour)]
    volumes = [float(roi.ROIVolume) for roi in written.StructureSetROISequence]
    assert volumes == pytest.approx([s.volume_ml for s in workflow.state.segments], rel=1e-3)
    assert written.StructureSetROISequence[1].ROIGenerationAlgorithm == "MANUAL"
    workflow.close()


def test_a_segment_can_be_exported_though_the_first_one_is_empty(tmp_path: Path) -> None:
    desk = a_desk(tmp_path).opened(series=a_series())
    desk.workflow.start_empty()
    assert "export" not in desk.state.can
    desk.workflow.add_segment("GTVn")
    desk.workflow.click(at(OTHER_KJI), True)
    assert "export" in desk.state.can
    desk.workflow.choose_segment(GTVP)
    assert "export" in desk.state.can


def test_an_acceptance_is_about_all_segments(desk: Desk) -> None:
    desk.workflow.click(at(OTHER_KJI), True)
    desk.workflow.accept("Dr Ada")
    volume = sum(s.volume_ml for s in desk.state.segments)
    assert desk.state.message == f"Accepted by Dr Ada: 2 segments of {volume:.1f} ml."
