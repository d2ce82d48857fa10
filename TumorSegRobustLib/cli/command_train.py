"""`train`: generated heads to look at, and all that makes networks of them and of real scans."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import Cancelled, UnusableInput
from ..progress import Progress
from .job import run_job
from .options import Json, Out, OutFile, example
from .speaking import say

Config = Annotated[
    Path, typer.Argument(metavar="CONFIG.yaml", help="What to do, with every number and the seed.")
]

Manifest = Annotated[
    Path, typer.Argument(metavar="MANIFEST.csv", help="Scans: case, site, image, [channels,] reference.")
]

train = typer.Typer(help="Generate heads, learn from real scans, train networks.", no_args_is_help=True)


Gate = Annotated[
    Path | None,
    typer.Option("--gate", metavar="MANIFEST.csv", help="Then compare with clicks without a network."),
]


def add_to(program: typer.Typer) -> None:
    program.add_typer(train, name="train")


@train.command(epilog=example("train synth synth.yaml --out examples --show"))
def synth(
    config: Config,
    out: Out,
    count: Annotated[int, typer.Option("--count", min=1, help="How many heads on the contact sheet.")] = 24,
    show: Annotated[
        bool, typer.Option("--show", help="Open the contact sheet, where there is a screen.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write generated scans with their truth and a contact sheet, to look at what the networks learn from."""

    def work(progress: Progress) -> dict[str, Any]:
        from ..training.synth import main

        return main(config, out, count=count, progress=progress)

    _run("Generating heads.", work, config, out, as_json)
    if show:
        typer.launch(str(out / "sheet.png"))


@train.command(epilog=example("train stage1 stage1.yaml --out runs/member-1"))
def stage1(
    config: Config,
    out: Out,
    monitor: Annotated[
        Path | None,
        typer.Option("--monitor", metavar="DIR", help="Cases whose Dice is logged, never used to choose."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train one member of the automatic ensemble; goes on from the checkpoint in DIR if there is one."""

    def work(progress: Progress) -> dict[str, Any]:
        from ..training.stage1 import main

        return main(config, out, monitor=monitor, progress=progress)

    _run("Training.", work, config, out, as_json)


@train.command(epilog=example("train refine refine-any.yaml --out runs/refine --gate cases.csv"))
def refine(
    config: Config,
    out: Out,
    gate: Gate = None,
    as_json: Json = False,
) -> None:
    """Train the network that refines at every click; goes on from the checkpoint in DIR if there is one.

    With --gate it is then compared with the geodesic operator alone on real cases, exact and trembling
    clicks; gate.json in DIR says where it won, and train package writes that into the package.
    """

    def work(progress: Progress) -> dict[str, Any]:
        from ..training.refine import main

        return main(config, out, gate=gate, progress=progress)

    _run("Training the refining network.", work, config, out, as_json)


@train.command(epilog=example("train extent refine-any-extent.yaml --out runs/extent --gate cases.csv"))
def extent(
    config: Config,
    out: Out,
    gate: Gate = None,
    into: Annotated[
        Path | None, typer.Option("--into", metavar="PACKAGE", help="Write the result into this package.")
    ] = None,
    version: Annotated[str | None, typer.Option("--version", help="The package's new version.")] = None,
    as_json: Json = False,
) -> None:
    """Train how far a click's answer reaches; reviews that lie in DIR already are not played again.

    With --gate it is then compared on real cases, as train refine does; with --into the package that refines
    takes over the result and the verdict.
    """

    def work(progress: Progress) -> dict[str, Any]:
        from ..training.refine.extent import main

        return main(config, out, gate=gate, into=into, version=version, progress=progress)

    _run("Training the extent of a click.", work, config, out, as_json)


@train.command(epilog=example("train plan cases.csv --out plan.yaml --label-maps labelmaps"))
def plan(
    manifest: Manifest,
    out: OutFile,
    label_maps: Annotated[
        str, typer.Option("--label-maps", metavar="DIR", help="Label maps for the generated heads.")
    ] = "labelmaps",
    memory_gb: Annotated[
        float, typer.Option("--memory-gb", min=1.0, help="What one training step may take.")
    ] = 6.0,
    as_json: Json = False,
) -> None:
    """Look at scans and write a configuration for train stage1 that suits them."""

    def work(progress: Progress) -> dict[str, Any]:
        from ..training.planning import main

        return main(manifest, out, label_maps=label_maps, memory_mb=1000 * memory_gb, progress=progress)

    _run("Looking at the scans.", work, manifest, out, as_json)


@train.command(epilog=example("train pretrain pretrain.yaml --out runs/pretrained"))
def pretrain(config: Config, out: Out, as_json: Json = False) -> None:
    """Learn from scans without masks; train stage1 starts from DIR/weights.pt (its setting initial)."""

    def work(progress: Progress) -> dict[str, Any]:
        from ..training.pretrain import main

        return main(config, out, progress=progress)

    _run("Pretraining.", work, config, out, as_json)


@train.command(epilog=example("train pseudo pseudo.yaml --out runs/pseudo"))
def pseudo(config: Config, out: Out, as_json: Json = False) -> None:
    """Label scans without masks where the members of a model agree; train stage1 reads DIR/manifest.csv."""

    def work(progress: Progress) -> dict[str, Any]:
        from ..training.self_training import main

        return main(config, out, progress=progress)

    _run("Labelling.", work, config, out, as_json)


@train.command(epilog=example("train style cases.csv --out style.npz --exclude-site hospital-c"))
def style(
    source: Annotated[
        Path, typer.Argument(metavar="MANIFEST.csv|DIR", help="Scans, or a folder of cases; masks stay shut.")
    ],
    out: OutFile,
    exclude_site: Annotated[
        list[str] | None, typer.Option("--exclude-site", metavar="SITE", help="Leave a site out; repeatable.")
    ] = None,
    channel: Annotated[
        list[str] | None, typer.Option("--channel", help="Channels to measure; default: flair and t1c.")
    ] = None,
    spacing_mm: Annotated[
        float, typer.Option("--spacing-mm", min=0.5, help="Measure on this grid, about that of the training.")
    ] = 2.0,
    as_json: Json = False,
) -> None:
    """Measure the looks of real scans for the augmentations that borrow them."""

    def work(progress: Progress) -> dict[str, Any]:
        from ..training.style_bank import CHANNELS, main

        channels = tuple(channel or CHANNELS)
        sites = tuple(exclude_site or ())
        return main(
            source, out, channels=channels, spacing_mm=spacing_mm, exclude_sites=sites, progress=progress
        )

    _run("Measuring looks.", work, source, out, as_json)


@train.command(epilog=example("train package brain-mr.yaml --runs runs --out brain-mr"))
def package(
    config: Config,
    runs: Annotated[
        Path, typer.Option("--runs", metavar="DIR", help="A folder for each member, written by train stage1.")
    ],
    out: Out,
    as_json: Json = False,
) -> None:
    """Make a package of finished trainings: weights, configuration, seeds, hashes and model card."""

    def work(progress: Progress) -> dict[str, Any]:
        from ..training.packaging import main

        return main(config, runs, out)

    _run("Writing the package.", work, config, out, as_json)


@train.command(epilog=example("train calibrate Resources/Models/brain-mr --label-maps labelmaps"))
def calibrate(
    folder: Annotated[Path, typer.Argument(metavar="PACKAGE", help="Folder of the package; it is changed.")],
    label_maps: Annotated[
        Path, typer.Option("--label-maps", metavar="DIR", help="Label maps to generate heads from.")
    ],
    heads: Annotated[int, typer.Option("--heads", min=20, help="How many heads to measure.")] = 80,
    as_json: Json = False,
) -> None:
    """Measure on generated heads what the members' agreement is worth, and write it into the package."""

    def work(progress: Progress) -> dict[str, Any]:
        from ..training.calibration import main

        return main(folder, label_maps, heads=heads, progress=progress)

    _run("Calibrating.", work, folder, folder, as_json)


@train.command(epilog=example("train looks Resources/Models/brain-mr --label-maps labelmaps --scans a.csv"))
def looks(
    folder: Annotated[Path, typer.Argument(metavar="PACKAGE", help="Folder of the package; it is changed.")],
    label_maps: Annotated[
        Path, typer.Option("--label-maps", metavar="DIR", help="Label maps to generate heads from.")
    ],
    scans: Annotated[
        Path | None,
        typer.Option("--scans", metavar="MANIFEST.csv", help="Real scans beside them; masks stay shut."),
    ] = None,
    heads: Annotated[int, typer.Option("--heads", min=10, help="Generated heads of every contrast.")] = 80,
    version: Annotated[str | None, typer.Option("--version", help="The package's new version.")] = None,
    as_json: Json = False,
) -> None:
    """Learn to tell FLAIR, T1 and T2 of a head apart, and write it into the package for its assessments."""

    def work(progress: Progress) -> dict[str, Any]:
        from ..training.looks import main

        return main(folder, label_maps, heads=heads, scans=scans, version=version, progress=progress)

    _run("Learning how heads look.", work, folder, folder, as_json)


def _run(
    title: str, work: Callable[[Progress], dict[str, Any]], config: Path, out: Path, as_json: bool
) -> None:
    if not config.exists():
        wanted = {".yaml": "configuration in YAML", ".csv": "manifest in CSV"}
        what = wanted.get(config.suffix.lower(), "file or folder that is there")
        raise UnusableInput(f"{config}: no such file. Give a {what}.")
    try:
        summary = run_job(title, lambda job: work(job.progress))
    except Cancelled:
        raise Cancelled(
            f"Cancelled; what is complete lies in {out}, and the same command goes on from it."
        ) from None
    if os.environ.get("RANK", "0") != "0":  # under torchrun one process speaks for all
        return
    rows = [(key, str(value)) for key, value in summary.items() if isinstance(value, str | int | float)]
    say(json.loads(json.dumps(summary, default=str)), as_json, [*rows, ("written", str(out))])
