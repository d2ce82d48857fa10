"""Real scans as training examples: the same numbers as inference sees, the truth where it belongs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.evaluation.manifest import ManifestCase
from TumorSegRobustLib.image import Geometry, Image, read_image, write_image
from TumorSegRobustLib.models.preprocess import prepare
from TumorSegRobustLib.training.real import (
    RealCase,
    RealHeads,
    example_seed,
    prepare_case,
    real_cases,
)
from TumorSegRobustLib.training.synth.draw import Draw

GRID = Geometry((10, 40, 36), (2.0, 2.0, 6.0), (5.0, -7.0, 3.0))
OUTPUTS = ("whole tumour", "tumour core", "brain")


def labels() -> np.ndarray:
    """BraTS-like: oedema 2, enhancing 4 in it, necrosis 1 in that; off the middle on every axis."""
    array = np.zeros(GRID.shape, np.uint8)
    array[2:6, 8:20, 20:30] = 2
    array[3:5, 10:18, 22:28] = 4
    array[3:5, 12:15, 24:26] = 1
    return array


def head(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    k, j, i = np.meshgrid(*(np.linspace(-1, 1, n) for n in GRID.shape), indexing="ij")
    inside = k**2 + j**2 + i**2 < 0.9
    return np.where(inside, 400 + 50 * rng.normal(size=GRID.shape), 5 * rng.random(GRID.shape)) + 300.0 * (
        labels() > 0
    )


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> RealCase:
    folder = tmp_path_factory.mktemp("case")
    for n, name in enumerate(("flair", "t1c")):
        write_image(Image(head(n).astype(np.int16), GRID), folder / f"{name}.nii.gz")
    write_image(Image(labels(), GRID), folder / "mask.nii.gz")
    channels = {name: folder / f"{name}.nii.gz" for name in ("flair", "t1c")}
    return RealCase("x-1", "x", "x-1", channels, folder / "mask.nii.gz", "brats")


def heads(case: RealCase, **changes: object) -> RealHeads:
    given = {"channels": ("flair", "t1c"), "outputs": OUTPUTS, "spacing_mm": 3.0, "patch": (16, 16, 16)}
    return RealHeads([case], **{**given, **changes})  # type: ignore[arg-type]


def test_a_whole_scan_is_normalised_exactly_as_in_inference(case: RealCase) -> None:
    ready = prepare(read_image(case.channels["flair"]), (3.0, 3.0, 3.0))
    source = heads(case, channels=("flair",), patch=ready.array.shape, flip=0.0, centred=0.0)
    image, _ = source.sample(0)
    assert image.shape == (1, *ready.array.shape)
    assert float((image[0] - torch.from_numpy(ready.array)).abs().max()) < 0.01


def test_an_example_depends_on_seed_and_number_only(case: RealCase) -> None:
    one, other = heads(case, seed=1), heads(case, seed=1)
    late = one.sample(7)
    for n in (3, 7):
        image, truth = other.sample(n)
    assert torch.equal(image, late[0])
    assert torch.equal(truth, late[1])
    assert not torch.equal(heads(case, seed=2).sample(7)[0], late[0])
    assert len({example_seed(seed, n) for seed in range(20) for n in range(200)}) == 4000
    stream = iter(heads(case, seed=1))
    assert torch.equal([next(stream)[0] for _ in range(8)][7], late[0])


def test_whole_and_core_follow_brats_and_the_rest_is_unknown(case: RealCase) -> None:
    truth = prepare_case(case, ("flair",), OUTPUTS, GRID.spacing_mm).truth
    assert np.array_equal(truth[0], labels() > 0)
    assert np.array_equal(truth[1], np.isin(labels(), (1, 3, 4)))
    assert (truth[2] == 255).all()
    plain = prepare_case(replace(case, labels=""), ("flair",), OUTPUTS, GRID.spacing_mm).truth
    assert np.array_equal(plain[0], labels() > 0)
    assert (plain[1:] == 255).all()
    nothing = prepare_case(replace(case, reference=None), ("flair",), OUTPUTS, GRID.spacing_mm).truth
    assert (nothing == 255).all()


def test_thick_slices_become_a_fine_grid_and_the_truth_keeps_its_volume(case: RealCase) -> None:
    ready = prepare_case(case, ("flair", "t1c"), OUTPUTS, (2.0, 2.0, 2.0))
    assert ready.raw.shape == (2, 30, 40, 36)
    assert ready.raw.dtype == np.float16
    assert int((ready.truth[0] == 1).sum()) == pytest.approx(3 * np.count_nonzero(labels()), rel=0.02)
    assert float(np.percentile(ready.raw[0], 99.5)) == pytest.approx(1.0, abs=0.01)
    assert float(np.percentile(ready.raw[0], 1)) == pytest.approx(0.0, abs=0.01)


def test_the_patch_lies_on_tumour_as_often_as_asked(case: RealCase) -> None:
    always, never = heads(case, centred=1.0, patch=(8, 8, 8)), heads(case, centred=0.0, patch=(8, 8, 8))
    assert all((always.sample(n)[1][0] == 1).any() for n in range(20))
    assert sum(bool((never.sample(n)[1][0] == 1).any()) for n in range(30)) < 25


def test_image_and_truth_move_together(case: RealCase) -> None:
    """The tumour is 300 brighter than the head wherever patch and flip put it."""
    source = heads(case, channels=("flair",), centred=1.0, patch=(12, 12, 12))
    for n in range(10):
        image, truth = source.sample(n)
        inside, outside = image[0][truth[0] == 1], image[0][truth[0] == 0]
        assert float(inside.median()) > float(outside.median()) + 0.3


def test_noise_for_the_experiment_has_the_sd_that_was_asked_for(case: RealCase) -> None:
    plain, noisy = heads(case, flip=0.0, dropout=1.0).sample(2), heads(case, flip=0.0, dropout=1.0, noise=0.5)
    image, truth = noisy.sample(2)
    there = [n for n, channel in enumerate(plain[0]) if channel.any()]
    assert len(there) == 1  # the dropped channel stays zero
    assert float((image - plain[0])[there].std()) == pytest.approx(0.5, rel=0.03)
    assert torch.equal(image[1 - there[0]], plain[0][1 - there[0]])
    assert torch.equal(truth, plain[1])


def test_flips_swap_left_and_right(case: RealCase) -> None:
    plain, flipped = heads(case, flip=0.0).sample(4), heads(case, flip=1.0).sample(4)
    assert torch.equal(plain[0].flip(3), flipped[0])
    assert torch.equal(plain[1].flip(3), flipped[1])


def test_one_of_two_channels_is_dropped_as_zeros_and_a_single_one_never(case: RealCase) -> None:
    both = [heads(case, dropout=1.0).sample(n)[0] for n in range(20)]
    absent = [tuple(bool((channel == 0).all()) for channel in image) for image in both]
    assert set(absent) == {(True, False), (False, True)}
    kept = heads(case, dropout=0.0).sample(0)[0]
    assert all(float(channel.std()) > 0.1 for channel in kept)
    single = replace(case, channels={"flair": case.channels["flair"]})
    image, _ = heads(single, dropout=1.0).sample(0)
    assert float(image[0].std()) > 0.1
    assert (image[1] == 0).all()


def test_a_patch_larger_than_the_scan_is_filled_with_background(case: RealCase) -> None:
    image, truth = heads(case, channels=("flair",), patch=(32, 32, 32), flip=0.0).sample(0)
    inside = prepare(read_image(case.channels["flair"]), (3.0, 3.0, 3.0)).array
    assert image.shape == (1, 32, 32, 32)
    assert float(image[0].sum()) == pytest.approx(
        inside.sum() + (32**3 - inside.size) * inside.min(), rel=0.02
    )
    assert int((truth[0] == 255).sum()) == 0
    assert (truth[2] == 255).all()


def test_augmentation_sees_the_raw_scan_and_its_result_is_normalised(case: RealCase) -> None:
    seen: list[torch.Tensor] = []

    def darker(image: torch.Tensor, truth: torch.Tensor, draw: Draw) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append(image)
        return image * 0.25 + 0.1, truth

    plain = heads(case, channels=("flair",), flip=0.0).sample(3)
    image, truth = heads(case, channels=("flair",), flip=0.0, augment=darker).sample(3)
    assert seen[0].shape == (1, 20, 27, 24)
    assert float(seen[0].quantile(0.995)) == pytest.approx(1.0, abs=0.02)
    assert torch.equal(truth, plain[1])
    assert float((image - plain[0]).abs().max()) < 0.02  # z-scores do not see gain and offset


def test_cases_are_chosen_by_site_channel_and_reference(tmp_path: Path) -> None:
    def one(name: str, channel: str = "flair", reference: bool = True) -> ManifestCase:
        return ManifestCase(name, name[0], {channel: tmp_path}, tmp_path if reference else None, name)

    listed = [one("a-1"), one("a-2", reference=False), one("b-1"), one("c-1", "t1c")]
    assert [c.name for c in real_cases(listed, ("flair",))] == ["a-1", "b-1"]
    assert [c.name for c in real_cases(listed, ("flair",), exclude_sites=("a",))] == ["b-1"]
    assert [c.name for c in real_cases(listed, ("flair", "t1c"), sites=("b", "c"))] == ["b-1", "c-1"]
    without = real_cases(listed, ("flair",), sites=("a",), masks=False)
    assert [(c.name, c.reference) for c in without] == [("a-1", None), ("a-2", None)]
    with pytest.raises(UnusableInput, match="no site d"):
        real_cases(listed, ("flair",), sites=("d",))
    with pytest.raises(UnusableInput, match="No real case is left"):
        real_cases(listed, ("flair",), sites=("c",))
    with pytest.raises(UnusableInput, match="No real case"):
        RealHeads([], ("flair",), OUTPUTS, 2.0, (8, 8, 8))


def test_a_cache_is_shared_between_sources(case: RealCase) -> None:
    cache: dict = {}
    first, second = heads(case, cache=cache), heads(case, cache=cache, seed=5)
    first.preload()
    assert len(cache) == 1
    assert second.prepared(case) is first.prepared(case)


def test_what_a_pseudo_label_leaves_open_is_unknown_and_no_tumour(case: RealCase, tmp_path: Path) -> None:
    assert case.reference is not None
    reference = read_image(case.reference)
    voxels = (reference.voxels > 0).astype(np.uint8)
    doubted = np.zeros(voxels.shape, dtype=bool)
    doubted[: voxels.shape[0] // 2] = voxels[: voxels.shape[0] // 2] > 0
    voxels[doubted] = 255
    write_image(reference.with_voxels(voxels), tmp_path / "pseudo.nii.gz")
    pseudo = replace(case, reference=tmp_path / "pseudo.nii.gz", labels="")
    truths = [heads(one).sample(3)[1][0] for one in (case, pseudo)]
    assert (truths[1] == 255).any()
    assert not ((truths[1] == 1) & (truths[0] != 1)).any(), "doubt became tumour"
    assert int((truths[1] == 1).sum()) < int((truths[0] == 1).sum())
