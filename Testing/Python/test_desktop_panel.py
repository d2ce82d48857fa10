"""The desktop panel on the stand-ins for Slicer, in a process of its own: one host, one Qt, one scene.

The cases are in Testing/slicer_host/checks; each is reported here under its own name.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

CHECKS = Path(__file__).resolve().parents[1] / "slicer_host" / "checks"


def names_of_cases() -> list[str]:
    """`check_panel::test_x` for every case."""
    return [
        f"{path.stem}::{node.name}"
        for path in sorted(CHECKS.glob("check_*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Case -> "" when it passed, else what went wrong."""
    report = tmp_path_factory.mktemp("panel") / "report.xml"
    command = [sys.executable, "-m", "pytest", str(CHECKS), "-q", "--timeout=120", "-p", "no:cacheprovider"]
    options = ["-o", "python_files=check_*.py", "-o", "pythonpath=", f"--junitxml={report}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "QT_QPA_PLATFORM": "offscreen"}
    run = subprocess.run(
        [*command, *options, f"--rootdir={CHECKS}"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert report.is_file(), run.stdout[-3000:] + run.stderr[-3000:]
    found: dict[str, str] = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname')}::{str(case.get('name')).split('[')[0]}"
        found[name] = found.get(name, "") + _failure(case)
    return found


@pytest.mark.parametrize("case", names_of_cases())
def test_desktop(case: str, outcomes: dict[str, str]) -> None:
    assert case in outcomes, f"{case} did not run"
    if outcomes[case]:
        pytest.fail(outcomes[case], pytrace=False)


def _failure(case: ElementTree.Element) -> str:
    if case.find("skipped") is not None:
        return "skipped: every case of the panel must run"
    return "\n".join(str(child.text) for child in case if child.tag in ("failure", "error"))
