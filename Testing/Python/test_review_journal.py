"""The journal: nothing acknowledged is lost, nothing changes unseen, one writer at a time."""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fixtures_review import a_patient, a_review, at, probability_of
from hypothesis import given, settings
from hypothesis import strategies as st

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import write_image
from TumorSegRobustLib.review import ReviewSession, replay_journal, verify_journal
from TumorSegRobustLib.review.journal import Journal, read_journal


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> bytes:
    """The bytes of a journal of six events, which starts from nothing."""
    image, _ = a_patient()
    with a_review(tmp_path_factory.mktemp("written"), image) as session:
        session.click(at(image, (8, 12, 14)))
        session.click(at(image, (8, 12, 25), include=False))
        session.undo()
        session.redo()
        session.accept("Dr. A", "agreed")
    return session.journal_path.read_bytes()


def a_journal(folder: Path, content: bytes) -> Path:
    path = folder / "journal.jsonl"
    path.write_bytes(content)
    return path


def test_an_untouched_journal_is_sound(written, tmp_path):
    report = verify_journal(a_journal(tmp_path, written))

    assert (report.ok, report.events, report.first_bad_line) == (True, 6, None)
    assert [r.event for r in read_journal(tmp_path / "journal.jsonl")] == [
        "started", "click", "click", "undo", "redo", "accept",
    ]  # fmt: skip


@settings(max_examples=150)
@given(data=st.data())
def test_any_changed_byte_is_found_at_its_line(written, tmp_path_factory, data):
    place = data.draw(st.integers(0, len(written) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != written[place]))
    changed = written[:place] + bytes([byte]) + written[place + 1 :]

    report = verify_journal(a_journal(tmp_path_factory.mktemp("changed"), changed))

    assert not report.ok
    assert report.first_bad_line == written[:place].count(b"\n") + 1


@given(data=st.data())
def test_removed_doubled_and_reordered_lines_are_found(written, tmp_path_factory, data):
    lines = written.splitlines(keepends=True)
    n = data.draw(st.integers(0, len(lines) - 2))
    m = data.draw(st.integers(n + 1, len(lines) - 1))
    swapped = list(lines)
    swapped[n], swapped[m] = swapped[m], swapped[n]
    folder = tmp_path_factory.mktemp("lines")

    for tampered in (lines[:n] + lines[n + 1 :], [*lines[: n + 1], *lines[n:]], swapped):
        report = verify_journal(a_journal(folder, b"".join(tampered)))
        assert not report.ok
        assert report.first_bad_line in (n + 1, n + 2)


def test_a_missing_end_is_found_only_with_the_last_hash_noted_elsewhere(written, tmp_path):
    head = verify_journal(a_journal(tmp_path, written)).head
    shorter = a_journal(tmp_path, b"".join(written.splitlines(keepends=True)[:-1]))

    assert verify_journal(shorter).ok
    report = verify_journal(shorter, head)
    assert (report.ok, report.first_bad_line) == (False, 6)
    assert "missing" in report.message


@given(left=st.integers(1, 400))
@settings(max_examples=25)
def test_a_torn_last_line_is_reported_and_the_review_goes_on_without_it(written, tmp_path_factory, left):
    image, _ = a_patient()
    *whole, last = written.splitlines(keepends=True)
    torn = last[: min(left, len(last) - 1)]
    path = a_journal(tmp_path_factory.mktemp("torn"), b"".join(whole) + torn)

    report = verify_journal(path)
    assert (report.ok, report.events, report.first_bad_line) == (False, 5, 6)
    with ReviewSession.resume(image, path) as session:
        assert session.accepted is None
        assert any("incomplete" in notice for notice in session.notices)
        session.accept("Dr. B")
    assert path.read_bytes().startswith(b"".join(whole))
    assert verify_journal(path).ok


def test_a_damaged_journal_is_refused_in_one_line(written, tmp_path):
    image, _ = a_patient()
    path = a_journal(tmp_path, written.replace(b"agreed", b"argued"))

    with pytest.raises(UnusableInput, match=r"damaged at line 6: its content was changed") as refusal:
        ReviewSession.resume(image, path)
    assert "\n" not in str(refusal.value)


def test_two_sessions_on_one_journal_are_refused_also_across_processes(tmp_path):
    image, _ = a_patient()
    session = a_review(tmp_path, image)
    with pytest.raises(UnusableInput, match="in use by another review session"):
        ReviewSession.resume(image, session.journal_path)
    script = (
        "import pathlib, sys\nfrom TumorSegRobustLib.review.journal import Journal\n"
        "Journal.open(pathlib.Path(sys.argv[1]))\n"
    )
    words = [sys.executable, "-c", script, str(session.journal_path)]
    other = subprocess.run(words, capture_output=True, text=True, env=_environment())
    assert "in use by another review session" in other.stderr

    session.close()
    ReviewSession.resume(image, session.journal_path).close()


def test_starting_over_an_existing_review_is_refused(tmp_path):
    image, _ = a_patient()
    a_review(tmp_path, image).close()

    with pytest.raises(UnusableInput, match="already holds a review"):
        a_review(tmp_path, image)


def test_another_image_is_refused(tmp_path):
    image, _ = a_patient()
    a_review(tmp_path, image).close()
    brighter = image.with_voxels(image.voxels + 1)
    elsewhere, _ = a_patient(spacing_mm=(1.0, 1.0, 1.1))

    with pytest.raises(UnusableInput, match="same grid, other voxel values"):
        ReviewSession.resume(brighter, tmp_path / "journal.jsonl")
    with pytest.raises(UnusableInput, match="1x1x1 mm, this one has"):
        ReviewSession.resume(elsewhere, tmp_path / "journal.jsonl")


def test_the_image_is_the_same_whatever_type_its_voxels_are_stored_in(tmp_path):
    image, _ = a_patient()
    whole = image.with_voxels(image.voxels.astype(np.int16))
    a_review(tmp_path, whole).close()

    ReviewSession.resume(
        whole.with_voxels(whole.voxels.astype(np.float64)), tmp_path / "journal.jsonl"
    ).close()


@pytest.mark.parametrize("harm", ["changed", "missing"])
def test_a_harmed_prediction_file_is_found(tmp_path, harm):
    image, lesion = a_patient()
    session = a_review(tmp_path, image, probability_of(lesion))
    session.close()
    prior = tmp_path / "journal.prior"
    if harm == "missing":
        prior.unlink()
    else:
        prior.write_bytes(prior.read_bytes()[:-1] + b"\0")

    report = verify_journal(session.journal_path)
    assert not report.ok
    assert harm in report.message
    with pytest.raises(UnusableInput, match=harm):
        ReviewSession.resume(image, session.journal_path)


@pytest.mark.skipif(sys.platform == "win32", reason="the limit of a file's size is a POSIX one")
def test_on_a_full_disk_the_click_is_not_acknowledged_and_nothing_changes(tmp_path):
    image, _ = a_patient()
    session = a_review(tmp_path, image)
    session.click(at(image, (8, 12, 14)))
    before, content = session.mask, session.journal_path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(content) + 100, limits[1]))
    try:
        with pytest.raises(
            UnusableInput, match=r"cannot be written .*; the last step was not done"
        ) as refusal:
            session.click(at(image, (8, 12, 25), include=False))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert "\n" not in str(refusal.value)
    assert np.array_equal(session.mask, before)
    assert len(session.clicks) == 1
    assert session.journal_path.read_bytes() == content
    assert session.click(at(image, (8, 12, 25), include=False)).honoured
    assert verify_journal(session.journal_path).events == 3


def test_what_a_failed_write_leaves_behind_is_dropped_by_the_next_one(tmp_path, monkeypatch):
    journal = Journal.create(tmp_path / "journal.jsonl")
    journal.append("click", {"a": 1})
    write = os.write

    def half(descriptor: int, line: bytes) -> int:
        write(descriptor, bytes(line)[:20])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "write", half)
        full.setattr(
            os, "ftruncate", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "Input/output error"))
        )
        with pytest.raises(UnusableInput, match="Input/output error"):
            journal.append("click", {"a": 2})
    with monkeypatch.context() as full:
        full.setattr(os, "write", half)
        with pytest.raises(UnusableInput, match="No space left"):
            journal.append("click", {"a": 2})
    journal.append("click", {"a": 3})

    assert [record.data["a"] for record in read_journal(journal.path)] == [1, 3]


_CLICKER = """
import sys, numpy as np
from pathlib import Path
from TumorSegRobustLib.image import read_image
from TumorSegRobustLib.review import Click, ReviewSession
image = read_image(sys.argv[1]); journal = Path(sys.argv[2])
generator = np.random.default_rng(int(sys.argv[3]))
session = ReviewSession.resume(image, journal) if journal.exists() else ReviewSession.start(
    image, journal, probability=np.full(image.geometry.shape, 0.3, np.float32))
print(0, flush=True)
for done in range(1, 1000):
    if generator.random() < 0.3 and session.can_undo:
        session.undo()
    else:
        voxel = generator.integers(0, image.geometry.shape)
        session.click(Click(tuple(image.geometry.position_of(voxel)), bool(generator.random() < 0.5)))
    print(len(session._journal.records), flush=True)
"""


@pytest.mark.parametrize("acknowledged", [1, 4, 9])
def test_after_kill_9_no_acknowledged_event_is_lost(tmp_path, acknowledged):
    image, _ = a_patient(shape=(8, 12, 12))
    write_image(image, tmp_path / "image.nii.gz")
    journal = tmp_path / "journal.jsonl"
    arguments = [sys.executable, "-c", _CLICKER, tmp_path / "image.nii.gz", journal, str(acknowledged)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=_environment()) as process:
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(acknowledged + 1)][-1]
        process.kill()

    from TumorSegRobustLib.image import read_image

    with ReviewSession.resume(read_image(tmp_path / "image.nii.gz"), journal) as session:
        assert len(read_journal(journal)) >= told
        assert np.array_equal(session.mask, replay_journal(journal).voxels)
        session.accept("Dr. A")
    assert verify_journal(journal).ok


def test_every_line_is_plain_json_with_a_time_in_utc(written):
    for line in written.splitlines():
        event = json.loads(line)
        assert event["time"].endswith("+00:00")
        assert set(event) == {"n", "time", "event", "data", "previous", "sha256"}


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), "OMP_NUM_THREADS": "1"}
