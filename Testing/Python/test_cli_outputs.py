"""Results appear complete or not at all, and pictures show what they say."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from fixtures_cli import files_below

from TumorSegRobustLib.cli.job import Job, run_job
from TumorSegRobustLib.cli.outputs import Places, results_file, results_folder
from TumorSegRobustLib.cli.pictures import Picture, draw, largest_slice_centre
from TumorSegRobustLib.errors import Cancelled, UnusableInput
from TumorSegRobustLib.image import Geometry, Image
from TumorSegRobustLib.review import Click


def write(
    out: Path, act: Callable[[Places], None], job: Job | None = None, stale: Sequence[str] = ()
) -> None:
    with results_folder(out, job or Job(), stale) as places:
        act(places)


def test_results_arrive_together_and_the_work_folder_goes(tmp_path: Path) -> None:
    out = tmp_path / "a" / "out"
    with results_folder(out, Job()) as places:
        (places.results / "one.txt").write_text("1")
        (places.results / "sub").mkdir()
        (places.results / "sub" / "two.txt").write_text("2")
        (places.work / "scratch").write_text("x")
        assert {path for path in files_below(out) if not path.startswith(".unfinished-")} == set()
    assert files_below(out) == {"one.txt", "sub", "sub/two.txt"}


def test_an_error_leaves_earlier_results_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("old")

    def fail(places: Places) -> None:
        (places.results / "one.txt").write_text("new")
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        write(tmp_path, fail, stale=["*.txt"])
    assert files_below(tmp_path) == {"one.txt"}
    assert (tmp_path / "one.txt").read_text() == "old"


def test_new_results_replace_old_ones_and_what_is_stale(tmp_path: Path) -> None:
    for name in ("one.txt", "stale.prior", "theirs.txt"):
        (tmp_path / name).write_text("old")
    with results_folder(tmp_path, Job(), stale=["*.prior"]) as places:
        (places.results / "one.txt").write_text("new")
    assert {name: (tmp_path / name).read_text() for name in files_below(tmp_path)} == {
        "one.txt": "new",
        "theirs.txt": "old",
    }


def test_a_cancel_before_the_end_writes_nothing(tmp_path: Path) -> None:
    job = Job()

    def be_cancelled(places: Places) -> None:
        (places.results / "one.txt").write_text("1")
        job.cancel()

    with pytest.raises(Cancelled):
        write(tmp_path / "new" / "out", be_cancelled, job)
    assert files_below(tmp_path) == set()


def test_a_full_disk_is_told_of_the_folder_that_the_user_named(tmp_path: Path) -> None:
    def fill_the_disk(places: Places) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(UnusableInput, match=r"out: the results could not be written \(No space left"):
        write(tmp_path / "out", fill_the_disk)
    assert files_below(tmp_path) == set()


def test_a_message_about_a_hidden_place_names_the_folder_of_the_user(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def fail(places: Places) -> None:
        raise UnusableInput(f"{places.results}/a.nii and {places.work}/b cannot be written")

    with pytest.raises(UnusableInput, match=f"^{out}/a.nii and {out}/b cannot be written$"):
        write(out, fail)


def test_a_single_file_keeps_its_name(tmp_path: Path) -> None:
    with results_file(tmp_path / "new" / "rt.dcm", Job()) as unfinished:
        unfinished.write_text("x")
        assert not (tmp_path / "new" / "rt.dcm").exists()
    assert files_below(tmp_path / "new") == {"rt.dcm"}
    with pytest.raises(UnusableInput, match="is a folder"), results_file(tmp_path, Job()):
        pass


def test_a_job_gives_back_its_result_or_its_error() -> None:
    assert run_job("Adding.", lambda job: 1 + 1) == 2

    def fails(job: Job) -> None:
        raise LookupError("nowhere")

    with pytest.raises(LookupError, match="nowhere"):
        run_job("Failing.", fails)


# ------------------------------------------------ pictures


@pytest.fixture
def scan() -> Image:
    """A grey box of 20 x 30 x 40 voxels, stored head first and from left to right."""
    geometry = Geometry((20, 30, 40), (1.0, 1.0, 2.0), (40.0, 0.0, 38.0), (-1, 0, 0, 0, 1, 0, 0, 0, -1))
    ramp = np.linspace(0, 1, 40, dtype=np.float32)
    return Image(np.broadcast_to(ramp, geometry.shape).copy(), geometry)


def reds(path: Path) -> int:
    """How many pixels have the colour of the contour."""
    from matplotlib.image import imread

    pixels = imread(path)[..., :3]
    return int((np.abs(pixels - (1.0, 0.302, 0.302)).max(axis=-1) < 0.1).sum())


def test_a_picture_shows_the_contour_where_there_is_one(scan: Image, tmp_path: Path) -> None:
    mask = np.zeros(scan.voxels.shape, bool)
    mask[8:12, 10:21, 5:16] = True
    centre = largest_slice_centre(scan, mask)
    assert scan.geometry.index_of(centre)[1:] == (15, 10)
    draw(scan, centre, Picture("without"), tmp_path / "without.png")
    draw(scan, centre, Picture("with", mask), tmp_path / "with.png")
    assert reds(tmp_path / "without.png") == 0
    assert reds(tmp_path / "with.png") > 300


def test_the_patients_left_is_at_the_right_and_the_head_is_up(scan: Image, tmp_path: Path) -> None:
    from matplotlib.image import imread

    bright = scan.geometry.position_of((10, 15, 39))
    draw(scan, scan.geometry.position_of((10, 15, 20)), Picture("scan"), tmp_path / "scan.png")
    axial = imread(tmp_path / "scan.png")[:, :400, 0]
    rows, columns = np.nonzero(axial > 0.95)
    assert bright[0] == 1.0  # the bright side is the patient's right ...
    inside = columns[(rows > 100) & (rows < 400)]
    assert inside.mean() < 200  # ... and so at the left of the picture


def test_a_click_is_drawn_only_in_planes_near_it(scan: Image, tmp_path: Path) -> None:
    from matplotlib.image import imread

    here = tuple(float(v) for v in scan.geometry.position_of((10, 15, 20)))
    far = tuple(float(v) for v in scan.geometry.position_of((1, 2, 2)))

    def greens(place: tuple[float, ...]) -> int:
        picture = Picture("click", clicks=[Click((place[0], place[1], place[2]), True)])
        draw(scan, here, picture, tmp_path / "click.png")
        pixels = imread(tmp_path / "click.png")[..., :3]
        return int((np.abs(pixels - (0.239, 0.863, 0.518)).max(axis=-1) < 0.05).sum())

    assert greens(here) > 3 * 20
    assert greens(far) == 0


def test_an_empty_contour_is_drawn_through_the_middle(scan: Image) -> None:
    assert scan.geometry.index_of(largest_slice_centre(scan, np.zeros(scan.voxels.shape, bool))) == (
        10,
        15,
        20,
    )
