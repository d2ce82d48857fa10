"""Small patients for the tests of the review and of the simulated reader."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from TumorSegRobustLib.image import Geometry, Image
from TumorSegRobustLib.review import Click, ReviewSession

OBLIQUE = (0.8, -0.36, 0.48, 0.6, 0.48, -0.64, 0.0, 0.8, 0.6)
"""A rotation about two axes, exact in decimals."""


def ball(
    shape: tuple[int, int, int], spacing_kji: tuple[float, ...], centre: tuple[float, ...], radius_mm: float
):
    """Boolean array: voxels within `radius_mm` of `centre` (fractional (k, j, i))."""
    axes = np.ogrid[tuple(slice(0, n) for n in shape)]
    square = sum(((a - c) * s) ** 2 for a, c, s in zip(axes, centre, spacing_kji, strict=True))
    return square <= radius_mm**2


def a_patient(
    shape: tuple[int, int, int] = (16, 24, 28),
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0),
    direction: tuple[float, ...] = (1, 0, 0, 0, 1, 0, 0, 0, 1),
    radius_mm: float = 6.0,
    contrast: float = 4.0,
    seed: int = 0,
) -> tuple[Image, NDArray[np.bool_]]:
    """A noisy body with one bright ball in its middle, and the ball."""
    generator = np.random.default_rng(seed)
    geometry = Geometry(shape, spacing_mm, (-7.0, 12.5, 3.0), direction)
    centre = tuple((n - 1) / 2 for n in shape)
    lesion = ball(shape, spacing_mm[::-1], centre, radius_mm)
    voxels = generator.normal(100.0, 5.0, shape) + 5.0 * contrast * lesion
    return Image(voxels.astype(np.float32), geometry, "a patient"), lesion


def probability_of(
    lesion: NDArray[np.bool_], inside: float = 0.9, outside: float = 0.05
) -> NDArray[np.float32]:
    return np.where(lesion, inside, outside).astype(np.float32)


def at(image: Image, voxel: tuple[int, int, int], include: bool = True) -> Click:
    """A click on the centre of a voxel (k, j, i)."""
    x, y, z = image.geometry.position_of(voxel).tolist()
    return Click((x, y, z), include)


def a_review(folder: Path, image: Image, probability: NDArray | None = None) -> ReviewSession:
    return ReviewSession.start(image, folder / "journal.jsonl", probability=probability)


def all_orientations() -> list[tuple[float, ...]]:
    """The 48 direction matrices whose axes are those of the patient, row by row."""
    found = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            matrix = np.zeros((3, 3))
            for column, (row, sign) in enumerate(zip(order, signs, strict=True)):
                matrix[row, column] = sign
            found.append(tuple(matrix.ravel().tolist()))
    return found
