"""Gaps, uneven slices and gantry tilt: refused with the position, or straightened with a notice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from fixtures_image import AXIAL, field_errors, refusal_of, rotation, write_slices

from TumorSegRobustLib.image import Geometry, read_image, read_series


def test_a_missing_slice_is_named_by_its_position(tmp_path: Path) -> None:
    write_slices(tmp_path, [place for n, place in enumerate(AXIAL) if n != 2])

    line = refusal_of(tmp_path)

    assert "lacks 1 slice at (-10.0, 20.0, 11.0) mm" in line
    assert "is 6 mm where slices are 3 mm apart; export the complete series" in line


def test_every_missing_slice_is_counted(tmp_path: Path) -> None:
    positions = [(0.0, 0.0, 2.0 * n) for n in range(20)]
    write_slices(tmp_path, [place for n, place in enumerate(positions) if n not in (3, 8, 9, 15)])

    line = refusal_of(tmp_path)

    assert "lacks 4 slices at (0.0, 0.0, 6.0) mm, (0.0, 0.0, 16.0) mm, (0.0, 0.0, 18.0) mm and 1 more" in line


def test_a_missing_slice_of_an_oblique_series_is_placed_in_the_patient(tmp_path: Path) -> None:
    turned = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])  # sagittal: the slices run along x
    positions = [tuple(turned @ place) for place in AXIAL]
    write_slices(tmp_path, positions[:2] + positions[3:], cosines=(*turned[:, 0], *turned[:, 1]))

    assert "lacks 1 slice at (11.0, -10.0, 20.0) mm" in refusal_of(tmp_path)


def test_uneven_slices_are_interpolated_to_an_even_grid_with_a_notice(tmp_path: Path) -> None:
    depths = [0.0, 3.0, 6.0, 8.0, 10.0, 13.0, 16.0]
    write_slices(tmp_path, [(-10.0, 20.0, z) for z in depths])

    image, series = read_series(tmp_path)

    assert image.notices == (
        "Series FLAIR axial: the slices are unevenly spaced (2 to 3 mm); interpolated to 2 mm",
    )
    assert image.geometry == Geometry((9, 6, 8), (1.5, 2.0, 2.0), (-10.0, 20.0, 0.0))
    assert image.voxels.dtype == np.float32
    assert field_errors(image).max() < 0.03
    assert not series.regular
    assert series.notices == image.notices
    assert [place[2] for place in series.positions_mm] == depths


def test_rounding_of_positions_is_not_unevenness(tmp_path: Path) -> None:
    write_slices(tmp_path, [(0.0, 0.0, round(3.3333 * n, 1)) for n in range(8)])

    image, series = read_series(tmp_path)

    assert series.regular
    assert image.notices == ()
    assert image.geometry.spacing_mm[2] == pytest.approx(23.3 / 7)


@pytest.mark.parametrize("degrees", [-20.0, 4.0, 15.0])
def test_a_gantry_tilt_is_resampled_to_a_straight_grid_with_a_notice(tmp_path: Path, degrees: float) -> None:
    """The table moves along z while the slices are tilted, so their origins drift sideways in their plane."""
    turned = rotation((degrees, 0, 0))
    positions = [(0.0, 0.0, 4.0 * n) for n in range(12)]
    write_slices(
        tmp_path, positions, cosines=(*turned[:, 0], *turned[:, 1]), size=(8, 30), spacing_mm=(1.0, 1.0)
    )

    image, series = read_series(tmp_path)

    angle = f"{abs(degrees):.1f}"
    assert image.notices == (
        f"Series FLAIR axial: the slices are sheared (gantry tilt {angle} degrees); "
        "resampled to a straight grid",
    )
    assert not series.regular
    grid = image.geometry
    np.testing.assert_allclose(np.reshape(grid.direction, (3, 3)), turned, atol=1e-8)
    assert grid.spacing_mm == pytest.approx((1.0, 1.0, 4.0 * np.cos(np.radians(degrees))))
    # Every slice pixel that was written is inside the grid.
    for position in positions:
        for j in (0, 29):
            assert grid.contains(np.add(position, turned[:, 1] * j))
    lowest = image.voxels.min()
    filled = image.voxels == lowest
    true = field_errors(image) < 0.03
    # The field, the background, and between them one seam of half-covered pixels.
    assert true.sum() >= 12 * 8 * 28
    assert (~true & ~filled).sum() <= 12 * 8 * 2


def test_a_tilt_by_whole_pixels_changes_no_value(tmp_path: Path) -> None:
    write_slices(tmp_path, [(2.0 * n, 0.0, 5.0 * n) for n in range(4)], spacing_mm=(2.0, 2.0), rescale=None)
    stored = np.stack(
        [pydicom.dcmread(path).pixel_array for path in sorted(tmp_path.iterdir(), reverse=True)]
    )

    voxels = read_image(tmp_path).voxels

    assert voxels.shape == (4, 6, 8 + 3)
    for n in range(4):
        assert np.array_equal(voxels[n, :, n : n + 8], stored[n])
        assert (np.delete(voxels[n], np.s_[n : n + 8], axis=1) == stored.min()).all()


def test_tilted_and_uneven_at_once(tmp_path: Path) -> None:
    write_slices(tmp_path, [(0.25 * z, 0.0, z) for z in (0.0, 4.0, 8.0, 11.0, 14.0, 18.0)], size=(20, 6))

    image, series = read_series(tmp_path)

    assert len(image.notices) == 2
    assert not series.regular
    inner = field_errors(image)[:, :, 4:16]
    assert inner.max() < 0.03
