"""The generator of heads, on toy anatomies so that no data is needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from fixtures_training import write_label_maps

from TumorSegRobustLib.training.synth import Draw, HeadGenerator, SynthConfig, load_anatomies
from TumorSegRobustLib.training.synth import acquisition as scanner
from TumorSegRobustLib.training.synth.anatomy import INDEX, LABELS
from TumorSegRobustLib.training.synth.contrast import draw_contrast
from TumorSegRobustLib.training.synth.fields import (
    blur,
    gaussian_matrix,
    linear_matrix,
    lookup,
    mirrored_noise,
    near,
    rotation,
    sampling_grid,
    smooth_noise,
)
from TumorSegRobustLib.training.synth.generator import OUTPUTS, UNKNOWN
from TumorSegRobustLib.training.synth.tumour import ARCHETYPES, Seed, draw_seeds, grow, mass_effect

TWO = {"channels": ("flair", "t1c"), "outputs": OUTPUTS}


@pytest.fixture(scope="module")
def label_maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_label_maps(tmp_path_factory.mktemp("labels"))


def a_generator(label_maps: Path, **settings: object) -> HeadGenerator:
    config = SynthConfig(**{"patch": (32, 40, 24), "spacing_mm": 4.0, **settings})  # type: ignore[arg-type]
    return HeadGenerator(load_anatomies(label_maps), config)


def test_same_seed_gives_the_same_head_and_another_seed_another(label_maps: Path) -> None:
    generator = a_generator(label_maps, **TWO)
    first, again, other = generator.sample(3), generator.sample(3), generator.sample(4)
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.truth, again.truth)
    assert not torch.equal(first.image, other.image)


@pytest.mark.parametrize("settings", [{}, TWO], ids=["flair", "flair+t1c"])
def test_samples_are_finite_normalised_and_their_tumours_lie_in_the_brain(label_maps, settings) -> None:
    generator = a_generator(label_maps, **settings)
    names = generator.config.outputs
    for seed in range(12):
        sample = generator.sample(seed)
        assert sample.image.shape == (len(generator.config.channels), 32, 40, 24)
        assert sample.truth.shape == (len(names), 32, 40, 24)
        assert torch.isfinite(sample.image).all()
        assert float(sample.image.min()) >= -4
        assert float(sample.image.max()) <= 6
        truth = dict(zip(names, sample.truth, strict=True))
        assert not (truth["whole tumour"] & ~truth["brain"] & 1).any(), "tumour outside the brain"


def test_tissues_do_not_overlap_and_leave_the_tumour_out(label_maps: Path) -> None:
    generator = a_generator(label_maps, **TWO)
    for seed in range(8):
        truth = dict(zip(OUTPUTS, generator.sample(seed).truth, strict=True))
        stack = torch.stack([truth[n] for n in ("whole tumour", "white matter", "grey matter", "fluid")])
        assert int(stack.sum(0).max()) <= 1
        assert truth["white matter"].any()


def test_a_channel_that_was_not_scanned_is_zero_and_without_t1c_the_core_is_unknown(label_maps: Path) -> None:
    seen = set()
    generator = a_generator(label_maps, **TWO)
    for seed in range(24):
        sample = generator.sample(seed)
        there = tuple(bool(channel.any()) for channel in sample.image)
        seen.add(there)
        core = sample.truth[1]
        assert (core == UNKNOWN).all() if not there[1] else int(core.max()) <= 1
        if there[1]:
            assert not (core & ~sample.truth[0]).any(), "core outside the tumour"
    assert seen == {(True, False), (False, True), (True, True)}


def test_channels_of_one_head_share_its_anatomy_but_not_its_contrast(label_maps: Path) -> None:
    generator = a_generator(
        label_maps, **TWO, present=(0.0, 0.0, 1.0), kinds={"t2": 1.0}, kinds_t1c={"t1c": 1.0},
        tumour=0.0, short_field=0.0, stripped=0.0, patch=(40, 40, 40), spacing_mm=2.0,
    )  # fmt: skip
    for seed in range(4):
        sample = generator.sample(seed)
        truth = dict(zip(OUTPUTS, sample.truth.bool(), strict=True))
        (t2, t1c), fluid, white = sample.raw, truth["fluid"], truth["white matter"]
        assert float(t2[fluid].median()) > float(t2[white].median()), "fluid shines in T2"
        assert float(t1c[fluid].median()) < float(t1c[white].median()), "and is dark in T1"


def test_tumours_are_present_as_often_as_configured(label_maps: Path) -> None:
    none = a_generator(label_maps, patch=(24, 24, 24), spacing_mm=6.0, tumour=0.0)
    always = a_generator(
        label_maps, patch=(24, 24, 24), spacing_mm=6.0, tumour=1.0, small=0.0, centred=1.0,
        archetypes={"ring": 1.0},
    )  # fmt: skip
    assert not any(none.sample(seed).truth[0].any() for seed in range(6))
    assert sum(bool(always.sample(seed).truth[0].any()) for seed in range(6)) >= 5


def test_a_channel_or_output_that_is_not_known_is_refused(label_maps: Path) -> None:
    with pytest.raises(ValueError, match="does not know t9"):
        a_generator(label_maps, channels=("flair", "t9"))


@pytest.mark.parametrize("kind", ["flair", "t2", "t1", "t1c"])
def test_brightness_is_ordered_in_every_known_contrast(kind: str) -> None:
    for seed in range(20):
        c = draw_contrast(Draw(seed), {kind: 1.0})
        assert c.mean.shape == (len(LABELS),)
        assert c.enhancing == (kind == "t1c")
        if kind == "t2":
            assert c.fluid > max(c.white, c.grey)
        else:
            assert c.fluid < min(c.white, c.grey)


@pytest.mark.parametrize("kind", list(ARCHETYPES))
def test_every_archetype_grows_inside_the_tissue_with_nested_parts(label_maps: Path, kind: str) -> None:
    anatomy = load_anatomies(label_maps)[0]
    position = sampling_grid((40, 40, 40), (2.5,) * 3, anatomy.brain_mm.mean(0), rotation((0, 0, 0)))
    tissue = torch.ones(40, 40, 40, dtype=torch.bool)
    for seed in range(6):
        at = Seed(anatomy.brain_mm.mean(0), 16.0, kind)
        lesion = grow(position, at, tissue, tissue, ~tissue, 2.5, Draw(seed))
        assert lesion is not None
        assert (lesion.core <= lesion.oedema + 1e-6).all()
        assert (lesion.necrosis <= lesion.core + 1e-6).all()
        assert (lesion.enhancing <= lesion.core + 1e-6).all()
        volume_ml = float(lesion.whole(tissue.shape).sum()) * 2.5**3 / 1000
        assert 4 < volume_ml < 400, "a sphere of 16 mm has 17 ml, oedema reaches up to 40 mm"
        if not (lesion.enhancing > 0.5).any():
            assert not lesion.tumour_core(tissue.shape).any()


def test_large_infiltrating_tumours_are_at_times_mottled_and_others_never(label_maps: Path) -> None:
    anatomy = load_anatomies(label_maps)[0]
    position = sampling_grid((40, 40, 40), (2.5,) * 3, anatomy.brain_mm.mean(0), rotation((0, 0, 0)))
    tissue = torch.ones(40, 40, 40, dtype=torch.bool)

    def share(kind: str, radius: float) -> float:
        at = Seed(anatomy.brain_mm.mean(0), radius, kind)
        grown = [grow(position, at, tissue, tissue, ~tissue, 2.5, Draw(seed)) for seed in range(40)]
        return sum(lesion is not None and lesion.mottled for lesion in grown) / 40

    assert 0.4 < share("infiltrating", 20.0) < 0.9
    assert share("infiltrating", 5.0) == share("ring", 20.0) == 0.0


def test_mirrored_noise_is_the_same_on_both_sides() -> None:
    centre = torch.tensor([10.0, 20.0, 30.0])
    position = sampling_grid((16, 20, 25), (8.0,) * 3, centre, rotation((0, 0, 0)))
    noise = mirrored_noise(position, centre, 30.0, Draw(1))
    assert torch.allclose(noise, noise.flip(2), atol=1e-5)
    assert not torch.allclose(noise, noise.flip(1), atol=0.1)
    assert 0.4 < float(noise.std()) < 1.6


def test_a_lesion_far_from_the_patch_is_none(label_maps: Path) -> None:
    position = sampling_grid((16, 16, 16), (2.0,) * 3, torch.zeros(3), rotation((0, 0, 0)))
    mask = torch.ones(16, 16, 16, dtype=torch.bool)
    assert grow(position, Seed(torch.full((3,), 500.0), 5.0), mask, mask, ~mask, 2.0, Draw(0)) is None


def test_seeds_are_within_the_radii_and_satellites_are_smaller(label_maps: Path) -> None:
    anatomy = load_anatomies(label_maps)[0]
    for seed in range(40):
        seeds = draw_seeds(anatomy, Draw(seed), (2.3, 10.0, 36.0), 0.3, 1.0)
        radii = [one.radius_mm for one in seeds]
        assert min(radii) >= 2.3
        assert max(radii) == radii[0] <= 36.0


def test_label_maps_are_merged_left_and_right(tmp_path: Path) -> None:
    labels = np.zeros((8, 8, 8), np.int32)
    labels[0, 0, 0], labels[0, 0, 1] = 2, 41
    sitk.WriteImage(sitk.GetImageFromArray(labels), str(tmp_path / "a.nii.gz"))
    classes = load_anatomies(tmp_path)[0].classes
    assert classes[0, 0, 0] == classes[0, 0, 1] == INDEX[2]
    with pytest.raises(FileNotFoundError, match="No label maps"):
        load_anatomies(tmp_path / "absent")


def test_lookup_is_nearest_and_zero_outside() -> None:
    volume = torch.arange(8, dtype=torch.uint8).view(2, 2, 2)
    position = torch.tensor([[1.2, 0.0, 9.0], [0.4, 0.6, 0.0], [0.6, 0.0, 0.0]]).view(3, 1, 1, 3)
    assert lookup(volume, position).flatten().tolist() == [5, 2, 0]


def test_linear_matrix_interpolates_and_holds_the_ends() -> None:
    matrix = linear_matrix(torch.tensor([-1.0, 0.25, 2.0, 9.0]), 3)
    assert (matrix @ torch.tensor([10.0, 20.0, 40.0])).tolist() == [10.0, 12.5, 40.0, 40.0]
    assert torch.allclose(gaussian_matrix(torch.arange(5.0), 5, 1.3).sum(1), torch.ones(5))


def test_a_sampling_grid_turns_zooms_and_shifts() -> None:
    matrix = torch.tensor([[0.0, 2.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 3.0]])
    grid = sampling_grid((3, 5, 7), (1.0, 2.0, 4.0), torch.tensor([10.0, 20.0, 30.0]), matrix)
    assert grid[:, 1, 2, 3].tolist() == [10.0, 20.0, 30.0]  # the middle
    assert grid[:, 2, 4, 3].tolist() == [10.0 + 2 * 4.0, 20.0 + 1.0, 30.0]
    assert grid[:, 1, 2, 4].tolist() == [10.0, 20.0, 42.0]


def test_blur_keeps_the_mean_and_smooth_noise_its_scale() -> None:
    draw = Draw(0)
    volume = draw.white((20, 20, 20))
    soft = blur(volume, (1.0, 0.0, 2.0))
    assert float(soft.mean()) == pytest.approx(float(volume.mean()), abs=0.05)
    assert float(soft.std()) < 0.5 * float(volume.std())
    rough = smooth_noise((40, 40, 40), 8, draw)[0]
    assert 0.6 < float(rough.std()) < 1.4
    assert float((rough[1:] - rough[:-1]).abs().mean()) < 0.5 * float(rough.std())


def test_near_is_half_on_the_border_and_falls_with_distance() -> None:
    mask = torch.zeros(24, 24, 24, dtype=torch.bool)
    mask[12:] = True
    profile = near(mask, 4.0)[:, 12, 12]
    assert 0.3 < float(profile[11]) < 0.5 < float(profile[12]) < 0.7
    assert float(profile[2]) < 0.01


def test_mass_effect_pulls_the_look_up_towards_the_tumour_and_spares_the_far_side() -> None:
    seed = Seed(torch.zeros(3), 10.0)
    at = torch.tensor([[10.0, 100.0], [0.0, 0.0], [0.0, 0.0]]).view(3, 1, 1, 2)
    moved = mass_effect(at, seed, 0.5)
    assert 0 < float(moved[0, 0, 0, 0]) < 10
    assert float(moved[0, 0, 0, 1]) == pytest.approx(100.0, abs=1e-4)


def test_scanning_and_restoring_keeps_a_smooth_head_in_place() -> None:
    k = torch.linspace(-2, 2, 48)
    head = torch.exp(-(k.view(-1, 1, 1) ** 2 + k.view(1, -1, 1) ** 2 + k.view(1, 1, -1) ** 2))
    for seed in range(10):
        sampling = scanner.draw_sampling(head.shape, 2.0, Draw(seed))
        again = sampling.restore(sampling.scan(head))
        assert again.shape == head.shape
        assert float((again - head).abs().max()) < 0.12
        assert sampling.scan(head).numel() <= head.numel()


def test_slices_are_up_to_8_mm_along_one_axis_mostly_the_bodys() -> None:
    axes = []
    for seed in range(60):
        counts = [len(m) for m in scanner.draw_sampling((64, 64, 64), 2.0, Draw(seed)).to_scanner]
        assert min(counts) >= 16, "64 voxels of 2 mm in slices of 8 mm"
        axes.append(counts.index(min(counts)) if min(counts) < 40 else None)
    assert axes.count(0) > 20
    assert {1, 2} & set(axes)


@pytest.mark.parametrize("artefact", ["move", "ghost", "spike", "truncate", "zipper", "drop_slices"])
def test_artefacts_change_the_scan_but_not_its_shape_and_stay_finite(artefact: str) -> None:
    head = torch.zeros(12, 24, 24)
    head[3:9, 6:18, 6:18] = 1.0
    changed = []
    for seed in range(4):
        out = getattr(scanner, artefact)(head, Draw(seed))
        assert out.shape == head.shape
        assert torch.isfinite(out).all()
        changed.append(float((out - head).abs().max()))
        assert float((out - head).abs().mean()) < 0.5
    assert max(changed) > 0.02


def test_windowing_ends_in_eight_bits_half_of_the_time() -> None:
    ramp = torch.linspace(0, 3, 4096).view(16, 16, 16)
    few = [len(torch.unique(scanner.window(ramp, Draw(seed)))) <= 256 for seed in range(60)]
    assert 18 <= sum(few) <= 42


def test_rician_noise_is_positive_and_lifts_the_background() -> None:
    noisy = scanner.rician(torch.zeros(20, 20, 20), 0.1, Draw(3))
    assert float(noisy.min()) >= 0
    assert float(noisy.mean()) == pytest.approx(0.1 * np.sqrt(np.pi / 2), rel=0.05)


def test_stripped_heads_keep_the_tumour(label_maps: Path) -> None:
    generator = a_generator(label_maps, stripped=1.0, short_field=0.0, tumour=1.0, small=0.0)
    for seed in range(6):
        sample = generator.sample(seed)
        outside = sample.raw[0][sample.truth[1] == 0]
        assert float((outside > 0.05).float().mean()) < 0.25
    assert replace(generator.config, stripped=0.0).stripped == 0.0
