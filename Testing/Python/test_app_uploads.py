"""What is dropped on the page: which files are kept, under which names, and what is left of a failure."""

from __future__ import annotations

import asyncio
import errno
import io
import stat
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import fixtures_app as head
import numpy as np
import pytest

from TumorSegRobustLib.app import uploads as room
from TumorSegRobustLib.app.uploads import Batch, Refused, Uploads, safe_path
from TumorSegRobustLib.image import Geometry, Image, read_image, write_image

DICOM = b"\0" * 128 + b"DICM" + b"rest"


@pytest.fixture
def uploads() -> Iterator[Uploads]:
    made = Uploads()
    yield made
    made.close()


async def pieces(content: bytes, size: int = 50) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


def announced(uploads: Uploads, files: Sequence[tuple[str, bytes]]) -> Batch:
    return uploads.begin([{"name": name, "size": len(content)} for name, content in files])


def send(uploads: Uploads, files: Sequence[tuple[str, bytes]]) -> Batch:
    batch = announced(uploads, files)
    for number, (_, content) in enumerate(files):
        asyncio.run(uploads.receive(batch.id, number, pieces(content)))
    return batch


def a_volume(folder: Path, ending: str = ".nii.gz") -> bytes:
    path = folder / f"volume{ending}"
    write_image(Image(np.arange(64.0, dtype=np.float32).reshape(4, 4, 4), Geometry((4, 4, 4))), path)
    return path.read_bytes()


# ------------------------------------------------ names


@pytest.mark.parametrize(
    ("dropped", "kept"),
    [
        ("/study/1/000.dcm", "study/1/000.dcm"),
        ("../../etc/passwd", "etc/passwd"),
        ("..\\..\\windows\\x.nii", "windows/x.nii"),
        ("/a/./../b.nii", "a/b.nii"),
        ("C:\\scans\\head.nii", "C_/scans/head.nii"),
        ("sc\x00an\n<1>.nii", "sc_an__1_.nii"),
        ("con.nii", "_con.nii"),
        (".hidden", "hidden"),
        ("...", "file"),
        ("", "file"),
        ("Kopf T1 für Ü.nii", "Kopf T1 für Ü.nii"),
    ],
)
def test_a_name_leads_nowhere_else(dropped: str, kept: str) -> None:
    assert safe_path(dropped) == Path(kept)


def test_long_names_keep_their_ending_and_deep_folders_their_end() -> None:
    assert len(safe_path("x" * 300 + ".nii.gz").name) == 80
    assert safe_path("x" * 300 + ".nii.gz").name.endswith("x.nii.gz")
    assert safe_path("/".join("abcdefghijkl")) == Path("e/f/g/h/i/j/k/l")


def test_two_files_of_one_name_both_stay(uploads: Uploads) -> None:
    batch = send(uploads, [("a?.dcm", DICOM), ("a*.dcm", DICOM + b"2")])
    assert [path.name for path in batch.dicom] == ["a_.dcm", "1-a_.dcm"]


# ------------------------------------------------ what is kept


def test_a_volume_is_kept_and_can_be_read(uploads: Uploads, tmp_path: Path) -> None:
    batch = send(uploads, [("head.nii.gz", a_volume(tmp_path))])
    (path,) = uploads.finish(batch.id)
    assert read_image(path).name == "head.nii.gz"
    assert batch.share == 1.0


def test_a_folder_of_dicom_keeps_its_name_and_what_is_not_dicom_is_passed_over(uploads: Uploads) -> None:
    batch = send(uploads, [("/study/1/a", DICOM), ("/study/2/b", DICOM), ("/study/notes.txt", b"no" * 200)])
    (folder,) = uploads.finish(batch.id)
    assert folder.name == "study"
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == ["a", "b"]


def test_several_volumes_are_all_offered(uploads: Uploads, tmp_path: Path) -> None:
    content = a_volume(tmp_path)
    batch = send(uploads, [("t1c.nii.gz", content), ("flair.nii.gz", content), ("x/1.dcm", DICOM)])
    assert [path.name for path in uploads.finish(batch.id)] == ["flair.nii.gz", "t1c.nii.gz", "x"]


def test_the_folder_is_for_this_user_alone_and_is_gone_at_the_end(uploads: Uploads) -> None:
    (folder,) = uploads.finish(send(uploads, [("a", DICOM)]).id)
    private = folder.parents[1]
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    uploads.close()
    assert not private.exists()


def test_a_real_series_comes_through_whole(uploads: Uploads, tmp_path: Path) -> None:
    source = head.write_dicom(head.a_head(), tmp_path / "series")
    files = [(f"/series/{path.name}", path.read_bytes()) for path in sorted(source.iterdir())]
    (folder,) = uploads.finish(send(uploads, files).id)
    np.testing.assert_array_equal(read_image(folder).voxels, read_image(source).voxels)


# ------------------------------------------------ what is refused


def test_nothing_that_can_be_read_is_told(uploads: Uploads) -> None:
    batch = send(uploads, [("letter.pdf", b"%PDF" * 100), ("empty", b"")])
    with pytest.raises(Refused, match="Nothing was dropped that can be read: drop a NIfTI"):
        uploads.finish(batch.id)
    assert not batch.folder.parent.exists()
    with pytest.raises(Refused, match="Nothing was dropped"):
        uploads.begin([])


def test_too_much_is_refused_before_a_byte_is_sent() -> None:
    with pytest.raises(Refused, match=r"too large \(2\.0 GB; at most 1\.0 GB\): choose it") as told:
        Uploads(limit_bytes=1_000_000_000).begin([{"name": "a.nii", "size": 2_000_000_000}])
    assert told.value.status == 413


def test_too_many_files_are_refused(uploads: Uploads) -> None:
    with pytest.raises(Refused, match="20001 files are too many"):
        uploads.begin([{"name": str(number), "size": 1} for number in range(20_001)])


def test_more_bytes_than_announced_are_refused_and_removed(uploads: Uploads) -> None:
    batch = uploads.begin([{"name": "a.nii", "size": 100}])
    with pytest.raises(Refused, match=r"a\.nii is larger than was announced"):
        asyncio.run(uploads.receive(batch.id, 0, pieces(b"x" * 500)))
    assert not batch.folder.parent.exists()
    with pytest.raises(Refused, match="cancelled or is over"):
        uploads.finish(batch.id)


def test_a_file_that_breaks_off_leaves_nothing(uploads: Uploads) -> None:
    async def breaks_off() -> AsyncIterator[bytes]:
        yield b"x" * 60
        raise ConnectionResetError("the tab was closed")

    batch = uploads.begin([{"name": "a.nii", "size": 100}])
    with pytest.raises(ConnectionResetError):
        asyncio.run(uploads.receive(batch.id, 0, breaks_off()))
    assert not batch.folder.parent.exists()


def test_a_full_disk_is_told_in_one_line_and_the_part_is_removed(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    real = Path.open

    def opened(path: Path, mode: str = "r", *rest: object, **more: object):
        stream = real(path, mode, *rest, **more)
        return Full() if mode == "xb" else stream

    monkeypatch.setattr(Path, "open", opened)
    batch = uploads.begin([{"name": "a.nii", "size": 100}])
    with pytest.raises(Refused, match=r"The disk is full \(.* free\): free some space") as told:
        asyncio.run(uploads.receive(batch.id, 0, pieces(b"x" * 100)))
    assert told.value.status == 507
    assert "\n" not in str(told.value)
    assert not batch.folder.parent.exists()


def test_a_disk_without_room_is_told_before_a_byte_is_sent(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_SPARE_BYTES", 10**18)
    with pytest.raises(Refused, match="The disk is full"):
        uploads.begin([{"name": "a.nii", "size": 100}])


def test_an_unknown_file_or_the_same_one_twice_is_refused(uploads: Uploads) -> None:
    batch = send(uploads, [("a", DICOM), ("b", DICOM)])
    for number in (0, 7, -1):
        with pytest.raises(Refused, match="was not announced"):
            asyncio.run(uploads.receive(batch.id, number, pieces(DICOM)))
    with pytest.raises(Refused, match="cancelled or is over"):
        uploads.find("guessed")


def test_a_cancelled_upload_ends_at_the_next_piece(uploads: Uploads) -> None:
    batch = uploads.begin([{"name": "a.nii", "size": 100}])

    async def cancelled_meanwhile() -> AsyncIterator[bytes]:
        yield b"x" * 50
        uploads.drop(batch.id)
        yield b"x" * 50

    with pytest.raises(Refused, match="was cancelled"):
        asyncio.run(uploads.receive(batch.id, 0, cancelled_meanwhile()))
    assert not batch.folder.parent.exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.mhd", b"NDims = 3\nElementDataFile = /etc/passwd\n"),
        ("a.nhdr", b"NRRD0004\ndata file: ../../secret\n\n"),
        ("a.nrrd", b"NRRD0004\ntype: uchar\ndata file: /etc/passwd\n\n"),
        ("a.nrrd", b"NRRD0004\r\nDataFile: LIST\r\n\r\n"),
        ("a.nrrd", b"NRRD0004\n" + b"# a comment\n" * 6000 + b"data file: /etc/passwd\n\n"),
        ("a.mha", b"NDims = 3\nElementDataFile = ../../../etc/passwd\n"),
        ("a.mha", b"NDims = 3\n  ElementDataFile : /etc/passwd\n"),
        ("a.mha", b"elementdatafile = LOCAL\nElementDataFile = /etc/passwd\n"),
        ("a.mha", b"Comment = " + b"x" * 70_000 + b"\nElementDataFile = /etc/passwd\n"),
    ],
)
def test_a_header_that_points_at_another_file_is_refused(uploads: Uploads, name: str, content: bytes) -> None:
    with pytest.raises(Refused, match="leaves its voxels to another file"):
        send(uploads, [(name, content)])


@pytest.mark.parametrize("ending", [".nrrd", ".mha", ".nii"])
def test_files_that_hold_their_own_voxels_are_kept(uploads: Uploads, tmp_path: Path, ending: str) -> None:
    batch = send(uploads, [(f"a{ending}", a_volume(tmp_path, ending))])
    assert len(uploads.finish(batch.id)) == 1
