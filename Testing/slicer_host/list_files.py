"""Keeps CMake's lists equal to the files on disk: an unlisted file is missing from the installed extension.

python Testing/slicer_host/list_files.py           rewrites the lists (`make cmake-lists`)
python Testing/slicer_host/list_files.py --check   fails, with one line per file that is listed wrongly
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_SKIPPED_FOLDERS = {"__pycache__"}
_SKIPPED_ENDINGS = (".pyc", ".tmp", ".cmake", "CMakeLists.txt")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.+/-]+")


@dataclass(frozen=True)
class FileList:
    """One `set(<variable> ...)` of a CMake file, and what belongs into it."""

    cmake: str
    variable: str
    base: str
    roots: tuple[str, ...]
    scripts: bool

    def wanted(self, project: Path) -> list[str]:
        """The files on disk, relative to `base`, in a stable order."""
        base = project / self.base
        found = {path.relative_to(base).as_posix() for root in self.roots for path in _files(base / root)}
        return sorted(name for name in found if name.endswith(".py") == self.scripts)

    def listed(self, project: Path) -> list[str]:
        match = self._pattern().search((project / self.cmake).read_text(encoding="utf-8"))
        if match is None:
            raise SystemExit(f"{self.cmake}: no set({self.variable} ...)")
        return match.group("files").split()

    def write(self, project: Path) -> None:
        path = project / self.cmake
        files = "".join(f"  {name}\n" for name in self.wanted(project))
        old = path.read_text(encoding="utf-8")
        text = self._pattern().sub(lambda _match: f"set({self.variable}\n{files}  )", old)
        path.write_text(text, encoding="utf-8", newline="\n")

    def _pattern(self) -> re.Pattern[str]:
        return re.compile(rf"set\({self.variable}\n(?P<files>[^)]*?)\s*\)")


_LIBRARY = "TumorSegRobust/LibraryFiles.cmake"
_MODULE = "TumorSegRobust/CMakeLists.txt"
_INSTALLED = ("TumorSegRobustLib", "Resources/Models", "Resources/SampleCase", "Resources/Icons")
LISTS = (
    FileList(_LIBRARY, "LIBRARY_PYTHON_SCRIPTS", ".", ("TumorSegRobustLib",), scripts=True),
    FileList(_LIBRARY, "LIBRARY_RESOURCES", ".", _INSTALLED, scripts=False),
    FileList(_MODULE, "MODULE_PYTHON_SCRIPTS", "TumorSegRobust", (".",), scripts=True),
    FileList(_MODULE, "MODULE_PYTHON_RESOURCES", "TumorSegRobust", ("Resources",), scripts=False),
)


def _files(root: Path) -> Iterable[Path]:
    for path in root.rglob("*") if root.is_dir() else ():
        parts = path.parts[len(root.parts) :]
        hidden = any(part.startswith(".") or part in _SKIPPED_FOLDERS for part in parts)
        if path.is_file() and not hidden and not path.name.endswith(_SKIPPED_ENDINGS):
            yield path


def problems(project: Path) -> list[str]:
    """One line per disagreement between CMake's lists and the files under `project`."""
    lines = []
    for file_list in LISTS:
        listed, wanted = file_list.listed(project), file_list.wanted(project)
        place = f"{file_list.cmake}: {file_list.variable}"
        lines += [f"{place} misses {name}" for name in sorted(set(wanted) - set(listed))]
        lines += [f"{place} names {name}, which does not exist" for name in sorted(set(listed) - set(wanted))]
        lines += [f"{place} names {name} twice" for name in set(listed) if listed.count(name) > 1]
        odd = [name for name in wanted if not _PLAIN_NAME.fullmatch(name)]
        lines += [f"{place}: CMake would split the name {name!r}" for name in odd]
    return lines


def main(arguments: list[str] | None = None) -> int:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--check", action="store_true", help="only compare, and fail when something differs")
    parser.add_argument("--project", type=Path, default=Path(__file__).resolve().parents[2])
    options = parser.parse_args(arguments)
    if not options.check:
        for file_list in LISTS:
            file_list.write(options.project)
    lines = problems(options.project)
    for line in lines:
        print(line, file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
