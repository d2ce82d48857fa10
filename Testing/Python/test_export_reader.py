"""Reading an RTSTRUCT, also one that others wrote badly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from fixtures_export import HARD_GRIDS, Grid, hard_mask, write_series
from pydicom.dataset import Dataset

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.export import Roi, read_rtstruct, write_rtstruct_rois
from TumorSegRobustLib.image import DicomSeries, Image, list_series

GRID = HARD_GRIDS["oblique"]
Change = Callable[[Dataset], None]


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> DicomSeries:
    return list_series(write_series(tmp_path_factory.mktemp("reader") / "series", GRID))[0]


@pytest.fixture
def changed(series: DicomSeries, tmp_path: Path) -> Callable[[Change], Path]:
    """An RTSTRUCT of two regions, changed by hand."""
    path = tmp_path / "rtstruct.dcm"
    square = np.zeros(GRID.shape, bool)
    square[6, 10:20, 10:20] = True
    masks = {"GTVp": hard_mask(GRID.shape), "square": square}
    write_rtstruct_rois(
        [Roi(Image(mask, series.geometry), name) for name, mask in masks.items()], series, path
    )

    def change(how: Change) -> Path:
        dataset = pydicom.dcmread(path)
        how(dataset)
        dataset.save_as(path)
        return path

    return change


def square_of(dataset: Dataset) -> Dataset:
    return dataset.ROIContourSequence[1]


def ring(
    series: DicomSeries, low: float, high: float, slice_index: float = 6, kind: str = "CLOSED_PLANAR"
) -> Dataset:
    """A contour round the voxels low+.5 .. high-.5 in rows and columns."""
    corners = [
        (slice_index, low, low),
        (slice_index, low, high),
        (slice_index, high, high),
        (slice_index, high, low),
    ]
    contour = Dataset()
    contour.ContourGeometricType = kind
    contour.NumberOfContourPoints = 4
    contour.ContourData = [f"{value:.6f}" for value in series.geometry.position_of(corners).ravel()]
    return contour


def test_masks_lie_on_the_grid_of_the_series_under_their_names(
    series: DicomSeries, changed: Callable[[Change], Path]
) -> None:
    masks = read_rtstruct(changed(lambda dataset: None), series.files[0].parent)
    assert list(masks) == ["GTVp", "square"]
    assert masks["GTVp"].geometry.matches(series.geometry)
    assert masks["GTVp"].name == "GTVp"
    assert masks["GTVp"].notices == ()
    assert np.array_equal(masks["GTVp"].voxels, hard_mask(GRID.shape))


@pytest.mark.parametrize("kind", ["CLOSED_PLANAR", "CLOSEDPLANAR_XOR"])
def test_rings_in_rings_are_holes(kind: str, series: DicomSeries, changed: Callable[[Change], Path]) -> None:
    def nested(dataset: Dataset) -> None:
        square_of(dataset).ContourSequence = [
            ring(series, low, 29 - low, kind=kind) for low in (9.5, 11.5, 13.5)
        ]

    voxels = read_rtstruct(changed(nested), series)["square"].voxels
    wanted = np.zeros(GRID.shape, bool)
    wanted[6, 10:20, 10:20] = True
    wanted[6, 12:18, 12:18] = False
    wanted[6, 14:16, 14:16] = True
    assert np.array_equal(voxels, wanted)


def test_contours_of_a_finer_scan_are_united_not_cut_out(
    series: DicomSeries, changed: Callable[[Change], Path]
) -> None:
    def finer(dataset: Dataset) -> None:
        square_of(dataset).ContourSequence = [ring(series, 9.5, 19.5, k) for k in (5.8, 6.0, 6.2)]

    image = read_rtstruct(changed(finer), series)["square"]
    assert image.voxels[6, 10:20, 10:20].all()
    assert image.voxels.sum() == 100
    assert image.notices == ("2 contours of square lie between images; each fills the nearest image",)


def test_points_lines_and_two_point_contours_are_left_out(
    series: DicomSeries, changed: Callable[[Change], Path]
) -> None:
    def spoil(dataset: Dataset) -> None:
        point, short = ring(series, 3, 5, kind="POINT"), ring(series, 3, 5)
        short.ContourData = list(short.ContourData)[:6]
        square_of(dataset).ContourSequence.extend([point, short])

    image = read_rtstruct(changed(spoil), series)["square"]
    assert image.voxels.sum() == 100
    assert image.notices == ("1 contours of square have fewer than 3 points and are left out",)


def test_contours_beyond_the_images_are_left_out_with_a_notice(
    series: DicomSeries, changed: Callable[[Change], Path]
) -> None:
    def beyond(dataset: Dataset) -> None:
        square_of(dataset).ContourSequence.append(ring(series, 9.5, 19.5, GRID.shape[0] + 3))

    image = read_rtstruct(changed(beyond), series)["square"]
    assert image.voxels.sum() == 100
    assert image.notices == ("1 contours of square lie beyond the images and are left out",)


def test_region_without_contours_is_empty_and_equal_names_are_numbered(
    series: DicomSeries, changed: Callable[[Change], Path]
) -> None:
    def strip(dataset: Dataset) -> None:
        del dataset.ROIContourSequence[1]
        dataset.StructureSetROISequence[1].ROIName = "GTVp"

    masks = read_rtstruct(changed(strip), series)
    assert list(masks) == ["GTVp", "GTVp (2)"]
    assert not masks["GTVp (2)"].voxels.any()


def _set_frame(dataset: Dataset) -> None:
    dataset.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = "1.2.3"


def _drop_a_number(dataset: Dataset) -> None:
    contour = square_of(dataset).ContourSequence[0]
    contour.ContourData = list(contour.ContourData)[:-1]


def _turn(dataset: Dataset) -> None:
    contour = square_of(dataset).ContourSequence[0]
    contour.ContourData = np.roll(np.array(contour.ContourData, float), 1).round(3).tolist()


def _rename(dataset: Dataset) -> None:
    dataset.Modality = "RTPLAN"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_set_frame, "another frame of reference"),
        (_drop_a_number, "not triples of numbers"),
        (_turn, "not parallel to the images"),
        (_rename, "is not an RTSTRUCT"),
    ],
)
def test_files_that_do_not_fit_are_refused_in_one_line(
    change: Change, words: str, series: DicomSeries, changed: Callable[[Change], Path]
) -> None:
    with pytest.raises(UnusableInput, match=words) as refusal:
        read_rtstruct(changed(change), series)
    assert "\n" not in str(refusal.value)


def test_no_dicom_and_no_file_are_refused(series: DicomSeries, tmp_path: Path) -> None:
    (tmp_path / "text.dcm").write_text("not DICOM")
    for path in (tmp_path / "text.dcm", tmp_path / "absent.dcm"):
        with pytest.raises(UnusableInput, match="cannot be read as DICOM"):
            read_rtstruct(path, series)


def test_tilted_series_is_refused(changed: Callable[[Change], Path], tmp_path: Path) -> None:
    tilted = write_series(tmp_path / "tilted", Grid(shape=(6, 20, 20), shift_per_slice_mm=0.5))
    with pytest.raises(UnusableInput, match="tilted or unevenly spaced"):
        read_rtstruct(changed(lambda dataset: None), tilted)
