"""The list of cases: what it may hold, and one clear line for whatever it may not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.evaluation.manifest import read_manifest, write_manifest
from TumorSegRobustLib.image import Geometry, Image, write_image

SCAN = np.arange(27, dtype=np.int16).reshape(3, 3, 3)


def scan(path: Path, voxels: np.ndarray = SCAN) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(Image(voxels, Geometry(voxels.shape)), path)
    return path


def manifest(folder: Path, text: str) -> Path:
    path = folder / "cases.csv"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(UnusableInput) as error:
        read_manifest(manifest(folder, text))
    line = str(error.value)
    assert "\n" not in line
    return line


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name in ("f1", "t1", "m1", "f2", "t2"):
        scan(tmp_path / f"{name}.nii.gz")
    return tmp_path


def test_reads_channels_groups_and_strata(files: Path) -> None:
    text = (
        "\ufeffcase,site,image,t1c,reference,group,labels,size\n"
        "a-1,a,f1.nii.gz,t1.nii.gz,m1.nii.gz,anna,brats,large\n"
        "\n"
        "b-1, b ,,t2.nii.gz,,,,\n"
    )
    one, two = read_manifest(manifest(files, text))
    assert (one.case, one.site, one.group, one.labels) == ("a-1", "a", "anna", "brats")
    assert one.channels == {"flair": files / "f1.nii.gz", "t1c": files / "t1.nii.gz"}
    assert list(one.channels) == ["flair", "t1c"]
    assert one.reference == files / "m1.nii.gz"
    assert one.strata == {"size": "large"}
    assert (two.site, two.group, two.reference) == ("b", "b-1", None)
    assert two.channels == {"t1c": files / "t2.nii.gz"}


def test_paths_are_relative_to_the_manifest_and_semicolons_are_understood(files: Path) -> None:
    sub = files / "lists"
    sub.mkdir()
    (case,) = read_manifest(manifest(sub, "case;site;image;reference\nx;s;../f1.nii.gz;../m1.nii.gz\n"))
    assert case.channels["flair"] == files / "f1.nii.gz"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("case,image,reference\nx,f1.nii.gz,\n", "the column site is missing"),
        ("case,site,image,reference,site\nx,s,f1.nii.gz,,s\n", "the column site stands there twice"),
        ("case,site,image,reference\n", "lists no case"),
        ("case,site,image,reference\nx,s,f9.nii.gz,\n", "line 2: the image of x does not exist"),
        ("case,site,image,reference\nx,s,f1.nii.gz,m9.nii.gz\n", "the reference of x does not exist"),
        ("case,site,image,reference\nx,s,f1.nii.gz,\nx,s,f2.nii.gz,\n", "line 3: the case x stands"),
        ("case,site,image,reference\nx,,f1.nii.gz,\n", "the site is empty"),
        ("case,site,image,reference\n,s,f1.nii.gz,\n", "the case is empty"),
        ("case,site,image,reference\nx,s,,m1.nii.gz\n", "x has no image"),
        ("case,site,image,reference\nx,s,f1.nii.gz,,1,2\n", "6 cells under 4 columns"),
        ("case,site,image,reference,labels\nx,s,f1.nii.gz,,kits\n", "labels is 'kits'"),
        ("case,site,image,reference,t1c\nx,s,f1.nii.gz,,t1.nii.gz\n", "the column t1c names a file behind"),
        ("", "the column case is missing"),
    ],
)
def test_refuses_in_one_line(files: Path, text: str, says: str) -> None:
    assert says in refusal(files, text)


def test_refuses_what_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00c")
    with pytest.raises(UnusableInput, match="not text in UTF-8"):
        read_manifest(tmp_path / "x.csv")
    with pytest.raises(UnusableInput, match="cannot be read"):
        read_manifest(tmp_path / "absent.csv")


def test_writes_a_manifest_of_a_folder_of_cases(tmp_path: Path) -> None:
    data = tmp_path / "data"
    scan(data / "east-01" / "flair.nii.gz")
    scan(data / "east-01" / "mask.nii.gz", (SCAN > 20).astype(np.uint8))
    scan(data / "far-west-02" / "t1c.nii.gz")
    scan(data / "far-west-02" / "mask.nii.gz", (SCAN % 5).astype(np.uint8))
    scan(data / "limb-01-ct" / "ct.nii.gz")
    path = tmp_path / "lists" / "cases.csv"
    assert write_manifest(data, path) == 2
    assert path.read_text().splitlines()[1] == (
        "east-01,east,../data/east-01/flair.nii.gz,,../data/east-01/mask.nii.gz,east-01,"
    )
    east, west = read_manifest(path)
    assert (east.site, east.labels, west.site, west.labels) == ("east", "", "far-west", "brats")
    assert list(west.channels) == ["t1c"]
    with pytest.raises(UnusableInput, match="holds no case"):
        write_manifest(tmp_path / "absent", path)
