"""What a clinician may do when, and what the panels are told; a command is done when it returns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures_workflow import (
    AIR_KJI,
    DISAGREE,
    GEOMETRY,
    OTHER_KJI,
    PATIENCE_S,
    TUMOUR_KJI,
    Desk,
    Judged,
    a_desk,
    a_scan,
    a_series,
    at,
    ball,
    judge,
)

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Image, write_image
from TumorSegRobustLib.inference.forecast import Forecast
from TumorSegRobustLib.workflow import COMMANDS, Rooms
from TumorSegRobustLib.workflow.rooms import start_session

A_SCAN = {"open", "add_channel", "segment", "start_empty"}
A_CONTOUR = A_SCAN | {"click", "paint", "accept", "save", "next_place", "compare"}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return a_desk(tmp_path)


def test_begins_empty_and_only_a_scan_may_be_opened(desk: Desk) -> None:
    assert desk.state.phase == "empty"
    assert desk.state.can == {"open"}
    assert desk.state.why_not["segment"] == "Open a scan first."


def test_every_command_that_may_not_be_pressed_has_a_reason_and_no_other_has(desk: Desk) -> None:
    for state in [desk.state, desk.opened().state, desk.segmented().state]:
        assert set(state.why_not) == set(COMMANDS) - state.can


def test_a_scan_makes_it_ready(desk: Desk) -> None:
    state = desk.opened().state
    assert state.phase == "ready"
    assert state.can == A_SCAN
    assert state.image_name == "FLAIR"
    assert state.message == "FLAIR is open. Press Segment, or start from nothing."
    assert desk.workflow.image is not None
    assert desk.workflow.image.geometry == GEOMETRY


def test_a_scan_opens_from_a_file(desk: Desk, tmp_path: Path) -> None:
    write_image(a_scan(), tmp_path / "flair.nii.gz")
    desk.workflow.open(tmp_path / "flair.nii.gz")
    assert desk.state.phase == "ready"
    assert desk.workflow.series is None


def test_a_missing_file_is_refused_in_one_line_and_leaves_the_scan(desk: Desk, tmp_path: Path) -> None:
    desk.opened()
    with pytest.raises(UnusableInput, match="does not exist"):
        desk.workflow.open(tmp_path / "absent.nii.gz")
    assert desk.state.phase == "ready"
    assert desk.state.error.endswith("choose a volume file or a folder with a DICOM series.")
    assert "\n" not in desk.state.error


def test_segmenting_shows_contour_volume_and_how_far_to_trust_it(desk: Desk) -> None:
    state = desk.segmented().state
    voxels = int(ball(TUMOUR_KJI).sum())
    assert state.phase == "review"
    assert state.can == A_CONTOUR - {"next_place"}, "these networks are sure of themselves everywhere"
    assert state.volume_ml == pytest.approx(voxels * 0.008)
    assert (state.triage_level, state.reasons) == ("review", (DISAGREE,))
    assert (state.predicted_dice, state.interval) == (0.87, (0.78, 0.93))
    assert state.message == f"Tumour of {voxels * 0.008:.1f} ml. Please check it: {DISAGREE}."
    assert state.package == "toy"
    mask, box = desk.contours[-1]
    assert box is None
    np.testing.assert_array_equal(mask, ball(TUMOUR_KJI))
    assert desk.workflow.assessment is not None
    assert desk.workflow.prediction is not None


def test_progress_rises_while_segmenting_and_is_gone_after(desk: Desk) -> None:
    desk.segmented()
    told = [s.progress for s in desk.states if s.phase == "running" and s.message != "Opening the scan."]
    assert told == sorted(told)
    assert {0.0, 0.45, 0.9} <= set(told)
    assert desk.state.progress is None


def test_a_click_corrects_the_contour_inside_the_told_region_only(desk: Desk) -> None:
    before = desk.segmented().workflow.mask.copy()
    desk.workflow.click(at(OTHER_KJI), True)
    mask, box = desk.contours[-1]
    assert mask[OTHER_KJI]
    outside = np.ones(mask.shape, bool)
    outside[box] = False
    np.testing.assert_array_equal(mask[outside], before[outside])
    assert desk.state.volume_ml == pytest.approx(mask.sum() * 0.008)
    assert [c.position_mm for c in desk.state.clicks] == [at(OTHER_KJI)]
    assert desk.state.message.startswith("Included: ")


def test_the_tool_in_hand_decides_what_a_click_means(desk: Desk) -> None:
    desk.segmented().workflow.set_tool("exclude")
    desk.workflow.click(at(TUMOUR_KJI))
    assert desk.state.tool == "exclude"
    assert not desk.workflow.mask[TUMOUR_KJI]


def test_a_click_without_a_tool_is_refused(desk: Desk) -> None:
    desk.segmented()
    with pytest.raises(UnusableInput, match="Choose Include or Exclude first"):
        desk.workflow.click(at(TUMOUR_KJI))
    assert desk.state.clicks == ()


def test_a_tool_that_does_not_exist_is_refused(desk: Desk) -> None:
    with pytest.raises(UnusableInput, match="no tool called lasso: choose none, include, exclude"):
        desk.workflow.set_tool("lasso")  # type: ignore[arg-type]
    assert desk.state.tool == "none"


@pytest.mark.parametrize("position", [(-500.0, 0.0, 0.0), (float("nan"), 0.0, 20.0)])
def test_a_click_outside_the_scan_is_refused_and_changes_nothing(desk: Desk, position: tuple) -> None:
    before = desk.segmented().workflow.mask
    with pytest.raises(UnusableInput, match="outside the scan"):
        desk.workflow.click(position, True)
    assert desk.workflow.mask is before
    assert desk.state.error == "That point lies outside the scan: click inside it."


def test_the_next_command_that_works_takes_the_error_away(desk: Desk) -> None:
    desk.segmented()
    with pytest.raises(UnusableInput):
        desk.workflow.click((-500.0, 0.0, 0.0), True)
    desk.workflow.click(at(OTHER_KJI), True)
    assert desk.state.error == ""


def test_a_command_that_may_not_be_pressed_is_refused_with_its_reason(desk: Desk) -> None:
    desk.opened()
    with pytest.raises(UnusableInput, match="There is no contour yet"):
        desk.workflow.click(at(TUMOUR_KJI), True)
    assert desk.state.phase == "ready"


def test_undo_and_redo_walk_over_every_correction(desk: Desk) -> None:
    masks = [desk.segmented().workflow.mask]
    for kji, include in [(OTHER_KJI, True), (TUMOUR_KJI, False), (AIR_KJI, True)]:
        desk.workflow.click(at(kji), include)
        masks.append(desk.workflow.mask)
    assert desk.state.why_not["redo"] == "There is nothing to redo."
    for mask in masks[-2::-1]:
        desk.workflow.undo()
        np.testing.assert_array_equal(desk.workflow.mask, mask)
    assert "undo" not in desk.state.can
    assert desk.state.clicks == ()
    for mask in masks[1:]:
        desk.workflow.redo()
        np.testing.assert_array_equal(desk.workflow.mask, mask)
    assert len(desk.state.clicks) == 3


def test_painting_is_a_correction_like_any_other(desk: Desk) -> None:
    drawn = desk.segmented().workflow.mask.copy()
    drawn[2:5, 2:5, 2:5] = True
    desk.workflow.paint(drawn)
    mask, box = desk.contours[-1]
    np.testing.assert_array_equal(mask, drawn)
    assert box == (slice(2, 5), slice(2, 5), slice(2, 5))
    desk.workflow.undo()
    np.testing.assert_array_equal(desk.workflow.mask, ball(TUMOUR_KJI))


def test_painting_nothing_new_leaves_nothing_to_undo(desk: Desk) -> None:
    desk.segmented().workflow.paint(desk.workflow.mask)
    assert "undo" not in desk.state.can


def test_starts_from_nothing(desk: Desk) -> None:
    desk.opened().workflow.start_empty()
    assert desk.state.phase == "review"
    assert desk.state.volume_ml == 0.0
    assert desk.state.predicted_dice is None
    assert desk.state.reasons == ("The contour was made by hand: no network was asked.",)
    assert desk.state.message == "Choose Include and click in the tumour."
    desk.workflow.click(at(TUMOUR_KJI), True)
    assert desk.workflow.mask[TUMOUR_KJI]


@pytest.mark.parametrize("level", ["accept", "review", "reject"])
def test_acceptance_is_possible_whatever_the_triage_says(tmp_path: Path, level: str) -> None:
    desk = a_desk(tmp_path, level=level).segmented()
    assert desk.state.triage_level == level
    desk.workflow.accept("Dr Ada", "edge checked")
    assert desk.state.phase == "accepted"
    assert desk.state.accepted_by == "Dr Ada"
    assert desk.workflow.session.accepted.comment == "edge checked"


def test_acceptance_needs_a_name(desk: Desk) -> None:
    desk.segmented()
    with pytest.raises(UnusableInput, match="needs the name of the person"):
        desk.workflow.accept("  ")
    assert desk.state.phase == "review"


def test_a_correction_after_acceptance_takes_it_back(desk: Desk) -> None:
    desk.segmented().workflow.accept("Dr Ada")
    assert desk.state.why_not["accept"] == "This contour has been accepted already."
    desk.workflow.click(at(OTHER_KJI), True)
    assert (desk.state.phase, desk.state.accepted_by) == ("review", "")


def test_another_scan_puts_the_review_aside(desk: Desk) -> None:
    desk.segmented().workflow.open_image(a_scan(seed=1))
    assert desk.state.phase == "ready"
    assert desk.state.triage_level == ""
    assert desk.state.volume_ml is None
    assert desk.workflow.mask is None
    assert desk.contours[-1] == (None, None)


def test_one_more_channel_goes_to_the_networks_and_leaves_the_review(desk: Desk) -> None:
    desk.segmented()
    coarse = GEOMETRY.with_spacing((4.0, 4.0, 4.0))
    t1c = Image(np.arange(np.prod(coarse.shape), dtype=np.float32).reshape(coarse.shape), coarse, "T1c")
    desk.workflow.open_image(t1c, channel="t1c")
    assert desk.state.phase == "review"
    assert desk.state.channels == ("", "t1c")
    assert "resampled t1c to FLAIR" in desk.state.notices[0]
    desk.workflow.segment()
    assert set(desk.networks.heard[-1]) == {"image", "t1c"}
    assert desk.networks.heard[-1]["t1c"].geometry == GEOMETRY


def test_a_single_scan_goes_to_the_networks_without_a_name(desk: Desk) -> None:
    desk.segmented()
    assert desk.networks.heard == [desk.workflow.image]


def test_rtstruct_of_a_scan_that_was_not_dicom_says_what_is_missing(desk: Desk, tmp_path: Path) -> None:
    desk.segmented()
    assert "export" not in desk.state.can
    assert desk.state.why_not["export"].startswith("RTSTRUCT and DICOM SEG need the DICOM series")
    with pytest.raises(UnusableInput, match="open the DICOM folder, or save the contour as NIfTI"):
        desk.workflow.export_rtstruct(tmp_path / "out.dcm")


def test_an_empty_contour_is_not_exported(desk: Desk) -> None:
    desk.opened(series=a_series()).workflow.start_empty()
    assert desk.state.why_not["export"] == "The contour is empty: there is nothing to export."


def test_rtstruct_says_who_made_the_contour_and_who_accepted_it(desk: Desk, tmp_path: Path) -> None:
    series = a_series()
    desk.opened(series=series).workflow.segment()
    desk.workflow.export_rtstruct(tmp_path / "first.dcm", "GTVp_1")
    desk.workflow.click(at(OTHER_KJI), True)
    desk.workflow.accept("Dr Ada")
    desk.workflow.export_rtstruct(tmp_path)
    (_, same, name, algorithm, about), (mask, _, _, corrected, accepted) = desk.written
    assert same is series
    assert (name, algorithm) == ("GTVp_1", "AUTOMATIC")
    assert about == "Proposed by model toy 1.2.3, 0 clicks, not accepted by anyone yet."
    assert corrected == "SEMIAUTOMATIC"
    assert accepted.startswith("Proposed by model toy 1.2.3, 1 clicks, accepted by Dr Ada, 20")
    assert mask.voxels[OTHER_KJI]
    assert len(list(tmp_path.glob("RTSTRUCT_*.dcm"))) == 1
    assert desk.state.message.startswith("Written: ")


def test_uncertainty_follows_a_click_and_comes_back_on_undo(desk: Desk) -> None:
    desk.segmented()
    before, lo, hi = desk.workflow.overlay("entropy")
    before = before.copy()
    desk.workflow.click(at(OTHER_KJI), True)
    after, *window = desk.workflow.overlay("entropy")
    assert after[OTHER_KJI] < before[OTHER_KJI], "the clinician has settled it"
    assert window == [lo, hi], "colours of untouched places must not change"
    box = desk.contours[-1][1]
    outside = np.ones(after.shape, bool)
    outside[box] = False
    np.testing.assert_array_equal(after[outside], before[outside])
    desk.workflow.undo()
    np.testing.assert_array_equal(desk.workflow.overlay("entropy")[0], before)


def test_disagreement_of_the_networks_is_a_map_of_zeros_where_they_were_not_asked(desk: Desk) -> None:
    desk.opened().workflow.start_empty()
    values, lo, hi = desk.workflow.overlay("disagreement")
    assert values.shape == GEOMETRY.shape
    assert not values.any()
    assert lo < hi


def test_an_unknown_uncertainty_map_is_refused_by_name(desk: Desk) -> None:
    desk.segmented()
    with pytest.raises(ValueError, match="no uncertainty map called doubt: choose entropy"):
        desk.workflow.overlay("doubt")


def test_there_is_no_uncertainty_before_a_contour(desk: Desk) -> None:
    with pytest.raises(ValueError, match="no contour yet"):
        desk.workflow.overlay()


def test_an_unexpected_error_is_one_line_in_the_state_and_in_the_log(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.opened()
    desk.networks.error = RuntimeError("kernel\n  exploded")
    with pytest.raises(RuntimeError, match="exploded"):
        desk.workflow.segment()
    expected = "Segmenting failed unexpectedly (RuntimeError: kernel exploded); details are in the log."
    assert desk.state.error == expected
    assert desk.state.phase == "ready"
    assert "Traceback" in caplog.text


def test_too_little_memory_is_told_with_the_way_out(desk: Desk) -> None:
    desk.opened()
    desk.networks.error = MemoryError()
    with pytest.raises(MemoryError):
        desk.workflow.segment()
    assert desk.state.error.endswith("close other programs and try again.")


def test_a_failed_segmentation_leaves_the_review_before(desk: Desk) -> None:
    desk.segmented().workflow.click(at(OTHER_KJI), True)
    mask = desk.workflow.mask
    desk.networks.error = UnusableInput("The scan is too dark: choose another one.")
    with pytest.raises(UnusableInput):
        desk.workflow.segment()
    assert desk.workflow.mask is mask
    assert desk.state.error == "The scan is too dark: choose another one."
    desk.workflow.undo()
    np.testing.assert_array_equal(desk.workflow.mask, ball(TUMOUR_KJI))


def test_choosing_a_package_that_does_not_exist_is_refused(desk: Desk) -> None:
    with pytest.raises(UnusableInput, match="no model 'absent'"):
        desk.workflow.choose_package("absent")
    assert desk.state.package == ""


def test_device_is_shown_and_used(tmp_path: Path) -> None:
    asked: list[tuple] = []
    desk = a_desk(tmp_path)
    desk = a_desk(tmp_path, ensemble_factory=lambda *choice: asked.append(choice) or desk.networks)
    desk.opened().workflow.choose_device("cpu")
    desk.workflow.segment()
    desk.workflow.segment()
    assert asked == [(None, "cpu")], "built once, and only when it is needed"
    assert desk.state.device == "cpu"


def gpu_desk(folder: Path, found: tuple[str, str], asked: list[tuple], **options: Any) -> Desk:
    """A desk on a machine with this GPU; `asked` takes what networks were built for."""

    def forecast(_package: object, device: str, *_: object) -> Forecast:
        return Forecast("cpu" if device == "cpu" else "cuda", "torch", 3, 4.0, 900.0, 9000.0)

    desk = a_desk(folder)
    rooms = Rooms(
        assess=lambda prediction, *_: judge(prediction),
        forecast=forecast,
        find_gpu=lambda: found,
        warm_refiner=lambda _device: None,
        start_session=lambda *about: start_session(*about[:-1], "cpu"),
    )
    return a_desk(
        folder,
        rooms=rooms,
        ensemble_factory=lambda *choice: asked.append(choice) or desk.networks,
        **options,
    )


def test_where_there_is_a_gpu_the_device_can_be_chosen_and_the_forecast_follows(tmp_path: Path) -> None:
    asked: list[tuple] = []
    desk = gpu_desk(tmp_path, ("cuda", ""), asked, background=True)
    assert desk.state.devices == (), "PyTorch would have to be loaded to know"
    desk.opened()
    assert [one.value for one in desk.state.devices] == ["auto", "cpu", "cuda"]
    assert "(GPU)" in desk.state.will_happen
    desk.does(desk.workflow.choose_device, "cpu")
    assert "(CPU)" in desk.state.will_happen
    desk.does(desk.workflow.choose_device, "cuda")
    assert "(GPU)" in desk.state.will_happen
    desk.workflow.wait_until_warm(PATIENCE_S)
    desk.does(desk.workflow.segment)
    assert asked[-1] == (None, "cuda")
    desk.workflow.close()


def test_the_command_line_does_not_look_for_a_gpu(tmp_path: Path) -> None:
    desk = gpu_desk(tmp_path, ("cuda", ""), [])
    assert desk.opened().state.devices == ()


def test_the_state_tells_which_uncertainty_there_is(desk: Desk) -> None:
    assert desk.opened().state.overlay_kinds == ()
    desk.workflow.segment()
    assert desk.state.overlay_kinds == ("entropy", "mutual_information", "disagreement")
    desk.workflow.start_empty()
    assert desk.state.overlay_kinds == ("entropy",)


def test_the_state_tells_whether_the_expected_overlap_is_calibrated(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.segmented()
    assert desk.state.calibrated is None
    quality = {"predicted_dice": 0.9, "interval": [0.8, 1.0], "calibrated": False}
    monkeypatch.setattr(Judged, "to_json", lambda _self: {"lesions": [], "quality": quality})
    desk.workflow.segment()
    assert desk.state.calibrated is False
    desk.workflow.start_empty()
    assert desk.state.calibrated is None
