"""From a data set to a plan: the planner's rules, and a configuration that trains."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fixtures_training import GRID, write_cases

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.evaluation.manifest import read_manifest
from TumorSegRobustLib.models import build_network
from TumorSegRobustLib.training import planning
from TumorSegRobustLib.training.config import read_config
from TumorSegRobustLib.training.fingerprint import Fingerprint, fingerprint, sphericity
from TumorSegRobustLib.training.planning import Rules, plan

THICK = Fingerprint(
    cases=40, spacing_mm=(0.9, 0.9, 6.0), extent_mm=(230.0, 230.0, 150.0), anisotropy=6.7,
    intensity=(0.0, 255.0), stripped=0.0, channels={"flair": 1.0, "t1c": 0.2}, tumour_ml=40.0, sphericity=0.5,
)  # fmt: skip


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cases(tmp_path_factory.mktemp("cases"))


def test_a_fingerprint_tells_spacing_extent_channels_and_tumour(manifest: Path) -> None:
    found = fingerprint(read_manifest(manifest))
    assert found.cases == 4
    assert found.spacing_mm == GRID.spacing_mm
    assert found.extent_mm == (108.0, 120.0, 96.0)
    assert found.shape == (36, 40, 12)
    assert found.anisotropy == pytest.approx(8 / 3, abs=0.001)
    assert found.channels == {"flair": 1.0, "t1c": 0.5}
    assert found.tumour_ml == pytest.approx(4 * 12 * 12 * 0.072, abs=0.01)
    assert found.stripped == 0.0
    low, high = found.intensity
    assert 0 <= low < 6
    assert 600 < high < 800
    with pytest.raises(UnusableInput, match="no case"):
        fingerprint([])


def test_sphericity_is_one_for_balls_and_small_for_rods_whatever_the_voxels() -> None:
    k, j, i = np.mgrid[-12:13, -24:25, -24:25]
    ball = (2 * k) ** 2 + j**2 + i**2 <= 20**2
    assert sphericity(ball, (2.0, 1.0, 1.0)) == pytest.approx(0.9, abs=0.02)
    rod = np.zeros((60, 8, 8), bool)
    rod[5:55, 3:5, 3:5] = True
    assert sphericity(rod, (1.0, 1.0, 1.0)) < 0.5
    assert sphericity(rod, (0.04, 1.0, 1.0)) > 0.7


def test_cubes_keep_the_number_of_voxels_and_the_patch_the_proportions() -> None:
    found = plan(THICK, memory_mb=8000)
    assert found.spacing_mm == pytest.approx((0.9 * 0.9 * 6.0) ** (1 / 3), abs=0.01)
    assert all(side % 16 == 0 for side in found.patch)
    covered = [side * found.spacing_mm for side in found.patch]
    assert covered[0] < covered[1] == covered[2]
    assert plan(replace(THICK, spacing_mm=(0.5, 0.5, 0.9)), memory_mb=8000).spacing_mm >= 1.0


@pytest.mark.parametrize("memory_mb", [1200, 2000, 4000, 16000])
def test_a_plan_stays_within_its_memory_and_uses_more_of_it(memory_mb: float) -> None:
    found = plan(THICK, memory_mb=memory_mb)
    assert found.memory_mb <= memory_mb
    voxels = math.prod(found.patch)
    assert found.memory_mb == pytest.approx(700 + found.batch * voxels * 16 * 46e-6, abs=1)
    assert math.prod(plan(THICK, memory_mb=2 * memory_mb).patch) >= voxels


def test_with_little_memory_the_voxels_grow_until_a_patch_sees_a_quarter_of_the_head() -> None:
    small = plan(replace(THICK, spacing_mm=(1.0, 1.0, 1.0)), memory_mb=900)
    extents = tuple(reversed(THICK.extent_mm))
    coverage = math.prod(
        min(1.0, side * small.spacing_mm / extent) for side, extent in zip(small.patch, extents, strict=True)
    )
    assert small.spacing_mm > 1.5
    assert coverage >= 0.24
    with pytest.raises(UnusableInput, match="at least 724 MB and 710 MB are given"):
        plan(THICK, memory_mb=710)


def test_depth_follows_the_patch_units_the_shape_and_width_the_outputs() -> None:
    found = plan(THICK)
    assert found.channels == (16, 32, 64, 128, 128)
    assert found.strides == (2, 2, 2, 2)
    assert (found.units, found.relative_time) == (2, 1.0)
    assert plan(replace(THICK, sphericity=0.7)).units == 3
    assert plan(replace(THICK, sphericity=None)).units == 2
    assert plan(THICK, outputs=11).channels[0] == 32
    assert plan(THICK, outputs=11).relative_time == 2.0
    flat = plan(replace(THICK, extent_mm=(60.0, 60.0, 30.0)))
    assert len(flat.strides) == int(math.log2(min(flat.patch) / 4)) == 3
    fine = Rules(finest_mm=0.5, multiple=32)
    assert len(plan(replace(THICK, spacing_mm=(0.7, 0.7, 0.7)), 64000, rules=fine).strides) == 5


def test_the_planned_network_takes_the_planned_patch() -> None:
    found = plan(replace(THICK, extent_mm=(60.0, 60.0, 30.0)))
    network = build_network(found.network(2, 3))
    with torch.inference_mode():
        assert network(torch.zeros(1, 2, 32, 32, 32)).shape == (1, 3, 32, 32, 32)


def test_the_written_configuration_is_read_back_and_says_what_it_is_from(
    manifest: Path, tmp_path: Path
) -> None:
    out = tmp_path / "plan.yaml"
    summary = planning.main(manifest, out, memory_mb=3000)
    config = read_config(out)
    assert config.channels == ("flair", "t1c")
    assert config.network["head"] == len(config.outputs) == 2
    assert list(config.synth.patch) == summary["patch"]
    assert config.synth.spacing_mm == summary["spacing_mm"]
    source = config.real_source
    assert source is not None
    assert source.manifest == str(manifest)
    assert "# spacing_mm: (3.0, 3.0, 8.0)" in out.read_text()
