"""Scans that were opened before, so that after a restart nobody has to look for them again."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from .journals import earlier_reviews

_LOG = logging.getLogger(__name__)
_FILE = "recent.json"
_KEPT = 8


@dataclass(frozen=True)
class RecentScan:
    """path, series (UID, or ""): for `Workflow.open`. unfinished, accepted: its last review, under the one
    that it is.
    """

    path: str
    series: str
    name: str
    digest: str
    unfinished: str = ""
    accepted: str = ""


def remember(work_folder: Path, scan: RecentScan) -> None:
    """Put it first in the list. Where the list cannot be written, nothing else fails."""
    known = [one for one in _read(work_folder) if (one.path, one.series) != (scan.path, scan.series)]
    text = json.dumps([asdict(one) for one in [scan, *known][:_KEPT]], indent=1)
    part = work_folder / f"{_FILE}.part"
    try:
        work_folder.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        os.replace(part, work_folder / _FILE)
    except OSError as error:
        _LOG.info("The list of recent scans cannot be written: %s", error)


def recent_scans(work_folder: Path) -> tuple[RecentScan, ...]:
    """Those that are still there, the newest first."""
    found = []
    for one in _read(work_folder):
        if Path(one.path).exists():
            last = next(iter(earlier_reviews(work_folder, one.digest)), None)
            kind = {} if last is None else {"accepted" if last.accepted else "unfinished": str(last)}
            found.append(replace(one, **kind))
    return tuple(found)


def _read(work_folder: Path) -> list[RecentScan]:
    try:
        entries = json.loads((work_folder / _FILE).read_text(encoding="utf-8"))
        return [_scan(entry) for entry in entries][:_KEPT]
    except (OSError, ValueError, KeyError, TypeError):
        return []  # none yet, or damaged: the scans themselves are not


def _scan(entry: Mapping[str, Any]) -> RecentScan:
    return RecentScan(*(str(entry[name]) for name in ("path", "series", "name", "digest")))
