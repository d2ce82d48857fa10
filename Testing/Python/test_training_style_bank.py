"""The style bank: what is measured of a scan, what is kept on disk, whom one can leave out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Geometry, Image, write_image
from TumorSegRobustLib.training.style import contrast, grey_values, spectrum
from TumorSegRobustLib.training.style_bank import StyleBank, main, measure
from TumorSegRobustLib.training.synth.draw import Draw

GRID = Geometry((20, 16, 12), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))


def scan(seed: int) -> np.ndarray:
    """A head of other brightness for each seed, in air: (k, j, i)."""
    volume = np.random.default_rng(seed).normal(100 + 20 * seed, 10, GRID.size[::-1])
    volume[:2], volume[:, :3] = 0, 0
    return volume.astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two patients of hospital a (one with T1c), one of b; masks that nobody may open."""
    for seed, (case, channels) in enumerate(
        {"a-1": ("flair", "t1c"), "a-2": ("flair",), "b-1": ("t1c",)}.items()
    ):
        (tmp_path / "cases" / case).mkdir(parents=True)
        for channel in channels:
            write_image(Image(scan(seed), GRID), tmp_path / "cases" / case / f"{channel}.nii.gz")
        (tmp_path / "cases" / case / "mask.nii.gz").write_bytes(b"not an image")
    return tmp_path / "cases"


@pytest.fixture
def bank(folder: Path, tmp_path: Path) -> StyleBank:
    main(folder, tmp_path / "styles" / "bank")
    return StyleBank.load(tmp_path / "styles" / "bank")


def test_grey_values_are_quantiles_of_the_foreground() -> None:
    channel = torch.zeros(10, 10, 10)
    channel[5:] = torch.linspace(0.2, 1.2, 500).view(5, 10, 10)
    levels = (np.arange(64) + 0.5) / 64
    assert np.allclose(grey_values(channel), 0.2 + levels, atol=1e-5)
    assert len(grey_values(torch.zeros(4, 4, 4))) == 0


def test_contrast_is_that_of_the_foreground() -> None:
    image = torch.full((2, 16, 16, 16), 0.5)
    image[:, :, :, ::4] = 0.9
    image[1] = 0
    mean, deviation, coarse, fine = contrast(image)[:, 0].tolist()
    assert (mean, deviation) == (pytest.approx(0.7), pytest.approx(0.2))  # of every second voxel
    assert fine > 2 * coarse
    assert contrast(image)[:, 1].tolist() == [0, 0, 0, 0]


def test_the_spectrum_finds_the_direction_of_a_wave() -> None:
    """Stripes along i, 4 voxels long: 0.25 cycles per voxel, between the fourth and the fifth sample of i."""
    i = torch.arange(32, dtype=torch.float32)
    image = (0.5 + 0.1 * torch.cos(i * torch.pi / 2)).repeat(1, 32, 32, 1)
    measured = spectrum(image)[0]
    peak = np.unravel_index(int(measured.argmax()), measured.shape)
    assert peak[:2] == (0, 0)
    assert peak[2] in (3, 4)
    assert float(measured.mean()) == pytest.approx(0.0, abs=1e-4)


def test_the_spectrum_does_not_see_gain_and_offset() -> None:
    image = 0.5 + 0.05 * Draw(1).white((1, 16, 16, 16))
    assert torch.allclose(spectrum(1.5 * image - 0.2), spectrum(image), atol=1e-3)


def test_a_short_axis_has_a_spectrum_too() -> None:
    image = 0.5 + 0.1 * Draw(0).white((1, 3, 20, 20))
    assert bool(torch.isfinite(spectrum(image)).all())


def test_a_bank_keeps_every_channel_with_its_case_and_site(bank: StyleBank) -> None:
    kept = [(style.case, style.site, style.channel) for style in bank.styles]
    assert kept == [("a-1", "a", "flair"), ("a-1", "a", "t1c"), ("a-2", "a", "flair"), ("b-1", "b", "t1c")]
    assert bank.sites == ("a", "b")
    assert bank.channels == ("flair", "t1c")
    assert bank.spacing_mm == 2.0


def test_what_is_saved_comes_back(bank: StyleBank, tmp_path: Path) -> None:
    bank.save(tmp_path / "again.npz")
    again = StyleBank.load(tmp_path / "again.npz")
    for one, other in zip(bank.styles, again.styles, strict=True):
        assert (one.case, one.site, one.channel) == (other.case, other.site, other.channel)
        for name in ("grey_values", "contrast", "spectrum"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
    assert bank.styles[0].spectrum.shape == (8, 8, 8)
    with np.load(tmp_path / "again.npz", allow_pickle=False) as file:
        assert all(file[name].dtype != object for name in file.files)
    assert (tmp_path / "again.npz").stat().st_size < 16_000


def test_the_measures_are_those_of_the_raw_scan_on_the_bank_s_grid(bank: StyleBank) -> None:
    raw = scan(0)
    low, high = np.percentile(raw, (1, 99.5))
    scaled = torch.from_numpy((raw - low) / (high - low)).float()
    expected = measure(scaled, "a-1", "a", "flair")
    assert np.allclose(bank.styles[0].grey_values, expected.grey_values, atol=2e-3)
    assert np.allclose(bank.styles[0].contrast, expected.contrast, atol=2e-3)
    assert np.allclose(bank.styles[0].spectrum, expected.spectrum, atol=0.05)


def test_a_site_is_left_out_and_a_misspelt_one_noticed(bank: StyleBank) -> None:
    assert {style.site for style in bank.without("a").styles} == {"b"}
    assert bank.without().sites == ("a", "b")
    assert bank.sites == ("a", "b")
    with pytest.raises(UnusableInput, match="no site hospital-b; it has a, b"):
        bank.without("hospital-b")


def test_looks_are_picked_for_their_channel_and_from_all_cases(bank: StyleBank) -> None:
    flair = {bank.pick(Draw(seed), 0).case for seed in range(20)}
    t1c = {bank.pick(Draw(seed), 1).case for seed in range(20)}
    assert (flair, t1c) == ({"a-1", "a-2"}, {"a-1", "b-1"})
    assert bank.without("a").pick(Draw(0), 0).channel == "t1c"  # better than none
    with pytest.raises(UnusableInput, match="style bank is empty"):
        bank.without("a", "b").pick(Draw(0), 0)


def test_a_manifest_does_as_well_as_a_folder(folder: Path, tmp_path: Path) -> None:
    manifest = folder / "cases.csv"
    manifest.write_text(
        "case,site,image,t1c,reference\nx,north,a-1/flair.nii.gz,a-1/t1c.nii.gz,a-1/mask.nii.gz\n"
        "y,south,a-2/flair.nii.gz,,a-2/mask.nii.gz\n"
    )
    result = main(manifest, tmp_path / "bank.npz", exclude_sites=("south",))
    assert result == {"styles": 2, "cases": 1, "sites": ["north"], "bank": str(tmp_path / "bank.npz")}
    with pytest.raises(UnusableInput, match="no site a;"):
        main(manifest, tmp_path / "bank.npz", exclude_sites=("a",))


def test_bad_input_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match="cannot be read"):
        StyleBank.load(tmp_path / "absent.npz")
    (tmp_path / "text.npz").write_text("no bank")
    with pytest.raises(UnusableInput, match="is no style bank"):
        StyleBank.load(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(UnusableInput, match="is no style bank"):
        StyleBank.load(tmp_path / "other.npz")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnusableInput, match="No real case"):
        main(tmp_path / "empty", tmp_path / "bank.npz")
    with pytest.raises(UnusableInput, match="x: the flair shows nothing"):
        measure(torch.zeros(8, 8, 8), "x", "a", "flair")
