"""DICOM folders: slices in order, on a grid that is checked, straightened or refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from fixtures_image import AXIAL, SERIES_UID, field_errors, refusal_of, rotation, write_slices
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Geometry, list_series, read_image, read_series


def test_slices_are_sorted_by_position_and_not_by_name(tmp_path: Path) -> None:
    paths = write_slices(tmp_path, AXIAL)

    image, series = read_series(tmp_path)

    assert image.geometry == Geometry((5, 6, 8), (1.5, 2.0, 3.0), (-10.0, 20.0, 5.0))
    assert field_errors(image).max() < 0.026  # half a step of the rescale slope
    assert image.name == "FLAIR axial"
    assert image.notices == ()
    assert series.files == tuple(paths)
    assert series.positions_mm == tuple(AXIAL)
    assert series.geometry == image.geometry
    assert series.regular
    assert series.series_uid == SERIES_UID
    assert series.sop_instance_uids[0] == SERIES_UID + ".1"
    assert (series.modality, series.patient_id) == ("MR", "TEST")
    assert series.describe() == "MR FLAIR axial, 5 images"


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.tuples(*[st.floats(-180, 180)] * 3), st.booleans())
def test_any_oblique_series_keeps_its_place(tmp_path: Path, angles: tuple, reverse: bool) -> None:
    turned = rotation(angles)
    positions = [tuple(turned @ (-10.0, 20.0, 5.0 + 3.0 * n)) for n in range(4)]
    for old in tmp_path.iterdir():
        old.unlink()
    write_slices(tmp_path, positions[::-1] if reverse else positions, cosines=(*turned[:, 0], *turned[:, 1]))

    image, series = read_series(tmp_path)

    assert image.geometry.matches(
        Geometry((4, 6, 8), (1.5, 2.0, 3.0), positions[0], tuple(turned.ravel())), tolerance_mm=1e-4
    )
    assert field_errors(image).max() < 0.026
    assert series.regular


@pytest.mark.parametrize("modality", ["CT", "MR"])
@pytest.mark.parametrize(
    ("rescale", "kind"),
    [
        ((1.0, -1024.0), np.int16),
        (None, np.int16),
        ((0.5, 0.25), np.float32),
        ((4.0, 60000.0), np.uint16),
        ((4.0, 70000.0), np.int32),
    ],
)
def test_slope_and_intercept_are_applied(
    tmp_path: Path, modality: str, rescale: tuple[float, float] | None, kind: type
) -> None:
    paths = write_slices(tmp_path, AXIAL, modality=modality, rescale=None)
    for path in paths:
        data = pydicom.dcmread(path)
        if rescale is not None:
            data.RescaleSlope, data.RescaleIntercept = rescale
        data.save_as(path)
    slope, intercept = rescale or (1.0, 0.0)
    stored = np.stack([pydicom.dcmread(path).pixel_array for path in paths])

    voxels = read_image(tmp_path).voxels

    assert voxels.dtype == kind
    np.testing.assert_array_equal(voxels, stored * slope + intercept)


def test_each_slice_has_its_own_slope(tmp_path: Path) -> None:
    paths = write_slices(tmp_path, AXIAL, rescale=None)
    for number, path in enumerate(paths):
        data = pydicom.dcmread(path)
        data.RescaleSlope, data.RescaleIntercept = 0.5 + number, 0
        data.save_as(path)
    stored = [pydicom.dcmread(path).pixel_array for path in paths]

    voxels = read_image(tmp_path).voxels

    for number, plane in enumerate(stored):
        np.testing.assert_allclose(voxels[number], plane * (0.5 + number))


def compress_with_gdcm(path: Path) -> None:
    """JPEG 2000 lossless, stored values unchanged, slope and intercept put back afterwards."""
    data = pydicom.dcmread(path)
    writer = sitk.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.KeepOriginalImageUIDOn()
    writer.UseCompressionOn()
    writer.SetFileName(str(path))
    source = sitk.GetImageFromArray(data.pixel_array[None])
    writer.Execute(source)
    packed = pydicom.dcmread(path)
    data.PixelData, data.file_meta.TransferSyntaxUID = packed.PixelData, packed.file_meta.TransferSyntaxUID
    data["PixelData"].is_undefined_length = True
    assert data.file_meta.TransferSyntaxUID.is_compressed
    data.save_as(path)


def compress_with_rle(path: Path) -> None:
    data = pydicom.dcmread(path)
    data.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
    data.save_as(path)


@pytest.mark.parametrize("compress", [compress_with_gdcm, compress_with_rle])
@pytest.mark.parametrize("rescale", [None, (2.0, -1024.0)])
def test_compressed_slices_give_the_same_values(
    tmp_path: Path, compress: Callable[[Path], None], rescale: tuple[float, float] | None
) -> None:
    paths = write_slices(tmp_path, AXIAL, modality="CT", rescale=rescale)
    before = read_image(tmp_path)
    for path in paths:
        compress(path)

    after = read_image(tmp_path)

    assert np.array_equal(after.voxels, before.voxels)
    assert after.geometry == before.geometry


def test_a_single_file_stands_for_its_series(tmp_path: Path) -> None:
    paths = write_slices(tmp_path, AXIAL)
    write_slices(tmp_path, AXIAL, series_uid="1.2.3", prefix="other")

    assert read_image(paths[2]).geometry.shape == (5, 6, 8)


def test_what_is_no_image_is_passed_over(tmp_path: Path) -> None:
    write_slices(tmp_path / "images", AXIAL)
    for modality in ("RTSTRUCT", "SEG", "RTDOSE", "SR"):
        write_slices(
            tmp_path, AXIAL[:1], series_uid=f"1.2.{len(modality)}", prefix=modality, Modality=modality
        )
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "DICOMDIR.bak").write_bytes(b"")

    assert [series.series_uid for series in list_series(tmp_path)] == [SERIES_UID]
    assert read_series(tmp_path)[0].geometry.shape == (5, 6, 8)


def test_a_localizer_beside_the_series_is_passed_over(tmp_path: Path) -> None:
    write_slices(tmp_path, AXIAL)
    write_slices(tmp_path, AXIAL[:1], series_uid="1.2.3", prefix="scout", SeriesDescription="Localizer")

    assert read_series(tmp_path)[1].series_uid == SERIES_UID


def test_several_series_are_listed_and_one_is_chosen_by_its_uid(tmp_path: Path) -> None:
    write_slices(tmp_path / "a", AXIAL)
    write_slices(tmp_path / "b", AXIAL[:4], series_uid="1.2.3", modality="CT", SeriesDescription="CT thin")

    line = refusal_of(tmp_path)

    assert "a/slice-001.dcm (MR FLAIR axial, 5 images, 1.5x2x3 mm); b/slice-" in line
    assert "(CT CT thin, 4 images, 1.5x2x3 mm)" in line
    assert line.endswith("choose one: give its folder or its file")
    assert [series.series_uid for series in list_series(tmp_path)] == [SERIES_UID, "1.2.3"]
    image, series = read_series(tmp_path, "1.2.3")
    assert image.geometry.shape[0] == 4
    assert series.description == "CT thin"
    assert "has no series 9.9; it holds" in refusal_of(tmp_path, "9.9")


def change(path: Path, **attributes: object) -> None:
    data = pydicom.dcmread(path)
    for keyword, value in attributes.items():
        if value is None:
            delattr(data, keyword)
        else:
            setattr(data, keyword, value)
    data.save_as(path)


def twice(folder: Path) -> None:
    write_slices(folder, AXIAL)
    write_slices(folder, AXIAL, prefix="echo")


def one_changed(**attributes: object) -> Callable[[Path], None]:
    return lambda folder: change(write_slices(folder, AXIAL)[2], **attributes)


def all_with(**attributes: object) -> Callable[[Path], None]:
    return lambda folder: write_slices(folder, AXIAL, **attributes) and None


def without_the_end(folder: Path) -> None:
    path = write_slices(folder, AXIAL)[1]
    path.write_bytes(path.read_bytes()[:-40])


def garbled(folder: Path) -> None:
    path = write_slices(folder, AXIAL)[1]
    path.write_bytes(path.read_bytes()[:150] + b"\xff" * 60)


def flat(folder: Path) -> None:
    for path in write_slices(folder, AXIAL):
        change(path, PixelData=b"\x01\x00" * 48)


REFUSALS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (lambda folder: None, "does not exist; check the path"),
    "no DICOM": (lambda f: f.mkdir(), "holds no DICOM images; give a folder with one DICOM series"),
    "a file": (lambda f: f.write_text("x"), "is a file; give the folder of the DICOM series"),
    "only an RTSTRUCT": (all_with(Modality="RTSTRUCT"), "holds no DICOM images"),
    "two slices": (lambda f: write_slices(f, AXIAL[:2]), "has 2 images: a volume of at least 3 slices"),
    "one slice": (lambda f: write_slices(f, AXIAL[:1]), "has 1 image: a volume of at least 3 slices"),
    "positions twice": (
        twice,
        r"several images at the same position: .* at \(-10.0, 20.0, 5.0\) mm, 5 in all",
    ),
    "one position twice": (
        one_changed(ImagePositionPatient=list(AXIAL[1])),
        r"several images at the same position: slice-00[34].dcm and slice-00[34].dcm at \(-10.0, 20.0, 8.0\)",
    ),
    "not parallel": (one_changed(ImageOrientationPatient=[0, 1, 0, 0, 0, 1]), "slices that are not parallel"),
    "other size": (
        one_changed(Columns=6, Rows=8),
        r"mixes image sizes \(slice-\d+.dcm 8x6, slice-\d+.dcm 6x8\)",
    ),
    "other spacing": (one_changed(PixelSpacing=[2, 2]), "mixes pixel spacings"),
    "no position": (all_with(ImagePositionPatient=None), "has no ImagePositionPatient, so its place"),
    "no orientation": (all_with(ImageOrientationPatient=None), "has no ImageOrientationPatient"),
    "no spacing": (all_with(PixelSpacing=None), "has no PixelSpacing"),
    "zero spacing": (all_with(PixelSpacing=[0, 1]), "has a PixelSpacing of 0x1 mm; export it again"),
    "half a position": (one_changed(ImagePositionPatient=[1, 2]), r"a broken ImagePositionPatient"),
    "broken cosines": (
        all_with(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]),
        "not perpendicular unit vectors",
    ),
    "too steep": (
        lambda f: write_slices(f, [(6.0 * n, 0.0, 3.0 * n) for n in range(5)]),
        r"shifted sideways by 24 mm over 12 mm \(tilt 63 degrees\)",
    ),
    "colour": (all_with(SamplesPerPixel=3), "is a colour image; choose a series of grey-scale images"),
    "palette": (all_with(PhotometricInterpretation="PALETTE COLOR"), "is a colour image"),
    "look-up table": (all_with(ModalityLUTSequence=[pydicom.Dataset()]), "through a look-up table"),
    "multi-frame": (
        all_with(NumberOfFrames=4),
        r"multi-frame object \(4 frames in one file\); export the series",
    ),
    "cut off": (without_the_end, "is damaged or cut off"),
    "garbled": (garbled, "slice-004.dcm is damaged: it does not say what it holds"),
    "constant": (flat, "is constant"),
    "absurd spacing": (all_with(PixelSpacing=[90, 90]), "implausible voxel size"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_folder_that_is_no_volume_is_refused_in_one_line(tmp_path: Path, case: str) -> None:
    make, reason = REFUSALS[case]
    folder = tmp_path / "scan"
    make(folder)

    line = refusal_of(folder)

    assert re.search(reason, line), line
    assert len(line) < 400


def test_a_folder_without_any_volume_lists_what_is_there(tmp_path: Path) -> None:
    write_slices(tmp_path, AXIAL[:1], prefix="a", SeriesDescription="Scout")
    write_slices(tmp_path, AXIAL[:2], series_uid="1.2.3", prefix="b", SeriesDescription="Report")

    with pytest.raises(
        UnusableInput, match=r"Scout, 1 image, not a volume\); b-001\.dcm \(MR Report, 2 images, not"
    ):
        list_series(tmp_path)
