"""For the tests of the command line: tiny scans with a bright blob, and a way to run one line."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from TumorSegRobustLib.cli import run

SHAPE = (24, 28, 32)  # k, j, i
SPACING_MM = (1.5, 1.5, 2.0)
ORIGIN_MM = (-20.0, -22.0, 5.0)


@dataclass(frozen=True)
class Answer:
    """What one command line gave back."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()


def call(capfd: pytest.CaptureFixture[str], *words: object) -> Answer:
    """Run one command line in this process, hearing also what libraries write past Python."""
    capfd.readouterr()
    code = run([str(word) for word in words])
    heard = capfd.readouterr()
    return Answer(code, heard.out, heard.err)


def head(shape: Sequence[int] = SHAPE) -> np.ndarray:
    """(k, j, i) float32: a textured ellipsoid on a dark background, a brighter blob beside its middle."""
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    texture = np.random.default_rng(0).normal(0, 5, tuple(shape))
    brain = (grid**2).sum(axis=0) < 0.7
    return (np.where(brain, 100 + texture, 0) + np.where(blob(shape), 80, 0)).astype(np.float32)


def blob(shape: Sequence[int] = SHAPE) -> np.ndarray:
    """(k, j, i) bool: the bright part of `head`."""
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    centre = np.array([0.1, -0.2, 0.25]).reshape(3, 1, 1, 1)
    return ((grid - centre) ** 2).sum(axis=0) < 0.08


def save(
    path: Path,
    voxels: np.ndarray,
    direction: Sequence[float] = (1, 0, 0, 0, 1, 0, 0, 0, 1),
    origin: Sequence[float] = ORIGIN_MM,
    vector: bool = False,
) -> Path:
    image = sitk.GetImageFromArray(voxels, isVector=vector)
    if image.GetDimension() == 3:
        image.SetSpacing(SPACING_MM)
        image.SetOrigin([float(v) for v in origin])
        image.SetDirection([float(v) for v in direction])
    sitk.WriteImage(image, str(path))
    return path


def position_of(k: int, j: int, i: int) -> list[float]:
    """LPS mm of a voxel of `save`'s default grid."""
    return [origin + step * n for origin, step, n in zip(ORIGIN_MM, SPACING_MM, (i, j, k), strict=True)]


def sheared_nifti(path: Path) -> Path:
    """A NIfTI whose sform shears the slices, which no scanner's grid does."""
    plain = save(path.with_name("plain.nii.gz"), head())
    data = bytearray(gzip.decompress(plain.read_bytes()))
    plain.unlink()
    struct.pack_into("<2h", data, 252, 0, 1)  # qform off, sform on
    rows = ((1.5, 0.6, 0.0, -20.0), (0.0, 1.5, 0.0, -22.0), (0.0, 0.0, 2.0, 5.0))
    for number, row in enumerate(rows):
        struct.pack_into("<4f", data, 280 + 16 * number, *row)
    path.write_bytes(gzip.compress(bytes(data)))
    return path


def write_clicks(path: Path, clicks: Sequence[tuple[Sequence[float], bool]]) -> Path:
    document = [{"position_lps_mm": list(place), "include": include} for place, include in clicks]
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
