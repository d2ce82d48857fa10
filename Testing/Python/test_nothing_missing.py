"""Where nothing may be missing, a test that is skipped for a missing tool fails; elsewhere it is skipped."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fixtures_missing import NOTHING_MISSING, may_be_skipped

SKIPPED = """
import pytest

def test_tool():
    pytest.skip("cmake is not installed")

@pytest.mark.skipif(True, reason="signals of POSIX")
def test_system():
    raise AssertionError

def test_imports():
    pytest.importorskip("a_package_that_nobody_has")
"""


@pytest.mark.parametrize(
    ("setting", "outcomes"), [("1", {"failed": 2, "skipped": 1}), ("", {"failed": 0, "skipped": 3})]
)
def test_a_missing_tool_fails_only_where_nothing_may_be_missing(
    setting: str, outcomes: dict[str, int], tmp_path: Path
) -> None:
    (tmp_path / "test_it.py").write_text(SKIPPED)
    words = ["-m", "pytest", "-p", "fixtures_missing", "-p", "no:cacheprovider", "-q", "-rs", "test_it.py"]
    environment = {**os.environ, NOTHING_MISSING: setting, "PYTHONPATH": str(Path(__file__).parent)}
    run = subprocess.run(
        [sys.executable, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    last = run.stdout.strip().splitlines()[-1]
    for outcome, count in outcomes.items():
        assert (f"{count} {outcome}" in last) is bool(count), run.stdout


@pytest.mark.parametrize(
    ("reason", "without_data", "with_data"),
    [
        ("Skipped: the real scans of ../shared/data are not on this machine", True, False),
        ("Skipped: the real series mr-sarcoma is not on this machine", True, False),
        ("Skipped: cmake is not installed", False, False),
        ("Skipped: not a git checkout", False, False),
        ("Skipped: no CUDA GPU on this machine", True, True),
    ],
)
def test_data_may_be_missing_where_the_folder_beside_the_checkout_is(
    reason: str, without_data: bool, with_data: bool
) -> None:
    assert may_be_skipped(reason, data_there=False) is without_data
    assert may_be_skipped(reason, data_there=True) is with_data


def test_the_whole_check_of_a_clone_asks_for_it(repository: Path) -> None:
    assert f"export {NOTHING_MISSING}=1" in (repository / ".ci" / "run").read_text()
