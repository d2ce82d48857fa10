"""What would make an unseen hospital a seen one. Each finding ends the experiment, in one line."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from TumorSegRobustLib.errors import UnusableInput
from TumorSegRobustLib.evaluation.manifest import ManifestCase
from TumorSegRobustLib.image import read_image
from TumorSegRobustLib.progress import Progress

from .splits import Split


def check_split(split: Split, name: str = "the split") -> None:
    """UnusableInput when a patient trains and tests, whatever the test is."""
    trained = {case.group: case for case in split.train}
    for role, cases in split.tests.items():
        for case in cases:
            if case.group in trained:
                raise UnusableInput(
                    f"Leak in {name}: the patient {case.group} trains as {trained[case.group].case} and is "
                    f"tested ({role}) as {case.case}; give both the same site, or leave one out."
                )


def check_patients(cases: Iterable[ManifestCase]) -> None:
    """UnusableInput when one patient is listed at two sites."""
    seen: dict[str, ManifestCase] = {}
    for case in cases:
        other = seen.setdefault(case.group, case)
        if other.site != case.site:
            raise UnusableInput(
                f"Leak: the patient {case.group} is listed at {other.site} ({other.case}) and at {case.site} "
                f"({case.case}); leave one of them out."
            )


def check_channels(cases: Sequence[ManifestCase], channels: Sequence[str]) -> None:
    """UnusableInput when a channel's name or presence gives the site away.

    Name: it contains the site's name. Presence: of several sites only one has the channel at all, so whoever
    sees it knows the site.
    """
    sites = sorted({case.site for case in cases})
    for channel in channels:
        for site in sites:
            if _within(_words(site), _words(channel)):
                raise UnusableInput(
                    f"Leak: the channel {channel} names the site {site}; name channels by what they show."
                )
        having = {case.site for case in cases if channel in case.channels}
        if len(sites) > 1 and len(having) == 1:
            raise UnusableInput(
                f"Leak: only {having.pop()} has the channel {channel}, which gives its scans away; "
                "leave the channel out."
            )


def check_contents(
    cases: Sequence[ManifestCase], channels: Sequence[str], progress: Progress | None = None
) -> None:
    """UnusableInput when two patients have the same voxels: a copy under another name, or a mixed-up file."""
    progress = progress or Progress()
    seen: dict[str, ManifestCase] = {}
    for number, case in enumerate(cases):
        progress.report(number / len(cases), f"Looking for copies: {case.case}")
        for channel in channels:
            if channel not in case.channels:
                continue
            other = seen.setdefault(content_hash(case.channels[channel]), case)
            if other.group != case.group:
                where = "" if other.site == case.site else f", at {other.site} and {case.site}"
                raise UnusableInput(
                    f"Leak: {other.case} and {case.case} show the same image{where}; leave one of them out."
                )


def check_initial(weights: Path, held_out: str) -> None:
    """UnusableInput when pretraining looked at scans of the site left out, as its summary.json says."""
    summary = weights.parent / "summary.json"
    seen = json.loads(summary.read_text(encoding="utf-8")).get("sites", []) if summary.is_file() else []
    if held_out in seen:
        raise UnusableInput(
            f"Leak: {weights} was pretrained on scans of {held_out}, which is left out; pretrain without it, "
            "or say transductive: true."
        )


def content_hash(path: Path) -> str:
    """SHA-256 of the voxels as numbers; compression, header and file format do not matter."""
    voxels = read_image(path).voxels
    digest = hashlib.sha256(repr(voxels.shape).encode())
    digest.update(np.ascontiguousarray(voxels, dtype=np.float32).tobytes())
    return digest.hexdigest()


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", name.lower())


def _within(part: list[str], whole: list[str]) -> bool:
    return any(whole[n : n + len(part)] == part for n in range(len(whole) - len(part) + 1)) if part else False
