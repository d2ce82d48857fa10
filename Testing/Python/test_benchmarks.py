"""The benchmarks measure what they say: their volumes, their clicks, and the table that they write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from Testing.benchmarks import measuring, table, volumes
from TumorSegRobustLib.image import Geometry, Image, read_series

SMALL = Geometry((40, 60, 60), (2.0, 2.0, 2.0), (-59.0, -59.0, -39.0))


def test_the_tumour_has_the_volume_that_the_budget_names() -> None:
    mask = volumes.tumour(volumes.HEAD, (35.0, -25.0, 10.0), 28.6)
    assert mask.sum() / 1000 == pytest.approx(100, rel=0.03)


def test_grids_are_those_that_the_budgets_name() -> None:
    assert volumes.HEAD.shape[::-1] == (240, 240, 155)
    assert volumes.HEAD.spacing_mm == (1.0, 1.0, 1.0)
    assert volumes.CT.shape[::-1] == (512, 512, 200)


def test_a_volume_made_in_another_process_is_the_same() -> None:
    again = volumes.made_elsewhere("head")
    assert again.geometry == volumes.HEAD
    np.testing.assert_array_equal(again.voxels, volumes.head().voxels)


def test_the_series_is_the_image_again(tmp_path: Path) -> None:
    voxels = np.arange(np.prod(SMALL.shape)).reshape(SMALL.shape) % 4000
    image = Image(voxels.astype(np.float32), SMALL, "head")
    again, series = read_series(volumes.write_series(image, tmp_path / "series"))
    np.testing.assert_array_equal(again.voxels, image.voxels)
    assert again.geometry.matches(SMALL)
    assert len(series.files) == 40


def test_seconds_are_summed_up_by_what_the_budgets_ask_for() -> None:
    told = measuring.spread([0.5, *[0.1] * 98, 0.9])
    assert (told["count"], told["first"], told["p50"], told["p95"], told["max"]) == (100, 0.5, 0.1, 0.1, 0.9)


RESULTS = {
    "clicks head empty": {
        "volume": "head",
        "start": "empty",
        "shape": [155, 240, 240],
        "click_s": {"count": 40, "p50": 0.12, "p95": 0.29, "first": 0.35},
        "settled_s": {"count": 40, "p50": 0.2, "p95": 0.41, "first": 0.5},
        "click_cpu_s": 0.11,
        "undo_s": 0.01,
        "peak_memory_mb": 420,
    },
    "heavy": {"side": 192, "parameters_m": 102.5, "pass_s": 29.0, "peak_memory_mb": 6900},
    "rtstruct": {"volume_ml": 100.2, "write_s": {"count": 5, "max": 1.25}},
}


def test_the_table_says_which_budget_was_kept() -> None:
    text = table.render(RESULTS, {"processor": "generic", "cores used": 2}, "2026-01-01")
    assert "Measured 2026-01-01 by `make benchmark`, without a GPU: processor generic, cores used 2." in text
    assert "| click, 1 mm head 240x240x155, from nothing: p95 of 40 | 290 ms | 0.3 s | yes |" in text
    assert "| click, 1 mm head 240x240x155, from nothing: first click | 350 ms | 0.3 s | **no** |" in text
    assert "102 M parameters at 192^3, one pass | 29.0 s; 6.9 GB |" in text
    assert "head from nothing 100 (242) times." in text
    assert "peak memory | 0.42 GB | 3 GB | yes |" in text
    assert "| RTSTRUCT of 100 ml, 155 slices of 1 mm: largest of 5 | 1.2 s | 2 s | yes |" in text


def test_the_table_says_how_long_until_the_first_image_and_the_contour() -> None:
    seconds = {"answers_s": 2.0, "first_image_s": 5.5, "contour_s": 9.0}
    figures = {f"{scan}_{name}": {"p50": s} for scan in ("sample", "head") for name, s in seconds.items()}
    rows = table.render({"app_start": figures}, {}, "2026-01-01")
    assert "| app start -> first image, sample case: median | 5.5 s | 5 s | **no** |" in rows
    assert "| first image -> contour drawn, 1 mm head 240x240x155: median | 9.0 s | 10 s | yes |" in rows


def test_the_table_replaces_the_one_before_and_leaves_the_page(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"# Speed\n\n{table.BEGIN}\nold\n{table.END}\n\nRead me.\n")
    table.insert(page, "new\n")
    table.insert(page, "newer\n")
    assert page.read_text() == f"# Speed\n\n{table.BEGIN}\nnewer\n{table.END}\n\nRead me.\n"


def test_a_page_without_markers_is_not_written_over(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text("mine")
    with pytest.raises(ValueError, match="has no markers"):
        table.insert(page, "new\n")
    assert page.read_text() == "mine"


def test_the_page_in_the_repository_has_the_markers(repository: Path) -> None:
    content = (repository / "docs" / "performance.md").read_text(encoding="utf-8")
    assert content.index(table.BEGIN) < content.index(table.END)


def test_a_benchmark_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match=r"No module named Testing\.benchmarks\.unknown"):
        measuring.in_fresh_process("unknown")
