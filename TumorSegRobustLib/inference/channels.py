"""Which scan goes into which input of the networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.image import Image, align_channels
from TumorSegRobustLib.models import ModelPackage, label_of


def match_channels(
    package: ModelPackage, images: Image | Mapping[str, Image]
) -> tuple[list[Image | None], list[str]]:
    """One scan per channel of the package, on the grid of the first given; None where an optional lacks.

    A single image is the first required channel (without one: the first). Names are matched without regard to
    case. Returns notices on resampled channels too. UnusableInput names the channel that is missing or
    unknown.
    """
    given = _by_name(package, images)
    missing = [c.name for c in package.channels if c.required and c.name.lower() not in given]
    if missing:
        raise UnusableInput(
            f"Model {package.id} needs the channel {missing[0]}, which was not given; "
            f"add it (--channel {missing[0]}=IMAGE) or choose another model."
        )
    aligned, notices = align_channels({_label(package, name): image for name, image in given.items()})
    matched = [aligned.get(channel.name) for channel in package.channels]
    absent = [label_of(c.name) for c, image in zip(package.channels, matched, strict=True) if image is None]
    if absent:
        notices = [*notices, f"Without {', '.join(absent)}: the model was trained to do without it."]
    return matched, notices


def confirmed_without(package: ModelPackage, given: Sequence[bool]) -> list[int]:
    """Indices of the channels without which a tumour must be seen as well (`confirm_without`).

    Those that are given, if another one is too; `given`: whether each channel of the package is there.
    """
    names = {str(name).lower() for name in package.calibration.get("confirm_without", ())}
    there = [index for index, one in enumerate(given) if one]
    dropped = [index for index in there if package.channels[index].name.lower() in names]
    return dropped if len(dropped) < len(there) else []


def _by_name(package: ModelPackage, images: Image | Mapping[str, Image]) -> dict[str, Image]:
    if isinstance(images, Image):
        return {package.first_channel.name.lower(): images}
    if not images:
        raise UnusableInput("No scan was given; open one first.")
    known = {channel.name.lower() for channel in package.channels}
    for name in images:
        if name.lower() not in known:
            raise UnusableInput(
                f"Model {package.id} has no channel {name!r}; "
                f"it takes {', '.join(channel.name for channel in package.channels)}."
            )
    return {name.lower(): image for name, image in images.items()}


def _label(package: ModelPackage, name: str) -> str:
    return next(channel.name for channel in package.channels if channel.name.lower() == name)
