"""What every test may rely on: a screenless environment, steady property tests, the optional real data."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures_missing import pytest_runtest_makereport  # noqa: F401 - a hook, which pytest finds here
from hypothesis import settings

# Before anything imports Qt or matplotlib: tests draw into memory, never on a screen.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("MPLBACKEND", "Agg")

REPOSITORY = Path(__file__).resolve().parents[2]

# No deadline: timing on a shared machine says nothing about a property. In CI the same examples every time.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session", autouse=True)
def _a_home_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Caches and journals of tests never reach the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUMORSEGROBUST_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real scans, kept beside the checkout and never in it; the test is skipped where they are absent."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real scans of ../shared/data are not on this machine")
    return folder
