"""The workflow as the panels use it: work in a thread, results handed over, cancel, and nothing raised."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fixtures_workflow import OTHER_KJI, PATIENCE_S, TUMOUR_KJI, Desk, Networks, a_desk, a_scan, at, ball

from TumorSegRobustLib.errors import Cancelled, UnusableInput
from TumorSegRobustLib.image import read_image
from TumorSegRobustLib.workflow import Rooms, run_now


class EventLoop:
    """Stands in for the panel's event loop: calls wait in a queue until the test's thread runs them."""

    def __init__(self) -> None:
        self.calls: queue.SimpleQueue = queue.SimpleQueue()
        self.threads: set[str] = set()

    def dispatch(self, call) -> None:
        self.calls.put(call)

    def run(self) -> None:
        while not self.calls.empty():
            self.calls.get()()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = a_desk(tmp_path, gated=True, background=True)
    yield desk
    desk.networks.gate.set()
    desk.workflow.close()


def running(desk: Desk) -> Desk:
    """Segmenting, held by the gate in the middle of the prediction."""
    desk.opened()
    desk.workflow.segment()
    assert desk.networks.begun.wait(PATIENCE_S)
    return desk


def finish(desk: Desk) -> None:
    desk.networks.gate.set()
    assert desk.workflow.wait(PATIENCE_S)


def test_segment_returns_at_once_and_shows_that_it_runs(desk: Desk) -> None:
    state = running(desk).state
    assert state.phase == "running"
    assert state.can == {"cancel"}
    assert state.why_not["click"] == "Segmenting. Wait for it or press Cancel."
    finish(desk)
    assert desk.state.phase == "review"


@pytest.mark.parametrize("before", ["ready", "review", "accepted"])
def test_cancel_returns_to_the_phase_before(desk: Desk, before: str) -> None:
    desk.opened()
    if before != "ready":
        desk.does(desk.workflow.start_empty)
        desk.does(desk.workflow.click, at(TUMOUR_KJI), True)
    if before == "accepted":
        desk.does(desk.workflow.accept, "Dr Ada")
    mask = desk.workflow.mask
    desk.workflow.segment()
    desk.workflow.answer(True)
    assert desk.networks.begun.wait(PATIENCE_S)
    desk.workflow.cancel()
    assert desk.workflow.wait(PATIENCE_S)
    assert desk.state.phase == before
    assert desk.state.message == "Cancelled. Nothing was changed."
    assert (desk.state.error, desk.state.progress) == ("", None)
    assert desk.workflow.mask is mask


def test_a_cancelled_segmentation_may_be_begun_again(desk: Desk) -> None:
    running(desk).workflow.cancel()
    assert desk.workflow.wait(PATIENCE_S)
    desk.networks.gate.set()
    assert desk.does(desk.workflow.segment).phase == "review"


def test_opening_can_be_cancelled_and_leaves_the_scan_before(tmp_path: Path) -> None:
    reading, gate = threading.Event(), threading.Event()

    def slowly(_: Path):
        reading.set()
        gate.wait(PATIENCE_S)
        return a_scan(seed=1), None

    rooms = Rooms(read_scan=slowly, make_ensemble=lambda *_: Networks())
    desk = a_desk(tmp_path, background=True, rooms=rooms)
    before = desk.opened().workflow.image
    desk.workflow.open(tmp_path)
    assert reading.wait(PATIENCE_S)
    desk.workflow.cancel()
    gate.set()
    assert desk.workflow.wait(PATIENCE_S)
    assert desk.workflow.image is before
    assert desk.state.message == "Cancelled. Nothing was changed."
    desk.workflow.close()


def test_cancel_with_nothing_running_is_refused_in_one_line(desk: Desk) -> None:
    desk.opened().workflow.cancel()
    assert desk.state.error == "Nothing is running."


def test_a_click_while_segmenting_is_refused_politely(desk: Desk) -> None:
    running(desk).workflow.click(at(TUMOUR_KJI), True)
    assert desk.state.error == "Segmenting. Wait for it or press Cancel."
    assert desk.state.phase == "running"
    finish(desk)
    assert desk.state.clicks == ()


def test_clicks_are_done_in_the_order_in_which_they_were_made(desk: Desk) -> None:
    desk.opened()
    desk.does(desk.workflow.start_empty)
    places = [TUMOUR_KJI, OTHER_KJI, (3, 3, 3), (16, 20, 24)]
    for kji in places:
        desk.workflow.click(at(kji), True)
    assert "undo" in desk.state.can, "a click on its way can be taken back already"
    desk.workflow.undo()
    assert desk.workflow.wait(PATIENCE_S)
    assert [c.position_mm for c in desk.state.clicks] == [at(kji) for kji in places[:-1]]


def test_errors_never_leave_a_command(desk: Desk) -> None:
    workflow = desk.workflow
    workflow.segment()
    assert desk.state.error == "Open a scan first."
    desk.does(workflow.open, "absent.nii.gz")
    assert desk.state.error.startswith("absent.nii.gz does not exist")
    assert desk.state.phase == "empty"
    workflow.choose_package("absent")
    assert "no model 'absent'" in desk.state.error


def test_an_unexpected_error_becomes_one_line(desk: Desk) -> None:
    desk.networks.error = ZeroDivisionError("division by zero")
    running(desk)
    finish(desk)
    assert desk.state.phase == "ready"
    assert desk.state.error == (
        "Segmenting failed unexpectedly (ZeroDivisionError: division by zero); details are in the log."
    )


def test_a_failing_listener_does_not_stop_later_commands(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("the view is gone")

    disconnect = desk.workflow.image_changed.connect(fails)
    desk.opened()
    assert "the view is gone" in caplog.text
    disconnect()
    assert desk.does(desk.workflow.start_empty).phase == "review"


def test_results_arrive_in_the_thread_of_the_event_loop_only(tmp_path: Path) -> None:
    loop = EventLoop()
    desk = a_desk(tmp_path, background=True, dispatch=loop.dispatch)
    desk.workflow.changed.connect(lambda _: loop.threads.add(threading.current_thread().name))
    desk.workflow.open_image(a_scan())
    assert desk.state.phase == "running"
    assert not desk.workflow.wait(0.0), "the result has not been handed over yet"
    assert desk.workflow.wait(PATIENCE_S, pump=loop.run)
    desk.workflow.segment()
    assert desk.workflow.wait(PATIENCE_S, pump=loop.run)
    assert desk.state.phase == "review"
    assert loop.threads == {threading.current_thread().name}
    desk.workflow.close()


def test_what_is_saved_holds_a_correction_that_the_panel_has_not_shown_yet(tmp_path: Path) -> None:
    loop, out = EventLoop(), tmp_path / "out"
    desk = a_desk(tmp_path, background=True, dispatch=loop.dispatch)
    for command in (lambda: desk.workflow.open_image(a_scan()), desk.workflow.segment):
        command()
        assert desk.workflow.wait(PATIENCE_S, pump=loop.run)
    before = desk.workflow.overlay()[0].copy()
    desk.workflow.click(at(OTHER_KJI), True)
    desk.workflow.save(out)
    began = time.monotonic()
    while not (out / "result.json").exists() and time.monotonic() - began < PATIENCE_S:
        time.sleep(0.01)
    np.testing.assert_array_equal(desk.workflow.overlay()[0], before)  # of the loop, which has not run
    assert desk.workflow.wait(PATIENCE_S, pump=loop.run)
    assert (desk.workflow.overlay()[0] != before).any()
    saved = read_image(out / "uncertainty.nii.gz").voxels
    np.testing.assert_allclose(saved, desk.workflow.overlay()[0], atol=1e-6)
    desk.workflow.close()


def test_nothing_is_handed_over_after_close(tmp_path: Path) -> None:
    loop = EventLoop()
    desk = a_desk(tmp_path, gated=True, background=True, dispatch=loop.dispatch)
    desk.workflow.open_image(a_scan())
    assert desk.workflow.wait(PATIENCE_S, pump=loop.run)
    desk.workflow.segment()
    assert desk.networks.begun.wait(PATIENCE_S)
    desk.workflow.close()
    told = len(desk.states)
    loop.run()
    assert len(desk.states) == told
    assert desk.workflow.wait(0.0)


def test_close_frees_the_journal_for_the_next_program(desk: Desk, tmp_path: Path) -> None:
    desk.opened()
    desk.does(desk.workflow.start_empty)
    desk.does(desk.workflow.click, at(TUMOUR_KJI), True)
    desk.workflow.close()
    after = a_desk(tmp_path)
    after.opened().workflow.resume(after.workflow.resumable()[0].path)
    assert after.workflow.mask[TUMOUR_KJI]


def test_networks_warm_up_while_the_clinician_looks(desk: Desk) -> None:
    desk.opened()
    assert desk.workflow.wait_until_warm(PATIENCE_S)
    assert desk.networks.warmed == 1
    finish(desk)


def test_what_is_chosen_while_networks_warm_up_is_warmed_too(tmp_path: Path) -> None:
    begun, gate, made = threading.Event(), threading.Event(), []

    class Slow(Networks):
        def warm_up(self) -> None:
            begun.set()
            assert gate.wait(PATIENCE_S)
            super().warm_up()

    networks = Slow()

    def make(_package: str | None, device: str) -> Networks:
        made.append(device)
        return networks

    rooms = Rooms(make_ensemble=make, list_packages=list, warm_refiner=lambda _device: None)
    desk = a_desk(tmp_path, background=True, rooms=rooms)
    desk.opened()
    assert begun.wait(PATIENCE_S)
    desk.workflow.choose_device("cpu")
    gate.set()
    assert desk.workflow.wait_until_warm(PATIENCE_S)
    assert (made, networks.warmed) == (["auto", "cpu"], 2)
    desk.workflow.close()


def test_networks_that_cannot_load_are_told_when_they_are_asked_for(tmp_path: Path) -> None:
    def broken(*_: object) -> None:
        raise UnusableInput("Model package brain-mr: weights are missing; restore the folder.")

    desk = a_desk(tmp_path, background=True, ensemble_factory=broken)
    desk.opened()
    assert desk.workflow.wait_until_warm(PATIENCE_S)
    assert desk.state.error == ""
    state = desk.does(desk.workflow.segment)
    assert state.error == "Model package brain-mr: weights are missing; restore the folder."
    assert state.phase == "ready"
    desk.workflow.close()


def test_segment_can_be_cancelled_while_the_networks_still_load(tmp_path: Path) -> None:
    desk = a_desk(tmp_path)
    loading, gate = threading.Event(), threading.Event()

    def slowly(*_: object):
        loading.set()
        gate.wait(2 * PATIENCE_S)
        return desk.networks

    rooms = Rooms(make_ensemble=slowly, list_packages=list)
    slow = a_desk(tmp_path, background=True, rooms=rooms)
    slow.opened()
    assert loading.wait(PATIENCE_S)
    waiting = threading.Event()
    slow.workflow.changed.connect(lambda s: s.message == "Loading the networks." and waiting.set())
    slow.workflow.segment()
    assert waiting.wait(PATIENCE_S)
    slow.workflow.cancel()
    assert slow.workflow.wait(PATIENCE_S), "it must not wait for the networks"
    assert slow.state.message == "Cancelled. Nothing was changed."
    gate.set()
    slow.workflow.close()


def test_without_a_thread_cancel_raises_out_of_the_command(tmp_path: Path) -> None:
    desk = a_desk(tmp_path, gated=True)
    desk.opened().workflow.changed.connect(
        lambda state: desk.workflow.cancel() if state.message == "Model 1 of 2" else None
    )
    with pytest.raises(Cancelled):
        desk.workflow.segment()
    assert desk.state.phase == "ready"
    assert desk.workflow.session is None


def test_run_now_calls_where_it_stands() -> None:
    heard: list[int] = []
    run_now(lambda: heard.append(1))
    assert heard == [1]


def test_the_contour_of_a_click_is_a_new_array(desk: Desk) -> None:
    running(desk)
    finish(desk)
    before = desk.workflow.mask
    desk.does(desk.workflow.click, at(OTHER_KJI), True)
    np.testing.assert_array_equal(before, ball(TUMOUR_KJI))
    assert desk.workflow.mask is not before
