"""Which folders of this computer the page may read scans from and write results to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from TumorSegRobustLib.errors import UnusableInput


class Reach:
    """Everything that the user may read, or, where folders were named at the start, only what lies in them.

    Links are followed before the question is asked, so that none leads out.
    """

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        """Raises UnusableInput for a folder that does not exist."""
        self.folders = tuple(Path(folder).expanduser().resolve() for folder in folders)
        for folder in self.folders:
            if not folder.is_dir():
                raise UnusableInput(f"{folder} is no folder; give the one that holds the scans")

    @property
    def start(self) -> Path:
        """Where to begin looking for a scan."""
        return self.folders[0] if self.folders else Path.home()

    def holds(self, path: str | Path) -> bool:
        wanted = Path(path).expanduser().resolve()
        return not self.folders or any(wanted == one or one in wanted.parents for one in self.folders)

    def check(self, path: str | Path) -> Path:
        """The path, as the user typed it; UnusableInput where it lies elsewhere."""
        if not self.holds(path):
            named = " and ".join(str(folder) for folder in self.folders)
            raise UnusableInput(
                f"{path} lies outside {named}, which is all that this panel was started for: "
                "choose something there, or start it with another --folder."
            )
        return Path(path).expanduser()
