"""Tests that are skipped because something is missing: told where it may be, failed where nothing may be."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from pathlib import Path

import pytest

NOTHING_MISSING = "TUMORSEGROBUST_NOTHING_MISSING"
"""Set to 1 by .ci/run: whatever a test needs is there, so a skipped test is a mistake."""

SHARED = Path(__file__).resolve().parents[3] / "shared"
# What differs between machines and is no tool that one could install.
_OF_THE_MACHINE = re.compile(r"POSIX|CUDA|such as /proc on Linux|no package index|the history is not in")
_OF_THE_DATA = re.compile(r"the real (scans|series) .* (is|are) not on this machine")


def may_be_skipped(reason: str, data_there: bool) -> bool:
    """Whether a test may be skipped for this where nothing may be missing. data_there: whether this machine
    has the folder beside the checkout that holds the real scans; a user's has not.
    """
    return bool(_OF_THE_MACHINE.search(reason)) or (bool(_OF_THE_DATA.search(reason)) and not data_there)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if os.environ.get(NOTHING_MISSING) == "1" and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not may_be_skipped(reason, SHARED.is_dir()):
            report.outcome = "failed"
            report.longrepr = f"{NOTHING_MISSING} is set, so this may not be missing: {reason}"
    return report
