"""To which licences of models the user has agreed: asked once, remembered in the folder of the journals."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from ..models.licences import restriction_of
from .asking import Question

if TYPE_CHECKING:
    from ..models import ModelPackage

_LOG = logging.getLogger(__name__)


class Agreements:
    """Package id -> the licence that was agreed to; another licence of the package is asked about anew."""

    def __init__(self, work_folder: Path) -> None:
        self._file = work_folder / "agreed.json"
        self._here: dict[str, str] = {}  # holds for this session where the file cannot be written

    def question(self, package: ModelPackage) -> Question | None:
        """Before a package is used whose licence restricts that; None where it does not, or was agreed to."""
        restriction = restriction_of(package.licence)
        if not restriction or self._known().get(package.id) == package.licence:
            return None
        text = f"The model {package.id} has the licence {package.licence}. {restriction} Do you agree?"
        return Question(text, "I agree")

    def agree(self, package: ModelPackage) -> None:
        self._here[package.id] = package.licence
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_text(json.dumps(self._known(), indent=1), encoding="utf-8")
        except OSError as error:
            _LOG.info("The agreement holds for this session only: %s", error)

    def _known(self) -> dict[str, str]:
        try:
            known = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            known = {}
        return {**(known if isinstance(known, dict) else {}), **self._here}
