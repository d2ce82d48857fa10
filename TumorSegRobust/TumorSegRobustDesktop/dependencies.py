"""Python packages that Slicer does not bring along: what is missing, and its installation if the user agrees.

Nothing is installed when the module is opened. numpy, VTK and SimpleITK belong to Slicer and stay as they
are. PyTorch and MONAI are not needed; where both are installed, a GPU is used.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import logging
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from TumorSegRobustDesktop.offline_bundle import FILTER, Bundle, open_bundle

_LOG = logging.getLogger(__name__)
# Import name -> what pip is asked for; as in Resources/requirements.txt.
FROM_PIP = {
    "cc3d": "connected-components-3d>=3.18",
    "openvino": "openvino>=2025.0",
    "safetensors": "safetensors>=0.4",
}
# pip's options for the packages themselves and nothing that they depend on.
_ANEW = ("--force-reinstall", "--no-deps", "--no-cache-dir")
# Never changed by an installation of ours, whatever a package asks for.
PROTECTED = ("numpy", "vtk", "SimpleITK", "torch", "scipy", "pydicom")


@dataclass(frozen=True)
class Readiness:
    """What the panel shows: nothing when `missing` is empty, else `text` and the buttons."""

    missing: tuple[str, ...] = ()
    text: str = ""


class Installer:
    """Looks for packages without importing them; installs them after asking.

    ask(question) -> bool; pip(requirements, constraints file, folder of wheels or None); choose() -> the path
    of an offline bundle, "" when the user gives up; tell(a line about what was done).
    """

    def __init__(
        self,
        find: Callable[[str], Any] = importlib.util.find_spec,
        ask: Callable[[str], bool] | None = None,
        pip: Callable[[Sequence[str], Path, Path | None], None] | None = None,
        choose: Callable[[], str] | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self._find = find
        self._ask = ask or _ask
        self._pip = pip or _pip
        self._choose = choose or _choose
        self._tell = tell or _tell

    def look(self) -> Readiness:
        """What is missing now."""
        missing = tuple(name for name in FROM_PIP if self._find(name) is None)
        if not missing:
            return Readiness()
        text = _("Not installed: {names}. Segmenting and clicking need them.")
        return Readiness(missing, text.format(names=", ".join(missing)))

    def install(self) -> bool:
        """Ask, then download and install what is missing; False when the user declines."""
        packages = self._wanted()
        question = _(
            "TumorSegRobust needs these Python packages: {names}.\n\nThey are downloaded and added to "
            "Slicer's Python; packages that Slicer itself uses stay as they are. This can take some "
            "minutes.\n\nInstall them now?"
        )
        if packages:
            if not self._ask(question.format(names=", ".join(packages))):
                return False
            self._run(packages)
        return not self.look().missing

    def install_offline(self) -> bool:
        """Install what is missing, and the models, from a bundle that the user chooses; False when packages
        are missing still.

        Nothing is looked for on the network. UnusableInput when the choice is no offline bundle, or none for
        this computer.
        """
        chosen = self._choose()
        if chosen:
            with tempfile.TemporaryDirectory() as scratch:
                self._install_from(open_bundle(Path(chosen), Path(scratch)))
        return not self.look().missing

    def _install_from(self, bundle: Bundle) -> None:
        """The models first: they need none of the packages, and fit every computer."""
        from TumorSegRobustLib.errors import UnusableInput
        from TumorSegRobustLib.models.installing import install_packages

        packages, lines = self._wanted(), []
        if bundle.models is not None:
            installed = install_packages(bundle.models)
            if installed.new:
                lines.append(_("Models installed: {names}.").format(names=", ".join(installed.new)))
            lines += installed.refused
        if packages and bundle.wheels is None:
            lines.append(_("The bundle holds no Python packages, and some are missing."))
        elif packages and bundle.unfit:
            raise UnusableInput(" ".join([*lines, bundle.unfit]))
        elif packages:
            self._run(packages, bundle.wheels)
        self._tell(" ".join(lines) or _("Everything in the bundle is installed already."))

    def repair(self) -> bool:
        """Ask, then install all packages anew, also those that seem to be there; False when declined.

        For files that are damaged or half installed, which looking for them does not notice.
        """
        packages = list(FROM_PIP.values())
        question = _(
            "These Python packages are installed anew: {names}.\n\nPackages that Slicer itself uses stay as "
            "they are. If something was segmented since Slicer was started, restart Slicer first: files in "
            "use cannot be replaced.\n\nInstall them anew now?"
        )
        if not self._ask(question.format(names=", ".join(packages))):
            return False
        self._run([*packages, *_ANEW])
        return not self.look().missing

    def _wanted(self) -> list[str]:
        return [FROM_PIP[name] for name in self.look().missing]

    def _run(self, packages: Sequence[str], wheels: Path | None = None) -> None:
        with tempfile.TemporaryDirectory() as folder:
            constraints = Path(folder) / "constraints.txt"
            constraints.write_text(pinned(), encoding="utf-8")
            try:
                self._pip(packages, constraints, wheels)
            except Exception as error:
                raise _failed(error, wheels) from error
        importlib.invalidate_caches()


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


def _(text: str) -> str:
    """Slicer's translation, loaded at first use: offline bundles are made outside Slicer, from this file."""
    from slicer.i18n import tr

    return str(tr(text))


def _failed(error: Exception, wheels: Path | None) -> Exception:
    """What went wrong in one line, and the way out; what pip said stands in the log."""
    from TumorSegRobustLib.errors import UnusableInput

    _LOG.error("pip failed", exc_info=error)
    online = _("check the network, or use Install from file")
    way_out = online if wheels is None else _("choose another bundle")
    line = _("The packages were not installed: {way_out}. What pip said stands in the log.")
    return UnusableInput(line.format(way_out=way_out))


def _ask(question: str) -> bool:
    import slicer

    return bool(slicer.util.confirmOkCancelDisplay(question, "TumorSegRobust"))


def _tell(line: str) -> None:
    import slicer

    slicer.util.infoDisplay(line, "TumorSegRobust")


def _choose() -> str:
    import qt

    title = _("Offline bundle: the ZIP file, or bundle.json in its folder")
    return str(qt.QFileDialog.getOpenFileName(None, title, "", FILTER))


def _pip(requirements: Sequence[str], constraints: Path, wheels: Path | None) -> None:
    """Slicer's own pip: with progress from 5.12 on (`slicer.packaging`), plain before and without network."""
    import slicer

    if wheels is not None:
        offline = ["--no-index", "--find-links", str(wheels), "--constraint", str(constraints)]
        slicer.util.pip_install([*requirements, *offline])
    elif importlib.util.find_spec("slicer.packaging") is not None:
        packaging = importlib.import_module("slicer.packaging")
        packaging.pip_install(list(requirements), constraints=str(constraints), requester="TumorSegRobust")
    else:
        slicer.util.pip_install([*requirements, "--constraint", str(constraints)])
