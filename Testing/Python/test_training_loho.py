"""Leaving a hospital out: nobody trains and tests, runs are planned and skipped right, tables add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures_loho import SITES, TRAIN, a_config, listed

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.evaluation.manifest import ManifestCase
from TumorSegRobustLib.image import Geometry, Image, write_image
from TumorSegRobustLib.training.loho.arms import ARMS, chosen_arms
from TumorSegRobustLib.training.loho.config import LohoConfig, read_loho
from TumorSegRobustLib.training.loho.guard import check_channels, check_contents, check_patients, check_split
from TumorSegRobustLib.training.loho.plan import plan
from TumorSegRobustLib.training.loho.splits import Split, leave_one_out, mixed, patient_split
from TumorSegRobustLib.training.loho.styles import write_styles
from TumorSegRobustLib.training.style_bank import Style, StyleBank


def names(cases: Sequence[ManifestCase]) -> set[str]:
    return {case.case for case in cases}


# ------------------------------------------------ splits


def test_every_site_is_left_out_once_and_no_patient_trains_and_tests() -> None:
    folds = leave_one_out(listed(), ("east", "west"), ("north",), in_domain=0.25, seed=3)
    assert set(folds) == {"east", "west"}
    east = folds["east"]
    assert names(east.tests["held out"]) == {f"east-{n}" for n in range(6)}
    assert {case.site for case in east.train} == {"west"}
    assert (len(east.train), len(east.tests["in domain"])) == (3, 1)
    assert names(east.tests["further"]) == {"north-0"}
    assert names(folds["west"].train) | names(folds["west"].tests["in domain"]) == {
        f"east-{n}" for n in range(6)
    }
    for split in folds.values():
        check_split(split)
    assert leave_one_out(listed(), ("east", "west"), ("north",), 0.25, 3) == folds
    whole = leave_one_out(listed(), ("east", "west"), in_domain=0.0)["east"]
    assert set(whole.tests) == {"held out"}
    with pytest.raises(UnusableInput, match="no case of south"):
        leave_one_out(listed(), ("east", "south"))
    with pytest.raises(UnusableInput, match="two sites"):
        leave_one_out(listed(), ("east",))


def test_patients_stay_together() -> None:
    cases = [replace(case, group=f"p{n // 2}") for n, case in enumerate(listed({"east": 8}))]
    for seed in range(10):
        first, rest = patient_split(cases, 0.5, seed)
        assert not {case.group for case in first} & {case.group for case in rest}
        assert len(first) == len(rest) == 4
    assert len({frozenset(names(patient_split(cases, 0.5, seed)[0])) for seed in range(10)}) > 1
    assert [len(part) for part in patient_split(cases[:4], 0.01, 0)] == [2, 2]  # neither side empty


def test_mixing_gives_the_fraction_and_repeats_the_target_if_it_must() -> None:
    source, target = listed({"east": 6}), listed({"west": 2})
    for fraction, added in ((0.0, 0), (0.25, 2), (0.4, 4), (0.5, 6)):
        result = mixed(source, target, fraction, seed=1)
        assert sum(case.site == "west" for case in result) == added
        assert len(names(result)) == len(result)
    counts = Counter(case.group for case in mixed(source, target, 0.5, 1) if case.site == "west")
    assert counts == {"west-0": 3, "west-1": 3}
    with pytest.raises(UnusableInput, match="mixing fraction"):
        mixed(source, target, 1.0, 0)


# ------------------------------------------------ guard


def test_a_patient_on_both_sides_is_named() -> None:
    one, two = listed({"east": 2})
    leak = Split((one,), {"held out": (replace(two, group=one.group),)})
    with pytest.raises(
        UnusableInput, match=r"patient east-0 trains as east-0 and is tested \(held out\) as east-1"
    ):
        check_split(leak, "fold east")
    moved = replace(two, group=one.group, site="west")
    with pytest.raises(UnusableInput, match=r"east-0 is listed at east \(east-0\) and at west \(east-1\)"):
        check_patients([one, moved])
    check_patients([one, replace(two, group=one.group)])


@pytest.mark.parametrize(
    ("site", "channel", "leaks"),
    [
        ("hospital-a", "flair_hospital-a", True),
        ("hospital-a", "HOSPITAL A t1", True),
        ("a", "flair", False),
        ("a", "t1-a", True),
        ("hospital-a", "t1c", False),
    ],
)
def test_a_channel_may_not_name_a_site(site: str, channel: str, leaks: bool) -> None:
    cases = [
        ManifestCase(f"x-{n}", s, {channel: Path("x")}, None, f"x-{n}") for n, s in enumerate((site, "z"))
    ]
    if leaks:
        with pytest.raises(UnusableInput, match=f"names the site {site}"):
            check_channels(cases, [channel])
    else:
        check_channels(cases, [channel])


def test_a_channel_that_only_one_site_has_gives_it_away() -> None:
    east, west = listed({"east": 1, "west": 1})
    both = {**east.channels, "t1c": Path("x")}
    with pytest.raises(UnusableInput, match="only east has the channel t1c"):
        check_channels([replace(east, channels=both), west], ["flair", "t1c"])
    check_channels([replace(east, channels=both), west], ["flair"])
    check_channels([replace(east, channels=both)], ["flair", "t1c"])  # one site: nothing to tell apart


def test_the_same_voxels_at_two_sites_are_found_whatever_the_file(tmp_path: Path) -> None:
    voxels = np.arange(36, dtype=np.int16).reshape(3, 3, 4)
    write_image(Image(voxels, Geometry((3, 3, 4))), tmp_path / "a.nii.gz")
    write_image(Image(voxels.astype(np.float32), Geometry((3, 3, 4), (2.0, 2.0, 2.0))), tmp_path / "b.nrrd")
    write_image(Image(voxels + 1, Geometry((3, 3, 4))), tmp_path / "c.nii.gz")
    a, b = listed({"east": 1, "west": 1})
    a, copy = (replace(c, channels={"flair": tmp_path / f}) for c, f in ((a, "a.nii.gz"), (b, "b.nrrd")))
    with pytest.raises(UnusableInput, match="east-0 and west-0 show the same image, at east and west"):
        check_contents([a, copy], ["flair"])
    check_contents([a, replace(copy, group=a.group)], ["flair"])
    check_contents([a, replace(copy, channels={"flair": tmp_path / "c.nii.gz"})], ["flair"])


# ------------------------------------------------ configuration and plan


def config(**changes: Any) -> LohoConfig:
    base = LohoConfig(
        Path("cases.csv"),
        TRAIN,
        ("east", "west"),
        arms=tuple(chosen_arms(["baseline", "style"])),
        seeds=(0, 1),
    )
    return replace(base, **changes)


def test_the_five_arms_each_add_one_thing() -> None:
    arms = list(ARMS.values())
    assert [arm.name for arm in arms] == ["baseline", "conventional", "style", "pretraining", "full"]
    told = [(str(arm.augment), arm.pretrained, arm.adapt) for arm in arms]
    assert told == [
        ("none", False, False),
        ("conventional", False, False),
        ("style", False, False),
        ("style", True, False),
        ("style", True, True),
    ]


def test_arms_may_be_changed_and_invented() -> None:
    base, mine = chosen_arms({"baseline": None, "focal": {"train": {"loss": {"name": "focal_tversky"}}}})
    assert base == ARMS["baseline"]
    assert (mine.name, mine.augment, mine.train["loss"]) == ("focal", "none", {"name": "focal_tversky"})
    with pytest.raises(UnusableInput, match="unknown arm focal"):
        chosen_arms(["focal"])
    with pytest.raises(UnusableInput, match="unknown setting colour"):
        chosen_arms({"focal": {"colour": 1}})


def test_a_plan_has_every_arm_and_fold_and_seed() -> None:
    runs = plan(config(), listed())
    assert len(runs) == 2 * 2 * 2
    assert len({run.id for run in runs}) == len({run.key for run in runs}) == 8
    first = runs[0]
    assert (first.setting, first.held_out, first.trained_on) == ("baseline", "east", ("west",))
    assert first.settings["real"] == {"share": 0.5, "augment": "none", "masks": True}
    assert first.settings["seed"] == 0
    assert "east" not in {case.site for case in first.split.train}


def test_pretrained_weights_are_those_that_never_saw_the_site() -> None:
    arms = tuple(chosen_arms(["conventional", "style", "full"]))
    runs = plan(config(arms=arms, pretrained="w/{held_out}.pt"), listed())
    told = {(run.setting, run.held_out): (run.initial, run.styles) for run in runs}
    assert told["full", "east"] == ("w/east.pt", "")  # "": looks of the training cases
    assert told["style", "west"] == (None, "")
    assert told["conventional", "west"] == (None, None)


def test_looks_are_borrowed_from_the_sites_trained_on_only(tmp_path: Path) -> None:
    def look(site: str, n: int) -> Style:
        return Style(f"{site}-{n}", site, "flair", np.zeros(64), np.zeros(4), np.zeros((8, 8, 8)))

    bank = StyleBank(tuple(look(site, n) for site in SITES for n in range(SITES[site])), ("flair",))
    bank.save(tmp_path / "bank.npz")
    arms = tuple(chosen_arms(["style"]))
    run = plan(config(arms=arms, style_bank=str(tmp_path / "bank.npz"), in_domain=0.25), listed())[0]
    assert run.held_out == "east"
    write_styles(run, tmp_path / "strict.npz")
    kept = {style.case for style in StyleBank.load(tmp_path / "strict.npz").styles}
    assert kept == names(run.split.train)
    assert len(kept) == 3  # of the four of west one is kept for testing
    write_styles(run, tmp_path / "all.npz", transductive=True)
    assert StyleBank.load(tmp_path / "all.npz").sites == ("east", "north", "west")
    bank.without("west").save(tmp_path / "bank.npz")
    with pytest.raises(UnusableInput, match="holds no look of west"):
        write_styles(run, tmp_path / "strict.npz")


def test_the_example_configuration_asks_for_everything(repository: Path) -> None:
    example = read_loho(repository / "TumorSegRobustLib/training/configs/loho.yaml")
    cases = listed({"hospital-a": 26, "hospital-b": 21, "hospital-c": 1})
    runs = plan(example, cases)
    assert Counter(run.experiment for run in runs) == {"loho": 10, "two_by_two": 2, "mixing": 4, "noise": 4}
    # adaptation, and what equals the plain run of the 2x2, are trained once
    assert len({run.key for run in runs}) == 8 + 2 + 3 + 3
    assert runs[-1].settings["steps"] == 800


def test_the_research_configuration_compares_with_generated_heads_only(repository: Path) -> None:
    research = read_loho(repository / "TumorSegRobustLib/training/configs/loho-research.yaml")
    runs = plan(research, listed({"hospital-a": 26, "hospital-b": 21, "hospital-c": 1}))
    told = [(run.setting, run.held_out, len(run.split.train), run.settings["steps"]) for run in runs]
    assert told == [
        ("generated", "hospital-a", 21, 1),
        ("generated", "hospital-b", 26, 1),
        ("research", "hospital-a", 21, 800),
        ("research", "hospital-b", 26, 800),
    ]


def test_adaptation_trains_nothing_of_its_own() -> None:
    arms = tuple(chosen_arms(["pretraining", "full"]))
    plain, full = (r for r in plan(config(arms=arms, seeds=(0,), pretrained="{held_out}"), listed()) if
                   r.held_out == "east")  # fmt: skip
    assert plain.key == full.key
    assert plain.id != full.id


def test_the_scanner_experiments_share_tests_and_trainings(tmp_path: Path) -> None:
    path = a_config(
        tmp_path,
        sites=[],
        arms=[],
        two_by_two={"source": "east", "target": "west"},
        mixing={"source": "east", "target": "west", "fractions": [0.5]},
        noise={"source": "east", "target": "west", "alphas": [0.1, 2]},
    )
    runs = {run.id: run for run in plan(read_loho(path), listed())}
    assert set(runs) == {
        "two_by_two-plain-east-to-west-seed0",
        "two_by_two-plain-west-to-east-seed0",
        "mixing-0-east-to-west-seed0",
        "mixing-0.5-east-to-west-seed0",
        "noise-0-east-to-west-seed0",
        "noise-0.1-east-to-west-seed0",
        "noise-2-east-to-west-seed0",
    }
    plain = runs["two_by_two-plain-east-to-west-seed0"]
    back = runs["two_by_two-plain-west-to-east-seed0"]
    assert plain.split.tests["held out"] == back.split.tests["in domain"]
    assert {len(plain.split.train), len(plain.split.tests["in domain"])} == {4, 2}  # 2/3 and 1/3 of six
    assert plain.key == runs["mixing-0-east-to-west-seed0"].key == runs["noise-0-east-to-west-seed0"].key
    half = runs["mixing-0.5-east-to-west-seed0"]
    assert Counter(case.site for case in half.split.train) == {"east": 4, "west": 4}
    check_split(half.split)
    assert runs["noise-0.1-east-to-west-seed0"].settings["real"]["noise"] == 0.1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"colour": 1}, "unknown setting colour"),
        ({"manifest": None}, "manifest is missing"),
        ({"sites": [], "arms": []}, "asks for nothing"),
        ({"arms": []}, "sites are given without arms"),
        ({"share": 2}, "share is 2"),
        ({"pretrained": "weights.pt"}, "may have seen the site left out"),
        ({"noise": {"source": "a"}}, "noise needs source and target"),
        ({"noise": {"source": "a", "target": "b", "x": 1}}, "noise: unknown setting x"),
    ],
)
def test_a_configuration_is_refused_in_one_line(tmp_path: Path, changes: dict, says: str) -> None:
    with pytest.raises(UnusableInput) as error:
        read_loho(a_config(tmp_path, **changes))
    assert says in str(error.value)
    assert "\n" not in str(error.value)
