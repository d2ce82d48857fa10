"""Training of a click's extent (`review.extent`): reviews are played through on generated scenes, every
voxel that a click could have changed is an example, and a small network learns which of them it should have.

In the first round the refining network reviews alone; in the next ones mostly with what was learned so far,
so that it meets the contours that it leaves behind itself.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.networks.nets import FullyConnectedNet
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.evaluation import READERS
from TumorSegRobustLib.evaluation.aiming import find_largest_error
from TumorSegRobustLib.evaluation.habits import aim
from TumorSegRobustLib.models import TrainedMember, add_member, find_package, revise_package
from TumorSegRobustLib.progress import Progress
from TumorSegRobustLib.review import Click, ReviewSession
from TumorSegRobustLib.review.extent import FACTS, Extent, Judge, facts_of, judge_of
from TumorSegRobustLib.review.network_refiner import NetworkRefiner, is_for_network
from TumorSegRobustLib.review.refiner import Refinement, Situation
from TumorSegRobustLib.review.shipped import RefiningNetwork

from ..checkpoints import differences, write_whole
from ..config import filled, read_yaml, without_places
from .config import read_refine_config
from .scenes import SceneGenerator, StartedScene
from .training import first_stage

Example = tuple[NDArray[np.float16], NDArray[np.bool_], float]
"""Facts (voxels, facts) of one click, whether each voxel has the click's label, and the weight of each."""
_SEED = 40_000_000_000  # beyond every training's scenes
_MOST_WEIGHT = 0.02  # of a voxel, per lesion's volume: tiny lesions do not outweigh the rest


@dataclass(frozen=True)
class ExtentConfig:
    """scenes: a configuration of `train refine` (path, from where this one lies), whose scenes are used with
    `starts` and `heads` as here. refiner: the package whose network answers first. reviews: in each round, of
    `clicks` clicks each; `voxels` of each click are learned from. jittered: share of reviews by a reader who
    is 3 mm off. learned: share of reviews, from the second round on, that use what was learned so far.
    hidden, epochs, batch, learning_rate: of the network; noise: standard deviation of what is added to its
    inputs, in theirs. A larger or longer trained one fits generated scenes better and real scans worse.
    keep, extend: see `review.extent.Extent`. processes: at work side by side.
    """

    name: str
    scenes: str
    refiner: str = "refine-any"
    seed: int = 0
    starts: Mapping[str, float] = field(
        default_factory=lambda: {"networks": 0.5, "degraded": 0.25, "nothing": 0.25}
    )
    heads: float = 0.7
    head_side: int = 72
    rounds: int = 2
    reviews: int = 400
    clicks: int = 10
    voxels: int = 1000
    jittered: float = 0.4
    learned: float = 0.7
    hidden: tuple[int, ...] = (24, 24)
    epochs: int = 3
    noise: float = 0.2
    batch: int = 8192
    learning_rate: float = 4e-3
    keep: float = 0.4
    extend: float = 0.85
    processes: int = 1

    def check(self) -> None:
        """UnusableInput (one line) for settings that contradict each other."""
        if not 0 < self.keep <= self.extend < 1:
            raise UnusableInput("keep and extend are probabilities between 0 and 1, keep is the smaller.")
        if min(self.rounds, self.reviews, self.processes) < 1:
            raise UnusableInput("rounds, reviews and processes are at least 1.")


def main(
    config: Path,
    out: Path,
    *,
    gate: Path | None = None,
    into: Path | None = None,
    version: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train as `config` (YAML) says into the folder `out`; reviews that lie there already are not repeated.

    Writes `weights.pt` and `summary.json`, whose content is returned. gate: a manifest of real cases, for the
    comparison of `refine.gate` with and without the result. into: the package that refines, which then takes
    it over, with the gate's verdict; `version` is its new one.
    """
    settings = filled(ExtentConfig, read_yaml(config), config)
    settings.check()
    progress = progress or Progress()
    summary = train(settings, config.parent, out, progress.part(0.0, 0.7 if gate else 1.0))
    network = RefiningNetwork(find_package(settings.refiner, kind="refines"))
    refiner = replace(network.refiner(always=True), extent=_extent(settings, _state(out)))
    verdict: dict[str, Any] = {}
    if gate is not None:
        from .gate import main as compare

        stage = read_refine_config(config.parent / settings.scenes).package
        verdict = compare(refiner, gate, out, package=stage, progress=progress.part(0.7, 1.0))
    if into is not None:
        attach(into, settings, summary, _state(out), verdict, version)
    return {**summary, **{f"won from {start}": str(told["won"]) for start, told in verdict.items()}}


def train(config: ExtentConfig, folder: Path, out: Path, progress: Progress) -> dict[str, Any]:
    """As `main`, from the configuration itself; `folder`: where its paths begin."""
    out.mkdir(parents=True, exist_ok=True)
    _check_same(config, out / "reviews.json")
    loss = float("nan")
    for number in range(config.rounds):
        part = progress.part(number / config.rounds, (number + 1) / config.rounds)
        told = f"Round {number + 1} of {config.rounds}: review"
        _play_round(config, folder, out, number, told, part.part(0.0, 0.9))
        rounds = range(1, number + 2)  # what an interrupted run played further on waits for its turn
        paths = [path for one in rounds for path in sorted((out / f"round-{one}").glob("*.npz"))]
        network, loss = fit(config, [row for path in paths for row in _read(path)])
        state = network.state_dict()
        write_whole(out / "weights.pt", partial(torch.save, state))
    summary = {"config": asdict(config), "loss": loss, "reviews": config.rounds * config.reviews}
    write_whole(out / "summary.json", lambda path: path.write_text(json.dumps(summary, indent=1)))
    return summary


_OF_THE_FIT = ("hidden", "epochs", "batch", "learning_rate", "noise", "processes")
"""Settings that may change without the reviews being played again."""


def _check_same(config: ExtentConfig, path: Path) -> None:
    """UnusableInput where the reviews that lie there belong to other settings."""
    settings = {key: value for key, value in asdict(config).items() if key not in _OF_THE_FIT}
    wanted = json.loads(json.dumps(without_places(settings)))
    if path.is_file():
        different = differences(json.loads(path.read_text(encoding="utf-8")), wanted)
        if different:
            raise UnusableInput(
                f"{path.parent}: holds reviews of other settings ({', '.join(different)}); "
                "go on with those or choose another folder for --out."
            )
    write_whole(path, lambda place: place.write_text(json.dumps(wanted, indent=1), encoding="utf-8"))


def fit(config: ExtentConfig, rows: list[Example]) -> tuple[nn.Module, float]:
    """The network and its last mean loss, from the examples of all clicks; UnusableInput where there are few.
    """
    if sum(len(row[1]) for row in rows) < 50:
        raise UnusableInput(f"{config.name}: the reviews gave nothing to learn from; play more of them.")
    table = torch.from_numpy(np.concatenate([row[0] for row in rows]))
    truth = torch.from_numpy(np.concatenate([row[1] for row in rows])).float()
    weight = torch.cat([torch.full((len(row[1]),), min(row[2], _MOST_WEIGHT)) for row in rows])
    weight /= weight.mean()
    middle, spread = (of(table[::5].float(), 0) for of in (torch.mean, torch.std))
    spread = spread.clamp(min=0.05)  # of a fact that hardly varied nothing large can be learned
    torch.manual_seed(config.seed)
    network = FullyConnectedNet(len(FACTS), 1, list(config.hidden))
    steps = max(1, len(truth) // config.batch)
    optimiser = torch.optim.AdamW(network.parameters(), config.learning_rate, weight_decay=1e-3)
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.learning_rate, total_steps=config.epochs * steps
    )
    loss = torch.zeros(())
    for _ in range(config.epochs):
        order = torch.randperm(len(truth))
        losses = []
        for step in range(steps):
            at = order[step * config.batch : (step + 1) * config.batch]
            told = (table[at].float() - middle) / spread
            odds = network(told + config.noise * torch.randn_like(told))[:, 0]
            loss = (binary_cross_entropy_with_logits(odds, truth[at], reduction="none") * weight[at]).mean()
            if not torch.isfinite(loss):
                raise FloatingPointError(f"{config.name}: the loss is not finite; lower learning_rate.")
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rate.step()
            losses.append(loss.detach())
        loss = torch.stack(losses).mean()
    first = network.get_submodule("hidden_0.0")  # takes the facts as they are from now on
    assert isinstance(first, nn.Linear)
    with torch.no_grad():
        first.weight.div_(spread)
        first.bias.sub_(first.weight @ middle)
    return network.eval(), float(loss)


def attach(
    package: Path,
    config: ExtentConfig,
    summary: Mapping[str, Any],
    state: Mapping[str, NDArray],
    gate: Mapping[str, Any],
    version: str | None,
) -> None:
    """Make the result the second member of a package that refines; what stood there is replaced."""
    network = {
        "name": "FullyConnectedNet",
        "args": {"in_channels": len(FACTS), "out_channels": 1, "hidden_channels": list(config.hidden)},
    }
    member = TrainedMember("extent", network, (1.0, 1.0, 1.0), state, seed=config.seed)
    old = add_member(package, member, after=1)
    training = {**old.fingerprint.get("training", {}), "extent": without_places(dict(summary))}
    changes: dict[str, Any] = {
        "preprocessing": {"keep": config.keep, "extend": config.extend},
        "fingerprint": {"training": training},
    }
    if gate:
        verdict = {start: told for start, told in gate.items() if start != "curves"}
        changes["calibration"] = {"gate": verdict}
    if version:
        changes["version"] = version
    revise_package(package, **changes)


class Playing:
    """A refiner that notes what there was to learn from each click; `truth` is of the scene in play."""

    def __init__(self, refiner: NetworkRefiner, config: ExtentConfig) -> None:
        self._refiner, self._config = refiner, config
        self.extent: Extent | None = None
        self.truth: NDArray[np.bool_] = np.zeros((1, 1, 1), bool)
        self.rows: list[Example] = []
        self.random = np.random.default_rng(0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._refiner, name)

    def refine(self, situation: Situation) -> Refinement:
        """As `NetworkRefiner.refine`, with the extent of the moment."""
        answer = replace(self._refiner, extent=None).refine(situation)
        proposal = self._refiner.floor.propose(situation)
        if is_for_network(proposal):
            facts = facts_of(situation, proposal, answer)
            if facts is not None:
                self._note(facts.table, self.truth[facts.box][facts.open] == situation.click.include)
        return replace(self._refiner, extent=self.extent).refine(situation) if self.extent else answer

    def _note(self, table: NDArray[np.float32], truth: NDArray[np.bool_]) -> None:
        count = min(len(truth), self._config.voxels)
        chosen = self.random.choice(len(truth), count, replace=False)
        weight = len(truth) / count / max(1, int(self.truth.sum()))
        self.rows.append((table[chosen].astype(np.float16), truth[chosen], weight))


def play(scene: StartedScene, playing: Playing, config: ExtentConfig, jittered: bool) -> None:
    """One review by a simulated reader, from the scene's start."""
    playing.truth = scene.truth
    reader = READERS["jittered" if jittered else "robot"]
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "journal.jsonl"
        session = ReviewSession.start(scene.image, journal, probability=scene.start, refiner=playing)
        for _ in range(config.clicks):
            error = find_largest_error(session.mask, scene.truth, scene.image.geometry)
            if error is None:
                break
            place = aim(error, scene.truth, scene.image.geometry, reader, playing.random)
            x, y, z = (float(v) for v in place)
            session.click(Click((x, y, z), error.include))
        session.close()


def _play_round(
    config: ExtentConfig, folder: Path, out: Path, number: int, told: str, progress: Progress
) -> None:
    """Every chunk of ten reviews is a file, so that what is there is not played again."""
    here = out / f"round-{number + 1}"
    here.mkdir(exist_ok=True)
    chunks = [first for first in range(0, config.reviews, 10) if not _path(here, first).is_file()]
    learned = out / "weights.pt" if number else None
    work = partial(_play_chunk, config, folder, here, number, learned)
    if config.processes == 1:
        for first in chunks:
            progress.report(first / config.reviews, f"{told} {first} of {config.reviews}")
            work(first)
        return
    with ProcessPoolExecutor(config.processes, get_context("spawn"), _one_thread) as pool:
        for done, _ in enumerate(pool.map(work, chunks)):
            progress.report((done + 1) / len(chunks), f"{told} {10 * (done + 1)} of {10 * len(chunks)}")


def _one_thread() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)


def _play_chunk(
    config: ExtentConfig, folder: Path, here: Path, number: int, learned: Path | None, first: int
) -> None:
    scenes, refiner = _tools(config, folder)
    playing = Playing(refiner, config)
    state = None if learned is None else _state(learned.parent)
    for scene_number in range(first, min(first + 10, config.reviews)):
        seed = _SEED + 1_000_003 * config.seed + config.reviews * number + scene_number
        scene = scenes.sample(seed)
        playing.random = np.random.default_rng(seed)
        with_it = state is not None and playing.random.random() < config.learned
        playing.extent = _extent(config, state) if with_it and state is not None else None
        play(scene, playing, config, jittered=playing.random.random() < config.jittered)
    table = np.concatenate([row[0] for row in playing.rows] or [np.zeros((0, len(FACTS)), np.float16)])
    truth = np.concatenate([row[1] for row in playing.rows] or [np.zeros(0, bool)])
    counts = np.array([len(row[1]) for row in playing.rows], np.int64)
    weights = np.array([row[2] for row in playing.rows], np.float64)

    def write(path: Path) -> None:
        with path.open("wb") as stream:
            np.savez_compressed(stream, table=table, truth=truth, counts=counts, weights=weights)

    write_whole(_path(here, first), write)


_made: dict[tuple[str, str], tuple[SceneGenerator, NetworkRefiner]] = {}


def _tools(config: ExtentConfig, folder: Path) -> tuple[SceneGenerator, NetworkRefiner]:
    """Loaded once per process."""
    key = (json.dumps(asdict(config), sort_keys=True), str(folder))
    if key not in _made:
        scenes = read_refine_config(folder / config.scenes)
        scenes = replace(scenes, starts=config.starts, heads=config.heads, head_side=config.head_side)
        network = RefiningNetwork(find_package(config.refiner, kind="refines"))
        _made[key] = SceneGenerator(scenes, first_stage(scenes.package)), network.refiner(always=True)
    return _made[key]


def _path(here: Path, first: int) -> Path:
    return here / f"{first:06d}.npz"


def _read(path: Path) -> list[Example]:
    with np.load(path) as file:
        table, truth, counts, weights = (file[name] for name in ("table", "truth", "counts", "weights"))
    ends = np.cumsum(counts)
    return [
        (table[end - count : end], truth[end - count : end], float(weight))
        for end, count, weight in zip(ends, counts, weights, strict=True)
    ]


def _state(out: Path) -> dict[str, NDArray]:
    state = torch.load(out / "weights.pt", map_location="cpu", weights_only=True)
    return {name: value.numpy() for name, value in state.items()}


def _extent(config: ExtentConfig, state: Mapping[str, NDArray]) -> Extent:
    """As a package will hold it: in half precision."""
    judge: Judge = judge_of({name: value.astype(np.float16) for name, value in state.items()})
    return Extent(judge, config.keep, config.extend)
