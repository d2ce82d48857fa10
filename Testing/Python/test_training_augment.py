"""Augmentation: exact values on a few voxels, air that stays air, histories that replay."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
import torch
from torch.nn.functional import conv3d, pad

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.training.augment import (
    AUGMENTATIONS,
    PRESETS,
    build,
    from_json,
    replay,
    to_json,
)
from TumorSegRobustLib.training.augment.appearance import AppearanceParameters
from TumorSegRobustLib.training.augment.bias_field import BiasFieldParameters
from TumorSegRobustLib.training.augment.blur import BlurParameters
from TumorSegRobustLib.training.augment.brightness import BrightnessParameters
from TumorSegRobustLib.training.augment.contrast import ContrastParameters
from TumorSegRobustLib.training.augment.curve import bend
from TumorSegRobustLib.training.augment.frequency_mix import FrequencyMixParameters
from TumorSegRobustLib.training.augment.gamma import GammaParameters
from TumorSegRobustLib.training.augment.histogram_matching import HistogramMatchingParameters
from TumorSegRobustLib.training.augment.histogram_perturbation import HistogramPerturbationParameters
from TumorSegRobustLib.training.augment.noise import NoiseParameters
from TumorSegRobustLib.training.augment.random_convolution import (
    Layer,
    RandomConvolution,
    RandomConvolutionParameters,
    convolve,
)
from TumorSegRobustLib.training.style import bands, contrast, grey_values
from TumorSegRobustLib.training.style_bank import StyleBank, measure
from TumorSegRobustLib.training.synth.draw import Draw
from TumorSegRobustLib.training.tissue import AIR, TISSUE, over_tissue

INTENSITY = [name for name in AUGMENTATIONS if name != "geometry"]


def row(*values: float) -> torch.Tensor:
    """One channel with a row of voxels."""
    return torch.tensor(values, dtype=torch.float32).view(1, 1, 1, -1)


def head(channels: int = 2, side: int = 20, seed: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Smooth tissue in noisy air, about 0..1.2, with a bright cube that is the tumour; and its truth."""
    draw = Draw(seed)
    texture = torch.nn.functional.avg_pool3d(draw.white((channels, side, side, side)), 3, 1, 1)
    image = 0.5 + 0.4 * texture
    truth = torch.zeros(1, side, side, side, dtype=torch.uint8)
    truth[:, 8:13, 8:13, 8:13] = 1
    image = image + 0.5 * truth
    outside = torch.ones(side, side, side, dtype=torch.bool)
    outside[3:-3, 3:-3, 3:-3] = False
    air = 0.02 * draw.white((channels, side, side, side)).abs()
    return torch.where(outside, air.clamp(max=AIR), image.clamp(min=0.1)), truth


@cache
def bank() -> StyleBank:
    looks = []
    for n, site in enumerate(("a", "b")):
        image, _ = head(2, 24, seed=20 + n)
        looks += [
            measure(image[c] ** (0.6 + 0.5 * n), f"{site}-{c}", site, ("flair", "t1c")[c]) for c in (0, 1)
        ]
    return StyleBank(tuple(looks))


# ------------------------------------------------ tissue and air


def test_only_tissue_changes_and_what_would_be_darker_than_air_stays_apart() -> None:
    image = row(-0.1, 0.0, AIR, (AIR + TISSUE) / 2, TISSUE, 1.0)
    assert over_tissue(image, image + 1).flatten().tolist() == pytest.approx([-0.1, 0, AIR, 0.61, 1.16, 2.0])
    darker = over_tissue(row(0.5, 0.5, 0.5), row(AIR, 0.0, -1.0)).flatten().tolist()
    assert darker[0] == pytest.approx(AIR)
    assert darker[1] == pytest.approx(AIR / 2 * (1 + math.exp(-2)))
    assert darker[2] == pytest.approx(AIR / 2)


@pytest.mark.parametrize("name", INTENSITY)
def test_air_keeps_its_values_and_an_absent_channel_its_zeros(name: str) -> None:
    image, truth = head()
    image[1] = 0
    air = image[0] < AIR
    for seed in range(6):
        changed, same = build({name: {"probability": 1.0}}, bank())(image, truth, Draw(seed))
        assert torch.equal(same, truth)
        assert bool((changed[1] == 0).all())
        assert bool(torch.isfinite(changed).all())
        assert float(changed[0][~air].min()) > 0
        if name != "bias_field":  # a factor: noise in air changes with it, by a little
            assert torch.equal(changed[0][air], image[0][air])
        assert float((changed[0] - image[0])[air].abs().max()) < 0.1


@pytest.mark.parametrize("name", INTENSITY)
def test_every_augmentation_changes_the_tissue_and_leaves_its_input_alone(name: str) -> None:
    image, truth = head()
    before = image.clone()
    pipeline = build({name: {"probability": 1.0}}, bank())
    most = torch.stack([(pipeline(image, truth, Draw(n))[0] - image).abs().amax((1, 2, 3)) for n in range(4)])
    assert torch.equal(image, before)
    assert float(most.amax(0).min()) > 0.02


# ------------------------------------------------ values


def test_gamma_is_a_power_between_0_and_1() -> None:
    changed = GammaParameters((2.0,)).apply(row(0.0, 0.5, 0.25, 1.0, 1.5))
    assert changed.flatten().tolist() == pytest.approx([0, 0.25, 0.0625, 1.0, 1.5], abs=1e-5)
    assert type(changed) is torch.Tensor


def test_contrast_turns_about_the_mean_of_the_foreground() -> None:
    changed = ContrastParameters((1.2,)).apply(row(0.0, 0.4, 0.8))
    assert changed.flatten().tolist() == pytest.approx([0, 0.36, 0.84])


def test_brightness_shifts_tissue() -> None:
    changed = BrightnessParameters((0.1,)).apply(row(0.0, 0.4, 0.8))
    assert changed.flatten().tolist() == pytest.approx([0, 0.5, 0.9])


def test_noise_has_the_asked_share_of_the_foreground_s_sd() -> None:
    image, _ = head(1, 32)
    inside = image > 0.3
    image[inside] = image[inside].round(decimals=1)
    difference = (NoiseParameters((0.1,), 7).apply(image) - image)[inside]
    foreground = image[image > 0.15]
    assert float(difference.std()) == pytest.approx(0.1 * float(foreground.std()), rel=0.05)
    assert abs(float(difference.mean())) < 0.002
    assert AUGMENTATIONS["noise"][0]().sigma[1] <= 0.2  # well below one SD
    assert AUGMENTATIONS["noise"][0]().probability <= 0.2


def test_blur_spreads_a_point_along_one_axis_only() -> None:
    image = torch.full((1, 9, 9, 17), 0.2)
    image[0, 4, 4, 8] = 1.2
    changed = BlurParameters(((0.0, 0.0, 1.0),)).apply(image)[0] - 0.2
    weights = [math.exp(-0.5 * d * d) for d in range(-8, 9)]
    assert changed[4, 4].tolist() == pytest.approx([w / sum(weights) for w in weights], abs=1e-4)
    assert float(changed.sum()) == pytest.approx(1.0, abs=1e-3)


def test_a_bias_field_is_a_polynomial_of_the_asked_strength() -> None:
    first = ((0.0, 0.0), (0.0, 0.0)), ((1.0, 0.0), (0.0, 0.0))
    field = BiasFieldParameters(0.2, first).logarithm((5, 3, 3))
    line = torch.linspace(-1, 1, 5)
    assert torch.allclose(field[:, 1, 1], 0.2 * line / line.std(correction=0), atol=1e-6)
    changed = BiasFieldParameters(0.2, first).apply(torch.full((2, 5, 3, 3), 0.5))
    assert torch.allclose(torch.log(changed[1] / 0.5), field, atol=1e-6)


def test_a_curve_of_pieces() -> None:
    bent = bend(row(-0.5, 0.0, 0.25, 0.5, 0.75, 1.0, 2.0), [0, 0.5, 1], [0, 0.8, 1.0])
    assert bent.flatten().tolist() == pytest.approx([-0.5, 0, 0.4, 0.8, 0.9, 1.0, 2.0], abs=1e-6)


def test_histogram_perturbation_follows_its_curve_and_never_swaps_tissues() -> None:
    changed = HistogramPerturbationParameters(((0.0, 0.8, 1.0),)).apply(row(0.0, 0.25, 0.5, 1.0))
    assert changed.flatten().tolist() == pytest.approx([0, 0.4, 0.8, 1.0], abs=1e-6)
    ramp = torch.linspace(TISSUE, 1.3, 500).view(1, 1, 1, -1)
    for seed in range(20):
        curve, _ = build({"histogram_perturbation": {"probability": 1.0}})(ramp, ramp.byte(), Draw(seed))
        assert float(curve.diff().min()) > -1e-6


def test_histogram_matching_gives_the_grey_values_of_the_other_scan() -> None:
    image = torch.linspace(0.2, 1.1, 8000).view(1, 20, 20, 20)
    own, aim = grey_values(image[0]), grey_values(0.2 + image[0] ** 2)
    assert float((own - aim).abs().max()) > 0.1
    whole = HistogramMatchingParameters((1.0,), (tuple(aim.tolist()),)).apply(image)[0]
    assert float((grey_values(whole) - aim).abs().max()) < 0.01
    half = HistogramMatchingParameters((0.5,), (tuple(aim.tolist()),)).apply(image)[0]
    assert float((grey_values(half) - (aim + own) / 2).abs().max()) < 0.01


def test_without_a_bank_there_is_nothing_to_match() -> None:
    image, truth = head()
    _, _, history = build({"histogram_matching": {"probability": 1.0}}).trace(image, truth, Draw(0))
    assert history == []


def test_bands_add_up_and_part_coarse_from_fine() -> None:
    image = torch.full((1, 24, 24, 24), 0.5)
    coarse, fine = bands(image)
    assert torch.allclose(coarse, image, atol=1e-5)
    image[..., ::2] += 0.2  # stripes of one voxel: all fine
    coarse, fine = bands(image)
    assert torch.allclose(coarse + fine, image, atol=1e-6)
    inside = (..., slice(8, 16), slice(8, 16), slice(8, 16))
    assert float((coarse[inside] - 0.6).abs().max()) < 0.01
    assert float(fine[inside].abs().mean()) == pytest.approx(0.1, abs=0.005)


def test_appearance_scales_mean_coarse_and_fine_contrast() -> None:
    i = torch.arange(96, dtype=torch.float32)
    slow, stripes = torch.sin(2 * math.pi * (i + 0.5) / 96), 1 - 2 * (i % 2)
    image = (0.5 + 0.1 * slow + 0.05 * stripes).repeat(1, 8, 8, 1)
    line = AppearanceParameters((1.1,), (0.8,), (1.3,)).apply(image)[0, 4, 4] - 0.55
    assert float((line * slow).mean() * 2) == pytest.approx(0.08, rel=0.03)
    assert float((line * stripes).mean()) == pytest.approx(0.065, rel=0.01)
    assert abs(float(line.mean())) < 0.002


def test_appearance_moves_towards_a_look_of_the_bank() -> None:
    image, truth = head(1)
    look = head(1, seed=9)[0] * 0.8
    aim = contrast(look)[:, 0]
    only = StyleBank((measure(look[0], "x-1", "x", "flair"),))
    settings = {"appearance": {"probability": 1.0, "strength": [1.0, 1.0], "limit": 3.0}}
    changed, _ = build(settings, only)(image, truth, Draw(0))
    assert float((contrast(image)[:, 0] - aim).abs()[0]) > 0.08
    assert float((contrast(changed)[:, 0] - aim).abs()[0]) < 0.02


def test_a_gain_of_one_frequency_scales_its_wave_and_keeps_mean_and_phase() -> None:
    i = torch.arange(28, dtype=torch.float32)
    wave = 0.1 * torch.sin(2 * math.pi * i * 4 / 28 + 0.4)  # 1/7 cycles per voxel: the third grid point
    image = (0.5 + wave).repeat(1, 8, 8, 1)
    gain = torch.ones(8, 8, 8)
    gain[:, :, 2] = 1.7
    changed = FrequencyMixParameters((_nested(gain),)).apply(image)
    assert torch.allclose(changed[0, 3, 3], 0.5 + 1.7 * wave, atol=1e-5)


def test_frequency_mixing_takes_over_the_sharpness_of_another_scan() -> None:
    sharp, truth = head(1, 24)
    dull = sharp.clone()
    for _ in range(2):
        dull = torch.nn.functional.avg_pool3d(pad(dull, (1,) * 6, mode="replicate"), 3, 1)
    only = StyleBank((measure(dull[0], "x-1", "x", "flair"),))
    settings = {"frequency_mix": {"probability": 1.0, "strength": [1, 1], "radius": [2, 2], "limit": 9.0}}
    changed, _ = build(settings, only)(sharp, truth, Draw(0))
    assert float(contrast(changed)[3]) < 0.75 * float(contrast(sharp)[3])


def test_random_convolution_is_the_convolution_that_torch_computes() -> None:
    draw = Draw(2)
    layer = RandomConvolution(kernels=(3,))._layer(draw, 2, 3)
    volume = draw.white((2, 5, 6, 7))
    expected = conv3d(
        pad(volume.unsqueeze(0), (1,) * 6, mode="replicate"),
        torch.tensor(layer.kernel),
        torch.tensor(layer.bias),
    )
    assert torch.allclose(convolve(volume, layer), expected[0], atol=1e-5)


def test_random_convolution_keeps_the_moments_of_the_foreground() -> None:
    image = torch.linspace(0.3, 0.9, 1000).view(1, 10, 10, 10)
    inverse = RandomConvolutionParameters((1.0,), ((Layer(_nested(-torch.ones(1, 1, 1, 1, 1)), (2.0,)),),))
    expected = 2 * image.mean() - image
    assert torch.allclose(inverse.apply(image), expected, atol=1e-3)
    same = RandomConvolutionParameters((0.0,), inverse.networks)
    assert torch.allclose(same.apply(image), image, atol=1e-5)
    for parameters in (inverse, same):
        changed = parameters.apply(image)
        assert float(changed.norm()) == pytest.approx(float(image.norm()), rel=1e-3)


# ------------------------------------------------ pipelines


@pytest.mark.parametrize("name", PRESETS)
def test_the_same_draw_gives_the_same_example(name: str) -> None:
    image, truth = head()
    pipeline = build(PRESETS[name], bank())
    first, again = (pipeline(image, truth, Draw(11)) for _ in range(2))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    others = [pipeline(image, truth, Draw(seed))[0] for seed in range(12, 16)]
    differs = [other.shape != first[0].shape or not torch.equal(other, first[0]) for other in others]
    assert any(differs) == (name != "none")


@pytest.mark.parametrize("looks", [None, bank()], ids=["no bank", "bank"])
@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_history_replays_exactly_from_json(name: str, looks: StyleBank | None) -> None:
    image, truth = head(side=16)
    pipeline = build({name: {"probability": 1.0}}, looks)
    changed, moved, history = pipeline.trace(image, truth, Draw(5))
    text = json.dumps([to_json(parameters) for parameters in history], allow_nan=False)
    restored = [from_json(entry) for entry in json.loads(text)]
    assert restored == history
    assert len(history) == (0 if name == "histogram_matching" and looks is None else 1)
    once_more = replay(restored, image, truth)
    assert torch.equal(once_more[0], changed)
    assert torch.equal(once_more[1], moved)


def test_presets_are_data_and_say_what_is_on() -> None:
    assert json.loads(json.dumps(PRESETS)) == PRESETS
    assert PRESETS["none"] == {}
    assert build({}).augmentations == ()
    assert set(PRESETS["style"]) == set(AUGMENTATIONS)
    style_only = {
        "histogram_perturbation",
        "histogram_matching",
        "appearance",
        "frequency_mix",
        "random_convolution",
    }
    assert set(PRESETS["conventional"]) == set(AUGMENTATIONS) - style_only


def test_a_probability_is_one() -> None:
    image, truth = head(1, 8)
    pipeline = build({"brightness": {"probability": 0.25}})
    hits = sum(bool(pipeline.trace(image, truth, Draw(seed))[2]) for seed in range(400))
    assert 70 <= hits <= 130
    assert build({"brightness": {"probability": 0.0}}).trace(image, truth, Draw(0))[2] == []


def test_settings_from_a_file_are_understood_whatever_their_order() -> None:
    pipeline = build({"noise": {"sigma": [0.1, 0.1]}, "gamma": {"gamma": [2, 2], "probability": 1}})
    assert [type(one).__name__ for one in pipeline.augmentations] == ["Gamma", "Noise"]
    image, _ = head(1, 8)
    assert pipeline.augmentations[0].draw(Draw(0), image).gamma == (pytest.approx(2.0),)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"cutout": {}}, "no augmentation cutout; there are geometry, "),
        ({"gamma": {"power": 2}}, "gamma has no setting power; it has probability, gamma"),
        ({"gamma": {"gamma": [2, 1]}}, "gamma runs from 2 down to 1"),
        ({"blur": {"probability": 1.5}}, "probability is 1.5"),
        ({"appearance": {"bank": "x"}}, "has no setting bank"),
    ],
)
def test_mistakes_in_settings_are_told(settings: Mapping[str, Mapping[str, Any]], complaint: str) -> None:
    with pytest.raises(UnusableInput, match=complaint):
        build(settings)


def _nested(tensor: torch.Tensor) -> Any:
    def tuples(value: Any) -> Any:
        return tuple(tuples(part) for part in value) if isinstance(value, list) else value

    return tuples(tensor.tolist())
