"""Series that contours cannot refer to, places that cannot be written: one line, and nothing half-written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from fixtures_export import Grid, write_series
from pydicom.dataset import Dataset

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.export import read_rtstruct, write_rtstruct
from TumorSegRobustLib.image import DicomSeries, Geometry, Image, list_series

SMALL = Grid(shape=(4, 12, 14))


def series_of(folder: Path) -> DicomSeries:
    """A series as another reader might give it: files as they are, unchecked."""
    geometry = Geometry(SMALL.shape, (1.0, 1.0, 2.5), (-80.5, -90.25, 37.0))
    return DicomSeries("1.2", tuple(sorted(folder.iterdir(), reverse=True)), geometry)


def a_mask(series: DicomSeries) -> Image:
    voxels = np.zeros(series.geometry.shape, bool)
    voxels[2, 4:7, 4:7] = True
    return Image(voxels, series.geometry)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"FrameOfReferenceUID": None}, "no Frame of Reference UID"),
        ({"FrameOfReferenceUID": ""}, "no Frame of Reference UID"),
        ({"NumberOfFrames": 40}, "enhanced multi-frame"),
        (
            {"SharedFunctionalGroupsSequence": [Dataset()], "ImagePositionPatient": None},
            "enhanced multi-frame",
        ),
        ({"StudyInstanceUID": None}, "has no StudyInstanceUID"),
        ({"SOPInstanceUID": None}, "has no SOPInstanceUID"),
        ({"PixelSpacing": None}, "has no PixelSpacing"),
        ({"ImagePositionPatient": [0, 0, 0]}, "several images at one position"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "no pair of perpendicular unit vectors"),
    ],
)
def test_series_that_contours_cannot_refer_to_is_refused(
    attributes: dict[str, object], words: str, tmp_path: Path
) -> None:
    series = series_of(write_series(tmp_path / "series", SMALL, **attributes))
    with pytest.raises(UnusableInput, match=words) as refusal:
        write_rtstruct(a_mask(series), series, tmp_path / "out.dcm")
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "out.dcm").exists()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("FrameOfReferenceUID", "1.2.3", "differs from the rest of its series in FrameOfReferenceUID"),
        ("Rows", 11, "differs from the rest of its series in Rows"),
        ("ImageOrientationPatient", [0, 1, 0, 0, 0, 1], "turned or scaled"),
        ("PixelSpacing", [1.0, 1.1], "turned or scaled"),
    ],
)
def test_one_image_unlike_the_others_is_refused(name: str, value: object, words: str, tmp_path: Path) -> None:
    folder = write_series(tmp_path / "series", SMALL)
    stranger = pydicom.dcmread(folder / "002.dcm")
    setattr(stranger, name, value)
    stranger.save_as(folder / "002.dcm")
    series = series_of(folder)
    with pytest.raises(UnusableInput, match=words):
        write_rtstruct(a_mask(series), series, tmp_path / "out.dcm")


def test_folder_with_two_series_is_refused_by_naming_them(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_series(tmp_path / "both" / name, SMALL)
    found = list_series(tmp_path / "both")
    with pytest.raises(UnusableInput, match="exactly one DICOM image series") as refusal:
        write_rtstruct(a_mask(found[0]), tmp_path / "both", tmp_path / "out.dcm")
    assert all(series.series_uid in str(refusal.value) for series in found)


def test_folder_without_a_series_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "absent"):
        with pytest.raises(UnusableInput) as refusal:
            read_rtstruct(tmp_path / "any.dcm", folder)
        assert "\n" not in str(refusal.value)


@pytest.fixture
def series(tmp_path: Path) -> DicomSeries:
    return list_series(write_series(tmp_path / "series", SMALL))[0]


def test_missing_folders_of_the_destination_are_made(series: DicomSeries, tmp_path: Path) -> None:
    report = write_rtstruct(a_mask(series), series, tmp_path / "new" / "folder" / "gtv.dcm")
    assert pydicom.dcmread(report).Modality == "RTSTRUCT"
    assert str(report) == str(tmp_path / "new" / "folder" / "gtv.dcm")
    assert [file.name for file in report.path.parent.iterdir()] == ["gtv.dcm"]


def test_writing_over_an_image_of_the_series_is_refused(series: DicomSeries) -> None:
    before = series.files[0].read_bytes()
    with pytest.raises(UnusableInput, match="one of the images of the series"):
        write_rtstruct(a_mask(series), series, series.files[0])
    assert series.files[0].read_bytes() == before


def test_writing_onto_a_folder_or_below_a_file_is_refused(series: DicomSeries, tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match="is a folder; give the file to write"):
        write_rtstruct(a_mask(series), series, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UnusableInput, match="cannot be written"):
        write_rtstruct(a_mask(series), series, tmp_path / "file" / "out.dcm")


def test_failed_write_leaves_the_old_file_and_nothing_else(
    series: DicomSeries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "place" / "out.dcm"
    write_rtstruct(a_mask(series), series, out)
    before = out.read_bytes()

    def full_disk(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("TumorSegRobustLib.export.saving.os.fsync", full_disk)
    with pytest.raises(UnusableInput, match="No space left on device"):
        write_rtstruct(a_mask(series), series, out)
    assert out.read_bytes() == before
    assert list(out.parent.iterdir()) == [out]


def test_rtstruct_beside_its_images_does_not_disturb_the_next_export(series: DicomSeries) -> None:
    folder = series.files[0].parent
    first = write_rtstruct(a_mask(series), folder, folder / "gtv.dcm")
    second = write_rtstruct(a_mask(series), folder, folder / "gtv.dcm")
    assert first.sop_instance_uid != second.sop_instance_uid
    assert np.array_equal(read_rtstruct(folder / "gtv.dcm", folder)["GTVp"].voxels, a_mask(series).voxels)
