"""Contact sheets of generated heads, to look at beside real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Geometry, Image, write_image
from TumorSegRobustLib.progress import Progress

from .anatomy import load_anatomies
from .generator import HeadGenerator, Sample, SynthConfig


def write_examples(
    label_maps: Path,
    config: SynthConfig,
    out: Path,
    *,
    anatomies: tuple[str, ...] = (),
    count: int = 24,
    seed: int = 0,
    volumes: int = 3,
    progress: Progress | None = None,
) -> Path:
    """Draw `count` heads, write `sheet.png` (slice with the most tumour, truth outlined) and the first
    `volumes` as NIfTI.

    Returns the path of the sheet. UnusableInput when `label_maps` holds none.
    """
    progress = progress or Progress()
    try:
        generator = HeadGenerator(load_anatomies(Path(label_maps), anatomies), config)
    except FileNotFoundError as error:
        raise UnusableInput(
            f"{error} Name the folder of label maps in the configuration (label_maps)."
        ) from error
    out.mkdir(parents=True, exist_ok=True)
    samples = []
    for n in range(count):
        samples.append(generator.sample(seed + n))
        progress.report((n + 1) / count, f"head {n + 1} of {count}")
    for n, sample in enumerate(samples[:volumes]):
        geometry = Geometry(
            config.patch, (config.spacing_mm,) * 3, (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1)
        )
        for name, channel in zip(config.channels, sample.image, strict=True):
            if channel.any():
                write_image(Image(channel.numpy(), geometry), out / f"example-{n}-{name}.nii.gz")
        write_image(Image(sample.truth[0].numpy().astype(bool), geometry), out / f"example-{n}-tumour.nii.gz")
    path = out / "sheet.png"
    _draw(samples, path)
    return path


def _draw(samples: list[Sample], path: Path) -> None:
    """Every head with its channels side by side, the slice with the most tumour; whole tumour red, core
    yellow.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    channels = len(samples[0].image)
    columns = 6 // channels * channels // channels
    rows = -(-len(samples) // columns)
    figure = Figure(figsize=(3 * columns * channels, 3.2 * rows), layout="tight")
    FigureCanvasAgg(figure)
    for sample, axes in zip(samples, np.atleast_1d(figure.subplots(rows, columns)).flat, strict=False):
        tumour = sample.truth[0].numpy() == 1
        k = int(tumour.sum((1, 2)).argmax()) if tumour.any() else tumour.shape[0] // 2
        axes.imshow(np.hstack([one[k].numpy() for one in sample.image]), cmap="gray", vmin=-2.5, vmax=3)
        for truth, colour in zip(sample.truth[:2], ("red", "yellow"), strict=False):
            outline = np.hstack([truth[k].numpy() == 1] * channels)
            if outline.any() and (colour == "red" or channels > 1):
                axes.contour(outline, [0.5], colors=colour, linewidths=0.7)
        axes.set_title(f"{sample.kind}, {int(tumour.sum())} voxels of tumour", fontsize=8)
        axes.axis("off")
    figure.savefig(path, dpi=60)
