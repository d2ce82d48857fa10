"""How scans come in: several channels, folders with several series, and what Segment will then do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import fixtures_app as head
import numpy as np
import pytest
from fixtures_workflow import GEOMETRY, PATIENCE_S, TUMOUR_KJI, Desk, a_desk, a_scan, ball

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Geometry, Image
from TumorSegRobustLib.inference.forecast import Forecast, forecast
from TumorSegRobustLib.models import find_package
from TumorSegRobustLib.workflow import ChannelState, Rooms, SeveralSeries, Workflow

FLAIR_AXIAL, T1C_AXIAL = "FLAIR axial", "T1c axial"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return a_desk(tmp_path)


def called(image: Image, name: str) -> Image:
    return replace(image, name=name)


def volumes(desk: Desk) -> dict[str, str]:
    """Channel -> what stands for it."""
    return {one.name: one.volume for one in desk.state.inputs}


def with_t1c(desk: Desk) -> Desk:
    desk.opened()
    desk.workflow.open_image(called(a_scan(seed=2), "after contrast"), channel="t1c")
    return desk


# ------------------------------------------------ channels


def test_what_the_package_takes_is_told_before_there_is_a_scan(desk: Desk) -> None:
    flair, t1c = desk.state.inputs
    assert (flair.label, t1c.label) == ("FLAIR", "T1c")
    assert flair.description.startswith("T2-weighted FLAIR")
    assert (flair.volume, t1c.volume, flair.first) == ("", "", False)
    assert desk.state.why_not["add_channel"] == "Open a scan first."


def test_the_scan_stands_for_the_first_channel_unless_somebody_says_otherwise(desk: Desk) -> None:
    desk.opened()
    assert volumes(desk) == {"flair": "FLAIR", "t1c": ""}
    desk.workflow.name_first_channel("T1C")
    assert volumes(desk) == {"flair": "", "t1c": "FLAIR"}
    assert [one.name for one in desk.state.inputs if one.first] == ["t1c"]
    assert desk.state.message == "The scan is taken for T1c."
    desk.workflow.segment()
    assert list(desk.networks.heard[-1]) == ["t1c"]


def test_a_further_channel_is_added_and_removed_and_the_review_stays(desk: Desk) -> None:
    desk.segmented()
    mask = desk.workflow.mask
    desk.workflow.open_image(called(a_scan(seed=2), "after contrast"), channel="T1c")
    assert volumes(desk) == {"flair": "FLAIR", "t1c": "after contrast"}
    assert desk.workflow.mask is mask
    desk.workflow.segment()
    assert list(desk.networks.heard[-1])[1:] == ["t1c"]
    assert desk.workflow.result["channels"] == {"flair": "FLAIR", "t1c": "after contrast"}
    desk.workflow.drop_channel("t1c")
    assert volumes(desk) == {"flair": "FLAIR", "t1c": ""}
    assert desk.state.message == "T1c was removed. Press Segment to use it."
    assert desk.state.why_not["drop_channel"] == "There is no further channel."


def test_a_channel_that_is_replaced_takes_its_notices_along(desk: Desk) -> None:
    desk.opened()
    coarse = Geometry((10, 12, 14), (4.0, 4.0, 4.0), (-29.0, -19.0, 11.0))
    desk.workflow.open_image(Image(np.arange(1680.0).reshape(coarse.shape), coarse, "coarse"), channel="t1c")
    assert any("different grids" in notice for notice in desk.state.notices)
    desk.workflow.open_image(called(a_scan(seed=2), "fine"), channel="t1c")
    assert volumes(desk)["t1c"] == "fine"
    assert desk.state.notices == ()


def test_two_channels_that_were_mixed_up_change_places(desk: Desk) -> None:
    with_t1c(desk).workflow.name_first_channel("t1c")
    assert volumes(desk) == {"flair": "after contrast", "t1c": "FLAIR"}
    desk.workflow.segment()
    heard = desk.networks.heard[-1]
    assert heard["t1c"] is desk.workflow.image


def test_what_is_opened_as_the_channel_of_the_scan_is_a_new_scan(desk: Desk) -> None:
    with_t1c(desk).workflow.open_image(called(a_scan(seed=3), "another"), channel="flair")
    assert volumes(desk) == {"flair": "another", "t1c": ""}
    assert desk.workflow.image is not None
    assert desk.workflow.image.name == "another"


def test_the_scan_itself_cannot_be_removed(desk: Desk) -> None:
    with pytest.raises(UnusableInput, match=r"FLAIR is no further channel of this scan\."):
        with_t1c(desk).workflow.drop_channel("flair")


def test_a_channel_that_the_model_does_not_know_is_told_before_segmenting(desk: Desk) -> None:
    desk.opened()
    desk.workflow.open_image(a_scan(seed=2), channel="dwi")
    assert desk.state.why_not["segment"].startswith("The model brain-mr takes FLAIR and T1c, not dwi: say")
    assert desk.state.will_happen == desk.state.why_not["segment"]
    assert desk.state.inputs[-1] == ChannelState("dwi", "dwi", "", False, "FLAIR")


def test_one_more_channel_does_not_move_the_views(desk: Desk) -> None:
    told: list[object] = []
    desk.workflow.image_changed.connect(told.append)
    with_t1c(desk)
    assert len(told) == 1


# ------------------------------------------------ what is contoured


def test_the_tumour_core_needs_the_channel_that_shows_it(desk: Desk) -> None:
    desk.opened()
    assert (desk.state.targets, desk.state.target) == (("whole tumour", "tumour core"), "whole tumour")
    desk.workflow.choose_target("tumour core")
    assert desk.state.why_not["segment"] == (
        "Only T1c shows the tumour core: add it, or contour the whole tumour."
    )


def test_the_tumour_core_is_contoured_when_asked_for_and_nothing_is_claimed_about_it(desk: Desk) -> None:
    core = np.where(ball(TUMOUR_KJI, 2.0), 0.9, 0.01).astype(np.float32)
    desk.networks.core = core
    with_t1c(desk).workflow.choose_target("tumour core")
    desk.workflow.segment()
    np.testing.assert_array_equal(desk.workflow.mask, core >= 0.5)
    assert desk.state.predicted_dice is None
    assert desk.state.triage_level == "review"
    assert desk.state.reasons == ("how far to trust the contour is known for the whole tumour only",)
    assert desk.state.message.startswith(f"Tumour core of {core[core > 0.5].size * 0.008:.1f} ml.")
    assert desk.workflow.result["target"] == "tumour core"


def test_a_core_that_the_networks_cannot_tell_is_refused_in_one_line(desk: Desk) -> None:
    with_t1c(desk).workflow.choose_target("tumour core")
    with pytest.raises(UnusableInput, match="could not tell the tumour core"):
        desk.workflow.segment()


def test_a_target_that_does_not_exist_is_refused(desk: Desk) -> None:
    with pytest.raises(UnusableInput, match="choose whole tumour or tumour core"):
        desk.workflow.choose_target("brain")


# ------------------------------------------------ several series


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A folder with two series of one head, and a screenshot."""
    folder = tmp_path / "study"
    head.write_dicom(head.a_head(), folder / "1", description=FLAIR_AXIAL)
    darker = replace(head.a_head(), voxels=head.a_head().voxels * 0.5)
    head.write_dicom(darker, folder / "2", description=T1C_AXIAL)
    return folder


@pytest.fixture
def panel(tmp_path: Path):
    """A workflow as panels have it: with a background."""
    desk = a_desk(tmp_path, background=True, rooms=head.toy_rooms())
    yield desk
    desk.workflow.close()


def test_a_folder_with_several_series_asks_which_one(panel: Desk, study: Path) -> None:
    state = panel.does(panel.workflow.open, study)
    assert state.phase == "empty"
    assert (state.message, state.error) == ("study holds 2 series: choose one of them.", "")
    flair, t1c = state.choices
    assert flair.line == "MR FLAIR axial, 40 images, 3x3x3 mm"
    assert (t1c.description, t1c.modality, t1c.images) == (T1C_AXIAL, "MR", 40)
    assert "choose_series" in state.can
    state = panel.does(panel.workflow.choose_series, flair.uid)
    assert (state.image_name, state.choices, state.phase) == (FLAIR_AXIAL, (), "ready")
    assert panel.workflow.series is not None
    assert panel.workflow.series.series_uid == flair.uid


def test_a_second_channel_is_chosen_from_the_same_folder(panel: Desk, study: Path) -> None:
    flair, t1c = panel.does(panel.workflow.open, study).choices
    panel.does(panel.workflow.choose_series, flair.uid)
    panel.does(panel.workflow.open, study, "t1c")
    state = panel.does(panel.workflow.choose_series, t1c.uid)
    assert volumes(panel) == {"flair": FLAIR_AXIAL, "t1c": T1C_AXIAL}
    assert state.image_name == FLAIR_AXIAL


def test_the_choice_may_be_left_and_the_scan_before_stays(panel: Desk, study: Path) -> None:
    panel.opened()
    panel.does(panel.workflow.open, study)
    panel.workflow.stop_choosing()
    assert panel.state.choices == ()
    assert panel.state.message == "FLAIR is open. Press Segment, or start from nothing."
    assert panel.state.why_not["choose_series"] == "No folder with several series was opened."


def test_a_series_that_is_not_in_the_list_is_refused_and_the_list_stays(panel: Desk, study: Path) -> None:
    panel.does(panel.workflow.open, study)
    panel.workflow.choose_series("1.2.3")
    assert panel.state.error == "The folder has no series 1.2.3: choose another."
    assert len(panel.state.choices) == 2


def test_a_series_that_is_no_volume_says_why(panel: Desk, study: Path) -> None:
    for file in sorted((study / "2").iterdir())[5:20]:
        file.unlink()
    _, broken = panel.does(panel.workflow.open, study).choices
    assert broken.line == "MR T1c axial, 25 images, not a volume"
    panel.workflow.choose_series(broken.uid)
    assert panel.state.error == broken.fault
    assert "T1c axial" in broken.fault


def test_without_a_background_the_list_is_the_error(desk: Desk, study: Path) -> None:
    with pytest.raises(SeveralSeries, match=r"holds 2 series: .*FLAIR axial, 40 images, 3x3x3 mm") as told:
        desk.workflow.open(study)
    uid = told.value.choices[1].uid
    desk.workflow.open(study, series=uid)
    assert desk.state.image_name == T1C_AXIAL


def test_one_dicom_file_stands_for_its_series(desk: Desk, study: Path) -> None:
    desk.workflow.open(study / "1" / "003.dcm")
    assert desk.state.image_name == FLAIR_AXIAL
    assert desk.workflow.series is not None


# ------------------------------------------------ what will happen


def told_by(seconds: float | None = 4.2, device: str = "cpu", free_mb: float = 9000.0) -> Rooms:
    return Rooms(
        make_ensemble=lambda *_: head.ToyEnsemble(),
        assess=head.assess,
        forecast=lambda *_: Forecast(device, "openvino", 3, seconds, 910.0, free_mb),
    )


def a_workflow(folder: Path, rooms: Rooms) -> Workflow:
    return Workflow(work_folder=folder, background=False, rooms=rooms)


def test_what_segment_will_do_is_told_in_one_line(tmp_path: Path) -> None:
    flow = a_workflow(tmp_path, told_by())
    assert flow.state.will_happen == ""
    flow.open_image(a_scan())
    assert flow.state.will_happen == (
        "FLAIR: 3 networks on the processor (CPU), about 4 s and 0.9 GB of memory."
    )
    flow.open_image(a_scan(seed=2), channel="t1c")
    assert flow.state.will_happen.startswith("FLAIR and T1c: 3 networks")
    flow.choose_adaptation(True)
    assert flow.state.will_happen.endswith(", and longer while they adapt to the scan.")


def test_too_little_memory_is_told_before(tmp_path: Path) -> None:
    flow = a_workflow(tmp_path, told_by(free_mb=500.0))
    flow.open_image(a_scan())
    assert flow.state.will_happen.endswith("Only 0.5 GB are free: close other programs first.")


def test_a_run_teaches_how_long_the_next_one_takes(tmp_path: Path) -> None:
    flow = a_workflow(tmp_path, told_by(seconds=0.05))
    flow.open_image(head.a_head())
    flow.segment()
    took = flow.result["seconds"]["total"] - flow.result["seconds"]["open"]
    assert flow.state.forecast is not None
    assert flow.state.forecast.seconds == pytest.approx(took, abs=1e-4)


def test_what_was_learned_is_known_at_the_next_start(tmp_path: Path) -> None:
    package = find_package()
    (tmp_path / "pace.json").write_text(json.dumps({f"brain-mr {package.version} cpu openvino": 0.5}))
    flow = a_workflow(tmp_path, told_by(seconds=20.0))
    flow.open_image(a_scan())
    assert flow.state.forecast is not None
    assert flow.state.forecast.seconds == 10.0


@pytest.mark.parametrize("content", ["", "[]", "{", '{"x": "fast"}'])
def test_a_damaged_memory_of_paces_is_passed_over(tmp_path: Path, content: str) -> None:
    (tmp_path / "pace.json").write_text(content)
    flow = a_workflow(tmp_path, told_by(seconds=20.0))
    flow.open_image(a_scan())
    assert "about 20 s" in flow.state.will_happen


def test_on_a_graphics_card_nobody_guesses_before_the_first_run(tmp_path: Path) -> None:
    flow = a_workflow(tmp_path, told_by(device="cuda"))
    flow.open_image(a_scan())
    assert "on the graphics card (GPU), for a time that the first run will tell," in flow.state.will_happen


def test_a_device_that_is_not_there_gives_no_forecast(tmp_path: Path) -> None:
    def absent(*_: object) -> Forecast:
        raise UnusableInput("Device mps is not available.")

    flow = a_workflow(tmp_path, Rooms(forecast=absent))
    flow.open_image(a_scan())
    assert (flow.state.forecast, flow.state.will_happen) == (None, "")


def test_the_forecast_grows_with_the_scan() -> None:
    package = find_package()
    small, large = (
        forecast(package, "cpu", Geometry(shape, (1, 1, 1))) for shape in ((60, 90, 90), (155, 240, 240))
    )
    assert small.networks == len(package.members)
    both = forecast(package, "cpu", Geometry((60, 90, 90), (1, 1, 1)), ["flair", "t1c"])
    assert small.seconds is not None
    assert large.seconds is not None
    assert both.seconds is not None
    assert both.seconds > 1.1 * small.seconds, "with and without the second channel: twice the passes"
    assert large.seconds > small.seconds
    assert large.memory_mb > small.memory_mb > 500


def test_a_new_scan_or_device_is_forecast_anew(tmp_path: Path) -> None:
    asked: list[tuple] = []

    def ask(package: object, device: str, geometry: Geometry, channels: Sequence[str]) -> Forecast:
        asked.append((device, geometry.shape, *channels))
        return Forecast("cpu", "openvino", 3, 4.0, 900.0, 9000.0)

    flow = a_workflow(tmp_path, Rooms(forecast=ask))
    flow.open_image(a_scan())
    flow.open_image(a_scan(seed=2), channel="t1c")
    flow.choose_device("cpu")
    flow.open_image(head.a_head())
    first = find_package().first_channel.name
    assert asked == [
        ("auto", GEOMETRY.shape, first),
        ("auto", GEOMETRY.shape, first, "t1c"),
        ("cpu", GEOMETRY.shape, first, "t1c"),
        ("cpu", head.GEOMETRY.shape, first),
    ]
    assert flow.wait(PATIENCE_S)


# ------------------------------------------------ scans before


def test_a_scan_that_was_opened_is_offered_at_the_next_start(tmp_path: Path, study: Path) -> None:
    flow = a_workflow(tmp_path / "work", told_by())
    flow.open(study / "1")
    flow.open(study / "2")
    flow.segment()
    flow.click(head.SATELLITE_MM, True)
    flow.close()
    again = a_workflow(tmp_path / "work", told_by())
    t1c, flair = again.state.recent
    assert (t1c.name, flair.name) == (T1C_AXIAL, FLAIR_AXIAL)
    assert t1c.unfinished.endswith("1 correction")
    assert flair.unfinished == ""
    again.open(t1c.path, series=t1c.series)
    (review,) = again.resumable()
    again.resume(review.path)
    again.accept("Dr Ada")
    again.close()
    (accepted, _) = a_workflow(tmp_path / "work", told_by()).state.recent
    assert accepted.unfinished == ""
    assert accepted.accepted.endswith("by Dr Ada")


def test_the_chosen_series_of_a_folder_is_remembered(tmp_path: Path, study: Path) -> None:
    flow = a_workflow(tmp_path / "work", told_by())
    with pytest.raises(SeveralSeries) as told:
        flow.open(study)
    assert flow.state.recent == ()
    uid = told.value.choices[1].uid
    flow.open(study, series=uid)
    (known,) = flow.state.recent
    assert (known.path, known.series) == (str(study), uid)
    flow.open(study, channel="t1c", series=told.value.choices[0].uid)
    assert flow.state.recent == (known,), "a further channel is no scan of its own"


def test_a_scan_that_is_gone_and_a_damaged_list_are_passed_over(tmp_path: Path, study: Path) -> None:
    flow = a_workflow(tmp_path / "work", told_by())
    flow.open(study / "1")
    (study / "1").rename(study / "moved")
    assert a_workflow(tmp_path / "work", told_by()).state.recent == ()
    for content in ("{", "{}", '["x"]', "[{}]"):
        (tmp_path / "work" / "recent.json").write_text(content)
        assert a_workflow(tmp_path / "work", told_by()).state.recent == ()
