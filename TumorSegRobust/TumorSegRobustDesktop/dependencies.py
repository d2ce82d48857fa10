"""Python packages that Slicer does not bring along: what is missing, and its installation if the user agrees.

Nothing is installed when the module is opened. numpy, VTK and SimpleITK belong to Slicer and stay as they
are; PyTorch comes from the PyTorch extension, which picks the build for this computer.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Import name -> what pip is asked for; versions as in the project file.
FROM_PIP = {
    "cc3d": "connected-components-3d>=3.18",
    "monai": "monai>=1.5",
    "onnx": "onnx>=1.16",
    "openvino": "openvino>=2025.0",
    "safetensors": "safetensors>=0.4",
    "skimage": "scikit-image>=0.24",
}
# Never changed by an installation of ours, whatever a package asks for.
PROTECTED = ("numpy", "vtk", "SimpleITK", "torch", "scipy", "pydicom")


@dataclass(frozen=True)
class Readiness:
    """What the panel shows: nothing when `missing` is empty, else `text` and, if `can_install`, a button."""

    missing: tuple[str, ...] = ()
    text: str = ""
    can_install: bool = False


class Installer:
    """Looks for packages without importing them; installs them after asking.

    ask(question) -> bool; pip(requirements, constraints file); install_torch() -> the torch module or None.
    """

    def __init__(
        self,
        find: Callable[[str], Any] = importlib.util.find_spec,
        ask: Callable[[str], bool] | None = None,
        pip: Callable[[Sequence[str], Path], None] | None = None,
        install_torch: Callable[[], Any] | None = None,
    ) -> None:
        self._find = find
        self._ask = ask or _ask
        self._pip = pip or _pip
        self._install_torch = install_torch or _install_torch

    def look(self) -> Readiness:
        """What is missing now."""
        missing = tuple(name for name in ("torch", *FROM_PIP) if self._find(name) is None)
        if not missing:
            return Readiness()
        names = ", ".join(missing)
        if "torch" in missing and self._find("PyTorchUtils") is None:
            text = (
                f"Not installed: {names}. PyTorch comes from the extension PyTorch: install it in the "
                "Extensions Manager, restart Slicer, then come back here."
            )
            return Readiness(missing, text, can_install=False)
        text = f"Not installed: {names}. Segmenting and clicking need them."
        return Readiness(missing, text, can_install=True)

    def install(self) -> bool:
        """Ask, then install what is missing; False when the user declines or PyTorch was not installed."""
        missing = self.look().missing
        if not missing:
            return True
        packages = [FROM_PIP[name] for name in missing if name in FROM_PIP]
        parts = [*(["PyTorch (through the PyTorch extension)"] if "torch" in missing else []), *packages]
        question = (
            f"TumorSegRobust needs these Python packages: {', '.join(parts)}.\n\nThey are downloaded and "
            "added to Slicer's Python; packages that Slicer itself uses stay as they are. This can take some "
            "minutes.\n\nInstall them now?"
        )
        if not self._ask(question):
            return False
        if "torch" in missing and self._install_torch() is None:
            return False
        if packages:
            with tempfile.TemporaryDirectory() as folder:
                constraints = Path(folder) / "constraints.txt"
                constraints.write_text(pinned(), encoding="utf-8")
                self._pip(packages, constraints)
        importlib.invalidate_caches()
        return not self.look().missing


def pinned() -> str:
    """A pip constraints file that holds the protected packages at the versions that are installed."""
    lines = []
    for name in PROTECTED:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # built into Slicer without metadata (VTK): pip neither sees nor replaces it
        lines.append(f"{name}=={version}")
    return "\n".join([*lines, ""])


def _ask(question: str) -> bool:
    import slicer

    return bool(slicer.util.confirmOkCancelDisplay(question, "TumorSegRobust"))


def _pip(requirements: Sequence[str], constraints: Path) -> None:
    """Slicer's own pip: with progress from 5.12 on (`slicer.packaging`), plain before."""
    import slicer

    if importlib.util.find_spec("slicer.packaging") is not None:
        packaging = importlib.import_module("slicer.packaging")
        packaging.pip_install(list(requirements), constraints=str(constraints), requester="TumorSegRobust")
    else:
        slicer.util.pip_install([*requirements, "--constraint", str(constraints)])


def _install_torch() -> Any:
    module = importlib.import_module("PyTorchUtils")
    return module.PyTorchUtilsLogic().installTorch(askConfirmation=False)  # asked already
