"""The scan that is open: its grid, its channels, and the DICOM series it came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..image import DicomSeries, Image


@dataclass(frozen=True)
class Case:
    """The first channel (`image`) gives the grid of everything that follows.

    channels: name -> image, the first one first; the name "" means "whatever the package asks for first".
    fitted: what had to be done to each further channel, one line each.
    digest: 16 hex digits that tell scans apart (names of journals); of the first channel's grid and voxels.
    """

    image: Image
    channels: Mapping[str, Image]
    series: DicomSeries | None = None
    digest: str = ""
    fitted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def notices(self) -> tuple[str, ...]:
        """One line for each thing that was done to make the volumes usable."""
        return (*self.image.notices, *(line for lines in self.fitted.values() for line in lines))

    @classmethod
    def of(
        cls, image: Image, series: DicomSeries | None = None, channel: str = "", seconds: float = 0.0
    ) -> Case:
        return cls(image, {channel: image}, series, digest_of(image), seconds=seconds)

    def with_channel(self, name: str, image: Image) -> Case:
        """The same scan with one more channel, on the grid of the first (resampled with a notice)."""
        from ..image import align_channels

        first = next(iter(self.channels))
        called = {first: first or self.image.name or "the scan"}
        aligned, notices = align_channels({called[first]: self.image, name: image})
        channels = {**self.channels, name: aligned[name]}
        return replace(self, channels=channels, fitted={**self.fitted, name: (*image.notices, *notices)})

    def without(self, name: str) -> Case:
        """The same scan without one of its further channels."""
        fitted = {other: lines for other, lines in self.fitted.items() if other != name}
        channels = {other: image for other, image in self.channels.items() if other != name}
        return replace(self, channels=channels, fitted=fitted)

    def with_first_called(self, name: str, before: str) -> Case:
        """The first channel has this name; the one that had it takes the name of `before`."""
        first, *others = self.channels.items()
        renamed = {before if other == name else other: image for other, image in others}
        fitted = {before if other == name else other: lines for other, lines in self.fitted.items()}
        return replace(self, channels={name: first[1], **renamed}, fitted=fitted)

    def for_networks(self, first_channel: str) -> Image | dict[str, Image]:
        """One image, or the channels by name; a nameless first one is given the name `first_channel`."""
        if list(self.channels) == [""]:
            return self.image
        return {name or first_channel: image for name, image in self.channels.items()}


def digest_of(image: Image) -> str:
    """16 hex digits of the sha256 of the grid and the voxels, whatever the file was called."""
    hasher = hashlib.sha256(json.dumps(image.geometry.to_json(), sort_keys=True).encode())
    hasher.update(str(image.voxels.dtype).encode())
    hasher.update(np.ascontiguousarray(image.voxels).data)
    return hasher.hexdigest()[:16]
