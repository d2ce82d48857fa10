"""What a data set is like, before a network is planned for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Image, orient, read_image, read_mask
from TumorSegRobustLib.models import find_foreground
from TumorSegRobustLib.progress import Progress


class Case(Protocol):
    """A case of a manifest or of training.real."""

    @property
    def channels(self) -> Mapping[str, Path]: ...
    @property
    def reference(self) -> Path | None: ...


@dataclass(frozen=True)
class Fingerprint:
    """Medians over the cases, axes (i, j, k) in LPS. spacing_mm, extent_mm: of the scans.

    anisotropy: coarsest over finest spacing of a scan. intensity: 1st and 99.5th percentile. stripped: share
    of background-stripped scans. channels: share of the cases that have each. tumour_ml, sphericity (0..1):
    of the references; None without any.
    """

    cases: int
    spacing_mm: tuple[float, float, float]
    extent_mm: tuple[float, float, float]
    anisotropy: float
    intensity: tuple[float, float]
    stripped: float
    channels: Mapping[str, float]
    tumour_ml: float | None = None
    sphericity: float | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Median size in voxels (i, j, k)."""
        i, j, k = (round(e / s) for e, s in zip(self.extent_mm, self.spacing_mm, strict=True))
        return i, j, k

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def fingerprint(cases: Sequence[Case], progress: Progress | None = None) -> Fingerprint:
    """Read every case once. UnusableInput when there is none."""
    if not cases:
        raise UnusableInput("There is no case to plan for; list some in the manifest.")
    progress = progress or Progress()
    scans = []
    tumours = []
    for number, case in enumerate(cases):
        progress.report(number / len(cases), f"case {number + 1} of {len(cases)}")
        scans.append(_scan(orient(read_image(next(iter(case.channels.values()))), "LPS")))
        if case.reference is not None:
            tumours.append(_tumour(read_mask(case.reference)))
    spacings, extents, intensities, stripped = zip(*scans, strict=True)
    names = dict.fromkeys(name for case in cases for name in case.channels)
    volumes = [volume for volume, _ in tumours if volume > 0]
    shapes = [sphericity for _, sphericity in tumours if sphericity is not None]
    return Fingerprint(
        cases=len(cases),
        spacing_mm=_median3(spacings),
        extent_mm=_median3(extents),
        anisotropy=round(float(np.median([max(s) / min(s) for s in spacings])), 3),
        intensity=(_median(low for low, _ in intensities), _median(high for _, high in intensities)),
        stripped=round(float(np.mean(stripped)), 3),
        channels={name: round(float(np.mean([name in c.channels for c in cases])), 3) for name in names},
        tumour_ml=_median(volumes) if volumes else None,
        sphericity=_median(shapes) if shapes else None,
    )


def sphericity(mask: np.ndarray, spacing_mm: Sequence[float]) -> float:
    """Surface of the ball of the same volume over the mask's surface, 0..1; spacing in the array's order.

    Wadell (1935); volume and surface are those of a marching-cubes mesh, whose steps make a ball about 0.9.
    """
    from skimage.measure import marching_cubes, mesh_surface_area

    vertices, faces, _, _ = marching_cubes(np.pad(mask, 1).astype(np.float32), 0.5, spacing=tuple(spacing_mm))
    corners = vertices[faces]
    crossed = np.cross(corners[:, 1], corners[:, 2])
    volume = abs(float(np.einsum("ij,ij->", corners[:, 0], crossed))) / 6
    return min(1.0, float(np.pi ** (1 / 3) * (6 * volume) ** (2 / 3) / mesh_surface_area(vertices, faces)))


def _scan(
    image: Image,
) -> tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float], bool]:
    i, j, k = image.geometry.spacing_mm
    shape = image.voxels.shape
    _, stripped = find_foreground(image.voxels)
    low, high = np.percentile(image.voxels, (1.0, 99.5))
    return (i, j, k), (shape[2] * i, shape[1] * j, shape[0] * k), (float(low), float(high)), stripped


def _tumour(mask: Image) -> tuple[float, float | None]:
    inside = mask.voxels > 0
    if not inside.any():
        return 0.0, None
    where = tuple(slice(int(a.min()), int(a.max()) + 1) for a in np.nonzero(inside))
    volume = float(np.count_nonzero(inside)) * mask.geometry.voxel_ml
    return volume, sphericity(inside[where], tuple(reversed(mask.geometry.spacing_mm)))


def _median(values: Iterable[float]) -> float:
    return round(float(np.median(list(values))), 3)


def _median3(values: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    i, j, k = (round(float(v), 3) for v in np.median(np.array(values), axis=0))
    return i, j, k
