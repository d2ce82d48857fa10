"""Geometry: image and truth move together, by what was asked, and what comes from outside is unknown."""

from __future__ import annotations

import math

import pytest
import torch

from TumorSegRobustLib.training.augment import build
from TumorSegRobustLib.training.augment.geometry import (
    Geometry,
    GeometryParameters,
    Warp,
    sample_linear,
    sample_nearest,
)
from TumorSegRobustLib.training.synth.draw import Draw

UNKNOWN = 255
STILL = {"probability": 0.0, "flips": [0, 0, 0]}


def ball(
    side: int = 32, centre: tuple[float, float, float] = (17, 12, 19), radius: float = 7
) -> torch.Tensor:
    """(1, k, j, i) uint8."""
    grid = torch.stack(torch.meshgrid(*[torch.arange(side)] * 3, indexing="ij"))
    offset = grid - torch.tensor(centre).view(3, 1, 1, 1)
    return (offset.square().sum(0) <= radius**2).to(torch.uint8)[None]


def dice(a: torch.Tensor, b: torch.Tensor) -> float:
    return 2 * float((a & b).sum()) / float(a.sum() + b.sum())


def centroid(mask: torch.Tensor) -> list[float]:
    return torch.nonzero(mask[0]).float().mean(0).tolist()


def warp(**changes: object) -> GeometryParameters:
    given = {
        "angles": (0.0, 0.0, 0.0),
        "scale": (1.0, 1.0, 1.0),
        "displacement_mm": (),
        "spacing_mm": (1.0,) * 3,
    }
    return GeometryParameters((), 0, Warp(**{**given, **changes}))  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(8))
def test_a_blob_in_the_image_and_in_the_truth_go_the_same_way(seed: int) -> None:
    truth = ball()
    pipeline = build({"geometry": {"probability": 1.0, "flips": [0.5, 0.5, 0.5], "turns": 0.5}})
    image, moved, history = pipeline.trace(truth.float(), truth, Draw(seed))
    assert dice(image > 0.5, moved == 1) > 0.95
    assert dice(moved == 1, truth == 1) < 0.9
    volume = math.prod(history[0].warp.scale) * float((truth == 1).sum())
    assert float((moved == 1).sum()) == pytest.approx(volume, rel=0.15)


def test_nothing_asked_is_nothing_done() -> None:
    truth = ball(8, (4, 4, 4), 2)
    assert Geometry(probability=0.0, flips=(0.0, 0.0, 0.0)).draw(Draw(0), truth.float()) is None
    image, moved = warp().apply(truth.float(), truth)
    assert torch.allclose(image, truth.float(), atol=1e-5)
    assert torch.equal(moved, truth)


def test_left_and_right_swap_exactly() -> None:
    image = torch.arange(24.0).view(1, 2, 3, 4)
    truth = image.to(torch.uint8)
    turned, same = build({"geometry": {**STILL, "flips": [0, 0, 1]}})(image, truth, Draw(0))
    assert turned[0, 0, 0].tolist() == [3, 2, 1, 0]
    assert torch.equal(turned, image.flip(3))
    assert torch.equal(same, truth.flip(3))


def test_by_default_only_left_and_right_are_flipped() -> None:
    image = torch.rand(1, 4, 4, 4)
    seen = {Geometry(probability=0.0).draw(Draw(seed), image) for seed in range(40)}
    assert seen == {None, GeometryParameters((2,), 0, None)}


def test_quarter_turns_are_exact_and_about_the_body_axis() -> None:
    image = torch.arange(24.0).view(1, 2, 3, 4)
    turned, truth = GeometryParameters((), 1, None).apply(image, image.to(torch.uint8))
    assert turned.shape == (1, 2, 4, 3)
    assert torch.equal(turned, torch.rot90(image, 1, (2, 3)))
    assert torch.equal(truth, turned.to(torch.uint8))


def test_a_turn_about_k_moves_a_blob_as_computed() -> None:
    """A ball 8 voxels to the side (+i) of the centre, turned by 90 degrees about k: now it lies along j."""
    truth = ball(33, (16, 16, 24), 4)
    _, moved = warp(angles=(math.pi / 2, 0.0, 0.0)).apply(truth.float(), truth)
    k, j, i = centroid(moved == 1)
    assert (k, i) == (pytest.approx(16, abs=0.1), pytest.approx(16, abs=0.1))
    assert abs(j - 16) == pytest.approx(8, abs=0.1)


def test_scale_above_one_enlarges_about_the_centre() -> None:
    truth = ball(33, (16, 16, 20), 5)
    _, moved = warp(scale=(1.0, 1.0, 1.5)).apply(truth.float(), truth)
    assert centroid(moved == 1) == pytest.approx([16, 16, 22], abs=0.2)
    assert float((moved == 1).sum()) == pytest.approx(1.5 * float(truth.sum()), rel=0.03)


def test_a_turn_is_one_in_millimetres() -> None:
    """On voxels of 1 x 1 x 2 mm (k, j, i) a shift of 8 mm is 4 voxels along i and 8 along j."""
    truth = ball(33, (16, 16, 20), 3)
    _, moved = warp(angles=(math.pi / 2, 0.0, 0.0), spacing_mm=(1.0, 1.0, 2.0)).apply(truth.float(), truth)
    k, j, i = centroid(moved == 1)
    assert abs(j - 16) == pytest.approx(8, abs=0.2)
    assert (k, i) == (pytest.approx(16, abs=0.1), pytest.approx(16, abs=0.1))


def test_an_elastic_displacement_is_in_millimetres_and_interpolated() -> None:
    """Control points at the ends of i, moved by 4 and 0 mm along i, on voxels of 2 mm."""
    along_i = (((0.0, 0.0),) * 2,) * 2
    by = ((((4.0, 0.0),) * 2,) * 2,)
    where = warp(displacement_mm=(along_i, along_i, *by), spacing_mm=(2.0, 2.0, 2.0)).warp
    assert where is not None
    positions = where.positions((3, 3, 5))
    assert positions[2, 1, 1].tolist() == pytest.approx([2.0, 2.5, 3.0, 3.5, 4.0])
    assert positions[1, 1, 1].tolist() == pytest.approx([1.0] * 5)


def test_what_comes_from_outside_is_air_and_unknown() -> None:
    image, truth = torch.full((2, 8, 8, 8), 0.7), torch.ones(3, 8, 8, 8, dtype=torch.uint8)
    truth[2] = UNKNOWN
    small, moved = warp(scale=(0.5, 0.5, 0.5)).apply(image, truth)
    assert float(small[:, 0].abs().max()) == 0.0
    assert small[0, 4, 4, 4] == pytest.approx(0.7)
    assert bool((moved[:2, 0] == UNKNOWN).all())
    assert moved[:, 4, 4, 4].tolist() == [1, 1, UNKNOWN]
    assert set(moved.unique().tolist()) == {1, UNKNOWN}
    assert moved.dtype == torch.uint8


def test_samples_between_voxels() -> None:
    volume = torch.arange(8.0).view(1, 2, 2, 2)
    where = torch.tensor([[0.5, 0.0, 1.4], [0.5, 0.0, 0.0], [0.5, 0.25, 0.0]]).view(3, 3, 1, 1)
    assert sample_linear(volume, where).flatten().tolist() == pytest.approx([3.5, 0.25, 2.4])
    nearest = sample_nearest(volume.to(torch.uint8), where.clone())
    assert nearest.flatten().tolist()[1:] == [0, 4]


def test_drawn_angles_and_scales_stay_in_their_ranges() -> None:
    settings = Geometry(probability=1.0)
    warps = [settings.draw(Draw(seed), torch.zeros(1, 40, 40, 40)).warp for seed in range(60)]
    angles = [math.degrees(angle) for one in warps for angle in one.angles]
    scales = [scale for one in warps for scale in one.scale]
    assert -15 <= min(angles) < -12 < 12 < max(angles) <= 15
    assert 0.85 <= min(scales) < 0.87 < 1.13 < max(scales) <= 1.15
    assert len(warps[0].displacement_mm[0]) == 4  # 40 voxels of 2 mm, control points every 32 mm
    assert (
        Geometry(probability=1.0, elastic_mm=0).draw(Draw(0), torch.zeros(1, 8, 8, 8)).warp.displacement_mm
        == ()
    )
