"""The extension as CMake installs it: complete, and importable with nothing of ours around."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTED_MODULES = Path("lib/Slicer-5.12/qt-scripted-modules")
# What the module's file may import when Slicer discovers it: the application and the standard library.
AT_DISCOVERY = {"slicer"} | set(sys.stdlib_module_names)


def list_files(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = Path(__file__).resolve().parents[1] / "slicer_host" / "list_files.py"
    command = [sys.executable, str(script), *arguments, "--project", str(project)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def extension(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what belongs to the extension, with lists as the command that keeps them writes them."""
    project = tmp_path_factory.mktemp("extension") / "source"
    for name in ("TumorSegRobust", "TumorSegRobustLib", "Resources", "Testing/slicer_host"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(repository / name, project / name, ignore=ignored)
    shutil.copy(repository / "CMakeLists.txt", project)
    assert list_files(project).returncode == 0
    return project


@pytest.fixture(scope="module")
def built(extension: Path) -> Path:
    """The build tree: configured against the stand-in for Slicer, built and installed into `install`."""
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not installed")
    build = extension.parent / "build"
    run_cmake(extension, build)
    check(["cmake", "--build", str(build)])
    check(["cmake", "--install", str(build), "--prefix", str(build / "install")])
    return build


@pytest.fixture(scope="module")
def unpacked(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, as the extensions server would offer it, unpacked into an empty folder."""
    check(["cpack"], cwd=built)
    empty = tmp_path_factory.mktemp("computer")
    shutil.unpack_archive(built / "package" / "TumorSegRobust.tar.gz", empty)
    return empty / "TumorSegRobust" / SCRIPTED_MODULES


def run_cmake(source: Path, build: Path) -> subprocess.CompletedProcess[str]:
    command = ["cmake", "-S", str(source), "-B", str(build), "-DSLICER_HOST_PYTHON=" + sys.executable]
    return check([*command, f"-DSlicer_DIR={source / 'Testing/slicer_host/cmake'}"])


def check(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done


def test_cmake_lists_every_file_of_the_library_and_no_other(repository: Path) -> None:
    compared = list_files(repository, "--check")
    assert compared.stderr == "", "run `make cmake-lists`"
    assert compared.returncode == 0


def test_an_unlisted_file_is_noticed(extension: Path, tmp_path: Path) -> None:
    project = shutil.copytree(extension, tmp_path / "source")
    (project / "TumorSegRobustLib" / "image" / "forgotten.py").write_text("", encoding="utf-8")
    compared = list_files(project, "--check")
    assert compared.returncode == 1
    assert "misses TumorSegRobustLib/image/forgotten.py" in compared.stderr


def test_a_listed_file_that_does_not_exist_is_noticed_by_configuring(extension: Path, tmp_path: Path) -> None:
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not installed")
    project = shutil.copytree(extension, tmp_path / "source")
    (project / "TumorSegRobustLib" / "progress.py").unlink()
    with pytest.raises(AssertionError, match=r"does not exist:\s+TumorSegRobustLib/progress\.py"):
        run_cmake(project, tmp_path / "build")


def test_an_unlisted_file_is_noticed_by_configuring(extension: Path, tmp_path: Path) -> None:
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not installed")
    project = shutil.copytree(extension, tmp_path / "source")
    (project / "TumorSegRobust" / "Resources" / "forgotten.svg").write_text("<svg/>", encoding="utf-8")
    with pytest.raises(AssertionError, match=r"MODULE_PYTHON_RESOURCES misses\s+Resources/forgotten\.svg"):
        run_cmake(project, tmp_path / "build")


def test_writing_the_lists_twice_changes_nothing(extension: Path, tmp_path: Path) -> None:
    project = shutil.copytree(extension, tmp_path / "source")
    before = (project / "TumorSegRobust/LibraryFiles.cmake").read_bytes()
    assert list_files(project).returncode == 0
    assert (project / "TumorSegRobust/LibraryFiles.cmake").read_bytes() == before


def test_library_and_resources_lie_beside_the_installed_module(built: Path) -> None:
    folder = built / "install" / SCRIPTED_MODULES
    assert (folder / "TumorSegRobust.py").is_file()
    assert (folder / "TumorSegRobustLib" / "workflow" / "workflow.py").is_file()
    assert (folder / "Resources" / "UI" / "TumorSegRobust.ui").is_file()
    assert (folder / "Resources" / "Icons" / "TumorSegRobust.png").is_file()


def test_the_package_holds_every_file_of_the_extension_and_no_other(extension: Path, unpacked: Path) -> None:
    def files(root: Path, folder: str = ".") -> set[str]:
        found = (path for path in (root / folder).rglob("*") if path.is_file() and path.suffix != ".pyc")
        return {path.relative_to(root).as_posix() for path in found if path.name != ".gitignore"}

    for_cmake = ("CMakeLists.txt", ".cmake")
    wanted = {name for name in files(extension / "TumorSegRobust") if not name.endswith(for_cmake)}
    wanted |= files(extension, "TumorSegRobustLib")
    for folder in ("Models", "SampleCase", "Icons"):
        wanted |= files(extension, f"Resources/{folder}")
    assert files(unpacked) == wanted


def test_paths_in_the_package_are_short_enough_for_windows(unpacked: Path) -> None:
    """260 characters, of which the folder of Slicer's extensions takes some 100, compiled files 30."""
    names = [path.relative_to(unpacked.parents[3]).as_posix() for path in unpacked.rglob("*")]
    assert max(len(name) for name in names) < 115


def test_the_package_imports_from_an_empty_folder(unpacked: Path, tmp_path: Path) -> None:
    """Nothing of the checkout is on the path, and the resources are found where they were unpacked."""
    code = (
        "import sys, TumorSegRobustLib.workflow as w, TumorSegRobustLib.resources as r\n"
        "print(w.__file__); print(r.resource('Icons', 'TumorSegRobust.png').is_file())\n"
        "print(sorted({'torch', 'monai', 'openvino', 'slicer'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(unpacked)}
    printed = check([sys.executable, "-P", "-c", code], cwd=tmp_path, env=environment).stdout.splitlines()
    assert printed == [str(unpacked / "TumorSegRobustLib/workflow/__init__.py"), "True", "[]"]


def test_the_module_passes_its_own_test_from_the_built_tree(built: Path) -> None:
    """`ctest`, as Slicer's build machines run it: the generic test and the module's own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "QT_QPA_PLATFORM": "offscreen"}
    done = check(["ctest", "--test-dir", str(built), "--output-on-failure"], env=environment)
    assert "100% tests passed, 0 tests failed out of 2" in done.stdout


def test_discovery_imports_nothing_but_slicer_and_the_standard_library(repository: Path) -> None:
    tree = ast.parse((repository / "TumorSegRobust" / "TumorSegRobust.py").read_text(encoding="utf-8"))
    assert {name.split(".")[0] for name in imported_at_file_scope(tree)} <= AT_DISCOVERY


def test_the_module_s_file_stays_under_300_lines(repository: Path) -> None:
    text = (repository / "TumorSegRobust" / "TumorSegRobust.py").read_text(encoding="utf-8")
    assert text.count("\n") < 300


def test_signals_are_connected_in_the_way_both_toolkits_know(repository: Path) -> None:
    """`widget.clicked.connect(f)`; PythonQt's `widget.connect("clicked()", f)` exists in Slicer only."""
    found = [
        f"{path.name}:{call.lineno}"
        for path in (repository / "TumorSegRobust").rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "connect"
        and len(call.args) != 1
    ]
    assert found == []


def test_the_installer_knows_every_package_that_the_panel_s_rooms_import(repository: Path) -> None:
    of_slicer = {"numpy", "scipy", "SimpleITK", "pydicom", "slicer", "vtk"}
    own = {"TumorSegRobustLib", "TumorSegRobust", "TumorSegRobustDesktop"}
    imported: set[str] = set()
    for room in ("image", "models", "export", "inference", "trust", "review", "workflow", "scene"):
        for path in (repository / "TumorSegRobustLib" / room).rglob("*.py"):
            imported |= third_party(ast.parse(path.read_text(encoding="utf-8")))
    # For a GPU, for networks that must be converted, for DICOM SEG (of Slicer 5.12); never at import time.
    optional = {"torch", "monai", "highdicom"}
    assert imported - of_slicer - own - optional - packages_from_pip(repository) == set()


def imported_at_file_scope(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def third_party(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(str(node.module).split(".")[0])
    return names - set(sys.stdlib_module_names)


def packages_from_pip(repository: Path) -> set[str]:
    path = repository / "TumorSegRobust" / "TumorSegRobustDesktop" / "dependencies.py"
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "FROM_PIP":
            return set(ast.literal_eval(node.value))
    raise AssertionError("FROM_PIP is not in dependencies.py")
