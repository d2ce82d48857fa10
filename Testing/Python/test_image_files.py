"""Files in and out: what is written is read back, by us and by others, and appears complete or not at all."""

from __future__ import annotations

import gzip
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from fixtures_image import rotation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Geometry, Image, from_sitk, read_image, read_mask, whole_file, write_image

ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha")
KINDS = (np.uint8, np.int8, np.int16, np.uint16, np.int32, np.uint32, np.float32)


def an_image(direction: np.ndarray | None = None, kind: type = np.int16, seed: int = 0) -> Image:
    grid = Geometry(
        (4, 5, 6),
        (0.9375, 1.25, 5.5),
        (-123.456789, 98.7654321, 1234.56789),
        tuple((np.eye(3) if direction is None else direction).ravel()),
    )
    values = np.random.default_rng(seed).uniform(0, 120, grid.shape)
    return Image(values.astype(kind), grid, "some")


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    hand=st.sampled_from([1, -1]),
    kind=st.sampled_from(KINDS),
    ending=st.sampled_from(ENDINGS),
)
def test_any_grid_survives_any_format(
    tmp_path: Path, angles: tuple, hand: int, kind: type, ending: str
) -> None:
    image = an_image(rotation(angles) * [1, 1, hand], kind)
    # A name for each format: ITK reads the voxels of a.nii when asked for a.nii.gz beside it.
    path = tmp_path / f"{ending.replace('.', '')}{ending}"

    write_image(image, path)
    ours, itks = read_image(path), from_sitk(sitk.ReadImage(str(path)))

    for back in (ours, itks):
        assert np.array_equal(back.voxels, image.voxels)
        assert back.voxels.dtype == kind
        assert back.geometry.matches(image.geometry, tolerance_mm=1e-3)
    assert ours.notices == ()
    assert ours.name == path.name


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("ending", [".nii", ".nrrd"])
def test_half_turns_survive(tmp_path: Path, axis: int, ending: str) -> None:
    """The quaternion of a half turn has no real part, where simple formulas divide by zero."""
    turn = -np.eye(3)
    turn[axis, axis] = 1
    image = an_image(turn)

    write_image(image, tmp_path / f"image{ending}")

    assert read_image(tmp_path / f"image{ending}").geometry.matches(image.geometry)
    assert from_sitk(sitk.ReadImage(str(tmp_path / f"image{ending}"))).geometry.matches(image.geometry)


def test_sform_and_qform_of_a_written_file_agree(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    image = an_image(rotation((25, -35, 140)) * [1, -1, 1])

    write_image(image, tmp_path / "image.nii.gz")
    header = nibabel.load(tmp_path / "image.nii.gz")

    np.testing.assert_allclose(header.get_qform(), header.get_sform(), atol=1e-3)
    np.testing.assert_allclose(header.get_sform(), np.diag([-1, -1, 1, 1]) @ image.geometry.affine, atol=1e-3)
    assert int(header.header["qform_code"]) == int(header.header["sform_code"]) == 1
    assert np.array_equal(np.asarray(header.dataobj), image.voxels.transpose(2, 1, 0))


@pytest.mark.parametrize("ending", ENDINGS)
def test_bool_is_stored_as_uint8_and_read_back_as_a_mask(tmp_path: Path, ending: str) -> None:
    mask = Image(an_image().voxels > 60, an_image().geometry)

    write_image(mask, tmp_path / f"mask{ending}")

    assert sitk.ReadImage(str(tmp_path / f"mask{ending}")).GetPixelID() == sitk.sitkUInt8
    back = read_mask(tmp_path / f"mask{ending}", mask.geometry)
    assert back.voxels.dtype == bool
    assert np.array_equal(back.voxels, mask.voxels)
    assert back.notices == ()


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    ("kind", "stored"), [(np.float16, np.float32), (np.float64, np.float32), (">i2", np.int16)]
)
def test_rare_types_become_common_ones(tmp_path: Path, ending: str, kind: str, stored: type) -> None:
    image = an_image(kind=kind)

    write_image(image, tmp_path / f"image{ending}")
    back = read_image(tmp_path / f"image{ending}")

    assert back.voxels.dtype == stored
    assert np.array_equal(back.voxels, image.voxels.astype(stored))


def test_a_view_of_voxels_is_written_in_order(tmp_path: Path) -> None:
    image = an_image()
    flipped = image.with_voxels(image.voxels[::-1, :, ::-1])

    for ending in ENDINGS:
        write_image(flipped, tmp_path / f"image{ending}")
        assert np.array_equal(read_image(tmp_path / f"image{ending}").voxels, flipped.voxels)


def test_equal_images_give_equal_bytes(tmp_path: Path) -> None:
    write_image(an_image(), tmp_path / "one.nii.gz")
    write_image(an_image(), tmp_path / "two.nii.gz")

    assert (tmp_path / "one.nii.gz").read_bytes() == (tmp_path / "two.nii.gz").read_bytes()


def test_the_content_and_not_the_name_says_whether_a_file_is_compressed(tmp_path: Path) -> None:
    write_image(an_image(), tmp_path / "image.nii")
    plain = (tmp_path / "image.nii").read_bytes()
    (tmp_path / "renamed.nii.gz").write_bytes(plain)
    (tmp_path / "renamed.nii").write_bytes(gzip.compress(plain))

    assert np.array_equal(read_image(tmp_path / "renamed.nii.gz").voxels, an_image().voxels)
    assert np.array_equal(read_image(tmp_path / "renamed.nii").voxels, an_image().voxels)


def test_a_detached_header_is_read(tmp_path: Path) -> None:
    source = sitk.GetImageFromArray(an_image().voxels)
    for ending in (".mhd", ".nhdr"):
        sitk.WriteImage(source, str(tmp_path / f"image{ending}"))
        assert np.array_equal(read_image(tmp_path / f"image{ending}").voxels, an_image().voxels)


def test_a_file_written_in_the_place_of_another_replaces_it(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_image(an_image(seed=seed), tmp_path / "image.nii.gz")

    assert np.array_equal(read_image(tmp_path / "image.nii.gz").voxels, an_image(seed=2).voxels)
    assert [path.name for path in tmp_path.iterdir()] == ["image.nii.gz"]


def test_a_written_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    write_image(an_image(), tmp_path / "image.nii.gz")

    assert (tmp_path / "image.nii.gz").stat().st_mode == (tmp_path / "usual").stat().st_mode


@contextmanager
def no_file_longer_than(count: int) -> Iterator[None]:
    """What a full disk looks like to a program: writing fails after some bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"image{ending}"
    write_image(an_image(), path)
    before = path.read_bytes()
    noise = np.random.default_rng(0).integers(0, 30000, (30, 30, 30), dtype=np.int16)

    with no_file_longer_than(10_000), pytest.raises(UnusableInput, match="cannot be written") as refusal:
        write_image(Image(noise, Geometry(noise.shape)), path)

    assert "\n" not in str(refusal.value)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nowhere/image.nii.gz", "the folder .*nowhere does not exist; create it first"),
        ("folder.nii.gz", "it is a folder; give a file name"),
        ("file/image.nii.gz", "the folder .*file does not exist"),
        ("image.png", "has no image extension known here; use one of .nii.gz, .nii, .nrrd, .mha"),
        ("image", "has no image extension"),
    ],
)
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "folder.nii.gz").mkdir()
    (tmp_path / "file").touch()

    with pytest.raises(UnusableInput, match=reason) as refusal:
        write_image(an_image(), tmp_path / name)

    assert "\n" not in str(refusal.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.nii.gz"]


def test_nifti_cannot_hold_a_very_long_side(tmp_path: Path) -> None:
    long = Image(np.zeros((1, 1, 32768), np.uint8), Geometry((1, 1, 32768)))

    with pytest.raises(UnusableInput, match="at most 32767 voxels"):
        write_image(long, tmp_path / "long.nii.gz")

    assert list(tmp_path.iterdir()) == []


def test_a_cancelled_write_leaves_nothing(tmp_path: Path) -> None:
    def write_until_cancelled() -> None:
        with whole_file(tmp_path / "result.json") as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_until_cancelled()

    assert list(tmp_path.iterdir()) == []


def test_a_scan_and_its_compressed_twin_are_not_mixed_up(tmp_path: Path) -> None:
    write_image(an_image(seed=1), tmp_path / "scan.nii")
    write_image(an_image(seed=2), tmp_path / "scan.nii.gz")

    assert np.array_equal(read_image(tmp_path / "scan.nii").voxels, an_image(seed=1).voxels)
    assert np.array_equal(read_image(tmp_path / "scan.nii.gz").voxels, an_image(seed=2).voxels)


def test_a_whole_file_is_invisible_until_it_is_complete(tmp_path: Path) -> None:
    with whole_file(tmp_path / "result.json") as temporary:
        temporary.write_text("all of it")
        assert not (tmp_path / "result.json").exists()
        assert temporary.suffix == ".json"

    assert (tmp_path / "result.json").read_text() == "all of it"
    assert os.listdir(tmp_path) == ["result.json"]
