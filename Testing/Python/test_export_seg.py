"""A DICOM SEG read by programs that are not ours gives the voxels that went in, and says what they are."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from fixtures_export import HARD_GRIDS, Grid, dciodvfy_errors, dice, hard_mask, read_frames, write_series

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.export import Roi, SegReport, write_seg
from TumorSegRobustLib.export.colour import cielab_of
from TumorSegRobustLib.export.terminology import concepts_of
from TumorSegRobustLib.export.text import person_name
from TumorSegRobustLib.image import DicomSeries, Image, list_series
from TumorSegRobustLib.version import __version__

SMALL = Grid(shape=(6, 12, 14), between_slices=3.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_series(tmp_path_factory.mktemp("seg") / "series", SMALL)


@pytest.fixture(scope="module")
def series(folder: Path) -> DicomSeries:
    return list_series(folder)[0]


def a_mask(series: DicomSeries, shift: int = 0) -> Image:
    voxels = np.zeros(series.geometry.shape, bool)
    voxels[2:4, 3:8, 2 + shift : 7 + shift] = True
    return Image(voxels, series.geometry)


def export(series: DicomSeries, out: Path, **options: Any) -> tuple[SegReport, pydicom.Dataset]:
    report = write_seg([Roi(a_mask(series))], series, out, **options)
    return report, pydicom.dcmread(out)


def frames_of_highdicom(seg: Path, folder: Path) -> np.ndarray:
    """(slices, rows, columns, segments) as highdicom reads them, slices along the normal."""
    images = [pydicom.dcmread(file, stop_before_pixels=True) for file in folder.iterdir()]
    row, column = np.reshape(np.array(images[0].ImageOrientationPatient, float), (2, 3))
    normal = np.cross(row, column)
    images.sort(key=lambda image: float(normal @ np.array(image.ImagePositionPatient, float)))
    read = highdicom.seg.segread(seg)
    return read.get_pixels_by_source_instance(
        [image.SOPInstanceUID for image in images], assert_missing_frames_are_empty=True
    ).astype(bool)


# ------------------------------------------------ the voxels


@pytest.mark.parametrize("grid", HARD_GRIDS.values(), ids=HARD_GRIDS.keys())
def test_hard_masks_survive_every_reader_on_a_hard_grid(grid: Grid, tmp_path: Path) -> None:
    folder = write_series(tmp_path / "series", grid)
    (series,) = list_series(folder)
    first = hard_mask(grid.shape)
    second = np.roll(first, (2, 3), (0, 2))  # overlaps the first, and both have holes
    rois = [Roi(Image(first, series.geometry)), Roi(Image(second, series.geometry), "Necrosis")]
    out = tmp_path / "seg.dcm"

    report = write_seg(rois, series, out)

    read = read_frames(out, folder)
    assert list(read) == ["GTVp", "Necrosis"]
    assert np.array_equal(read["GTVp"], first)
    assert np.array_equal(read["Necrosis"], second)
    assert np.array_equal(frames_of_highdicom(out, folder), np.stack([first, second], axis=-1))
    assert dciodvfy_errors(out, "Segmentation") == []
    assert report.notices == ()
    assert [segment.volume_ml for segment in report.segments] == pytest.approx(
        [first.sum() * series.geometry.voxel_ml, second.sum() * series.geometry.voxel_ml]
    )


def test_planes_need_not_be_evenly_spaced(tmp_path: Path) -> None:
    """A series without some of its slices: each remaining image takes the mask's voxels that lie on it."""
    grid = HARD_GRIDS["oblique"]
    folder = write_series(tmp_path / "series", grid)
    (whole,) = list_series(folder)
    mask = hard_mask(grid.shape)
    kept = [0, 1, 3, 4, 5, 9, 10, 13]
    for n in set(range(grid.shape[0])) - set(kept):
        (folder / f"{grid.shape[0] - n:03d}.dcm").unlink()  # names run against the slices
    uneven = DicomSeries(whole.series_uid, tuple(sorted(folder.iterdir())), whole.geometry)

    write_seg([Roi(Image(mask, whole.geometry))], uneven, tmp_path / "seg.dcm")

    assert np.array_equal(read_frames(tmp_path / "seg.dcm", folder)["GTVp"], mask[kept])
    assert np.array_equal(frames_of_highdicom(tmp_path / "seg.dcm", folder)[..., 0], mask[kept])
    assert dciodvfy_errors(tmp_path / "seg.dcm", "Segmentation") == []


def test_mask_drawn_on_a_straightened_tilted_scan_returns_to_the_tilted_images(tmp_path: Path) -> None:
    grid = Grid(shape=(12, 40, 40), between_slices=3.0, shift_per_slice_mm=0.5)
    folder = write_series(tmp_path / "series", grid)
    (series,) = list_series(folder)
    voxel = np.moveaxis(np.indices(series.geometry.shape), 0, -1)
    position = series.geometry.position_of(voxel)
    ball = np.linalg.norm(position - series.geometry.centre_mm, axis=-1) < 11

    report = write_seg([Roi(Image(ball, series.geometry))], series, tmp_path / "seg.dcm")

    images = sorted(
        (pydicom.dcmread(file) for file in folder.iterdir()), key=lambda image: image.ImagePositionPatient[2]
    )
    corner = np.array([image.ImagePositionPatient for image in images], float)
    wanted = np.stack(
        [
            np.linalg.norm(
                origin + np.stack([*np.meshgrid(np.arange(40), np.arange(40)), np.zeros((40, 40))], axis=-1)
                - series.geometry.centre_mm,
                axis=-1,
            )
            < 11
            for origin in corner
        ]
    )
    assert dice(read_frames(tmp_path / "seg.dcm", folder)["GTVp"], wanted) > 0.97
    assert len(report.notices) == 1


def test_mask_on_another_grid_is_matched_by_position_and_said(folder: Path, tmp_path: Path) -> None:
    (series,) = list_series(folder)
    fine = series.geometry.with_spacing((0.5, 0.5, 1.5))
    here = series.geometry.position_of((2, 5, 6))
    ball = np.linalg.norm(fine.position_of(np.moveaxis(np.indices(fine.shape), 0, -1)) - here, axis=-1) < 4

    report = write_seg([Roi(Image(ball, fine))], series, tmp_path / "seg.dcm")

    assert read_frames(tmp_path / "seg.dcm", folder)["GTVp"][2, 5, 6]
    assert "GTVp lies on another grid than the DICOM series" in report.notices[0]


def test_images_without_tumour_have_no_frame(series: DicomSeries, tmp_path: Path) -> None:
    _, written = export(series, tmp_path / "seg.dcm")
    assert written.NumberOfFrames == 2
    assert len(written.ReferencedSeriesSequence[0].ReferencedInstanceSequence) == SMALL.shape[0]


def test_tumour_of_100_ml_is_written_within_the_budget_of_rtstruct(tmp_path: Path) -> None:
    """2 s of computing; the wall clock of a shared machine says nothing."""
    grid = Grid(shape=(60, 256, 256), between_slices=1.0)
    (series,) = list_series(write_series(tmp_path / "series", grid))
    k, j, i = np.indices(grid.shape)
    ball = (k - 30) ** 2 + (j - 128) ** 2 + (i - 128) ** 2 <= 28.8**2
    assert ball.sum() * series.geometry.voxel_ml == pytest.approx(100, rel=0.01)

    start = time.process_time()
    write_seg([Roi(Image(ball, series.geometry))], series, tmp_path / "seg.dcm")
    assert time.process_time() - start < 2


# ------------------------------------------------ what it says


def test_segment_says_what_it_is_and_how_it_came_about(series: DicomSeries, tmp_path: Path) -> None:
    rois = [
        Roi(a_mask(series), "GTVp", (255, 0, 0)),
        Roi(a_mask(series, 3), "Oedema", (0, 0, 255), algorithm="AUTOMATIC"),
        Roi(a_mask(series, 5), "necrotic core", algorithm="MANUAL", description="drawn by hand"),
    ]
    write_seg(rois, series, tmp_path / "seg.dcm", description="two clicks", model="brain-mr 1.2.0")
    tumour, oedema, necrosis = pydicom.dcmread(tmp_path / "seg.dcm").SegmentSequence

    def kind(item: pydicom.Dataset) -> tuple[str, ...]:
        (category,), (type_,) = (
            item.SegmentedPropertyCategoryCodeSequence,
            item.SegmentedPropertyTypeCodeSequence,
        )
        return (category.CodeValue, category.CodingSchemeDesignator, type_.CodeValue, type_.CodeMeaning)

    assert kind(tumour) == ("49755003", "SCT", "108369006", "Neoplasm")
    assert kind(oedema) == ("49755003", "SCT", "79654002", "Edema")
    assert kind(necrosis) == ("49755003", "SCT", "6574001", "Necrosis")
    assert tumour.SegmentedPropertyCategoryCodeSequence[0].CodeMeaning == "Morphologically Altered Structure"
    assert [item.SegmentAlgorithmType for item in (tumour, oedema, necrosis)] == [
        "SEMIAUTOMATIC",
        "AUTOMATIC",
        "MANUAL",
    ]
    assert tumour.SegmentAlgorithmName == "TumorSegRobust"
    (algorithm,) = tumour.SegmentationAlgorithmIdentificationSequence
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("TumorSegRobust", __version__)
    assert algorithm.AlgorithmParameters == "model=brain-mr 1.2.0"
    assert "SegmentationAlgorithmIdentificationSequence" not in necrosis
    assert [item.SegmentDescription for item in (tumour, necrosis)] == ["two clicks", "drawn by hand"]
    assert [item.SegmentNumber for item in (tumour, oedema, necrosis)] == [1, 2, 3]
    assert dciodvfy_errors(tmp_path / "seg.dcm", "Segmentation") == []


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("GTVp", "Neoplasm"),
        ("whatever", "Neoplasm"),
        ("Peritumoral edema", "Edema"),
        ("Ödem", "Edema"),
        ("NECROSIS", "Necrosis"),
        ("CTV_high", "Clinical Target Volume"),
        ("PTV", "Planning Target Volume"),
    ],
)
def test_names_tell_the_kind_of_tissue(name: str, meaning: str) -> None:
    assert concepts_of(name)[1].meaning == meaning


@pytest.mark.parametrize(
    ("colour", "lab"),
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
    ],
)
def test_colours_are_those_of_the_tables(colour: tuple[int, int, int], lab: tuple[float, ...]) -> None:
    """The primaries of sRGB under D65."""
    assert cielab_of(colour) == pytest.approx(lab, abs=0.03)


@pytest.mark.parametrize("colour", [(41, 229, 245), (255, 0, 0), (247, 131, 17), (1, 2, 3)])
def test_a_reader_shows_the_colour_that_the_review_had(
    colour: tuple[int, int, int], series: DicomSeries, tmp_path: Path
) -> None:
    write_seg([Roi(a_mask(series), colour=colour)], series, tmp_path / "seg.dcm")
    value = pydicom.dcmread(tmp_path / "seg.dcm").SegmentSequence[0].RecommendedDisplayCIELabValue
    assert highdicom.color.CIELabColor.from_dicom_value(value).to_rgb() == colour


def test_patient_study_frame_and_source_images_are_those_of_the_series(
    folder: Path, series: DicomSeries, tmp_path: Path
) -> None:
    report, written = export(series, tmp_path / "seg.dcm", label="Board 7")
    images = [pydicom.dcmread(file) for file in folder.iterdir()]
    taken_over = (
        "PatientName PatientID PatientBirthDate PatientSex StudyInstanceUID StudyID StudyDate StudyTime "
        "AccessionNumber ReferringPhysicianName FrameOfReferenceUID SpecificCharacterSet"
    )
    for name in taken_over.split():
        assert written[name].value == images[0][name].value, name
    (referenced,) = written.ReferencedSeriesSequence
    assert referenced.SeriesInstanceUID == images[0].SeriesInstanceUID
    assert {item.ReferencedSOPInstanceUID for item in referenced.ReferencedInstanceSequence} == {
        image.SOPInstanceUID for image in images
    }
    assert written.ContentLabel == "BOARD 7"
    assert (written.SeriesNumber, written.SeriesDescription) == (2003, "TumorSegRobust segments")
    assert "not a medical device" in written.ContentDescription
    assert written.SOPInstanceUID == report.sop_instance_uid
    assert "ContentCreatorName" not in written or not written.ContentCreatorName


def test_who_accepted_it_is_the_creator_of_the_content(series: DicomSeries, tmp_path: Path) -> None:
    _, written = export(series, tmp_path / "seg.dcm", creator="Jörg Müller")
    assert str(written.ContentCreatorName) == "Jörg Müller"
    assert dciodvfy_errors(tmp_path / "seg.dcm", "Segmentation") == []


@pytest.mark.parametrize(
    ("typed", "written"),
    [("Dr\\No = Julius\n", "Dr No Julius"), ("n" * 70, "n" * 64), ("  ", ""), ("Doe^Jane", "Doe^Jane")],
)
def test_no_name_of_a_person_keeps_a_contour_from_being_written(typed: str, written: str) -> None:
    assert person_name(typed) == written


def test_two_exports_are_two_objects_that_track_the_same_segment(series: DicomSeries, tmp_path: Path) -> None:
    _, one = export(series, tmp_path / "one.dcm")
    _, two = export(series, tmp_path / "two.dcm")
    assert one.SOPInstanceUID != two.SOPInstanceUID
    assert one.SeriesInstanceUID != two.SeriesInstanceUID
    assert one.SegmentSequence[0].TrackingUID == two.SegmentSequence[0].TrackingUID
    assert one.SegmentSequence[0].TrackingUID.is_valid
    assert one.SegmentSequence[0].TrackingID == "GTVp"


@pytest.mark.parametrize(
    ("characters", "name"),
    [("ISO_IR 100", "Müller^Jörg"), (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう")],
)
def test_patient_name_keeps_its_characters_and_their_encoding(
    characters: str | list[str], name: str, tmp_path: Path
) -> None:
    folder = write_series(tmp_path / "series", SMALL, SpecificCharacterSet=characters, PatientName=name)
    _, written = export(list_series(folder)[0], tmp_path / "seg.dcm")
    assert written.SpecificCharacterSet == characters
    assert str(written.PatientName) == name


def test_images_with_odd_or_missing_headers_still_give_a_seg(tmp_path: Path) -> None:
    left_out = "PatientBirthDate StudyDate StudyID AccessionNumber SliceThickness"
    nothing = dict.fromkeys(left_out.split())
    folder = write_series(tmp_path / "series", SMALL, PatientSex="?", SpecificCharacterSet=None, **nothing)
    _, written = export(list_series(folder)[0], tmp_path / "seg.dcm")
    assert written.PatientSex == "?"
    assert written.StudyDate == ""
    assert written.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness == 3.0


# ------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"label": "GTV/1"}, "signs that DICOM does not allow"),
        ({"label": "seventeen letters"}, "17 characters, DICOM allows 16"),
    ],
)
def test_text_that_dicom_cannot_hold_is_refused_in_one_line(
    options: dict[str, str], words: str, series: DicomSeries, tmp_path: Path
) -> None:
    with pytest.raises(UnusableInput, match=words) as refusal:
        export(series, tmp_path / "seg.dcm", **options)
    assert "\n" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_empty_mask_leaves_no_file(series: DicomSeries, tmp_path: Path) -> None:
    nothing = a_mask(series).with_voxels(np.zeros(SMALL.shape, bool))
    with pytest.raises(UnusableInput, match="The mask of GTVn is empty"):
        write_seg([Roi(a_mask(series)), Roi(nothing, "GTVn")], series, tmp_path / "seg.dcm")
    assert list(tmp_path.iterdir()) == []


def test_failed_write_leaves_the_old_file_and_nothing_else(
    series: DicomSeries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "place" / "seg.dcm"
    export(series, out)
    before = out.read_bytes()

    def full_disk(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("TumorSegRobustLib.export.saving.os.fsync", full_disk)
    with pytest.raises(UnusableInput, match="No space left on device"):
        export(series, out)
    assert out.read_bytes() == before
    assert list(out.parent.iterdir()) == [out]


def test_writing_over_an_image_of_the_series_is_refused(series: DicomSeries) -> None:
    with pytest.raises(UnusableInput, match="choose another name for the SEG"):
        export(series, series.files[0])


def test_without_highdicom_the_way_out_is_told(
    series: DicomSeries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(UnusableInput, match=r"needs the Python package highdicom.*or export RTSTRUCT"):
        export(series, tmp_path / "seg.dcm")
