"""What the RTSTRUCT says besides its contours: whose, of which images, by what, in which characters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from fixtures_export import Grid, dciodvfy_errors, write_series

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.export import Roi, RtstructReport, write_rtstruct, write_rtstruct_rois
from TumorSegRobustLib.export.text import decimal
from TumorSegRobustLib.image import Image, list_series
from TumorSegRobustLib.version import __version__

SMALL = Grid(shape=(4, 12, 14), between_slices=3.0)
LONE_VOXEL = (2, 5, 6)


def a_mask() -> np.ndarray:
    mask = np.zeros(SMALL.shape, bool)
    mask[LONE_VOXEL] = True
    mask[1, 3:6, 2:9] = True
    return mask


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_series(tmp_path_factory.mktemp("attributes") / "series", SMALL)


def export(folder: Path, out: Path, **options: object) -> tuple[RtstructReport, pydicom.Dataset]:
    (series,) = list_series(folder)
    report = write_rtstruct(Image(a_mask(), series.geometry), series, out, **options)
    return report, pydicom.dcmread(out)


def test_patient_study_and_frame_of_reference_are_those_of_the_images(folder: Path, tmp_path: Path) -> None:
    _, written = export(folder, tmp_path / "out.dcm")
    image = pydicom.dcmread(next(folder.iterdir()))
    taken_over = (
        "PatientName PatientID PatientBirthDate PatientSex StudyInstanceUID StudyID StudyDate StudyTime "
        "AccessionNumber ReferringPhysicianName FrameOfReferenceUID"
    )
    for name in taken_over.split():
        assert written[name].value == image[name].value, name
    assert written.SeriesInstanceUID != image.SeriesInstanceUID


def test_each_contour_names_the_image_it_lies_on(folder: Path, tmp_path: Path) -> None:
    _, written = export(folder, tmp_path / "out.dcm")
    images = {image.SOPInstanceUID: image for image in map(pydicom.dcmread, folder.iterdir())}
    contours = written.ROIContourSequence[0].ContourSequence
    assert len(contours) == 2
    for contour in contours:
        (reference,) = contour.ContourImageSequence
        image = images[reference.ReferencedSOPInstanceUID]
        assert reference.ReferencedSOPClassUID == image.SOPClassUID
        z = {float(value) for value in contour.ContourData[2::3]}
        assert z == {float(image.ImagePositionPatient[2])}


def test_series_reference_lists_every_image_once(folder: Path, tmp_path: Path) -> None:
    _, written = export(folder, tmp_path / "out.dcm")
    images = [pydicom.dcmread(file) for file in folder.iterdir()]
    (frame,) = written.ReferencedFrameOfReferenceSequence
    (study,) = frame.RTReferencedStudySequence
    (series,) = study.RTReferencedSeriesSequence
    assert frame.FrameOfReferenceUID == images[0].FrameOfReferenceUID
    assert study.ReferencedSOPInstanceUID == images[0].StudyInstanceUID
    assert series.SeriesInstanceUID == images[0].SeriesInstanceUID
    listed = [item.ReferencedSOPInstanceUID for item in series.ContourImageSequence]
    assert sorted(listed) == sorted(image.SOPInstanceUID for image in images)


def test_lone_voxel_is_four_points_at_its_corners(folder: Path, tmp_path: Path) -> None:
    _, written = export(folder, tmp_path / "out.dcm")
    contour = written.ROIContourSequence[0].ContourSequence[1]
    assert contour.ContourGeometricType == "CLOSED_PLANAR"
    assert contour.NumberOfContourPoints == 4
    points = np.reshape(np.array(contour.ContourData, float), (4, 3))
    (series,) = list_series(folder)
    corners = series.geometry.position_of(
        [(2, 5 + b, 6 + a) for b, a in [(-0.5, -0.5), (-0.5, 0.5), (0.5, 0.5), (0.5, -0.5)]]
    )
    assert np.abs(points - corners).max() < 1e-4


def test_region_is_a_gross_tumour_volume_made_by_this_software_and_not_approved(
    folder: Path, tmp_path: Path
) -> None:
    report, written = export(
        folder, tmp_path / "out.dcm", colour=(10, 20, 30), description="for the tumour board"
    )
    roi, observation = written.StructureSetROISequence[0], written.RTROIObservationsSequence[0]
    assert (roi.ROIName, roi.ROIGenerationAlgorithm) == ("GTVp", "SEMIAUTOMATIC")
    assert roi.ReferencedFrameOfReferenceUID == written.FrameOfReferenceUID
    assert (observation.RTROIInterpretedType, observation.ReferencedROINumber) == ("GTV", roi.ROINumber)
    assert list(written.ROIContourSequence[0].ROIDisplayColor) == [10, 20, 30]
    assert float(roi.ROIVolume) == pytest.approx(report.rois[0].volume_ml) == 22 * 3.0 / 1000
    assert written.ApprovalStatus == "UNAPPROVED"
    assert (written.Manufacturer, written.SoftwareVersions) == ("TumorSegRobust", __version__)
    assert written.StructureSetLabel == "TumorSegRobust"
    assert written.StructureSetDescription == (
        f"TumorSegRobust {__version__}, research software, not a medical device. for the tumour board"
    )
    assert "not a medical device" in roi.ROIGenerationDescription


def test_two_exports_share_no_identifier_of_their_own(folder: Path, tmp_path: Path) -> None:
    first, one = export(folder, tmp_path / "one.dcm")
    second, two = export(folder, tmp_path / "two.dcm")
    assert one.SOPInstanceUID != two.SOPInstanceUID
    assert one.SeriesInstanceUID != two.SeriesInstanceUID
    assert one.StudyInstanceUID == two.StudyInstanceUID
    assert (first.sop_instance_uid, second.sop_instance_uid) == (one.SOPInstanceUID, two.SOPInstanceUID)
    assert one.file_meta.MediaStorageSOPInstanceUID == one.SOPInstanceUID
    assert all(
        uid.is_valid
        for uid in (one.SOPInstanceUID, one.SeriesInstanceUID, one.file_meta.ImplementationClassUID)
    )


@pytest.mark.parametrize(
    ("characters", "name"),
    [
        ("ISO_IR 100", "Müller^Jörg"),
        ("ISO_IR 144", "Люкceмбypг"),
        ("ISO_IR 192", "Łukasiewicz^Żaneta"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
    ],
)
def test_patient_name_keeps_its_characters_and_their_encoding(
    characters: str | list[str], name: str, tmp_path: Path
) -> None:
    folder = write_series(tmp_path / "series", SMALL, SpecificCharacterSet=characters, PatientName=name)
    _, written = export(folder, tmp_path / "out.dcm")
    assert written.SpecificCharacterSet == characters
    assert str(written.PatientName) == name
    source = pydicom.dcmread(next(folder.iterdir()))
    assert written.PatientName.original_string == source.PatientName.original_string
    assert dciodvfy_errors(tmp_path / "out.dcm") == []


def test_region_name_beyond_the_images_characters_turns_the_file_to_utf8(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "series", SMALL, PatientName="Müller^Jörg")
    report, written = export(folder, tmp_path / "out.dcm", name="GTV_腫瘍")
    assert written.SpecificCharacterSet == "ISO_IR 192"
    assert str(written.PatientName) == "Müller^Jörg"
    assert written.StructureSetROISequence[0].ROIName == "GTV_腫瘍"
    assert [notice for notice in report.notices if "TG-263" in notice]


def test_images_without_names_and_dates_give_empty_values_and_no_errors(tmp_path: Path) -> None:
    left_out = (
        "PatientName PatientBirthDate StudyDate StudyID AccessionNumber SeriesNumber ReferringPhysicianName "
        "PositionReferenceIndicator SpecificCharacterSet"
    )
    nothing = dict.fromkeys(left_out.split())
    folder = write_series(tmp_path / "series", SMALL, **nothing)
    _, written = export(folder, tmp_path / "out.dcm")
    assert str(written.PatientName) == ""
    assert "SpecificCharacterSet" not in written
    assert dciodvfy_errors(tmp_path / "out.dcm") == []


def test_de_identified_images_give_a_de_identified_structure_set(tmp_path: Path) -> None:
    folder = write_series(
        tmp_path / "series", SMALL, PatientIdentityRemoved="YES", DeidentificationMethod="by hand"
    )
    _, written = export(folder, tmp_path / "out.dcm")
    assert (written.PatientIdentityRemoved, written.DeidentificationMethod) == ("YES", "by hand")
    assert dciodvfy_errors(tmp_path / "out.dcm") == []


@pytest.mark.parametrize("name", ["GTVp", "GTV_p1", "GTVp^MR", "z_GTVn-2"])
def test_names_of_tg263_bring_no_notice(name: str, folder: Path, tmp_path: Path) -> None:
    report, _ = export(folder, tmp_path / "out.dcm", name=name)
    assert report.notices == ()


@pytest.mark.parametrize("name", ["GTV primary", "a_name_longer_than_16"])
def test_names_against_tg263_bring_a_notice(name: str, folder: Path, tmp_path: Path) -> None:
    report, written = export(folder, tmp_path / "out.dcm", name=name)
    assert written.StructureSetROISequence[0].ROIName == name
    assert len(report.notices) == 1
    assert "TG-263" in report.notices[0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": " "}, "is empty"),
        ({"name": "n" * 65}, "65 characters, DICOM allows 64"),
        ({"name": "GTV\\p"}, "backslash"),
        ({"name": "GTV\np"}, "unprintable"),
        ({"name": "GTV\udce4"}, "unprintable"),
        ({"label": "seventeen letters"}, "17 characters, DICOM allows 16"),
        ({"description": "d" * 1024}, "DICOM allows 1024"),
        ({"colour": (0, 0, 256)}, "from 0 to 255"),
        ({"algorithm": "MAGIC"}, "must be one of"),
    ],
)
def test_text_that_dicom_cannot_hold_is_refused_in_one_line(
    options: dict[str, object], words: str, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(UnusableInput, match=words) as refusal:
        export(folder, tmp_path / "out.dcm", **options)
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "out.dcm").exists()


def test_two_regions_may_not_differ_by_case_only(folder: Path, tmp_path: Path) -> None:
    (series,) = list_series(folder)
    mask = Image(a_mask(), series.geometry)
    with pytest.raises(UnusableInput, match="Two structures are called 'gtvP'"):
        write_rtstruct_rois([Roi(mask, "GTVp"), Roi(mask, "gtvP")], series, tmp_path / "out.dcm")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.000001, "0"),
        (-250.4883, "-250.4883"),
        (1.5, "1.5"),
        (100.0, "100"),
        (1 / 3, "0.33333"),
    ],
)
def test_decimal_strings_are_short_and_have_no_negative_zero(value: float, text: str) -> None:
    assert decimal(value) == text


@pytest.mark.parametrize("value", [123456789012.123, -9.9e15, 1e300, -1e-300, 1e22])
def test_decimal_strings_never_exceed_16_characters(value: float) -> None:
    assert len(decimal(value)) <= 16
    assert float(decimal(value)) == pytest.approx(value, rel=1e-9, abs=1e-5)
